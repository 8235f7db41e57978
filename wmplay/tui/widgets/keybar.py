"""The footer: what can be done with the selection, by key or by mouse, for as much as the width holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content
from textual.widgets import Static


class KeyBar(Static):
    """Keys and titles on one line; a click does what the key does. The most wanted come first, the last ones stay."""

    ALLOW_SELECT = False

    def show(self, entries: Sequence[tuple[str, str]], keys: Mapping[str, str], last: int = 2) -> None:
        """Offer these (command id, title); the final `last` of them are always there."""
        self._entries, self._keys, self._last = tuple(entries), dict(keys), last
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        entries = getattr(self, "_entries", ())
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
        parts = [
            f"[@click=screen.do('{id_}')] [$footer-key-foreground b]{_safe(self._keys[id_])}[/]"
            f" [$footer-description-foreground]{title}[/] [/]"
            for id_, title in (*shown, *tail)
        ]
        self.update(Content.from_markup("".join(parts)))

    def _width(self, entry: tuple[str, str]) -> int:
        return len(self._keys[entry[0]]) + len(entry[1]) + 3


def _safe(key: str) -> str:
    return key.replace("[", r"\[")
