"""`wmplay play` and `wmplay dream` as they are typed: what a script or a newcomer gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wmplay.core.episodes import Dataset


@pytest.mark.parametrize("game", ["grid_world", "car_racing", "cartpole"])
def test_a_picture_of_the_window_can_be_made_anywhere(run_cli: Callable, home: Path, tmp_path: Path, game: str) -> None:
    from PIL import Image

    file = tmp_path / "window.png"
    player = {"grid_world": "walker", "car_racing": "driver", "cartpole": "balancer"}[game]
    done = run_cli("play", game, "--agent", player, "--seed", 3, "--screenshot", file, "--after", 10)
    assert done.code == 0, done.stderr
    assert done.stdout == "", "stdout is data, and there is none"
    picture = np.asarray(Image.open(file).convert("RGB"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 30


def test_a_picture_of_the_terminal_too(run_cli: Callable, home: Path, tmp_path: Path) -> None:
    for ending in ("png", "svg"):
        file = tmp_path / f"terminal.{ending}"
        done = run_cli("play", "grid_world", "--agent", "walker", "--terminal", "--screenshot", file, "--after", 3)
        assert done.code == 0 and file.stat().st_size > 5000, done.stderr


def test_a_foreign_game_says_nothing_into_the_terminal(run_cli: Callable, home: Path, monkeypatch) -> None:
    """What a drawing library complains about would stand in the middle of the picture."""
    for name in ("XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    done = run_cli("play", "Acrobot-v1", "--terminal", "--agent", "random", "--steps", 5)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")


def test_scripted_play_is_recorded(run_cli: Callable, home: Path) -> None:
    done = run_cli(
        "play", "cartpole", "--agent", "balancer", "--record", "watched", "--steps", 40, "--seed", 5,
        env={"SDL_VIDEODRIVER": "dummy"},
    )  # fmt: skip
    assert done.code == 0, done.stderr
    data = Dataset(home / "episodes" / "cartpole" / "watched")
    assert data.rows == 41 and data.episodes[0].seed == 5 and data.episodes[0].player == "balancer"
    assert "Kept 40 steps in watched: wmplay train cartpole --data watched" in done.stderr, "what to do with it now"


def test_parameters_reach_the_game(run_cli: Callable, home: Path) -> None:
    done = run_cli(
        "play", "car_racing", "--param", "continuous=false", "--agent", "random", "--record", "five", "--steps", 5,
        env={"SDL_VIDEODRIVER": "dummy"},
    )  # fmt: skip
    assert done.code == 0, done.stderr
    data = Dataset(home / "episodes" / "car_racing" / "five")
    assert data.action.kind == "discrete" and data.game_params["continuous"] is False


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("play", "grid_wrld"), 3, "grid_world"),
        (("play", "grid_world", "--agent", "nobody", "--steps", "1"), 3, "walker"),
        (("play", "CartPole-v9", "--steps", "1"), 3, "CartPole-v1"),
        (("play", "nothing.py:Maze", "--steps", "1"), 3, "no file"),
        (("play", "nothing:Maze", "--steps", "1"), 3, "no module"),
        (("play", "grid_world", "--param", "size"), 2, "key=value"),
        (("play", "grid_world", "--param", "size=99"), 2, "size"),
        (("play", "grid_world", "--screenshot", "a.jpg"), 2, ".png"),
        (("play", "grid_world", "--terminal"), 2, "needs a terminal"),
        (("dream", "nowhere"), 3, "nowhere"),
        (("dream", "nowhere", "--twin", "--horizon", "5"), 2, "--horizon"),
    ],
)
def test_mistakes_get_one_sentence(run_cli: Callable, home: Path, words: tuple[str, ...], code: int, hint: str) -> None:
    done = run_cli(*words, env={"SDL_VIDEODRIVER": "dummy"})
    assert done.code == code and hint in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1
