"""One player in many games at once, recorded while it plays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from wmplay.core.errors import WmplayError
from wmplay.core.recorder import Recorder
from wmplay.training.collect_mark import LONGEST, Recording, recall, remember, replay


class Play:
    """One player in every stream of a vector env that resets only when told; every episode has a seed of its own.

    episodes: how many have begun. Start it with `begin`, or with `go_on` where an earlier one was.
    """

    def __init__(self, env: Any, agent: Any, recorder: Recorder, player: str, base: int) -> None:
        self.env, self.agent, self.recorder, self.player = env, agent, recorder, player
        self.base, self.episodes, self.count = base, 0, env.num_envs
        self._lanes = list(range(self.count))
        self._seeds = [base] * self.count
        self._ages = np.zeros(self.count, np.int64)
        self._steps, self._seconds = 0, 0.0

    def begin(self) -> None:
        """The first episode of every stream."""
        self.agent.reset(self.count, seed=self.base + self.episodes)
        self._begin(np.ones(self.count, bool))

    def go_on(self, state: dict[str, Any], mark: dict[str, Any]) -> Iterator[None]:
        """Go on from `state`, taken with this mark of the recorder, by playing the running episodes again.

        Where that would take too long, or the game does not show what it showed, they are cut off and others begin.
        """
        self.episodes = state["episodes"]
        self.agent.reset(self.count, seed=self.base)
        found = None
        if state["seconds_per_step"] * max(state["ages"]) <= LONGEST:
            found = yield from replay(self.env, Recording(self.recorder.folder, mark, state["ages"]), state["seeds"])
        if found is None:
            self.begin()
            return
        self._seen, self._info = found
        self._seeds, self._ages = list(state["seeds"]), np.array(state["ages"], np.int64)
        self._first = self._ages == 0
        recall(self.agent, state["player"])

    def state(self) -> dict[str, Any]:
        """Where this is, as JSON-ready data for `go_on`."""
        return {
            "episodes": self.episodes,
            "seeds": self._seeds,
            "ages": self._ages.tolist(),
            "player": remember(self.agent),
            "seconds_per_step": self._seconds / max(1, self._steps),
        }

    def step(self) -> None:
        """One step of every stream, and new episodes where one has ended."""
        begun = time.perf_counter()
        action = self.agent.act(self._seen, self._info, self._first)
        self._seen, reward, terminated, truncated, self._info = self.env.step(action)
        if not np.isfinite(reward).all():
            raise WmplayError(f"The game gave a reward that is no number ({reward}); nothing can be learned from it.")
        self.recorder.step_batch(self._lanes, self._seen, action, reward, terminated, truncated)
        self._ages += 1
        ended = terminated | truncated
        self._first = np.zeros(self.count, bool)
        if ended.any():
            self._begin(ended)
        self._seconds += time.perf_counter() - begun
        self._steps += 1

    def _begin(self, mask: np.ndarray) -> None:
        lanes = np.flatnonzero(mask).tolist()
        seeds: list[int | None] = [None] * self.count
        for lane in lanes:
            seeds[lane] = self._seeds[lane] = self.base + self.episodes
            self.episodes += 1
        self._seen, self._info = self.env.reset(seed=seeds, options={"reset_mask": mask.copy()})
        self._first = mask.copy()
        self._ages[mask] = 0
        self.recorder.begin_batch(lanes, self._seen[lanes], [seeds[i] for i in lanes], self.player)
