"""The footer: what can be done with the selection, by key or by mouse, for as much as the width holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textual.content import Content
from textual.events import Click
from textual.widgets import Static


class KeyBar(Static):
    """Keys and titles on one line; a click does what the key does. The most wanted come first, the last ones stay."""

    ALLOW_SELECT = False

    def __init__(self, **widget: Any) -> None:
        super().__init__(**widget)
        self._entries: tuple[tuple[str, str], ...] = ()
        self._keys: dict[str, str] = {}
        self._last = 0
        self._ends: list[tuple[int, str]] = []

    def show(self, entries: Sequence[tuple[str, str]], keys: Mapping[str, str], last: int = 2) -> None:
        """Offer these (command id, title); the final `last` of them are always there."""
        self._entries, self._keys, self._last = tuple(entries), dict(keys), last
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        entries = self._entries
        if not entries or not self.size.width:
            return
        tail = entries[-self._last :]
        room = self.size.width - sum(self._width(entry) for entry in tail)
        shown: list[tuple[str, str]] = []
        for entry in entries[: -self._last]:
            room -= self._width(entry)
            if room < 0:
                break
            shown.append(entry)
        self._ends = []
        parts: list[tuple[str, str] | str] = []
        at = 0
        for id_, title in (*shown, *tail):
            at += self._width((id_, title))
            self._ends.append((at, id_))
            parts += [(f" {self._keys[id_]}", "bold $accent"), (f" {title} ", "$foreground-muted")]
        self.update(Content.assemble(*parts))

    async def on_click(self, event: Click) -> None:
        """What was clicked is done."""
        for end, id_ in self._ends:
            if event.x < end:
                await self.run_action(f"screen.do('{id_}')")
                return

    def _width(self, entry: tuple[str, str]) -> int:
        return len(self._keys[entry[0]]) + len(entry[1]) + 3
