"""A training run inside the test's own process, which can be broken off at any step as a kill would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from wmplay import games
from wmplay.core import slots
from wmplay.devices import resolve
from wmplay.training.loop import Loop
from wmplay.training.phases import Phase
from wmplay.training.recipe import recipe
from wmplay.training.settings import Settings
from wmplay.training.start import Order, prepare
from wmplay.training.workshop import Workshop, fresh_world


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it, nothing is tidied up."""


class MemoryLog:
    """A RunLog that keeps everything in lists and hears the commands it is given."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.points: list[tuple[int, str, str, float]] = []
        self.events: list[str] = []
        self.orders: list[str] = []
        self.waits = 0

    def pulse(self, **fields: Any) -> None:
        self.fields.update(fields)

    def metrics(self, step: int, phase: str, values: Mapping[str, float]) -> None:
        self.points += [(step, phase, name, value) for name, value in values.items()]

    def event(self, level: str, text: str) -> None:
        self.events.append(text)

    def commands(self) -> list[str]:
        given, self.orders = self.orders, []
        return given

    def wait(self, seconds: float) -> None:
        self.waits += 1


def loop(path: Path, settings: Settings, log: MemoryLog | None = None) -> Loop:
    """The loop a worker would make for this slot."""
    heard = log or MemoryLog()
    info = slots.read_slot(path)
    device = resolve(settings.device)
    shop = Workshop(
        path, info, settings, games.of_slot(info), device, fresh_world(info, device, settings.seed),
        say=lambda text: heard.event("info", text), working=lambda text: heard.pulse(message=text),
    )  # fmt: skip
    return Loop(shop, recipe(shop), heard)


def kill_after(running: Loop, phase: str, units: int) -> None:
    """Make the run die in the middle of the work of this phase, before it has done `units` + 1 units."""
    target: Phase = next(p for p in running.phases if any(part.name == phase for part in p.parts))
    work, done = target.step, []

    def step() -> dict[str, Any]:
        if len(done) == units:
            raise Killed
        done.append(True)
        return work()

    target.step = step  # type: ignore[method-assign]
    if phase != "collect":  # whose locks would outlive this death inside a living process
        target.finish = lambda: None  # type: ignore[method-assign]


def order(game: str, family: str, slot: str, **more: Any) -> tuple[Path, Settings]:
    """A tiny training of a few steps, prepared but not run."""
    wanted = {"preset": "tiny", "steps": 12, "frames": 600, "device": "cpu", **more}
    return prepare(Order(game=game, slot=slot, family=family, **wanted))


def weights(path: Path, name: str = "world.safetensors") -> dict[str, torch.Tensor]:
    return load_file(path / name)


def same(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> bool:
    """Equal names and equal bits."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
