"""How fast dreams run: one at a time as they are played, and in batches as agents learn in them."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from wmplay.bench.timing import Narrate, Row, row, take_turns, waited
from wmplay.bench.workplace import contexts, games_of, play_recorded, workshop
from wmplay.core import catalog, slots
from wmplay.core.catalog import Game
from wmplay.core.episodes import Dataset
from wmplay.core.processes import keep_memory
from wmplay.devices import Device
from wmplay.dreams.dreamer import CONTEXT, Dreamer
from wmplay.dreams.load import load_contexts, load_world
from wmplay.dreams.precision import precision
from wmplay.games import drawing

BATCH = 256
# Steps after which dreams begin anew. Those of random weights run away, to numbers that no trained model meets and that
# take longer to compute with: after 3,000 steps 1.3 times as long (`vae_mdn`).
LONGEST = 64
# Starting segments of a model that no slot brings its own for.
STARTS = 16


def measure_dreams(families: Sequence[str], preset: str, device: Device, seconds: float, say: Narrate) -> list[Row]:
    """Rows for a step with its picture at batch 1, and without and with pictures at batch 256, for family and game.

    The weights are those of a slot that fits (`weights` names it), else random, for which models that settle their
    doubts step by step are at their slowest. seconds: for each figure.
    """
    rows = []
    keep_memory()
    with ExitStack() as open_data:
        recorded: dict[str, Dataset] = {}
        for family in families:
            for name in games_of(family):
                game = catalog.builtin_game(name)
                assert game is not None
                found = _slot(family, preset, name)
                say(f"dreams: {family} on {name}, {found.name if found else 'random weights'}")
                if found is not None:
                    dreamer = Dreamer(load_world(found, device.name), load_contexts(found), device)
                else:
                    if name not in recorded:
                        recorded[name] = open_data.enter_context(play_recorded(game))
                    dreamer = _fresh(family, preset, game, recorded[name], device)
                weights = found.name if found else "random"
                rows += _dreams(dreamer, family, preset, name, weights, device, seconds)
    return rows


def _slot(family: str, preset: str, game: str) -> slots.SlotInfo | None:
    """A trained slot of this kind, those that ship first."""
    fitting = [
        info for info in slots.list_slots()
        if info.ok and info.trained and (info.family, info.preset, info.game) == (family, preset, game)
    ]  # fmt: skip
    return min(fitting, key=lambda info: (not info.shipped, info.name), default=None)


def _fresh(family: str, preset: str, game: Game, data: Dataset, device: Device) -> Dreamer:
    with tempfile.TemporaryDirectory() as where:
        world = workshop(family, preset, game, data, device, Path(where)).world.eval().requires_grad_(False)
    if world.observation.kind == "vector":
        world.draw = drawing(game)
    return Dreamer(world, contexts(data, STARTS, CONTEXT), device)


def _dreams(
    dreamer: Dreamer, family: str, preset: str, game: str, weights: str, device: Device, seconds: float
) -> list[Row]:
    shown: Row = {"game": game, "family": family, "preset": preset, "device": device.label, "weights": weights}
    took: list[float] = []
    rows = []
    for what, count, picture in (
        ("dream, with picture", 1, True),
        ("dream, latent only", BATCH, False),
        ("dream, with picture", BATCH, True),
    ):
        work = _stepper(dreamer, count, picture, device, took if count == 1 else [])
        figures = take_turns({"dream": work}, seconds, device.name)["dream"]
        more: Row = {"p99_ms": 1000 * statistics.quantiles(took, n=100)[-1]} if count == 1 and len(took) > 1 else {}
        rows.append(row(what, figures, "steps/s", batch=count, precision=dreamer.precision.label, **shown, **more))
    return rows


def _stepper(dreamer: Dreamer, count: int, picture: bool, device: Device, took: list[float]) -> Callable[[], int]:
    """A step of so many dreams under actions that change; its seconds are added to `took`."""
    # Begun where all starting segments are read in one go; which of them a dream has does not matter here.
    dreamer.reset(count, np.arange(count) % dreamer.choices, seed=0)
    dreamer.precision = precision(dreamer, "auto")
    source = torch.Generator().manual_seed(0)
    action = dreamer.world.action
    if action.kind == "discrete":
        actions = torch.randint(action.n, (64, count), generator=source)
    elif action.kind == "multi":
        actions = torch.stack([torch.randint(n, (64, count), generator=source) for n in action.counts], -1)
    else:
        low, high = torch.tensor(action.low), torch.tensor(action.high)
        actions = low + (high - low) * torch.rand(64, count, len(action.low), generator=source)
    actions = actions.to(device.torch)
    at, begun = 0, dreamer.snapshot()

    def work() -> int:
        nonlocal at
        if at % LONGEST == 0:
            dreamer.restore(begun)
        start = time.perf_counter()
        dreamer.step(actions[at % 64])
        if picture:
            dreamer.frames()
        waited(device.name)
        took.append(time.perf_counter() - start)
        at += 1
        return count

    return work
