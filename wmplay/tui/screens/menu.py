"""Everything that can be done with the selection, as a menu with its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from wmplay.tui import commands, targets
from wmplay.tui.snapshot import Snapshot, Subject


class Menu(ModalScreen[str]):
    """Gives back the id of the chosen command, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Close")]

    def __init__(self, state: Snapshot, subject: Subject | None, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._state, self._subject, self._keymap = state, subject, keymap

    def compose(self) -> ComposeResult:
        keys = commands.keys(self._keymap)
        shown = [
            entry
            for entry in commands.COMMANDS
            if entry.group != "Look" and not targets.refusal(entry.id, self._state, self._subject)
        ]
        wide = max((len(entry.title) for entry in shown), default=0)
        with Vertical(id="box") as box:
            box.border_title = f" {self._subject.key if self._subject else 'wmplay'} "
            yield OptionList(
                *(
                    Option(
                        Content.assemble(
                            (f"{keys[entry.id]:>4} ", "$accent b"),
                            entry.title.ljust(wide + 2),
                            (entry.help, "$foreground-muted"),
                        ),
                        id=entry.id,
                    )
                    for entry in shown
                ),
                compact=True,
            )  # fmt: skip

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)

    def on_key(self, event: object) -> None:
        """A command's own key works here as well."""
        from textual.events import Key

        if isinstance(event, Key):
            for entry in commands.COMMANDS:
                if event.key == self._keymap.get(entry.id, entry.key) and entry.id not in ("menu", "quit"):
                    event.stop()
                    self.dismiss(entry.id)
                    return
