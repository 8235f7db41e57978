"""What all phases of one run share: the slot, its world model, its data, its device, and the run's log."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wmplay import compiling, games
from wmplay.core import paths
from wmplay.core.catalog import Game
from wmplay.core.episodes import Dataset, find_dataset
from wmplay.core.errors import WmplayError
from wmplay.core.slots import SlotInfo
from wmplay.devices import Device, Precision, candidates, fastest
from wmplay.dreams.load import build_world
from wmplay.training.settings import Settings
from wmplay.worlds.protocol import World

# A run shorter than this many steps, or minutes, is not worth a measurement of precisions.
WORTH_STEPS, WORTH_MINUTES = 500, 1.0
# Networks with fewer parameters gain nothing from a second thread.
SMALL = 200_000
# Times as long as the fastest that bfloat16 may take and still be compiled: what is compiled is products more than
# anything else.
HALF_IS_NEAR = 1.3


def fresh_world(info: SlotInfo, device: Device, seed: int) -> World:
    """The slot's world with weights that depend on the seed alone; the process's own random numbers stay untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # Built on the CPU and moved, so that the first weights are the same on every device.
        return build_world(info, Device("cpu")).to(device.torch)


@dataclass
class Workshop:
    """path: the slot's folder. say: tell people what is going on. working: the same for what passes quickly.

    leaving: whether the run has been asked to stop; what takes minutes looks at it. Its loop puts it there.
    """

    path: Path
    info: SlotInfo
    settings: Settings
    game: Game
    device: Device
    world: World
    say: Callable[[str], None]
    working: Callable[[str], None]
    leaving: Callable[[], bool] = lambda: False
    phase_index: int = 0
    # Threads the process began with; phases may use fewer.
    threads: int = field(default_factory=torch.get_num_threads)
    # Names of the datasets in use; the collect phase fills them in when none were given.
    data: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    # More for slot.json and more files of the slot, put there by phases (the agent).
    extra: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    _open: dict[str, Dataset] = field(default_factory=dict)

    def plain(self) -> Precision:
        """Float32 on all threads, made to hold from now on: where every phase starts from."""
        precision = Precision(threads=self.threads)
        precision.apply()
        return precision

    @property
    def asked(self) -> str:
        """float32, bf16 or auto: the precision asked for; a run too short for measurements has float32 for auto."""
        short = (self.settings.steps or WORTH_STEPS) < WORTH_STEPS or (self.settings.minutes or 99) < WORTH_MINUTES
        return "float32" if self.settings.precision == "auto" and short else self.settings.precision

    def precision_for(
        self,
        parameters: int,
        work: str,
        trial: Callable[[Precision], float],
        threads: int = 0,
        compiled: bool = False,
    ) -> Precision:
        """The precision asked for, or the fastest on this machine if the run is long enough to earn the measurement.

        parameters: how many the work trains. work: names it in the memory of measurements. trial: see `fastest`.
        threads: the most it may use where that is fewer than all; 0 for all. compiled: whether it is worth trying to
        compile it, where nothing but the fastest was asked for.
        """
        asked, plain = self.asked, self.plain()
        if threads or parameters < SMALL:
            plain = dataclasses.replace(plain, threads=threads if parameters >= SMALL else 1)
        if asked == "bf16":
            return dataclasses.replace(plain, bf16=True, channels_last=True)
        if asked == "float32":
            return plain
        self.say("measuring which precision is fastest on this machine")
        key, tried = f"{self.info.family} {work}", candidates(self.device)
        if threads:
            options = [dataclasses.replace(p, threads=n) for p in tried for n in sorted({1, threads})]
            key, tried = f"{key} on {threads}", tuple(dict.fromkeys((plain, *options)))
        found = fastest(self.device, key, trial, tried)
        if not (compiled and compiling.possible() and self.device.name != "mps"):  # torch's is a trial version there
            return found
        self.say("compiling parts of the model, to see whether they are faster so; this takes a minute or two")
        return fastest(self.device, f"{key} compiled", trial, lambda: self._worth_compiling(found, tried, trial))

    @staticmethod
    def _worth_compiling(
        found: Precision, tried: Sequence[Precision], trial: Callable[[Precision], float]
    ) -> tuple[Precision, ...]:
        """What was found, and what may be faster compiled: float32 where it was the fastest, and bfloat16 where it was
        not much slower. On all threads, since code is made for as many as there are when it is compiled, and kept."""
        most = max(precision.threads for precision in tried)
        whole = [] if found.bf16 else [dataclasses.replace(found, threads=most)]
        half = [p for p in tried if p.bf16 and p.channels_last and p.threads == most]
        near = [p for p in half if found.bf16 or trial(p) < HALF_IS_NEAR * trial(found)]
        return found, *(dataclasses.replace(p, compiled=True) for p in (*whole, *near))

    def datasets(self) -> list[Dataset]:
        """The training data. Raises WmplayError if a dataset has gone."""
        return [self._dataset(name) for name in self.data]

    def held_out_datasets(self) -> list[Dataset]:
        """Play that training never sees, for starting segments and reports."""
        return [self._dataset(name) for name in self.held_out]

    def contexts(self) -> dict[str, np.ndarray]:
        """The slot's starting segments. Raises WmplayError if the collect phase has not stored them yet."""
        from wmplay.dreams.load import load_contexts

        return load_contexts(self.info)

    def _dataset(self, name: str) -> Dataset:
        if name not in self._open:
            folder = paths.episodes_dir(self.game.slug) / name
            self._open[name] = Dataset(folder if folder.exists() else find_dataset(name))
            for problem in self._open[name].problems:
                self.say(f"data left out: {name}/{problem}")
            if not self._open[name].rows:
                raise WmplayError(f"The dataset {name} holds no usable step.")
        return self._open[name]


def observed(game: Game) -> tuple[Any, Any, Game]:
    """The game's observation and action specs, and the game with its own pace, found out by making it once."""
    env = games.make(game)
    try:
        return *games.specs(env), dataclasses.replace(game, fps=games.pace(env, game))
    finally:
        env.close()
