"""The past of a dream: snapshots to rewind to, and one bookmark to branch from."""

from __future__ import annotations

from collections import deque
from typing import Any

# How many steps back a dream can be rewound. A snapshot is a latent state: some kilobytes.
KEPT = 600


class Timeline:
    """Snapshots of a world with `snapshot()` and `restore()`, each with the session's figures of that moment."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._past: deque[tuple[Any, Any]] = deque(maxlen=KEPT)
        self._mark: tuple[Any, Any] | None = None

    def begin(self, moment: Any) -> None:
        """A new episode: the past is forgotten, the bookmark stays."""
        self._past.clear()
        self.push(moment)

    def push(self, moment: Any) -> None:
        """Keep this moment as the newest."""
        self._past.append((self._world.snapshot(), moment))

    def rewind(self, steps: int) -> Any:
        """Set the world back by so many steps (or to the beginning) and return the figures of then."""
        for _ in range(min(steps, len(self._past) - 1)):
            self._past.pop()
        return self._restore(self._past[-1])

    def mark(self, moment: Any) -> None:
        """Remember this moment, across episodes."""
        self._mark = (self._world.snapshot(), moment)

    def recall(self) -> Any:
        """Set the world back to the bookmark and return the figures of then; None without a bookmark."""
        if self._mark is None:
            return None
        self._past.append(self._mark)
        return self._restore(self._mark)

    def _restore(self, kept: tuple[Any, Any]) -> Any:
        snapshot, moment = kept
        self._world.restore(snapshot)
        return moment
