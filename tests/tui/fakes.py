"""A made-up state for the dashboard's tests: games, jobs in every state, slots good and broken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wmplay.tui.snapshot import (
    Clip,
    Curve,
    DatasetRow,
    Detail,
    GameRow,
    JobRow,
    SlotRow,
    Snapshot,
    Subject,
)

NOW = 1_790_000_000.0


def picture(seed: int, steps: int = 8) -> np.ndarray:
    """uint8 [K, 64, 64, 3]: a coloured square that wanders over a board."""
    frames = np.zeros((steps, 64, 64, 3), np.uint8)
    frames[:] = (34, 42, 56)
    frames[:, ::8] = frames[:, :, ::8] = (44, 54, 72)
    for k in range(steps):
        row, column = (k * 8) % 56, (seed * 8 + (k // 3) * 8) % 56
        frames[k, row : row + 8, column : column + 8] = (226, 181, 107)
        frames[k, 48:56, 40:48] = (134, 185, 138)
    return frames


def curve(name: str, phase: str = "memory", steps: int = 120) -> Curve:
    x = np.linspace(0, 24000, steps)
    middle = 0.02 + np.exp(-x / 6000) + 0.01 * np.sin(x / 700)
    return Curve(name, x, middle * 0.93, middle * 1.07, phase, middle)


def state() -> Snapshot:
    games = (
        GameRow("grid_world", "wmplay/GridWorld-v0", "Grid World", "frame", "Discrete(4)", 8, ("random", "walker"),
                "walker", "vqvae_mdn"),
        GameRow("car_racing", "wmplay/CarRacing-v0", "Car Racing", "frame", "Box(3)", 25, ("persistent", "driver"),
                "driver", "vae_mdn", {"action_repeat": 2}),
        GameRow("cartpole", "wmplay/CartPole-v0", "Cart Pole", "vector", "Discrete(2)", 50, ("random", "balancer"),
                "balancer", "state_vae"),
    )  # fmt: skip
    jobs = (
        JobRow("j1", "car-one", "car_racing", "vae_mdn", "running", "memory", 2, 4, 0.47, "learning what comes next",
               "", "cpu", 192.0, 1620.0, NOW - 300, NOW),
        JobRow("j2", "grid-two", "grid_world", "vqvae_mdn", "queued", "", 0, 4, 0.0, "waits for car-one on cpu",
               started=NOW - 60, updated=NOW),
        JobRow("j3", "pole-three", "cartpole", "state_vae", "dead", "joint", 1, 3, 0.31, "",
               "RuntimeError: out of memory", "cpu", started=NOW - 900, updated=NOW - 600),
    )  # fmt: skip
    slots = (
        SlotRow("grid_world", "grid_world", "vqvae_mdn", "small", 24000, NOW - 90000, 4_200_000, shipped=True,
                has_agent=True, path="/nowhere/grid_world", figures=(("loss", "0.0123"),)),
        SlotRow("car-one", "car_racing", "vae_mdn", "small", 12000, NOW - 20, 9_100_000, path="/nowhere/car-one"),
        SlotRow("pole-three", "cartpole", "state_vae", "tiny", 900, NOW - 600, 120_000, path="/nowhere/pole-three"),
        SlotRow("broken", ok=False, why="slot.json is not JSON: line 3, column 7", path="/nowhere/broken"),
    )  # fmt: skip
    datasets = (
        DatasetRow("mixed", "car_racing", 40_000, 80, 490_000_000),
        DatasetRow("exam", "car_racing", 8_000, 16, 98_000_000, held_out=True),
    )
    return Snapshot(games, jobs, slots, datasets, home="~/saves")


def detail(subject: Subject) -> Detail:
    """Curves and a strip for jobs, a moving picture and a report card for slots."""
    if subject.kind == "game":
        return Detail(subject, ("game",))
    curves = tuple(curve(name) for name in ("loss", "nll", "reward_mse", "end_bce"))
    real = picture(1)
    dream = picture(1)
    dream[4:, 8:24, 8:24] += 9
    strip = np.stack([real, dream, np.abs(real.astype(int) - dream).astype(np.uint8) * 8])
    if subject.kind == "job":
        return Detail(subject, ("job", subject.key), curves, strip)
    table = (("k", "1", "5", "15"), ("player skill", "0.93", "0.81", "0.62"), ("expert skill", "0.95", "0.88", "0.74"))
    return Detail(subject, ("slot", subject.key), curves, None, Clip(picture(2), 6.0), table)


class FakeReader:
    """Hands out a state that a test may replace at any time; may be told to fail."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or state()
        self.error: Exception | None = None
        self.closed = False

    def read(self, focus: Subject | None) -> Snapshot:
        if self.error is not None:
            raise type(self.error)(*self.error.args)
        return replace(self.snapshot, detail=detail(focus) if focus else None)

    def close(self) -> None:
        self.closed = True
