"""How much faster CarRacing is played by several processes than by one, all in one run: collecting lives on it."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from envs import register
from envs.car_racing.compare import held_actions
from wmplay.bench.timing import Narrate, Row, row, take_turns

# Games in each process, as many as collecting has on two cores.
GAMES = 4


def measure_scaling(seconds: float, say: Narrate) -> list[Row]:
    """A row for each number of processes from one to a core each: `steps_per_s`, and `scaling`, the median over the
    turns of its speed over as many times that of one process beside it (1 is linear), with `scaling_low` and `_high`.

    seconds: for each figure. `cores` says how many this program may use: fewer than processes, and it cannot scale.
    """
    register()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = sorted({1, 2, *(count for count in (4, 8, 16, 32, 64) if count < cores), max(2, cores)})
    say(f"games: car_racing in {', '.join(map(str, counts))} processes")
    envs = {count: _make(count) for count in counts}
    try:
        works = {str(count): _work(env) for count, env in envs.items()}
        figures = take_turns(works, seconds)
    finally:
        for env in envs.values():
            env.close()
    rows = []
    for count in counts:
        shares = [many / (count * one) for many, one in zip(figures[str(count)], figures["1"], strict=True)]
        rows.append(
            row(f"game, many at once, in {count} process{'es' * (count > 1)}", figures[str(count)], "steps/s",
                game="car_racing", batch=count * GAMES, processes=count, cores=cores,
                steps_per_s=statistics.median(figures[str(count)]), scaling=statistics.median(shares),
                scaling_low=min(shares), scaling_high=max(shares))
        )  # fmt: skip
    return rows


def _make(processes: int) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    return gymnasium.make_vec(
        "wmplay/CarRacing-v0", processes * GAMES, vectorization_mode="vector_entry_point", workers=processes
    )


def _work(env: gymnasium.vector.VectorEnv[Any, Any, Any]) -> Callable[[], int]:
    """Forty steps of every game, on and on; the openings, which cost more, are over before the clock starts."""
    env.reset(seed=0)
    actions = held_actions(np.random.default_rng(0), 1000, continuous=True)
    at = [0]

    def work(count: int = 40) -> int:
        for _ in range(count):
            env.step(np.repeat(actions[at[0] % 1000][None], env.num_envs, axis=0))
            at[0] += 1
        return count * env.num_envs

    work(60)
    return work
