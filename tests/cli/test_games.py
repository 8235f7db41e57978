"""`wmplay games` and `wmplay families`: what there is, and variants that become games everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Cli = Callable[..., object]


def test_games_as_json_have_the_fields_programs_rely_on(home: Path, run_cli: Cli) -> None:
    rows = run_cli("games", "--json").json
    assert [row["short"] for row in rows] == ["grid_world", "car_racing", "cartpole"]
    for row in rows:
        assert {"id", "title", "short", "observation", "actions", "frame", "fps"} <= set(row)
        assert row["id"].startswith("wmplay/")


def test_families_say_which_games_they_learn(home: Path, run_cli: Cli) -> None:
    rows = {row["name"]: row for row in run_cli("families", "--json").json}
    assert {"state_vae", "vae_mdn", "vqvae_mdn"} <= set(rows)
    assert rows["state_vae"]["games"] == ["cartpole"]
    assert "vqvae_mdn" in run_cli("families").stdout


def test_a_variant_is_saved_shown_and_forgotten(home: Path, run_cli: Cli) -> None:
    done = run_cli("games", "save", "wheel5", "car_racing", "--param", "continuous=false", "-p", "action_repeat=1")
    assert done.code == 0, done.stderr
    row = run_cli("games", "show", "wheel5", "--json").json
    assert row["params"] == {"action_repeat": 1, "continuous": False}
    assert row["actions"] == "Discrete(5)", "what the variant accepts, not what its base does"
    assert "wheel5" in run_cli("games").stdout
    assert run_cli("games", "delete", "wheel5").code == 2, "it asks"
    assert run_cli("games", "delete", "wheel5", "--yes").code == 0
    assert run_cli("games", "show", "wheel5").code == 3


def test_a_parameter_the_game_does_not_have_is_told_now(home: Path, run_cli: Cli) -> None:
    """Not in the middle of a training."""
    done = run_cli("games", "save", "ice", "grid_world", "-p", "slap=0.2")
    assert done.code != 0
    assert "slap" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / "variants.json").exists()


def test_a_misspelt_game_gets_the_near_ones(home: Path, run_cli: Cli) -> None:
    done = run_cli("games", "show", "cartpol")
    assert done.code == 3
    assert "did you mean cartpole" in done.stderr
