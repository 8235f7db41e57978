"""Small slots and datasets for the tests of the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from core.conftest import CARTPOLE, TWO, VECTOR, weights

from wmplay.core.slots import create_slot, save_slot


@pytest.fixture
def make_slot(home: Path) -> Callable[..., Path]:
    """`make_slot("name")` is a small trained slot of CartPole in the test's home."""

    def make(name: str = "one") -> Path:
        path = create_slot(name, CARTPOLE, VECTOR, TWO, "state_vae", "tiny", {"latent_size": 16}, ["wmplay", "train"])
        save_slot(path, {"steps": 1, "metrics": {"loss": 0.5}}, {"world.safetensors": weights(1.0)})
        return path

    return make
