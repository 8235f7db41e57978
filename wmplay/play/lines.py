"""A widget for a few lines of text that change many times a second."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual.geometry import Region
from textual.widget import Widget


class Lines(Widget):
    """A few lines of text that change often: drawn again without a new layout."""

    DEFAULT_CSS = """
    Lines { text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, content: Text | None = None, **widget: Any) -> None:
        super().__init__(**widget)
        self._content = content or Text()

    def show(self, content: Text) -> None:
        """Show this text; only lines that differ are drawn again."""
        before, after = self._content.split("\n", allow_blank=True), content.split("\n", allow_blank=True)
        self._content = content
        if len(before) != len(after):
            self.refresh()
            return
        changed = [row for row, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
        if changed:
            self.refresh(*(Region(0, row, self.size.width, 1) for row in changed))

    def render(self) -> Text:
        return self._content
