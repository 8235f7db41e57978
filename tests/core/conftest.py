"""Slots and datasets made in a moment, for the tests of core."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wmplay.core.catalog import GAMES
from wmplay.core.recorder import Recorder
from wmplay.core.slots import create_slot, save_slot
from wmplay.core.spaces import ActionSpec, ObservationSpec

CARTPOLE = next(game for game in GAMES if game.short == "cartpole")
FRAME = ObservationSpec("frame", (8, 8, 3))
INF = float("inf")
VECTOR = ObservationSpec("vector", (4,), (-4.8, -INF, -0.4, -INF), (4.8, INF, 0.4, INF))
TWO = ActionSpec("discrete", n=2)
WHEEL = ActionSpec("box", low=(-1.0, 0.0), high=(1.0, 1.0))

FAKE_WORKER = [sys.executable, str(Path(__file__).with_name("fake_worker.py"))]


def weights(value: float, count: int = 8) -> bytes:
    """A real safetensors file of one tensor, written by hand: length, header, data."""
    data = np.full(count, value, np.float32).tobytes()
    header = json.dumps({"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, len(data)]}}).encode()
    return len(header).to_bytes(8, "little") + header + data


@pytest.fixture
def make_slot(home: Path) -> Callable[..., Path]:
    """`make_slot("name")` is a small trained slot of CartPole in the test's home."""

    def make(name: str = "one", value: float = 1.0) -> Path:
        path = create_slot(name, CARTPOLE, VECTOR, TWO, "state_vae", "tiny", {"latent_size": 16}, ["wmplay", "train"])
        save_slot(path, {"steps": 1, "metrics": {"loss": 0.5}}, {"world.safetensors": weights(value)})
        return path

    return make


def record(folder: Path, lengths: list[int], observation: ObservationSpec = FRAME, held_out: bool = False) -> Path:
    """A dataset of one stream in which row t of episode e shows the picture (or vector) full of t and earns e."""
    first_seed = 1_000_000 if held_out else 0
    with Recorder(folder, "test", {}, observation, TWO, held_out) as recorder:
        for episode, length in enumerate(lengths):
            recorder.begin(0, np.full(observation.shape, 0, observation.dtype), first_seed + episode, "random")
            for t in range(1, length + 1):
                seen = np.full(observation.shape, t % 256, observation.dtype)
                recorder.step(0, seen, t % 2, float(episode), t == length, False)
    return folder
