"""Some of a vector's games, stepped one after the other, with everything they tell written into arrays.

The arrays may lie in shared memory: then the games live in a worker process and nothing but commands is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from envs.car_racing.env import CarRacing
from envs.car_racing.lap import AHEAD
from envs.car_racing.painter import Tools

Field = tuple[tuple[int, ...], type]
INFO: dict[str, Field] = {
    "speed": ((), np.float64),
    "x": ((), np.float64),
    "y": ((), np.float64),
    "angle": ((), np.float64),
    "tile": ((), np.int64),
    "progress": ((), np.float64),
    "ahead": ((AHEAD, 2), np.float32),
}
"""What `info` holds for every step: shape for one game, and dtype."""


def fields(size: int, action_shape: tuple[int, ...], action_dtype: type) -> dict[str, Field]:
    """All arrays of a batch: shape for one game, and dtype. What ended and was reset at once is kept under `final_`."""
    told: dict[str, Field] = {"observation": ((size, size, 3), np.uint8), **INFO}
    told |= {"lap_finished": ((), np.bool_), "_lap_finished": ((), np.bool_)}
    return {
        "action": (action_shape, action_dtype),
        "reward": ((), np.float64),
        "terminated": ((), np.bool_),
        "truncated": ((), np.bool_),
        **told,
        **{f"final_{name}": field for name, field in told.items()},
    }


def allocate(count: int, layout: dict[str, Field], memory: Callable[[int], Any]) -> dict[str, np.ndarray]:
    """Arrays [count, ...] for `layout`; `memory` hands out that many writable bytes, filled with zeros."""
    arrays: dict[str, np.ndarray] = {}
    for name, (shape, dtype) in layout.items():
        whole = (count, *shape)
        size = int(np.prod(whole)) * np.dtype(dtype).itemsize
        arrays[name] = np.frombuffer(memory(size), dtype, int(np.prod(whole))).reshape(whole)
    return arrays


class _Member(CarRacing):
    """A game that is drawn with the tools of the first of its batch."""

    tools: Tools | None

    def __init__(self, others: Sequence[_Member], settings: dict[str, Any]) -> None:
        self.tools = others[0].tools if others else None
        super().__init__(**settings)

    def make_tools(self) -> Tools:
        if self.tools is None:
            self.tools = super().make_tools()
        return self.tools


class Batch:
    """The games `first` to `last` (exclusive) of a vector, writing to their rows of `arrays`."""

    def __init__(
        self,
        arrays: dict[str, np.ndarray],
        first: int,
        last: int,
        mode: AutoresetMode,
        max_episode_steps: int,
        settings: dict[str, Any],
    ) -> None:
        self._arrays = {name: array[first:last] for name, array in arrays.items()}
        self._mode = mode
        self._limit = max_episode_steps
        self._envs: list[_Member] = []
        for _ in range(last - first):
            self._envs.append(_Member(self._envs, settings))
        self._elapsed = [0] * len(self._envs)

    def reset(self, mask: np.ndarray, seeds: Sequence[int | None], options: dict[str, Any] | None) -> None:
        """Start new episodes where `mask`, bool [games], says; `seeds` has one entry for each game."""
        for number in np.flatnonzero(mask).tolist():
            self._start(number, seeds[number], options)

    def step(self) -> None:
        """Take the actions that stand in the arrays."""
        rewards, terminated, truncated = (self._arrays[name] for name in ("reward", "terminated", "truncated"))
        actions = self._arrays["action"]
        for number, env in enumerate(self._envs):
            if terminated[number] or truncated[number]:
                if self._mode == AutoresetMode.DISABLED:
                    raise ValueError("an episode has ended and was not reset; with autoreset disabled, reset it first")
                if self._mode == AutoresetMode.NEXT_STEP:
                    self._start(number, None, None)
                    rewards[number] = 0.0
                    continue
            observation, reward, ended, _, info = env.step(actions[number])
            self._elapsed[number] += 1
            rewards[number], terminated[number] = reward, ended
            truncated[number] = self._elapsed[number] >= self._limit
            if self._mode == AutoresetMode.SAME_STEP and (ended or truncated[number]):
                self._tell(number, observation, info, "final_")
                flags = bool(terminated[number]), bool(truncated[number])
                self._start(number, None, None)
                terminated[number], truncated[number] = flags
            else:
                self._tell(number, observation, info)

    def render(self) -> list[np.ndarray | None]:
        """Each game's large picture."""
        return [env.render() for env in self._envs]

    def close(self) -> None:
        """Close the games."""
        for env in self._envs:
            env.close()

    def _start(self, number: int, seed: int | None, options: dict[str, Any] | None) -> None:
        observation, info = self._envs[number].reset(seed=seed, options=options)
        self._elapsed[number] = 0
        self._arrays["terminated"][number] = self._arrays["truncated"][number] = False
        self._tell(number, observation, info)

    def _tell(self, number: int, observation: np.ndarray, info: dict[str, Any], prefix: str = "") -> None:
        """Write one game's observation and info into its row."""
        arrays = self._arrays
        arrays[prefix + "observation"][number] = observation
        for name in INFO:
            arrays[prefix + name][number] = info[name]
        arrays[prefix + "_lap_finished"][number] = "lap_finished" in info
        arrays[prefix + "lap_finished"][number] = info.get("lap_finished", False)
