"""Many CarRacing games at once are the same games as one at a time, in this process and over several."""

from __future__ import annotations

import os
import subprocess
import sys

import gymnasium
import numpy as np
import psutil
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

import envs
from envs.car_racing import CarRacing
from envs.car_racing.batch import Batch
from envs.errors import GameError


def make(count: int, workers: int, **settings) -> VectorEnv:
    envs.register()
    return gymnasium.make_vec("wmplay/CarRacing-v0", count, workers=workers, **settings)


@pytest.mark.parametrize("workers", [1, 2])
def test_each_game_is_the_single_one_of_its_seed(workers: int) -> None:
    """Data collected in parallel could not be replayed, and the same seed would not give the same episode."""
    vector = make(3, workers, action_repeat=2)
    singles = [CarRacing(action_repeat=2) for _ in range(3)]
    observations, info = vector.reset(seed=11)
    for number, single in enumerate(singles):
        expected, expected_info = single.reset(seed=11 + number)
        assert np.array_equal(observations[number], expected)
        assert np.array_equal(info["ahead"][number], expected_info["ahead"])
    actions = np.random.default_rng(0).uniform([-1, 0, 0], [1, 1, 0.2], (40, 3, 3)).astype(np.float32)
    for row in actions:
        observations, rewards, terminated, truncated, info = vector.step(row)
        for number, single in enumerate(singles):
            expected, reward, ended, _, expected_info = single.step(row[number])
            assert np.array_equal(observations[number], expected)
            assert (rewards[number], terminated[number]) == (reward, ended)
            assert info["x"][number] == expected_info["x"]
        assert not truncated.any()
    vector.close()


def test_games_of_one_process_keep_their_own_colours_and_scores() -> None:
    """They are drawn with the same tools: one game's grass, or its score, would show in another's frames."""
    settings = {"domain_randomize": True, "size": 96}
    vector, singles = make(3, 1, **settings), [CarRacing(**settings) for _ in range(3)]
    vector.reset(seed=20)
    for number, single in enumerate(singles):
        single.reset(seed=20 + number)
    actions = np.random.default_rng(1).uniform([-1, 0, 0], [1, 1, 0.2], (70, 3, 3)).astype(np.float32)
    for row in actions:
        observations = vector.step(row)[0]
        for number, single in enumerate(singles):
            assert np.array_equal(observations[number], single.step(row[number])[0])


def test_processes_that_start_afresh_play_the_same() -> None:
    """Where the system does not fork (macOS, Windows), the games would not start."""
    vector = make(2, 2, context="spawn")
    observations, _ = vector.reset(seed=4)
    assert np.array_equal(observations[1], CarRacing().reset(seed=5)[0])
    vector.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_autoreset_next_step(workers: int) -> None:
    """The step after an end would be learned as if the car had jumped to another track."""
    vector = make(2, workers, max_episode_steps=3, continuous=False)
    assert vector.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    vector.reset(seed=0)
    ends = [vector.step(np.array([3, 3]))[3].tolist() for _ in range(3)]
    assert ends == [[False, False], [False, False], [True, True]]
    _, rewards, _, truncated, info = vector.step(np.array([3, 3]))
    assert rewards.tolist() == [0, 0] and not truncated.any() and info["tile"].tolist() == [0, 0]
    vector.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_autoreset_same_step_keeps_the_last_frame(workers: int) -> None:
    """The last frame of an episode, where the crash is seen, would be lost."""
    vector = make(2, workers, max_episode_steps=2, autoreset_mode=AutoresetMode.SAME_STEP)
    single = CarRacing()
    vector.reset(seed=5)
    single.reset(seed=5)
    action = np.array([[0, 1, 0], [0, 1, 0]], np.float32)
    for _ in range(2):
        observations, _, _, truncated, info = vector.step(action)
        last, _, _, _, last_info = single.step(action[0])
    assert truncated.all() and info["_final_obs"].all()
    assert np.array_equal(info["final_obs"][0], last)
    assert info["final_info"]["x"][0] == last_info["x"]
    assert not np.array_equal(observations[0], last)
    vector.close()


def tells_the_same(ours: object, theirs: object) -> bool:
    """Whether two infos hold the same names and values, infos inside infos too."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(tells_the_same(ours[name], theirs[name]) for name in ours)
    pairs = zip(np.asarray(ours), np.asarray(theirs), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("lap", [0.95, 0.001])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_ends_are_told_as_gymnasium_tells_them(mode: AutoresetMode, lap: float) -> None:
    """A learner written for Gymnasium's own vectors would read another last frame, or find a name it does not know.

    lap: cut off by the time limit after three steps, or ended at once by a lap that is complete with its first tile.
    """
    ours = make(2, 1, size=32, max_episode_steps=3, lap_complete_percent=lap, autoreset_mode=mode)
    settings = {"size": 32, "max_episode_steps": 3, "lap_complete_percent": lap, "disable_env_checker": True}
    theirs = SyncVectorEnv([lambda: gymnasium.make("wmplay/CarRacing-v0", **settings)] * 2, autoreset_mode=mode)
    assert all(map(tells_the_same, ours.reset(seed=4), theirs.reset(seed=4)))
    ends = 0
    for _ in range(8):
        action = np.full((2, 3), [0.1, 0.5, 0.0], np.float32)
        told, expected = ours.step(action), theirs.step(action)
        assert all(map(tells_the_same, told, expected))
        over = told[2] | told[3]
        ends += over.sum()
        if mode is AutoresetMode.DISABLED and over.any():
            again = [games.reset(options={"reset_mask": over.copy()}) for games in (ours, theirs)]
            assert all(map(tells_the_same, *again))
    assert ends >= 4


def test_disabled_autoreset_resets_only_where_told() -> None:
    """Collection gives every episode its own seed this way; a reset elsewhere would cut an episode short."""
    vector = make(2, 2, max_episode_steps=2, autoreset_mode=AutoresetMode.DISABLED)
    vector.reset(seed=[1, 2])
    action = np.zeros((2, 3), np.float32)
    vector.step(action)
    observations, _ = vector.reset(seed=[9, None], options={"reset_mask": np.array([True, False])})
    assert np.array_equal(observations[0], CarRacing().reset(seed=9)[0])
    _, _, _, truncated, _ = vector.step(action)
    assert truncated.tolist() == [False, True]
    with pytest.raises(GameError, match="was not reset"):
        vector.step(action)
    vector.close()


def test_mistakes_are_said_in_a_sentence() -> None:
    """A worker's mistake would show as a hang or a foreign traceback."""
    with pytest.raises(GameError, match="size must be"):
        make(4, 2, size=70)
    vector = make(2, 1)
    vector.reset(seed=0)
    with pytest.raises(GameError, match="shape"):
        vector.step(np.zeros((3, 3), np.float32))
    with pytest.raises(GameError, match="seeds"):
        vector.reset(seed=[1])


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not confine programs to cores")
def test_a_program_confined_to_one_core_starts_no_processes(monkeypatch) -> None:
    """In a container with a share of a large machine, dozens of processes would get in each other's way."""
    envs.register()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    vector = gymnasium.make_vec("wmplay/CarRacing-v0", 8)
    assert isinstance(vector.unwrapped._games, Batch)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    apart = gymnasium.make_vec("wmplay/CarRacing-v0", 8)
    assert len(apart.unwrapped._games._processes) == 1, "this process plays the other half"
    apart.close()


def test_a_mistake_in_one_game_leaves_the_others_in_step() -> None:
    """After a forgotten reset, the games in other processes would show the step before, for good."""
    vector = make(2, 2, max_episode_steps=3, autoreset_mode=AutoresetMode.DISABLED)
    vector.reset(seed=[1, 2])
    action = np.zeros((2, 3), np.float32)
    for _ in range(3):
        vector.step(action)
    vector.reset(seed=[None, 7], options={"reset_mask": np.array([False, True])})
    with pytest.raises(GameError, match="was not reset"):
        vector.step(action)
    observations, _ = vector.reset(seed=[8, 9])
    assert np.array_equal(observations[1], CarRacing().reset(seed=9)[0])
    vector.close()


@pytest.mark.parametrize("where", ["while it plays", "while it waits"])
def test_an_interrupted_step_is_not_taken_for_the_next(where: str, monkeypatch) -> None:
    """Who goes on after Ctrl-C, in a notebook, would see every later frame a step too late."""
    vector, single = make(2, 2), CarRacing()
    vector.reset(seed=3)
    games = vector.unwrapped._games
    place, name = (games._own, "step") if where == "while it plays" else (games._signs[0], "look_out")

    def interrupt() -> None:
        raise KeyboardInterrupt

    action = np.tile(np.array([0, 1, 0], np.float32), (2, 1))
    with monkeypatch.context() as patched:
        patched.setattr(place, name, interrupt)
        with pytest.raises(KeyboardInterrupt):
            vector.step(action)
    vector.reset(seed=3)
    single.reset(seed=4)
    for _ in range(3):
        observations, rewards, _, _, _ = vector.step(action)
        expected, reward, _, _, _ = single.step(action[1])
        assert np.array_equal(observations[1], expected) and rewards[1] == reward
    vector.close()


def test_a_killed_worker_is_reported() -> None:
    """Collection would wait forever for a process that the system has killed."""
    vector = make(2, 2)
    vector.reset(seed=0)
    process = vector.unwrapped._games._processes[0]
    process.kill()
    process.join()
    with pytest.raises(RuntimeError, match="worker process 1"):
        vector.step(np.zeros((2, 3), np.float32))
    vector.close()


def test_workers_end_with_the_process_that_started_them(tmp_path) -> None:
    """After a crash or a kill -9, forgotten processes would go on holding memory."""
    script = tmp_path / "starts.py"
    script.write_text(
        "import os, signal\n"
        "from envs.car_racing import CarRacingVector\n"
        "if __name__ == '__main__':\n"
        "    vector = CarRacingVector(2, workers=2)\n"
        "    print(*[process.pid for process in vector._games._processes], flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=60)
    workers = [psutil.Process(int(pid)) for pid in done.stdout.split() if psutil.pid_exists(int(pid))]
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert done.stdout and not alive
