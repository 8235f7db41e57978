"""What a session needs of others: a world to step, somewhere to record."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class World(Protocol):
    """The part of `gymnasium.Env` that a session uses."""

    render_mode: str | None

    @property
    def unwrapped(self) -> Any: ...
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]: ...
    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]: ...
    def render(self) -> Any: ...
    def close(self) -> None: ...


class Recording(Protocol):
    """Keeps what is played (see `wmplay.play.recording`)."""

    name: str

    @property
    def steps(self) -> int: ...
    def begin(self, observation: np.ndarray, seed: int | None, player: str) -> None: ...
    def step(
        self, observation: np.ndarray, action: np.ndarray, reward: float, terminated: bool, truncated: bool
    ) -> None: ...
    def close(self) -> None: ...
