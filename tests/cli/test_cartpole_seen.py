"""CartPole seen as pictures, from `wmplay games save` to its report card, as a person types it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tui.fakes import state
from wmplay.core.episodes import Dataset
from wmplay.tui.plans import TrainPlan
from wmplay.tui.reader import read_games

Cli = Callable[..., Any]


@pytest.fixture
def seen(home: Path, run_cli: Cli) -> None:
    done = run_cli("games", "save", "seen", "cartpole", "--param", "pictures=true")
    assert done.code == 0, done.stderr


def test_it_is_a_game_of_pictures_that_families_of_pictures_learn(seen: None, run_cli: Cli) -> None:
    """The dashboard and `families` go by this; a vector there would leave it to the two families that learn vectors."""
    row = run_cli("games", "show", "seen", "--json").json
    assert (row["observation"], row["frame"], row["expert"]) == ("frame", [64, 64], "balancer")
    learns = {row["name"]: row["games"] for row in run_cli("families", "--json").json}
    assert [name for name, games in learns.items() if "seen" in games] == [
        "vae_mdn", "vqvae_mdn", "tokens", "rssm", "canvas",
    ]  # fmt: skip
    refused = run_cli("train", "seen", "--family", "state_vae", "--slot", "x", "--steps", "1")
    assert refused.code == 2 and "shows a frame" in refused.stderr


def test_the_dashboard_offers_it_the_families_of_pictures(seen: None) -> None:
    """The training form goes by what the game shows; as a vector it would refuse the very families it is there for."""
    there = replace(state(), games=read_games())
    row = there.game("seen")
    assert row is not None and (row.observation, row.family) == ("frame", "rssm")
    for family, sound in (("vae_mdn", True), ("tokens", True), ("rssm", True), ("state_vae", False)):
        problems = TrainPlan("seen", family, "small", "one", "10", "minutes").problems(there)
        assert (problems == []) is sound, problems


def test_its_balancer_makes_data_in_which_the_pole_stands(seen: None, home: Path, run_cli: Cli) -> None:
    """One picture does not tell the speeds; a balancer that knew them not would leave falls alone to learn from."""
    done = run_cli("collect", "seen", "--steps", "150", "--agent", "balancer", "--noise", "0", "--name", "some")
    assert done.code == 0, done.stderr
    data = Dataset(home / "episodes" / "seen" / "some")
    assert data.observation.shape == (64, 64, 3)
    assert max(episode.length for episode in data.episodes) >= 150


@pytest.mark.slow
def test_from_training_to_the_card(seen: None, run_cli: Cli) -> None:
    """Every step that a person takes with a slot, on this variant."""
    done = run_cli(
        "train", "seen", "--family", "vae_mdn", "--slot", "x", "--steps", "2", "--preset", "tiny", "--frames", "300",
        "--device", "cpu", "--wait",
    )  # fmt: skip
    assert done.code == 0, done.stderr
    card = run_cli("eval", "x", "--starts", "4", "--device", "cpu", "--json").json
    assert card["game"] == "seen"
    for row in card["regimes"]["player"].values():
        assert row["pole_seen"][0] == 0.0, "two steps teach nobody to paint a pole"
        assert "state_error" not in row
    for words in (("dream", "x", "--agent", "balancer"), ("dream", "x", "--twin"), ("play", "seen")):
        done = run_cli(*words, "--terminal", "--steps", "12")
        assert done.code == 0, done.stderr
    assert run_cli("doctor", "x").stdout
