"""The dashboard's commands in the command palette, each with what it would act on now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual.app import SystemCommand
from textual.command import DiscoveryHit, Hit, Hits, Provider

from wmplay.tui import commands, targets

if TYPE_CHECKING:
    from wmplay.tui.screens.dashboard import DashboardScreen


class CommandProvider(Provider):
    """Every command of the table; one that cannot be done now says why instead of what it does."""

    def _entries(self) -> list[tuple[str, str, str]]:
        """(command id, title, help), those that can be done first."""
        screen = cast("DashboardScreen", self.screen)
        keys = commands.keys(screen.app.user_keys)
        able: list[tuple[str, str, str]] = []
        unable: list[tuple[str, str, str]] = []
        for entry in commands.COMMANDS:
            if entry.id == "menu":
                continue
            why = targets.refusal(entry.id, screen.state, screen.subject)
            row = (entry.id, f"{entry.title}  ({keys[entry.id]})", why or entry.help)
            (unable if why else able).append(row)
        return able + unable

    async def discover(self) -> Hits:
        for id_, title, text in self._entries():
            yield DiscoveryHit(title, self._doer(id_), help=text)
        for command in self._of_textual():
            yield DiscoveryHit(command.title, command.callback, help=command.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for id_, title, text in self._entries():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), self._doer(id_), help=text)
        for command in self._of_textual():
            score = matcher.match(command.title)
            if score > 0:
                yield Hit(score, matcher.highlight(command.title), command.callback, help=command.help)

    def _of_textual(self) -> list[SystemCommand]:
        """What Textual itself offers and the table does not have: theme, screenshot, maximize."""
        screen = cast("DashboardScreen", self.screen)
        return [
            entry for entry in screen.app.get_system_commands(self.screen) if entry.title not in ("Quit", "Keys")
        ]  # fmt: skip

    def _doer(self, id_: str) -> Callable[[], None]:
        screen = cast("DashboardScreen", self.screen)
        return lambda: screen.action_do(id_)
