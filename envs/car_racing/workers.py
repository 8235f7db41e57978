"""Batches of games in several processes, this one among them, over arrays in shared memory.

A step takes a fraction of a millisecond, and to wake a process that sleeps takes nearly as long. So the process that
asks steps a share of the games itself, and whoever waits looks for a moment whether the other is ready before sleeping.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from envs.car_racing.batch import Batch, Field, allocate
from envs.errors import GameError
from envs.processes import cores, end

GLANCE = 0.001
"""Seconds to look out for the other side before going to sleep. Asleep and awake again takes a tenth of that."""


class Workers:
    """`count` games shared out evenly to `workers` processes; used like one `Batch` over all of them.

    The first share is played by this process, the others by worker processes 1, 2, …
    """

    def __init__(
        self,
        count: int,
        workers: int,
        layout: dict[str, Field],
        mode: AutoresetMode,
        max_episode_steps: int,
        settings: dict[str, Any],
        context: str | None,
    ) -> None:
        starter = multiprocessing.get_context(context)
        blocks = [starter.RawArray("B", int(np.prod((count, *s))) * np.dtype(d).itemsize) for s, d in layout.values()]
        signs = [starter.RawArray("Q", 2) for _ in range(workers - 1)]
        # Where processes have to take turns on a core, looking out would only keep the others from working.
        glance = GLANCE if workers <= cores() else 0.0
        self.arrays = _shared(blocks, count, layout)
        edges = [round(count * share / workers) for share in range(workers + 1)]
        self._parts = list(pairwise(edges))
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        self._signs = [_Sign(sign, 0, glance) for sign in signs]
        # Answers that are still to come: one each, when the games are made.
        self._owed = [1] * (workers - 1)
        for (first, last), sign in zip(self._parts[1:], signs, strict=True):
            ours, theirs = starter.Pipe()
            # A process that kept our ends of the pipes open would not notice when this one dies.
            foreign = [*self._pipes, ours]
            batch = (first, last, mode, max_episode_steps, settings)
            arguments = (theirs, foreign, sign, glance, blocks, count, layout, batch)
            process = starter.Process(target=_serve, args=arguments, daemon=True)  # type: ignore[attr-defined]
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        self._step = bytes(ForkingPickler.dumps(("step", ())))
        try:
            self._own = Batch(self.arrays, *self._parts[0], mode, max_episode_steps, settings)
            self._answers()
        except BaseException:
            self.close()
            raise

    def reset(self, mask: np.ndarray, seeds: Sequence[int | None], options: dict[str, Any] | None) -> None:
        """As `Batch.reset`, for all games."""
        arguments = [(mask[first:last], list(seeds[first:last]), options) for first, last in self._parts]
        self._ask("reset", [bytes(ForkingPickler.dumps(("reset", these))) for these in arguments[1:]], arguments[0])

    def step(self) -> None:
        """As `Batch.step`, for all games, in all processes at once."""
        self._ask("step", [self._step] * len(self._pipes))

    def render(self) -> list[np.ndarray | None]:
        """As `Batch.render`, for all games."""
        order = bytes(ForkingPickler.dumps(("render", ())))
        return [picture for pictures in self._ask("render", [order] * len(self._pipes)) for picture in pictures]

    def close(self) -> None:
        """End the processes."""
        end(self._pipes, self._processes)
        self._pipes, self._processes = [], []

    def _ask(self, command: str, orders: list[bytes], own: tuple[Any, ...] = ()) -> list[Any]:
        """Call the method `command` of every process's batch, and return what they answer."""
        for number, (pipe, sign, order) in enumerate(zip(self._pipes, self._signs, orders, strict=True)):
            try:
                pipe.send_bytes(order)
            except (BrokenPipeError, ConnectionResetError) as why:
                raise _death(number) from why
            sign.give()
            self._owed[number] += 1
        try:
            result = getattr(self._own, command)(*own)
        except ValueError as why:
            raise GameError(str(why)) from why
        finally:
            results = self._answers()
        return [result, *results]

    def _answers(self) -> list[Any]:
        """What each worker answers. A mistake that one reports is raised here, once all have answered.

        Whoever interrupted an earlier question has left answers in the pipes: they are read and forgotten.
        """
        results, mistakes = [], []
        for number, (pipe, sign) in enumerate(zip(self._pipes, self._signs, strict=True)):
            mistake, result = None, None
            while self._owed[number]:
                sign.look_out()
                try:
                    mistake, result = pipe.recv()
                except (EOFError, ConnectionResetError) as why:
                    raise _death(number) from why
                sign.taken += 1
                self._owed[number] -= 1
            results.append(result)
            if mistake:
                mistakes.append(mistake)
        if mistakes:
            raise GameError(mistakes[0])
        return results


def _death(number: int) -> RuntimeError:
    return RuntimeError(f"worker process {number + 1} of CarRacing has died")


class _Sign:
    """How many messages each of two sides has sent, in memory that both see: a hint that the pipe holds one.

    Nothing is ever taken for granted from it: the message is read from the pipe, where the reader sleeps if it must.
    `taken` is how many messages of the other side this one has read.
    """

    def __init__(self, shared: Any, side: int, glance: float) -> None:
        self._counts = memoryview(shared).cast("B").cast("Q")
        self._ours, self._theirs, self._glance = side, 1 - side, glance
        self.taken = 0

    def give(self) -> None:
        """Say that a message was sent."""
        self._counts[self._ours] += 1

    def look_out(self) -> None:
        """Return when the other side has sent a message that was not read yet, or after a glance."""
        counts, theirs, taken = self._counts, self._theirs, self.taken
        if self._glance and counts[theirs] <= taken:
            until = time.perf_counter() + self._glance
            while counts[theirs] <= taken and time.perf_counter() < until:
                _let_others()


def _let_others() -> None:
    """Let another process run that waits for this core."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()


def _shared(blocks: list[Any], count: int, layout: dict[str, Field]) -> dict[str, np.ndarray]:
    """The arrays that lie in shared `blocks`, one for each."""
    remaining = iter(blocks)
    return allocate(count, layout, lambda _: next(remaining))


def _serve(
    pipe: Connection,
    foreign: list[Connection],
    counts: Any,
    glance: float,
    blocks: list[Any],
    count: int,
    layout: dict[str, Field],
    arguments: tuple[int, int, AutoresetMode, int, dict[str, Any]],
) -> None:
    """A worker process: make the games, then do as told until the other end of the pipe is closed."""
    # Ctrl-C reaches the whole group of processes; the one that started us decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in foreign:
        other.close()
    sign = _Sign(counts, 1, glance)
    try:
        batch = Batch(_shared(blocks, count, layout), *arguments)
        told: tuple[str | None, Any] = (None, None)
    except (ValueError, TypeError) as why:
        pipe.send((str(why), None))
        return
    done = bytes(ForkingPickler.dumps((None, None)))
    while True:
        try:
            pipe.send_bytes(done if told == (None, None) else bytes(ForkingPickler.dumps(told)))
            sign.give()
            sign.look_out()
            command, order = pipe.recv()
            sign.taken += 1
        except (EOFError, BrokenPipeError, ConnectionResetError):  # interrupted, or gone, while it waited for us
            break
        try:
            told = (None, getattr(batch, command)(*order))
        except ValueError as why:
            told = (str(why), None)
    batch.close()
