"""A box for long texts and errors: scrolls, selects, copies."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, TextArea


class TextBox(ModalScreen[None]):
    """Shows a text until it is dismissed; further errors are added at its end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Close"),
        Binding("c", "copy", "Copy all"),
    ]

    def __init__(self, title: str, text: str, is_error: bool = False) -> None:
        super().__init__()
        self.is_error = is_error
        self._title = title
        self._text = text.strip()

    def compose(self) -> ComposeResult:
        with Vertical(id="box", classes="error" if self.is_error else "") as box:
            box.border_title = f" {self._title} "
            yield TextArea(self._text, read_only=True, soft_wrap=True, show_cursor=False, compact=True)
            with Horizontal(id="buttons"):
                yield Button("Copy all (c)", id="copy", compact=True)
                yield Button("Close (esc)", id="close", compact=True, variant="primary")

    def on_mount(self) -> None:
        area = self.query_one(TextArea)
        area.focus()
        if not self.is_error:
            area.move_cursor(area.document.end)

    def add(self, title: str, text: str) -> None:
        """Add another text below."""
        self._text += f"\n\n{title}\n{text.strip()}"
        self.query_one(TextArea).text = self._text

    @on(Button.Pressed, "#close")
    def _close(self) -> None:
        self.dismiss()

    @on(Button.Pressed, "#copy")
    def action_copy(self) -> None:
        """Put the whole text into the clipboard of the person's terminal."""
        self.app.copy_to_clipboard(self._text)
        self.notify("Copied.")
