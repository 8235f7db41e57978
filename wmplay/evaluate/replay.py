"""The real games of some starts, played on from where each context ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wmplay import games
from wmplay.core.catalog import Game
from wmplay.evaluate import truths
from wmplay.evaluate.starts import Starts


class Replay:
    """N real games side by side. seen: what they show, [N, ...]; over: bool [N], which have ended and stand still."""

    def __init__(self, envs: list[Any], starts: Starts) -> None:
        self._envs = envs
        self.over = np.zeros(len(envs), np.bool_)
        shown = []
        for i, env in enumerate(envs):
            observation = env.reset(seed=int(starts.seeds[i]))[0]
            for taken in starts.prefix[i]:
                observation = env.step(taken)[0]
            shown.append(observation)
        self.seen: NDArray[Any] = np.stack(shown)

    def step(self, actions: NDArray[Any]) -> None:
        """One step of every game that has not ended, under actions [N, ...]."""
        for i in np.flatnonzero(~self.over):
            self.seen[i], _, terminated, truncated, _ = self._envs[i].step(actions[i])
            self.over[i] = terminated or truncated


@contextmanager
def replayed(game: Game, starts: Starts) -> Iterator[Replay]:
    """The games of these starts at the end of their context, without a time limit of ours."""
    envs = [games.make(game, max_episode_steps=100_000) for _ in range(starts.count)]
    try:
        yield Replay(envs, starts)
    finally:
        for env in envs:
            env.close()


class Exactness:
    """Which dreams have shown the real board at every step so far, while the real games went on.

    The keys go by the dream, so a dream that is wrong can lead its real game into an end. It stays among those counted,
    as wrong, or the worst dreams would leave the share of the good ones. A dream that was right when its game ended has
    nothing left to be right about, and is not counted from there.
    """

    def __init__(self, game: Game, replay: Replay) -> None:
        self._size = truths.board_size(game.params)
        self._replay = replay
        self.still = np.ones(len(replay.seen), np.bool_)

    def step(self, actions: NDArray[Any], dreamed: NDArray[Any]) -> None:
        """After the dreams took `actions` [N] and showed frames uint8 [N, H, W, 3]."""
        before = self._replay.over.copy()
        self._replay.step(actions)
        self.still &= before | truths.same_board(dreamed, self._replay.seen, self._size)

    def share(self) -> tuple[int, int]:
        """How many dreams are exact so far, and of how many."""
        going = ~self._replay.over
        return int((self.still & going).sum()), int((going | ~self.still).sum())
