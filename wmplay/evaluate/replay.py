"""Real games side by side, and those of some starts played on from where each context ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wmplay import games
from wmplay.core.catalog import Game
from wmplay.evaluate import truths
from wmplay.evaluate.starts import Starts

# More steps than any measure takes.
ENDLESS = 100_000


@contextmanager
def real_games(game: Game, count: int, limit: int = ENDLESS) -> Iterator[list[Any]]:
    """`count` real games, closed in the end. Ours last `limit` steps at most, others as long as they are made."""
    settings: dict[str, Any] = {"max_episode_steps": limit} if game.id.startswith("wmplay/") else {}
    envs = [games.make(game, **settings) for _ in range(count)]
    try:
        yield envs
    finally:
        for env in envs:
            env.close()


def stacked(infos: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """Infos of single environments as one of arrays [N, ...], as Gymnasium's vector environments give them: of what
    all of them tell."""
    shared = set(infos[0]).intersection(*infos)
    return {key: np.stack([np.asarray(info[key]) for info in infos]) for key in sorted(shared)}


def led(env: Any, seed: int, actions: Iterable[Any]) -> tuple[Any, dict[str, Any], bool]:
    """A game reset to `seed` and led along these actions until it ends: what it shows, its info, whether it ended."""
    observation, info = env.reset(seed=seed)
    for action in actions:
        observation, _, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            return observation, info, True
    return observation, info, False


class Replay:
    """The N real games of some starts, side by side at the end of their context.

    seen: what they show, [N, ...]; over: bool [N], which have ended and stand still; reward: float64 [N], what the last
    step paid. Each step makes new arrays, so whoever was given one may keep it.
    """

    def __init__(self, envs: list[Any], starts: Starts) -> None:
        self._envs = envs
        reached = [led(env, int(starts.seeds[i]), starts.prefix[i]) for i, env in enumerate(envs)]
        shown, self._infos, over = map(list, zip(*reached, strict=True))
        self.seen: NDArray[Any] = np.stack(shown)
        self.over = np.array(over, np.bool_)
        self.reward = np.zeros(len(envs))

    @property
    def info(self) -> dict[str, NDArray[Any]]:
        """What all games tell, as arrays [N, ...]."""
        return stacked(self._infos)

    def step(self, actions: NDArray[Any]) -> None:
        """One step of every game that has not ended, under actions [N, ...]."""
        going = np.flatnonzero(~self.over)
        self.seen, self.over, self.reward = self.seen.copy(), self.over.copy(), np.zeros(len(self._envs))
        for i in going:
            self.seen[i], self.reward[i], terminated, truncated, self._infos[i] = self._envs[i].step(actions[i])
            self.over[i] = terminated or truncated


@contextmanager
def replayed(game: Game, starts: Starts) -> Iterator[Replay]:
    """The games of these starts at the end of their context, without a time limit of ours."""
    with real_games(game, starts.count) as envs:
        yield Replay(envs, starts)


class Exactness:
    """Which dreams have shown the real board at every step so far, while the real games went on.

    The keys go by the dream, so a dream that is wrong can lead its real game into an end. It stays counted as wrong:
    left out, the worst dreams would make the share better. A dream that was right when its game ended has nothing left
    to be right about, and is not counted from there.
    """

    def __init__(self, game: Game, replay: Replay) -> None:
        self._size = truths.board_size(game.params)
        self._replay = replay
        self.still = np.ones(len(replay.seen), np.bool_)

    def step(self, actions: NDArray[Any], dreamed: NDArray[Any]) -> None:
        """After the dreams took `actions` [N] and showed frames uint8 [N, H, W, 3]."""
        before = self._replay.over
        self._replay.step(actions)
        self.still &= before | truths.same_board(dreamed, self._replay.seen, self._size)

    def share(self) -> tuple[int, int]:
        """How many dreams whose games go on are exact so far, and of how many that are counted."""
        going = ~self._replay.over
        return int((self.still & going).sum()), int((going | ~self.still).sum())
