"""The help: every key with a sentence, and what the words mean."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from wmplay.tui import commands


class HelpScreen(ModalScreen[None]):
    """One scrolling page, made from the table of commands."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "Close")]

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = " Help "
            box.border_subtitle = " ↑↓ scroll · esc closes · ctrl+p finds any command "
            with VerticalScroll():
                yield Static(self.page())

    def page(self) -> Content:
        """The page's text."""
        keys = commands.keys(self._keymap)
        lines: list[Content] = [
            Content("Select a game, a job or a slot with the arrows or the mouse; tab goes from list to list."),
            Content("Every key acts on what is selected. Closing this window stops nothing."),
        ]
        for group, entries in groupby(commands.COMMANDS, key=lambda entry: entry.group):
            lines += [Content(""), Content.styled(group, "bold $primary")]
            lines += [
                Content.assemble((f"{keys[entry.id]:>6}  ", "$accent b"), (f"{entry.title}: ", "b"), entry.help)
                for entry in entries
            ]
        lines += [Content(""), Content.styled("What things are", "bold $primary")]
        lines += [Content.assemble((f"{word}: ", "b"), text) for word, text in commands.WORDS]
        lines += [
            Content(""),
            Content.styled("A game's or a dream's window shows its own keys.", "$foreground-muted"),
            Content.styled('Your own keys: keymap.json in the home folder, {"dream": "f5"}.', "$foreground-muted"),
        ]  # fmt: skip
        return Content("\n").join(lines)
