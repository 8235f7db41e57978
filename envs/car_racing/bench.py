"""Measures CarRacing against Gymnasium's CarRacing-v3 in one process and one run, with resets and openings."""

from __future__ import annotations

import statistics
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.box2d.car_racing import CarRacing as Original

from envs.car_racing.compare import held_actions
from envs.car_racing.env import CarRacing

EPISODE = 1000
"""Steps after which a new track is laid, as CarRacing-v3's time limit does."""


class _Runner:
    """Steps one game on and on, through ends and time limits, and keeps the time it took."""

    def __init__(self, env: gymnasium.Env[Any, Any], chunk: int) -> None:
        self._env, self._chunk = env, chunk
        self._actions = held_actions(np.random.default_rng(0), EPISODE, continuous=True)
        self._seed, self._step = 0, EPISODE
        self.rates: list[float] = []
        self.episodes = 0

    def run(self) -> None:
        """Take one chunk of steps."""
        start = time.perf_counter()
        for _ in range(self._chunk):
            if self._step >= EPISODE:
                self._env.reset(seed=self._seed)
                self.episodes += 1
                self._seed, self._step = self._seed + 1, 0
            self._env.step(self._actions[self._step])
            self._step += 1
        self.rates.append(self._chunk / (time.perf_counter() - start))

    @property
    def steps_per_s(self) -> float:
        """Over everything that was run: the mean time of a step, with resets and openings at their true share."""
        return len(self.rates) / sum(1 / rate for rate in self.rates)


def measure_resets(count: int = 40) -> dict[str, float]:
    """Milliseconds that a reset takes, of both games by turns, on the tracks of seeds 1 to `count`.

    Keys: `reset_ms` (median), `reset_mean_ms`, `reset_p95_ms` (95th percentile), and with `gymnasium_` before them.
    """
    found: dict[str, float] = {}
    games: dict[str, gymnasium.Env[Any, Any]] = {"": CarRacing(), "gymnasium_": Original()}
    taken: dict[str, list[float]] = {name: [] for name in games}
    for seed in range(count + 1):
        for name, game in games.items():
            start = time.perf_counter()
            game.reset(seed=seed)
            taken[name].append(1000 * (time.perf_counter() - start))
    for name, times in taken.items():
        # The very first reset of a game sets up what all others use.
        times = times[1:]
        found[name + "reset_ms"] = statistics.median(times)
        found[name + "reset_mean_ms"] = statistics.fmean(times)
        found[name + "reset_p95_ms"] = float(np.percentile(times, 95))
    return found


def measure(seconds: float = 10.0) -> dict[str, float]:
    """Steps per second of both games by turns, for about `seconds`, and their ratio.

    Keys: `steps_per_s`, `gymnasium_steps_per_s`, `ratio` (medians over chunks, so of the usual zoom), `low`, `high` and
    `n` (of the ratio over chunks), `steps_low` and `steps_high` (our slowest and fastest chunk), `episode_ratio` (over
    whole episodes, openings and resets at their share), and those of `measure_resets`.
    """
    ours, theirs = _Runner(CarRacing(), 250), _Runner(Original(), 10)
    # A whole episode first: the chunks of both sides then stand for every part of one.
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or ours.episodes < 2:
        ours.run()
        for _ in range(2):
            theirs.run()
    ratios = [our / (0.5 * sum(theirs.rates[2 * i : 2 * i + 2])) for i, our in enumerate(ours.rates)]
    return {
        "steps_per_s": statistics.median(ours.rates),
        "gymnasium_steps_per_s": statistics.median(theirs.rates),
        "ratio": statistics.median(ours.rates) / statistics.median(theirs.rates),
        "low": min(ratios),
        "high": max(ratios),
        "n": float(len(ratios)),
        "steps_low": min(ours.rates),
        "steps_high": max(ours.rates),
        "episode_ratio": ours.steps_per_s / theirs.steps_per_s,
        **measure_resets(),
    }
