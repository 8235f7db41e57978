"""A card's measures share the states in which the contexts were read: none may leave anything in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from evaluate.fakes import grid_starts
from tests.worlds.cases import Case
from wmplay.core.catalog import FAMILIES, GAMES
from wmplay.evaluate.fidelity import mean_observation, measure
from wmplay.evaluate.following import measure_following
from wmplay.evaluate.outcomes import measure_outcomes
from wmplay.evaluate.rollout import begin

STARTS = grid_starts(count=4, horizon=6)


@pytest.mark.parametrize("family", [f.name for f in FAMILIES if f.name != "state_vae"])
def test_a_context_read_once_gives_the_same_card(family: str, home: Path) -> None:
    world = Case(family).make()
    mean = mean_observation(STARTS.observation.reshape(-1, 64, 64, 3))

    def card(**more: Any) -> list[Any]:
        return [
            measure(world, GAMES[0], STARTS, mean, horizons=(1, 5), **more),
            measure_outcomes(world, [STARTS, STARTS.take(slice(0, 2))], **more),
            measure_following(world, GAMES[0], STARTS, **more),
        ]

    with torch.inference_mode():
        began = begin(world, STARTS, "cpu", torch.Generator().manual_seed(0))
    read_anew = card()
    assert card(began=began) == read_anew
    assert card(began=began) == read_anew, "somebody left something in the state"
