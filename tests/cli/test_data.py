"""`wmplay data …` as a person or a script uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from core.conftest import FAKE_WORKER, VECTOR, record

from wmplay.core import jobs, paths

Cli = Callable[..., object]


@pytest.fixture
def mine(home: Path) -> Path:
    return record(paths.episodes_dir("cartpole") / "mine", [3, 9], VECTOR)


def test_list_and_show(mine: Path, run_cli: Cli) -> None:
    (row,) = run_cli("data", "--json").json
    assert {"name", "game", "steps", "episodes", "size_bytes", "created", "held_out", "players", "complete"} <= set(row)
    assert (row["name"], row["steps"], row["episodes"]) == ("mine", 12, 2)
    assert run_cli("data", "--game", "grid_world", "--json").json == []
    shown = run_cli("data", "show", "mine", "--json").json
    assert (shown["mean_length"], shown["terminated"]) == (6.0, 2)
    assert "mine" in run_cli("data").stdout
    assert "Discrete(2)" in run_cli("data", "show", "mine").stdout


def test_problems_are_told_on_stderr(mine: Path, run_cli: Cli) -> None:
    rewards = np.load(mine / "shard-00000" / "rewards.npy", mmap_mode="r+")
    rewards[2] = np.nan
    rewards.flush()
    done = run_cli("data", "show", "mine")
    assert "left out: shard-00000/rewards.npy: episode 0: rewards is not a finite number" in done.stderr
    checked = run_cli("data", "verify", "mine")
    assert checked.code == 1
    assert checked.stdout.startswith("shard-00000/rewards.npy: episode 0: rewards is not a finite number")
    assert "1 episodes, 9 steps can be used" in checked.stderr


def test_a_sound_dataset_is_verified_in_silence(mine: Path, run_cli: Cli) -> None:
    done = run_cli("data", "verify", "mine")
    assert (done.code, done.stdout) == (0, "")


def test_out_in_and_deleted(mine: Path, run_cli: Cli, tmp_path: Path) -> None:
    for target in ("x.zip", "x.npz", "folder"):
        assert run_cli("data", "export", "mine", tmp_path / target).code == 0
        done = run_cli("data", "import", tmp_path / target, "--game", "cartpole", "--name", "back")
        assert (done.code, done.stdout.strip()) == (0, "cartpole/back")
        assert "2 episodes, 12 steps" in done.stderr
        assert run_cli("data", "delete", "back").code == 2, "it asks"
        assert run_cli("data", "delete", "back", "--yes").code == 0
    assert [row["name"] for row in run_cli("data", "--json").json] == ["mine"]


def test_a_newcomers_own_frames(home: Path, run_cli: Cli, tmp_path: Path) -> None:
    """No environment, just arrays: the recipe of `wmplay data import --help`."""
    ends = np.array([0, 0, 1, 0, 2])
    np.savez(
        tmp_path / "own.npz",
        frames=np.zeros((5, 64, 64, 3), np.uint8),
        actions=np.array([[0.1, -0.2]] * 5),
        rewards=np.ones(5),
        ends=ends,
    )
    done = run_cli("data", "import", tmp_path / "own.npz", "--game", "my_robot")
    assert (done.code, done.stdout.strip()) == (0, "my_robot/own")
    listed = {row["short"]: row for row in run_cli("games", "--json").json}
    assert (listed["my_robot"]["observation"], listed["my_robot"]["actions"]) == ("frame", "Box(2)")


@pytest.mark.parametrize("args", [("show", "none"), ("delete", "none", "--yes"), ("export", "none", "x.zip")])
def test_an_unknown_dataset_is_exit_code_3(home: Path, run_cli: Cli, args: tuple[str, ...]) -> None:
    done = run_cli("data", *args)
    assert done.code == 3
    assert "There is no dataset 'none'" in done.stderr


@pytest.mark.parametrize("end", ["hang", "fail"])
def test_data_that_a_training_needs_is_not_deleted_unasked(mine: Path, make_slot, run_cli: Cli, end: str) -> None:
    """Hours of training could not go on from their checkpoint. `hang`: it is at work; `fail`: it could be resumed."""
    other = record(paths.episodes_dir("cartpole") / "other", [3], VECTOR)
    job = jobs.start(make_slot("valued"), FAKE_WORKER, options={"end": end, "data": ["mine"]}, command=["wmplay"])
    for seen in jobs.watch(job, 0.05):
        if seen.state == ("running" if end == "hang" else "failed"):
            break
    state = jobs.find_job(job).state
    refused = run_cli("data", "delete", "mine")
    assert refused.code == 2
    assert f"training of valued ({state}) uses cartpole/mine" in refused.stderr
    assert "--yes" in refused.stderr
    assert mine.exists()
    assert "valued" not in run_cli("data", "delete", other.name).stderr, "only what it uses"
    if end == "hang":
        jobs.control(job, "stop")
        *_, last = jobs.watch(job, 0.05)
        assert last.state == "stopped"
    assert run_cli("data", "delete", "mine", "--yes").code == 0
    assert not mine.exists()


def test_arrays_are_held_against_the_game_they_are_said_to_be_of(home: Path, run_cli: Cli, tmp_path: Path) -> None:
    """A model trained on them would not fit its own game: no twin, no agent, no report."""
    actions = np.tile(np.float32([0, 0.5, 0]), (6, 1))
    actions[1, 2] = -0.5  # no brake is negative
    ends = np.array([0, 0, 1, 0, 0, 2])
    content = {"actions": actions, "rewards": np.ones(6), "ends": ends}
    np.savez(tmp_path / "small.npz", frames=np.zeros((6, 32, 32, 3), np.uint8), **content)
    np.savez(tmp_path / "own.npz", frames=np.zeros((6, 64, 64, 3), np.uint8), **content)
    refused = run_cli("data", "import", tmp_path / "small.npz", "--game", "car_racing")
    assert refused.code == 1
    assert "observations is frame [32, 32, 3], but the game car_racing shows frame [64, 64, 3]" in refused.stderr
    done = run_cli("data", "import", tmp_path / "own.npz", "--game", "car_racing")
    assert done.code == 0
    assert "left out: own.npz: episode 0: actions is outside the action space" in done.stderr
    assert "1 episodes, 3 steps" in done.stderr
