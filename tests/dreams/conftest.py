"""Slots to dream in: as small as they come, trained for a handful of steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.helpers import loop, order

GAMES = {"grid_world": "vae_mdn", "cartpole": "state_vae"}


@pytest.fixture(params=sorted(GAMES))
def slot(request: pytest.FixtureRequest, home: Path) -> str:
    """The name of a trained slot: one that shows frames, one that shows a vector."""
    path, settings = order(request.param, GAMES[request.param], "x", steps=4)
    loop(path, settings).run()
    return "x"
