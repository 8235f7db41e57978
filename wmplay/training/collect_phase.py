"""The first phase of a recipe: data to learn from, held-out play, and the starting segments every dream needs."""

from __future__ import annotations

import io
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from torch import Tensor

from wmplay.core import paths, slots
from wmplay.core.catalog import Game
from wmplay.core.episodes import FIRST, TERMINATED, Dataset, delete_dataset
from wmplay.core.errors import WmplayError
from wmplay.core.variants import DATA_ONLY
from wmplay.dreams.dreamer import CONTEXT
from wmplay.training.collect import collecting, left_unfinished
from wmplay.training.phases import Phase

if TYPE_CHECKING:
    from wmplay.training.workshop import Workshop

# Starting segments in a slot, and the rows of truth kept behind each context to compare a dream with.
STARTS, TRUTH = 16, 24
# Rows to collect where the user says nothing, by preset; and of held-out play for each player, to start dreams from
# (the report card has a larger held-out set of its own).
FRAMES = {"tiny": 2_000, "small": 40_000, "base": 200_000}
HELD_OUT = {"tiny": 400, "small": 1_000, "base": 1_000}
# CartPole's documents train on 100 random episodes, about 2,200 steps; as many rows again come from a noisy balancer.
VECTOR_FRAMES = {"tiny": 1_000, "small": 10_000, "base": 40_000}


def default_frames(game: Game, vector: bool, preset: str) -> tuple[int, int]:
    """Rows of training data and of held-out data for a recipe that collects by itself."""
    usual = (VECTOR_FRAMES if vector else FRAMES)[preset]
    return game.frames if game.frames and preset == "small" else usual, HELD_OUT[preset]


class CollectPhase(Phase):
    """Makes sure the data is there. What somebody collected before, for this game and of this size, is used again.

    Each player's data is a dataset of its own, made from fixed seeds: one that a kill cut short goes on from where it
    was some seconds before, and comes out the same, which keeps a resumed run equal to an unbroken one.
    """

    name = "collect"

    def __init__(self) -> None:
        self._share = 0.0

    def start(self, shop: Workshop) -> None:
        self._shop = shop
        self._work = self._everything()

    @property
    def progress(self) -> float:
        return self._share

    @property
    def count(self) -> int:
        return self.frames

    def step(self) -> dict[str, Tensor | float]:
        """Collect for a fraction of a second."""
        until = time.monotonic() + 0.2
        for share in self._work:
            self._share = min(share, 0.999)
            if time.monotonic() > until:
                return {"frames": float(self.frames)}
        self._share = 1.0
        return {"frames": float(self.frames)}

    def finish(self) -> None:
        self._work.close()

    def _everything(self) -> Generator[float]:
        shop, game = self._shop, self._shop.game
        frames, held_out = shop.settings.frames, shop.settings.held_out_frames
        wanted: list[tuple[str, str, int, bool]] = []
        if not shop.settings.data:
            for player in game.players:
                wanted.append(
                    (f"auto-{player}-{frames // len(game.players)}", player, frames // len(game.players), False)
                )
        if not game.id.startswith(DATA_ONLY):
            wanted += [(f"held-out-{player}-{held_out}", player, held_out, True) for player in game.players]
        total = sum(entry[2] for entry in wanted) or 1
        before = 0
        for name, player, rows, kept_out in wanted:
            for there in self._one(name, player, rows, kept_out):
                self.frames = before + there
                yield 0.98 * min(1.0, (before + there) / total)
            before += rows
        shop.data = shop.settings.data or tuple(entry[0] for entry in wanted if not entry[3])
        shop.held_out = tuple(entry[0] for entry in wanted if entry[3])
        self._store_contexts()
        yield 1.0

    def _one(self, name: str, player: str, rows: int, held_out: bool) -> Iterator[int]:
        """Collect one dataset if it is not there whole; two runs that want the same one do not disturb each other."""
        game = self._shop.game
        folder = paths.episodes_dir(game.slug) / name
        paths.locks_dir().mkdir(parents=True, exist_ok=True)
        with FileLock(paths.locks_dir() / f"collect-{game.slug}-{name}.lock"):
            if (folder / "dataset.json").exists():
                data = Dataset(folder)
                if data.rows >= rows and data.info()["complete"]:
                    yield rows
                    return
                if not left_unfinished(game, rows, [player], name, held_out):
                    delete_dataset(folder)
            self._shop.say(f"collecting {rows:,} frames played by {player}" + (" (held out)" if held_out else ""))
            yield from collecting(game, rows, [player], name, held_out=held_out)

    def _store_contexts(self) -> None:
        """context.npz: starts from every regime in turn, each a context and some truth behind it."""
        shop = self._shop
        sources = shop.held_out_datasets()
        if not sources:
            shop.say("this game exists as data only: its dreams start from its training data")
            sources = shop.datasets()
        parts = [_segments(data, STARTS // len(sources) or 1, shop.game.warmup) for data in sources]
        arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        slots.save_slot(shop.path, {"lineage": self._lineage()}, {"context.npz": buffer.getvalue()})

    def _lineage(self) -> dict[str, Any]:
        """What the slot is made of: all data it ever learned from, and after how many steps which command went on."""
        shop = self._shop
        before, data, steps = shop.info.lineage, list(shop.data), shop.info.steps
        lineage = {**before, "data": data, "held_out": list(shop.held_out)}
        if steps:
            lineage["data"] = list(dict.fromkeys((*before.get("data", ()), *data)))
            earlier = [entry for entry in shop.info.continued if entry["steps"] < steps]
            lineage["continued"] = [*earlier, {"steps": steps, "command": list(shop.settings.command)}]
        return lineage


def _segments(data: Dataset, count: int, warmup: int) -> dict[str, np.ndarray]:
    """`count` stretches of real play from one dataset, each inside one episode and after the game's warm-up where
    there is one long enough; shorter episodes are continued by their last row."""
    length = CONTEXT + TRUTH
    places = [
        episode.start + at
        for episode in data.episodes
        for at in range(min(warmup, max(0, episode.length - length)), max(1, episode.length - length + 1), 7)
        if episode.length >= CONTEXT + 1
    ]
    if not places:
        places = [episode.start for episode in data.episodes if episode.length >= 2]
    if not places:
        raise WmplayError(f"The dataset {data.name} has no episode of two steps: a dream cannot start from it.")
    chosen = [places[i] for i in np.random.default_rng(0).permutation(len(places))[:count]]
    chosen = [chosen[i % len(chosen)] for i in range(count)]
    return _cut(data, chosen, length)


def _cut(data: Dataset, starts: list[int], length: int) -> dict[str, np.ndarray]:
    """Rows [N, length] from each start on; behind an episode's end its last row is repeated."""
    ends = {e.start: e.start + e.length for e in data.episodes}
    bounds = np.array(sorted(ends))
    rows = []
    for start in starts:
        last = ends[int(bounds[np.searchsorted(bounds, start, side="right") - 1])] - 1
        rows.append(np.minimum(np.arange(start, start + length), last))
    index = np.stack(rows)
    observations = np.stack([data.read(int(r[0]), int(r[-1]) + 1)[r - r[0]] for r in index])
    return {
        "observation": observations,
        "action": data.actions[index],
        "reward": data.rewards[index],
        "terminated": (data.flags[index] & TERMINATED) > 0,
        "first": ((data.flags[index] & FIRST) > 0) & (np.diff(index, axis=1, prepend=-1) > 0),
    }
