"""`wmplay keys`: a game whose keys do not suit a person's hands or keyboard can be given others, for good."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., object]


def shown(outcome: object) -> dict[str, str]:
    """key -> action of `wmplay keys GAME --json`."""
    assert outcome.code == 0, outcome.stderr
    return {row["key"]: row["action"] for row in outcome.json["keys"]}


def test_keys_are_shown_changed_kept_and_forgotten(home: Path, run_cli: Cli) -> None:
    before = run_cli("keys", "grid_world", "--json")
    assert before.json["kept"] is False and before.json["unreached"] == []
    assert shown(before)["left"] == "3"
    done = run_cli(
        "keys", "grid_world", "--set", "J=left", "--set", "space=1", "--free", "left", "--free", "a", "--json"
    )
    assert done.json["kept"] is True
    again = run_cli("keys", "grid_world", "--json")
    assert shown(again) == shown(done) == {
        "up": "0", "w": "0", "right": "1", "d": "1", "down": "2", "s": "2", "j": "3", "space": "1", "idle": "wait",
    }  # fmt: skip
    assert "grid_world" not in run_cli("keys", "car_racing").stdout
    assert run_cli("keys", "--json").json[0]["id"] == "wmplay/GridWorld-v0"
    assert not list(home.glob(".*.part")), "written whole, nothing left beside it"
    assert shown(run_cli("keys", "grid_world", "--reset", "--json")) == shown(before)
    assert run_cli("keys", "--json").json == []


def test_a_slot_has_the_keys_of_its_game(home: Path, run_cli: Cli, make_slot: Callable[..., Path]) -> None:
    """Also where the game itself cannot be made here, as with a model learned from recordings."""
    make_slot("mine")
    assert shown(run_cli("keys", "mine", "--set", "j=push left", "--json"))["j"] == "0"
    assert shown(run_cli("keys", "cartpole", "--json"))["j"] == "0"
    assert "no game 'nowhere'" in run_cli("keys", "nowhere").stderr


def test_a_foreign_games_actions_have_names_and_a_lost_one_is_told(home: Path, run_cli: Cli) -> None:
    done = run_cli("keys", "Acrobot-v1", "--set", "p=turn one way", "--free", "left")
    assert done.code == 0, done.stderr
    assert "pause stays on F2" in done.stderr, "the game took the key of a command"
    done = run_cli("keys", "Acrobot-v1", "--free", "right", "--json")
    assert shown(done) == {"p": "0", "idle": "1"}
    assert done.json["unreached"] == ["turn the other"]


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("grid_world", "--set", "left=9"), 2, "actions are 0 to 3, or up, right, down, left"),
        (("grid_world", "--set", "left"), 2, "KEY=ACTION"),
        (("grid_world", "--set", "f1=1"), 2, "gives a command"),
        (("grid_world", "--set", "shift=1"), 2, "is no key"),
        (("grid_world", "--free", "z"), 2, "plays nothing"),
        (("car_racing", "--set", "i=gas"), 2, "entry:value"),
        (("car_racing", "--set", "i=2:7"), 2, "from 0 to 1"),
        (("car_racing", "--set", "i=2:0"), 2, "rests at 0"),
        (("car_racing", "--set", "i=2:0.5"), 2, "give both one value"),
        (("--set", "left=1"), 2, "Name the game"),
        (("grid_wrld",), 3, "grid_world"),
    ],
)
def test_mistakes_get_one_sentence_and_keep_nothing(
    home: Path, run_cli: Cli, words: tuple[str, ...], code: int, hint: str
) -> None:
    done = run_cli("keys", *words)
    assert done.code == code and hint in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (home / "keys.json").exists()


def test_a_damaged_file_is_told_and_can_be_forgotten(home: Path, run_cli: Cli) -> None:
    """A file edited by hand must not lock anybody out of playing."""
    (home / "keys.json").write_text("{")
    assert "damaged" in run_cli("keys", "grid_world").stderr
    assert run_cli("keys", "--reset").code == 0
    entry = {"wmplay/GridWorld-v0": {"Discrete(4)": {"left": "7"}}}
    (home / "keys.json").write_text(json.dumps({"schema": 1, "games": entry}))
    done = run_cli("play", "grid_world", "--steps", 1, "--terminal")
    assert done.code == 1 and "wmplay keys wmplay/GridWorld-v0 --reset" in done.stderr
    assert run_cli("keys", "wmplay/GridWorld-v0", "--reset").code == 0
    assert run_cli("play", "grid_world", "--steps", 1, "--terminal").code == 0
