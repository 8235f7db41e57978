"""`wmplay games` and `wmplay families`: what there is, and variants that become games everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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
    done = run_cli(
        "games", "save", "wheel5", "car_racing", "--param", "continuous=false", "-p", "action_repeat=1", "-p", "size=96"
    )
    assert done.code == 0, done.stderr
    row = run_cli("games", "show", "wheel5", "--json").json
    assert row["frame"] == [96, 96]
    assert row["params"].pop("size") == 96
    assert row["params"] == {"action_repeat": 1, "continuous": False}
    assert row["actions"] == "Discrete(5)", "what the variant accepts, not what its base does"
    assert row["fps"] == 50, "without the repeated actions it has twice as many steps a second"
    assert "wheel5" in run_cli("games").stdout
    assert run_cli("games", "delete", "wheel5").code == 2, "it asks"
    assert run_cli("games", "delete", "wheel5", "--yes").code == 0
    assert run_cli("games", "show", "wheel5").code == 3


def test_what_can_be_set_about_a_game_is_told(home: Path, tmp_path: Path, run_cli: Cli) -> None:
    """Else its parameters have to be guessed, or looked up in its source."""
    known = {each["name"]: each for each in run_cli("games", "show", "car_racing", "--json").json["parameters"]}
    assert known["continuous"] == {"name": "continuous", "type": "true or false", "default": True}
    assert known["renderer"]["type"] == "direct or gymnasium"
    assert known["action_repeat"]["default"] == 2, "as the game is played, not as its class would have it"
    assert "render_mode" not in known
    run_cli("games", "save", "icy", "grid_world", "-p", "slip=0.3")
    assert next(p for p in run_cli("games", "show", "icy", "--json").json["parameters"] if p["name"] == "slip") == {
        "name": "slip", "type": "number", "default": 0.3,
    }  # fmt: skip
    assert "0.3 · number" in run_cli("games", "show", "icy").stdout


def test_what_can_be_set_about_a_strangers_game_is_told(home: Path, tmp_path: Path, run_cli: Cli) -> None:
    """Its own parameters, those of the class it builds on, and how wmplay shows it; a class that is gone is said."""
    known = {p["name"]: p for p in run_cli("games", "show", "Acrobot-v1", "--json").json["parameters"]}
    assert known["max_episode_steps"]["default"] == 500 and known["size"]["default"] == 64
    (tmp_path / "maze.py").write_text(
        "from typing import Optional\n"
        "class Room:\n"
        "    def __init__(self, doors: Optional[int] = None, lamp='oil'): ...\n"
        "class Maze(Room):\n"
        "    def __init__(self, length=0.5, *, odd: 'Nowhere' = object, **rest): ...\n"
    )
    spec = f"{tmp_path / 'maze.py'}:Maze"
    known = {p["name"]: (p["type"], p["default"]) for p in run_cli("games", "show", spec, "--json").json["parameters"]}
    assert known["length"] == ("number", 0.5) and known["doors"] == ("whole number", None)
    assert known["lamp"] == ("text", "oil") and known["odd"][0] == ""
    assert run_cli("games", "show", spec).code == 0
    gone = run_cli("games", "show", f"{tmp_path / 'maze.py'}:Nobody")
    assert gone.code == 0 and "has no class 'Nobody'" in gone.stderr


@pytest.mark.parametrize(
    ("game", "param", "says"),
    [
        ("grid_world", "slap=0.2", "no parameter 'slap' (did you mean slip?); it has size, walls, hazards, slip"),
        ("car_racing", "foo=1", "no parameter 'foo'; it has continuous, action_repeat"),
        ("cartpole", "game=1", "cartpole has no parameter 'game'"),
        ("Acrobot-v1", "arms=3", "Acrobot-v1 has no parameter 'arms'"),
        ("maze.py:Maze", "sise=3", "Maze has no parameter 'sise' (did you mean size?)"),
        ("grid_world", "render_mode=human", "render_mode is no parameter"),
        ("grid_world", "seed=1", "--seed"),
    ],
)
def test_a_parameter_the_game_does_not_have_is_told_now(
    home: Path, tmp_path: Path, run_cli: Cli, game: str, param: str, says: str
) -> None:
    """Not in the middle of a training, and with the names it could have been."""
    (tmp_path / "maze.py").write_text(MAZE)
    for words in (("games", "save", "ice", game, "-p", param), ("play", game, "--param", param, "--steps", 1)):
        done = run_cli(*words, env={"SDL_VIDEODRIVER": "dummy"})
        assert done.code == 2 and says in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert not (home / "variants.json").exists()


@pytest.mark.parametrize(
    ("game", "param", "says"),
    [
        ("grid_world", "size=abc", "size is 'abc'; a GridWorld has between 3 and 32 cells a side"),
        ("grid_world", "size=8.5", "size is 8.5; a GridWorld"),
        ("grid_world", "hazards=many", "hazards is 'many'; it is a share of all cells"),
        ("grid_world", "slip=NaN", "slip is nan; it is a probability"),
        ("grid_world", "frame=0", "frame is 0; a frame has"),
        ("car_racing", "continuous=no", "continuous is 'no'; it is true or false"),
        ("car_racing", "lap_complete_percent=95", "lap_complete_percent is 95; it is a share of the lap"),
        ("car_racing", "action_repeat=0", "action_repeat must be a whole number"),
    ],
)
def test_a_value_that_a_parameter_cannot_have_is_told_now(
    home: Path, run_cli: Cli, game: str, param: str, says: str
) -> None:
    """Half of a training later, or never: "no" would have meant yes."""
    done = run_cli("games", "save", "odd", game, "--param", param)
    assert done.code == 2 and says in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_class_in_a_file_is_a_game_everywhere(home: Path, tmp_path: Path, run_cli: Cli) -> None:
    """The README's way of bringing a game: its file, its class, and parameters that can be kept."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "maze.py").write_text(MAZE)
    done = run_cli("collect", "mine/maze.py:Maze", "--steps", 30, "--name", "some")
    assert done.code == 0, done.stderr
    done = run_cli("games", "save", "big", "./mine/maze.py:Maze", "--param", "size=32")
    assert done.code == 0, done.stderr
    assert run_cli("play", "big", "--terminal", "--steps", 3).code == 0
    assert run_cli("data", "--json").json[0]["game"] == "mine/maze.py:Maze"
    done = run_cli("play", "mine/maze.py:Maze", "--agent", "random", "--terminal", "--steps", 9, "--record", "some")
    assert done.code == 0, f"one dataset takes in both: {done.stderr}"


@pytest.mark.parametrize("screen", [("--terminal",), ()])
def test_a_game_that_breaks_in_the_middle_of_play_ends_in_one_sentence(
    home: Path, tmp_path: Path, run_cli: Cli, screen: tuple[str, ...]
) -> None:
    """Not in a page of somebody else's code, on a screen that is still half drawn."""
    (tmp_path / "maze.py").write_text(MAZE.replace("0.0, False", "0.0 if action else float('nan'), False"))
    words = ("play", "maze.py:Maze", "--agent", "random", "--steps", 200, *screen)
    done = run_cli(*words, env={"SDL_VIDEODRIVER": "dummy"})
    assert done.code == 1 and "maze.py:Maze.step() returned the reward nan" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_data_without_a_game_cannot_be_played_and_says_so(home: Path, tmp_path: Path, run_cli: Cli) -> None:
    import numpy as np

    arrays = {"observations": np.zeros((20, 64, 64, 3), np.uint8), "actions": np.zeros(20, np.int64)}
    np.savez(tmp_path / "d.npz", **arrays, rewards=np.zeros(20, np.float32), ends=np.arange(20) == 19)
    assert run_cli("data", "import", "d.npz", "--game", "films", "--name", "x").code == 0
    done = run_cli("play", "films", "--terminal", "--steps", 1)
    assert done.code == 1 and "films is recorded data and no game to play" in done.stderr


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cartpol", "did you mean cartpole or CartPole-v1?"),
        ("LunarLander", "did you mean LunarLander-v3?"),
        ("acrobat-v1", "Did you mean Acrobot-v1?"),
        ("maze", "name the class in that file as well: maze:Class"),
        ("maze.py", "maze.py:Class"),
        ("maze:Mase", "did you mean Maze?"),
    ],
)
def test_what_was_meant_is_guessed(home: Path, tmp_path: Path, run_cli: Cli, name: str, hint: str) -> None:
    (tmp_path / "maze.py").write_text(MAZE)
    done = run_cli("play", name, "--terminal", "--steps", 1)
    assert done.code != 0 and hint in done.stderr and len(done.stderr.strip().splitlines()) == 1


MAZE = """
import numpy as np


class Maze:
    action_space = 4

    def __init__(self, size=64):
        self.size = size

    def reset(self):
        return np.zeros((3, self.size, self.size), np.uint8)

    def step(self, action):
        return np.full((3, self.size, self.size), action, np.uint8), 0.0, False, {}
"""


def test_a_misspelt_game_gets_the_near_ones(home: Path, run_cli: Cli) -> None:
    done = run_cli("games", "show", "cartpol")
    assert done.code == 3
    assert "did you mean cartpole" in done.stderr
