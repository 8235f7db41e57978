"""A titled list of games, jobs or slots: one line a row, updated in place so that the cursor stays where it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from wmplay.tui.messages import SubjectSelected
from wmplay.tui.snapshot import Kind, Subject

Draw = Callable[[int], Content]


class ListPanel(OptionList):
    """Rows of one kind. A row is drawn for the width there is; only rows that changed are drawn again."""

    # A click only selects; enter asks what can be done with the row.
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "screen.do('menu')", "Menu", show=False)]

    def __init__(self, kind: Kind, title: str, empty: str, **widget: Any) -> None:
        super().__init__(**widget)
        self.kind: Kind = kind
        self._empty = empty
        self._title = title
        self._draws: dict[str, Draw] = {}
        self._drawn: dict[str, str] = {}
        self.border_title = title

    def show(self, rows: Sequence[tuple[str, Draw]]) -> None:
        """Show these rows: (key, function that draws the row for a width)."""
        self._draws = dict(rows)
        if not self.option_count or list(self._draws) != [option.id for option in self.options if option.id]:
            self._rebuild()
        else:
            self._redraw()
        count = f" {len(self._draws)}" if self._draws else ""
        if self.border_title != self._title + count:
            self.border_title = self._title + count

    @property
    def selected(self) -> Subject | None:
        """The row under the cursor."""
        option = self.highlighted_option
        return Subject(self.kind, option.id) if option is not None and option.id else None

    def select(self, key: str) -> bool:
        """Put the cursor on the row with this key; False if it is not there."""
        if key not in self._draws:
            return False
        self.highlighted = self.get_option_index(key)
        return True

    def action_select(self) -> None:
        """A click selects, which the cursor has done already."""

    def on_resize(self) -> None:
        self._drawn.clear()
        self._redraw()

    def on_focus(self) -> None:
        self._tell()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if self.has_focus:
            self._tell()

    def _tell(self) -> None:
        if self.selected is not None:
            self.post_message(SubjectSelected(self.selected))

    def _rebuild(self) -> None:
        before = self.selected
        self._drawn = {}
        self.clear_options()
        if not self._draws:
            self.add_option(Option(Content.styled(self._empty, "$foreground-muted"), disabled=True))
            return
        self.add_options([Option(self._row(key, draw), id=key) for key, draw in self._draws.items()])
        if before is None or not self.select(before.key):
            self.highlighted = 0

    def _redraw(self) -> None:
        for key, draw in self._draws.items():
            old = self._drawn.get(key)
            row = self._row(key, draw)
            if old != self._drawn[key]:
                self.replace_option_prompt(key, row)

    def _row(self, key: str, draw: Draw) -> Content:
        row = draw(max(10, self.scrollable_content_region.width - 2))
        self._drawn[key] = row.markup
        return row
