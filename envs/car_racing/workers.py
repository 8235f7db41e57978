"""Batches of games in processes of their own, over arrays in shared memory."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Sequence
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from envs.car_racing.batch import Batch, Field, allocate
from envs.errors import GameError
from envs.processes import end


class Workers:
    """`count` games shared out evenly to `workers` processes; used like one `Batch` over all of them."""

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
        remaining = iter(blocks)
        self.arrays = allocate(count, layout, lambda _: next(remaining))
        edges = [round(count * share / workers) for share in range(workers + 1)]
        self._parts = list(pairwise(edges))
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        for first, last in self._parts:
            ours, theirs = starter.Pipe()
            # A process that kept our ends of the pipes open would not notice when this one dies.
            foreign = [*self._pipes, ours]
            arguments = (theirs, foreign, blocks, count, layout, first, last, mode, max_episode_steps, settings)
            process = starter.Process(target=_serve, args=arguments, daemon=True)  # type: ignore[attr-defined]
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        try:
            self._answers()
        except BaseException:
            self.close()
            raise

    def reset(self, mask: np.ndarray, seeds: Sequence[int | None], options: dict[str, Any] | None) -> None:
        """As `Batch.reset`, for all games."""
        self._ask("reset", [(mask[first:last], list(seeds[first:last]), options) for first, last in self._parts])

    def step(self) -> None:
        """As `Batch.step`, for all games, in all processes at once."""
        self._ask("step", [()] * len(self._pipes))

    def render(self) -> list[np.ndarray | None]:
        """As `Batch.render`, for all games."""
        return [picture for pictures in self._ask("render", [()] * len(self._pipes)) for picture in pictures]

    def close(self) -> None:
        """End the processes."""
        end(self._pipes, self._processes)
        self._pipes, self._processes = [], []

    def _ask(self, command: str, arguments: list[tuple[Any, ...]]) -> list[Any]:
        """Have each process call its batch's method `command`, and return what they answer."""
        for number, (pipe, argument) in enumerate(zip(self._pipes, arguments, strict=True)):
            try:
                pipe.send((command, argument))
            except (BrokenPipeError, ConnectionResetError) as why:
                raise RuntimeError(f"worker process {number} of CarRacing has died") from why
        return self._answers()

    def _answers(self) -> list[Any]:
        """What each process answers. A mistake that one reports is raised here, once all have answered."""
        results, mistakes = [], []
        for number, pipe in enumerate(self._pipes):
            try:
                mistake, result = pipe.recv()
            except (EOFError, ConnectionResetError) as why:
                raise RuntimeError(f"worker process {number} of CarRacing has died") from why
            results.append(result)
            if mistake:
                mistakes.append(mistake)
        if mistakes:
            raise GameError(mistakes[0])
        return results


def _serve(
    pipe: Connection,
    foreign: list[Connection],
    blocks: list[Any],
    count: int,
    layout: dict[str, Field],
    first: int,
    last: int,
    mode: AutoresetMode,
    max_episode_steps: int,
    settings: dict[str, Any],
) -> None:
    """A worker process: make the games, then do as told until the other end of the pipe is closed."""
    # Ctrl-C reaches the whole group of processes; the one that started us decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in foreign:
        other.close()
    remaining = iter(blocks)
    try:
        batch = Batch(
            allocate(count, layout, lambda _: next(remaining)), first, last, mode, max_episode_steps, settings
        )
        pipe.send((None, None))
    except (ValueError, TypeError) as why:
        pipe.send((str(why), None))
        return
    while True:
        try:
            command, arguments = pipe.recv()
        except (EOFError, ConnectionResetError):
            break
        try:
            told: tuple[str | None, Any] = (None, getattr(batch, command)(*arguments))
        except ValueError as why:
            told = (str(why), None)
        try:
            pipe.send(told)
        except (BrokenPipeError, ConnectionResetError):  # interrupted while it waited for us
            break
    batch.close()
