"""The scripted driver is the expert of the report card and of half the training data."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import envs
from wmplay.agents.protocol import Agent
from wmplay.agents.scripted_car import CarDriver
from wmplay.core.catalog import builtin_game
from wmplay.core.spaces import ActionSpec

BOX = ActionSpec("box", low=(-1.0, 0.0, 0.0), high=(1.0, 1.0, 1.0))
FIVE = ActionSpec("discrete", n=5)


def returns(action: ActionSpec, noise: float, tracks: int, repeat: int, first_seed: int = 0) -> np.ndarray:
    """Returns of the first episode on each track."""
    envs.register()
    env = gymnasium.make_vec(
        "wmplay/CarRacing-v0",
        tracks,
        action_repeat=repeat,
        continuous=action.kind == "box",
        max_episode_steps=2000 // repeat,
    )
    driver = CarDriver(builtin_game("car_racing"), action, noise=noise, seed=0)
    assert isinstance(driver, Agent)
    driver.reset(tracks, seed=0)
    observation, info = env.reset(seed=first_seed)
    total, over = np.zeros(tracks), np.zeros(tracks, bool)
    first = np.ones(tracks, bool)
    while not over.all():
        actions = driver.act(observation, info, first)
        assert actions.dtype == action.dtype
        observation, reward, terminated, truncated, info = env.step(actions)
        total += reward * ~over
        first = np.zeros(tracks, bool)
        over |= terminated | truncated
    env.close()
    return total


def test_it_completes_tracks() -> None:
    """There would be no expert data, and the report card's expert regime would be of a car in the grass."""
    found = returns(BOX, 0.0, 3, repeat=2)
    assert found.mean() > 880 and found.min() > 800


def test_noise_makes_it_worse_but_not_hopeless() -> None:
    """Noise is there so that data shows mistakes and how to recover from them."""
    assert 100 < returns(BOX, 0.35, 3, repeat=2).mean() < 900


def test_drivers_are_as_fast_as_they_were_asked_to_be() -> None:
    """A bench of slow drivers would be one of all drivers; and the expert is at full pace whatever is asked."""
    curve = np.stack([np.sin(np.linspace(0, 1, 40)), np.linspace(0, 1, 40)], axis=1)[None] * 60
    road = {"ahead": np.repeat(curve, 64, axis=0), "speed": np.full(64, 30.0)}

    def pedals(noise: float, **asked: float) -> np.ndarray:
        """Gas less brake of 64 drivers on the same road at the same speed: who wants to go faster gives more."""
        driver = CarDriver(builtin_game("car_racing"), BOX, noise=noise, seed=0)
        for name, share in asked.items():
            setattr(driver, name, share)
        driver.reset(64, seed=0)
        actions = driver.act(np.zeros(64), road, np.zeros(64, bool))
        return actions[:, 1] - actions[:, 2]

    little = 1e-6  # enough to have a pace, too little to see
    slow, fast = pedals(little, leisure=0.2, hurry=0.3), pedals(little, leisure=0.8, hurry=1.0)
    usual = pedals(little)
    assert slow.max() < fast.min()
    assert usual.min() < fast.min() and slow.max() < usual.max()
    assert (pedals(0.0, leisure=0.2, hurry=0.3) == pedals(0.0)).all()


@pytest.mark.slow
@pytest.mark.parametrize(("action", "repeat", "least"), [(BOX, 2, 900), (BOX, 1, 900), (FIVE, 2, 850), (FIVE, 1, 850)])
def test_twenty_tracks(action: ActionSpec, repeat: int, least: float) -> None:
    """The expert would be one only in one form of the game."""
    assert returns(action, 0.0, 20, repeat, first_seed=1000).mean() > least
