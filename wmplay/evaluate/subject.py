"""What is being measured: a slot's world model on its game, with the ground it stands on prepared once for all
measures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wmplay import games
from wmplay.core import episodes, paths, slots
from wmplay.core.catalog import Game
from wmplay.core.errors import WmplayError
from wmplay.core.slots import SlotInfo
from wmplay.core.variants import DATA_ONLY
from wmplay.devices import Device, resolve
from wmplay.dreams import load_world
from wmplay.dreams.load import again
from wmplay.evaluate import heldout, outcomes, truths
from wmplay.evaluate.fidelity import mean_observation, variable_ranges
from wmplay.evaluate.starts import CONTEXT, Starts, draw_starts
from wmplay.worlds.protocol import World

# Frames from which the mean training frame is taken; the mean of more looks the same.
MEAN_ROWS = 2000
# Where a slot keeps that mean, so that its figures elsewhere, where its training data is not, are the same.
MEAN_FILE = "report/mean.npz"
TRAINING, KEPT, HELD_OUT = "training data", "training data, as kept in the slot", "held-out play"
Narrate = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Subject:
    """A world with its game, the starts of each regime, and what the baselines need.

    tails: the last rows of held-out episodes that ended; of one that was only cut off they would show nothing new.
    mean: float32, the mean training observation in its own units, and `mean_from` where it is from. ranges: float32
    [S], the range of each variable of a vector game (`truths.state_ranges`, else how far it moves in the held-out
    play); None for frames.
    """

    name: str
    info: SlotInfo
    game: Game
    world: World
    device: Device
    regimes: dict[str, Starts]
    tails: dict[str, Starts]
    mean: NDArray[np.float32]
    mean_from: str
    ranges: NDArray[np.float32] | None

    @property
    def place(self) -> torch.device:
        """Where the world is."""
        return torch.device(self.device.name)

    @property
    def horizon(self) -> int:
        return max(starts.horizon for starts in self.regimes.values())


def prepare(slot: str | Path, count: int, full: bool, device: str = "auto", narrate: Narrate | None = None) -> Subject:
    """Load a slot and its ground; held-out play is collected first where it is missing. Errors are WmplayErrors."""
    info = slots.find_slot(slot)
    if not info.ok:
        raise WmplayError(
            f"The slot {info.name} cannot be measured: {(info.why or '').rstrip('.')}. {again(info.name)}"
        )
    game = games.of_slot(info)
    if game.id.startswith(DATA_ONLY):
        raise WmplayError(f"{game.title} exists as recordings only: there is no real game to measure a dream against.")
    place = resolve(device)
    world = load_world(info, place.name)
    horizon = heldout.card_horizon(game, full)
    regimes: dict[str, Starts] = {}
    tails: dict[str, Starts] = {}
    for regime in heldout.REGIMES:

        def tell(share: float, regime: str = regime) -> None:
            if narrate:
                narrate(f"playing held-out games ({regime}), once for all slots", share)

        found = heldout.starts(game, regime, count, horizon, tell)
        if found is not None:
            regimes[regime] = found
            data = episodes.Dataset(heldout.folder(game, regime, horizon))
            last = draw_starts(data, count, outcomes.STEPS, CONTEXT, game.warmup, tail=True)
            tails[regime] = last.take(np.flatnonzero(last.terminated.any(axis=1)))
    mean, mean_from = _mean(info, game, regimes)
    known = truths.state_ranges(game.short, int(world.observation.shape[0]))
    ranges = known if known is not None else variable_ranges(list(regimes.values()))
    return Subject(info.name, info, game, world, place, regimes, tails, mean, mean_from, ranges)


def _mean(info: SlotInfo, game: Game, regimes: dict[str, Starts]) -> tuple[NDArray[np.float32], str]:
    """The mean training observation, and where it is from: the training data, else what the slot keeps of an earlier
    card, else the held-out play, which is a little harder to beat on itself."""
    parts = []
    names = [str(name) for name in info.lineage.get("data", [])]
    for name in names:
        where = paths.episodes_dir(game.slug) / name
        if (where / "dataset.json").exists():
            data = episodes.Dataset(where)
            rows = np.linspace(0, data.rows - 1, MEAN_ROWS // len(names)).astype(int)
            parts += [data.read(row, row + 1) for row in rows if data.rows]
    if parts:
        return mean_observation(np.concatenate(parts)), TRAINING
    kept = _kept_mean(info)
    if kept is not None:
        return kept, KEPT
    played = [s.observation[np.arange(s.observation.shape[1])[None] < s.valid[:, None]][::5] for s in regimes.values()]
    return mean_observation(np.concatenate(played)), HELD_OUT


def _kept_mean(info: SlotInfo) -> NDArray[np.float32] | None:
    """The mean training observation from the slot's last card; None if it has none that fits."""
    try:
        with np.load(info.path / MEAN_FILE, allow_pickle=False) as file:
            mean = np.asarray(file["mean"], np.float32)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return mean if mean.shape == info.observation_spec.shape and np.isfinite(mean).all() else None


def packed_mean(subject: Subject) -> dict[str, bytes]:
    """The file in which the slot keeps its mean training observation; nothing where the mean is of other play."""
    if subject.mean_from == HELD_OUT:
        return {}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, mean=subject.mean)
    return {MEAN_FILE: buffer.getvalue()}
