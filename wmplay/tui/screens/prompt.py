"""Two small questions: a text, and yes or no."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label


class Prompt(ModalScreen[str]):
    """Asks for one text; gives it back stripped, or None when the person turns away."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Cancel")]

    def __init__(self, title: str, label: str, value: str) -> None:
        super().__init__()
        self._title, self._label, self._value = title, label, value

    def compose(self) -> ComposeResult:
        with Vertical(id="box", classes="small") as box:
            box.border_title = f" {self._title} "
            yield Label(self._label)
            yield Input(self._value, id="answer", compact=True)
            yield from self.about()
            with Horizontal(id="buttons"):
                yield Button("Cancel (esc)", id="cancel", compact=True)
                yield Button("OK (⏎)", id="ok", compact=True, variant="primary")

    def about(self) -> ComposeResult:
        """What stands between the answer and the buttons: nothing, unless a special prompt has more to tell."""
        yield from ()

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _answer(self) -> None:
        self.dismiss(self.query_one(Input).value.strip())

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)


class Confirm(ModalScreen[bool]):
    """Asks before something that cannot be undone; the safe answer has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No"),
        Binding("y", "answer(True)", "Yes"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, question: str, verb: str) -> None:
        super().__init__()
        self._question, self._verb = question, verb

    def compose(self) -> ComposeResult:
        with Vertical(id="box", classes="small error") as box:
            box.border_title = f" {self._verb}? "
            yield Label(self._question)
            with Horizontal(id="buttons"):
                yield Button("Keep it (n)", id="no", compact=True, variant="primary")
                yield Button(f"{self._verb} (y)", id="yes", compact=True, variant="error")

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def action_answer(self, yes: bool) -> None:
        """Give the answer."""
        self.dismiss(yes)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")
