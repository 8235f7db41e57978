"""The question for a variant's name and parameters, with what can be set about the game below it."""

from __future__ import annotations

import json
from typing import Any

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from wmplay.tui.screens.prompt import Prompt


class VariantPrompt(Prompt):
    """Answers with `NAME parameter=value …`, or None."""

    def __init__(self, title: str, value: str) -> None:
        super().__init__(title, "Name, then parameters as name=value, with spaces between", value)

    def about(self) -> ComposeResult:
        with VerticalScroll(id="parameters"):
            yield Static("Looking up what can be set…")

    def tell(self, code: int, said: str) -> None:
        """Show what `wmplay games show GAME --json` answered; nothing where the box has been closed meanwhile."""
        if self.is_attached:
            self.query_one("#parameters Static", Static).update(_described(code, said))


def _described(code: int, said: str) -> Table | Text:
    """A line per parameter: name, what it is if it is not set, and what it may be."""
    try:
        # The command may have said more than its document, before it and behind.
        row: dict[str, Any] = json.JSONDecoder().raw_decode(said[said.find("{") :])[0] if code == 0 else {}
    except ValueError:
        row = {}
    if "parameters" not in row:
        return Text(said or "What can be set could not be looked up.")
    if not row["parameters"]:
        return Text("This game tells of nothing that can be set.")
    listed = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("can be set", "now", "to"):
        listed.add_column(heading, overflow="fold")
    for each in row["parameters"]:
        now = each["default"]
        shown = now if isinstance(now, str) else "" if now is None else json.dumps(now)
        listed.add_row(*(Text(text) for text in (each["name"], shown, each["type"])))
    return listed
