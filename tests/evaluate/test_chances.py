"""A slippery game whose dream never slips is another game, however sharp its pictures are."""

import dataclasses
from typing import Any

import numpy as np
import torch

from evaluate.fakes import FakeWorld, PerfectGrid, grid_starts
from wmplay.core.catalog import GAMES
from wmplay.devices import Device
from wmplay.evaluate.chances import can_measure, measure_chances
from wmplay.evaluate.subject import Subject

SLIPPERY = dataclasses.replace(GAMES[0], params={**GAMES[0].params, "slip": 0.2})


class SlipperyGrid(PerfectGrid):
    """The game's own dice: two in ten moves go sideways, evenly."""

    def step(self, state: Any, action: torch.Tensor, temperature: float = 1.0, generator: Any = None) -> Any:
        chance = torch.rand(len(action), generator=generator)
        side = torch.where(chance < 0.1, 1, torch.where(chance < 0.2, 3, 0))
        return super().step(state, (action + side) % 4, temperature, generator)


def subject(world: FakeWorld) -> Subject:
    info: Any = None
    return Subject("x", info, SLIPPERY, world, Device("cpu"), {}, {}, np.zeros((64, 64, 3), np.float32), "", None)


def test_the_games_own_dice_are_within_two_points() -> None:
    found = measure_chances(subject(SlipperyGrid()), grid_starts())
    assert found is not None
    assert found["n"] >= 4000 and found["off"] < 0.02
    assert found["game"] == {"forward": 0.8, "right": 0.1, "back": 0.0, "left": 0.1, "elsewhere": 0.0}


def test_a_dream_that_never_slips_is_found_out() -> None:
    found = measure_chances(subject(PerfectGrid()), grid_starts())
    assert found is not None and found["off"] > 0.19 and found["dream"]["forward"][0] == 1.0


def test_a_dream_that_goes_astray_is_found_out() -> None:
    """Backwards is no way that the game ever goes, nor does it stand still where there is room."""
    found = measure_chances(subject(PerfectGrid(noise=0.3)), grid_starts())
    assert found is not None
    assert 0.25 < found["dream"]["back"][0] + found["dream"]["elsewhere"][0] < 0.35


def test_a_game_without_dice_has_none_to_measure() -> None:
    assert can_measure(subject(PerfectGrid()))
    assert not can_measure(dataclasses.replace(subject(PerfectGrid()), game=GAMES[0]))
