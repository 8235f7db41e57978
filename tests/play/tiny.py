"""Tiny worlds through the Gymnasium API, an agent and a clock that tests turn by hand."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.play.keys import GameKeys

ACTION = ActionSpec("discrete", n=3)
OBSERVATION = ObservationSpec("frame", (8, 8, 3))
# In this world 0 is doing nothing.
KEYS = GameKeys({frozenset({"left"}): 1, frozenset({"right"}): 2}, idle=0, legend=(("←→", "move"),))


class TinyGame(gymnasium.Env):
    """A frame that is filled with the number of steps taken; action 2 earns 1; ends after `length` steps."""

    def __init__(self, length: int = 1000, render_mode: str | None = None) -> None:
        self.observation_space = spaces.Box(0, 255, (8, 8, 3), np.uint8)
        self.action_space = spaces.Discrete(3)
        self.length = length
        self.render_mode = render_mode
        self.steps = 0
        self.actions: list[int] = []

    def _frame(self) -> np.ndarray:
        return np.full((8, 8, 3), self.steps % 256, np.uint8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self._frame(), {"steps": 0}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        self.actions.append(int(action))
        return self._frame(), float(action == 2), self.steps >= self.length, False, {"steps": self.steps}

    def render(self) -> Any:
        return np.repeat(np.repeat(self._frame(), 4, 0), 4, 1)


class TinyDream(TinyGame):
    """A dream of TinyGame that is `off` grey levels wrong after every step it makes alone."""

    def __init__(self, off: int = 0, **game: Any) -> None:
        super().__init__(**game)
        self.temperature = 1.0
        self.off = off
        self.wrong = 0
        self.contexts: list[dict[str, np.ndarray]] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        seen, info = super().reset(seed=seed)
        if options:
            self.contexts.append(options["context"])
            self.steps = int(options["context"]["observation"][-1, 0, 0, 0])
        self.wrong = 0
        return seen, info | {"end_probability": 0.0}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.wrong += self.off
        seen, reward, terminated, truncated, info = super().step(action)
        return seen, reward, terminated, truncated, info | {"end_probability": 0.2}

    def update(self, action: Any, observation: np.ndarray, first: bool = False) -> np.ndarray:
        self.steps = int(observation[0, 0, 0])
        return self.frame()

    def frame(self) -> np.ndarray:
        return np.full((8, 8, 3), (self.steps + self.wrong) % 256, np.uint8)

    def snapshot(self) -> tuple[int, int]:
        return self.steps, self.wrong

    def restore(self, snapshot: tuple[int, int]) -> None:
        self.steps, self.wrong = snapshot


class Always:
    """An agent that always does the same, and notes what it is told."""

    def __init__(self, action: int) -> None:
        self.action = action
        self.firsts: list[bool] = []
        self.shapes: list[tuple[int, ...]] = []

    def reset(self, count: int, seed: int | None = None) -> None:
        assert count == 1

    def act(self, observation: np.ndarray, info: dict[str, Any], first: np.ndarray) -> np.ndarray:
        self.firsts.append(bool(first[0]))
        self.shapes.append(observation.shape)
        assert info["steps"].shape == (1,)
        return np.array([self.action])


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now
