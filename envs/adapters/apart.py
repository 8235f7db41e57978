"""Many of anybody's game in processes of their own, for games so slow that one core is not enough for them."""

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.autoreset import reset_mask
from envs.errors import GameError
from envs.processes import cores, end

Maker = Callable[[], gymnasium.Env[Any, Any]]
# A command and its answer take about a tenth of this; a game quicker than this is better off at home.
SLOW_SECONDS = 0.0005


def worth_it(env: gymnasium.Env[Any, Any], steps: int = 8) -> bool:
    """Whether a game is slow enough to be played apart, by the median of a few steps; `env` is left anywhere."""
    if cores() < 2:
        return False
    env.action_space.seed(0)
    env.reset(seed=0)
    took = []
    for _ in range(steps):
        start = time.perf_counter()
        ended = env.step(env.action_space.sample())
        took.append(time.perf_counter() - start)
        if ended[2] or ended[3]:
            env.reset()
    return float(np.median(took)) > SLOW_SECONDS


class ApartGames(VectorEnv[Any, Any, Any]):
    """Games that reset only when told (`options={"reset_mask": bool [N]}`), shared out evenly to `workers` processes.

    The same seeds and actions give the same data as in one process. Infos stay where they are: these are empty.
    makers must survive pickling. Raises GameError with the sentence of the process that failed.
    """

    def __init__(self, makers: Sequence[Maker], single: gymnasium.Env[Any, Any], workers: int) -> None:
        self.num_envs = len(makers)
        self.metadata = {**single.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space, self.single_action_space = single.observation_space, single.action_space
        self.observation_space = batch_space(single.observation_space, self.num_envs)
        self.action_space = batch_space(single.action_space, self.num_envs)
        workers = min(workers, self.num_envs)
        self._parts = list(pairwise(round(self.num_envs * share / workers) for share in range(workers + 1)))
        # A fresh process: a forked one would inherit the threads and locks of whatever runs here.
        starter = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        for first, last in self._parts:
            ours, theirs = starter.Pipe()
            process = starter.Process(target=_serve, args=(theirs, list(makers[first:last])), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Start new episodes everywhere, or where the mask says."""
        mask = reset_mask(options, self.num_envs)
        if isinstance(seed, list):
            seeds = seed
        else:
            seeds = [None if seed is None else seed + number for number in range(self.num_envs)]
        asked = [
            {"seed": seeds[first:last], "options": {"reset_mask": mask[first:last]}} if mask[first:last].any() else None
            for first, last in self._parts
        ]
        return np.concatenate(self._ask("reset", asked)), {}

    def step(self, actions: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Step all games, in all processes at once."""
        answers = self._ask("step", [np.asarray(actions)[first:last] for first, last in self._parts])
        seen, rewards, terminated, truncated = (np.concatenate(column) for column in zip(*answers, strict=True))
        return seen, rewards, terminated, truncated, {}

    def close_extras(self, **_: Any) -> None:
        """End the processes."""
        end(self._pipes, self._processes)

    def _ask(self, command: str, arguments: list[Any]) -> list[Any]:
        """What each process answers to the command; the first mistake is raised once all have answered."""
        answers, mistakes = [], []
        for pipe, argument in zip(self._pipes, arguments, strict=True):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its end is met below
                pipe.send((command, argument))
        for number, pipe in enumerate(self._pipes):
            try:
                mistake, answer = pipe.recv()
            except (EOFError, ConnectionResetError):
                mistake, answer = f"process {number} of {self.num_envs} games has died", None
            answers.append(answer)
            mistakes += [mistake] if mistake else []
        if mistakes:
            raise GameError(mistakes[0])
        return answers


def _serve(pipe: Connection, makers: list[Maker]) -> None:
    """A process of games: do as told until the other end of the pipe is closed."""
    # Ctrl-C reaches the whole group of processes; the one that started us decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            games = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.DISABLED)
        except GameError as why:
            pipe.send((str(why), None))
            return
        seen = games.observation_space.sample()
        while True:
            command, argument = pipe.recv()
            try:
                if command == "step":
                    seen, *rest, _ = games.step(argument)
                    answer: Any = (seen, *rest)
                else:
                    answer = seen = games.reset(**argument)[0] if argument is not None else seen
                told: tuple[str | None, Any] = (None, answer)
            except GameError as why:
                told = (str(why), None)
            pipe.send(told)
