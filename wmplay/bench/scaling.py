"""How much faster CarRacing is played by several processes than by one, all in one run: collecting lives on it.

Beside them, as many processes that have nothing to do with each other: two cores of one machine may share more than it
says, its caches or the units that calculate, and no way to play together gets more out of them than that.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import gymnasium
import numpy as np

from envs import register
from envs.car_racing.compare import held_actions
from envs.processes import cores, end
from wmplay.bench.timing import Narrate, Row, row, take_turns

# Games in each process, as many as collecting has on two cores.
GAMES = 4
# Steps of every game between two looks at the clock; processes on their own wait for each other only then.
STEPS = 40


def measure_scaling(seconds: float, say: Narrate) -> list[Row]:
    """A row for each number of processes from one to a core each: `steps_per_s`, and `scaling`, the median over the
    turns of its speed over as many times that of one process beside it (1 is linear), with `scaling_low` and `_high`.
    `independent_steps_per_s` is what as many processes reach that do not play together, `independent_scaling` theirs.

    seconds: for each figure. `cores` says how many this program may use: fewer than processes, and it cannot scale.
    """
    register()
    counts = sorted({1, 2, *(count for count in (4, 8, 16, 32, 64) if count < cores()), max(2, cores())})
    say(f"games: car_racing in {', '.join(map(str, counts))} processes")
    with contextlib.ExitStack() as opened:
        works = {}
        for count in counts:
            env = _make(count)
            opened.callback(env.close)
            works[str(count)] = _work(env)
        independent = opened.enter_context(_independent(counts[-1]))
        for count in counts[1:]:
            works[f"{count} independent"] = partial(independent, count)
        figures = take_turns(works, seconds)
    return [_row(count, figures) for count in counts]


def _row(count: int, figures: dict[str, list[float]]) -> Row:
    """The row of `count` processes. One alone is as independent as can be."""
    together = figures[str(count)]
    apart = figures.get(f"{count} independent", together)
    shares, bounds = (
        [many / (count * one) for many, one in zip(speeds, figures["1"], strict=True)] for speeds in (together, apart)
    )
    return row(
        f"game, many at once, in {count} process{'es' * (count > 1)}", together, "steps/s",
        game="car_racing", batch=count * GAMES, processes=count, cores=cores(), steps_per_s=statistics.median(together),
        scaling=statistics.median(shares), scaling_low=min(shares), scaling_high=max(shares),
        independent_steps_per_s=statistics.median(apart), independent_scaling=statistics.median(bounds),
    )  # fmt: skip


@contextlib.contextmanager
def _independent(most: int) -> Iterator[Callable[[int], int]]:
    """The same steps in processes that each play their own games: as many of them as asked for, `most` at the most."""
    pipes, processes = [], []
    try:
        for _ in range(most):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=_alone, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        for pipe in pipes:
            pipe.recv()

        def work(count: int) -> int:
            for pipe in pipes[:count]:
                pipe.send(True)
            return sum(pipe.recv() for pipe in pipes[:count])

        yield work
        for pipe in pipes:
            pipe.send(False)
    finally:
        end(pipes, processes)


def _alone(pipe: Connection) -> None:
    """A process on its own: play each time it is told to, until it is told no more."""
    # Ctrl-C reaches the whole group of processes; the one that started us decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    register()
    env = _make(1)
    work = _work(env)
    pipe.send(0)
    with contextlib.suppress(EOFError):
        while pipe.recv():
            pipe.send(work())
    env.close()


def _make(processes: int) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    return gymnasium.make_vec(
        "wmplay/CarRacing-v0", processes * GAMES, vectorization_mode="vector_entry_point", workers=processes
    )


def _work(env: gymnasium.vector.VectorEnv[Any, Any, Any]) -> Callable[[], int]:
    """Some steps of every game, on and on; the openings, which cost more, are over before the clock starts."""
    env.reset(seed=0)
    actions = held_actions(np.random.default_rng(0), 1000, continuous=True)
    at = [0]

    def work(count: int = STEPS) -> int:
        for _ in range(count):
            env.step(np.repeat(actions[at[0] % 1000][None], env.num_envs, axis=0))
            at[0] += 1
        return count * env.num_envs

    work(60)
    return work
