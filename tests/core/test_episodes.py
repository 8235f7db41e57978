"""Recorded play: what went in comes out, a crash costs a second, bad data is named and harms nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from core.conftest import FRAME, TWO, VECTOR, WHEEL, record
from wmplay.core import paths
from wmplay.core.episodes import (
    FIRST,
    HELD_OUT_SEED,
    TERMINATED,
    TRUNCATED,
    Dataset,
    Recorder,
    datasets,
    delete_dataset,
    find_dataset,
)
from wmplay.core.errors import NotFoundError, UsageError, WmplayError


def test_what_was_played_is_what_is_read(tmp_path: Path) -> None:
    data = Dataset(record(tmp_path / "a", [3, 5]))
    assert data.problems == []
    assert [(e.start, e.length, e.seed, e.player, e.complete) for e in data.episodes] == [
        (0, 4, 0, "random", True),
        (4, 6, 1, "random", True),
    ]
    assert data.read(0, 10)[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]
    assert data.actions.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert data.rewards.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert np.flatnonzero(data.flags & FIRST).tolist() == [0, 4]
    assert np.flatnonzero(data.flags & TERMINATED).tolist() == [3, 9]
    assert data.steps == 8


def test_interleaved_streams_give_whole_episodes(tmp_path: Path) -> None:
    """Parallel environments finish at different times; each episode must stay in one piece, in its own order."""
    streams, random = 5, np.random.default_rng(0)
    lengths: dict[int, int] = {}
    with Recorder(tmp_path / "a", "test", {}, VECTOR, TWO) as recorder:
        running = {}
        for seed in range(40):
            stream = seed % streams
            while stream in running:  # play the others until this one is over
                for other in list(running):
                    t, total, number = running[other]
                    end = t + 1 == total
                    recorder.step(other, np.full(4, number * 1000 + t + 1, np.float32), 1, 0.5, False, end)
                    running[other] = (t + 1, total, number)
                    if end:
                        del running[other]
            lengths[seed] = int(random.integers(1, 300))
            recorder.begin(stream, np.full(4, seed * 1000, np.float32), seed, "walker")
            running[stream] = (0, lengths[seed], seed)
    data = Dataset(tmp_path / "a")
    assert data.problems == []
    assert len(data.episodes) == 40
    for episode in data.episodes:
        rows = data.read(episode.start, episode.start + episode.length)[:, 0]
        assert episode.seed is not None
        assert rows.tolist() == [episode.seed * 1000 + t for t in range(episode.length)]
        if episode.complete:
            assert episode.length == lengths[episode.seed] + 1


def test_the_files_are_plain_numpy_arrays(tmp_path: Path) -> None:
    """A user's own script reads them with numpy alone."""
    record(tmp_path / "a", [3])
    frames = np.load(tmp_path / "a" / "shard-00000" / "observations.npy", mmap_mode="r", allow_pickle=False)
    assert frames.shape == (4, 8, 8, 3)
    assert frames.dtype == np.uint8


def test_recording_again_adds(tmp_path: Path) -> None:
    record(tmp_path / "a", [3])
    with Recorder(tmp_path / "a", "test", {}, FRAME, TWO) as recorder:
        recorder.begin(0, np.zeros((8, 8, 3), np.uint8), 77, "walker")
        recorder.step(0, np.zeros((8, 8, 3), np.uint8), 1, 1.0, True, False)
    assert [e.seed for e in Dataset(tmp_path / "a").episodes] == [0, 77]


def test_infinite_bounds_do_not_stop_a_second_recording(tmp_path: Path) -> None:
    """CartPole's velocities are unbounded; comparing the stored spec with the new one must still work."""
    record(tmp_path / "a", [3], VECTOR)
    with Recorder(tmp_path / "a", "test", {}, VECTOR, TWO):
        pass
    assert Dataset(tmp_path / "a").observation == VECTOR


def test_another_game_may_not_be_mixed_in(tmp_path: Path) -> None:
    record(tmp_path / "a", [3])
    with pytest.raises(UsageError, match="another game "):
        Recorder(tmp_path / "a", "other", {}, FRAME, TWO)
    with pytest.raises(UsageError, match="another action"):
        Recorder(tmp_path / "a", "test", {}, FRAME, WHEEL)


def test_two_recorders_may_not_write_one_dataset(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a", "test", {}, FRAME, TWO), pytest.raises(WmplayError, match="being recorded"):
        Recorder(tmp_path / "a", "test", {}, FRAME, TWO)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"observation": np.zeros((8, 8, 3), np.float32)}, "float32"),
        ({"observation": np.zeros((9, 8, 3), np.uint8)}, "8, 8, 3"),
        ({"action": 2}, "outside the action space"),
        ({"action": -1}, "outside the action space"),
        ({"action": np.zeros(2)}, "shape"),
        ({"reward": float("nan")}, "not a finite number"),
        ({"stream": 4}, "no running episode"),
    ],
)
def test_a_wrong_step_is_refused_and_the_recording_goes_on(tmp_path: Path, change: dict, words: str) -> None:
    """A mistake in somebody's own game must be told at once, not found after a night of training."""
    right = {"stream": 0, "observation": np.ones((8, 8, 3), np.uint8), "action": 1, "reward": 0.0}
    with Recorder(tmp_path / "a", "test", {}, FRAME, TWO) as recorder:
        recorder.begin(0, np.zeros((8, 8, 3), np.uint8), 0, "random")
        with pytest.raises(UsageError, match=words):
            recorder.step(**{**right, **change}, terminated=False, truncated=False)
        recorder.step(**right, terminated=True, truncated=False)
    data = Dataset(tmp_path / "a")
    assert (data.steps, data.problems) == (1, [])


def test_held_out_and_training_seeds_never_mix(tmp_path: Path) -> None:
    """A report on episodes the model was trained on would be worthless."""
    seen = np.zeros((8, 8, 3), np.uint8)
    with Recorder(tmp_path / "a", "test", {}, FRAME, TWO) as recorder, pytest.raises(UsageError, match="held-out"):
        recorder.begin(0, seen, HELD_OUT_SEED, "random")
    with Recorder(tmp_path / "b", "test", {}, FRAME, TWO, held_out=True) as recorder:
        for seed in (0, HELD_OUT_SEED - 1, None):
            with pytest.raises(UsageError, match=r"training|Held-out"):
                recorder.begin(0, seen, seed, "random")
        recorder.begin(0, seen, HELD_OUT_SEED, "random")
        recorder.step(0, seen, 1, 0.0, True, False)
        recorder.begin(0, seen, None, "random")  # the same stream, whose seed has shown what it is


CRASH = """
import sys, time
import numpy as np
from pathlib import Path
from wmplay.core.recorder import Recorder
from wmplay.core.spaces import ActionSpec, ObservationSpec
with Recorder(Path(sys.argv[1]), "test", {}, ObservationSpec("frame", (8, 8, 3)), ActionSpec("discrete", n=2)) as r:
    for s in range(3):
        r.begin(s, np.zeros((8, 8, 3), np.uint8), s, "random")
    while True:
        time.sleep(0.01)
        now = np.frombuffer(np.float64(time.monotonic()).tobytes() * 24, np.uint8).reshape(8, 8, 3)
        for s in range(3):
            r.step(s, now, 1, 1.0, False, False)
"""


def test_a_crash_costs_at_most_the_last_second(tmp_path: Path) -> None:
    """Kill -9 in the middle of play: all but the last second of every stream is there and can be trained on."""
    child = subprocess.Popen([sys.executable, "-c", CRASH, str(tmp_path / "a")])
    deadline = time.monotonic() + 30
    flags = tmp_path / "a" / "shard-00000" / "flags.npy"

    def recorded() -> bool:
        return flags.exists() and flags.stat().st_size > 256 + 150

    try:
        while time.monotonic() < deadline and not recorded():
            time.sleep(0.02)  # it is another process: there is no event to wait for
        assert recorded(), "the player recorded nothing in half a minute, or too little"
        assert child.poll() is None, "the player ended by itself"
    finally:
        child.kill()
        killed = time.monotonic()
        child.wait()
    data = Dataset(tmp_path / "a")
    assert data.problems == []
    assert len(data.episodes) == 3
    for episode in data.episodes:
        assert not episode.complete
        last = data.read(episode.start + episode.length - 1, episode.start + episode.length)
        written = float(np.frombuffer(last.tobytes()[:8], np.float64)[0])
        assert killed - written < 1.0
    assert not data.info()["complete"]
    with Recorder(tmp_path / "a", "test", {}, FRAME, TWO):
        pass  # the dead recorder's lock is gone


def test_a_dataset_can_be_read_while_it_is_recorded(tmp_path: Path) -> None:
    seen = np.zeros((8, 8, 3), np.uint8)
    with Recorder(tmp_path / "a", "test", {}, FRAME, TWO) as recorder:
        recorder.begin(0, seen, 0, "random")
        recorder.step(0, seen, 1, 1.0, False, False)
        recorder.flush()
        early = Dataset(tmp_path / "a")
        for _ in range(1000):
            recorder.step(0, seen, 1, 1.0, False, False)
        assert early.rows == 2
        assert early.read(0, 2).shape == (2, 8, 8, 3), "an open snapshot stays as it was"
        recorder.flush()
        assert Dataset(tmp_path / "a").rows == 1002


def damage(folder: Path, field: str, row: int, value: float) -> None:
    array = np.load(folder / "shard-00000" / f"{field}.npy", mmap_mode="r+")
    array[row] = value
    array.flush()


@pytest.mark.parametrize(
    ("field", "row", "value", "words"),
    [
        ("rewards", 5, float("nan"), "rewards.npy: episode 1: rewards is not a finite number"),
        ("rewards", 5, float("inf"), "rewards.npy: episode 1: rewards"),
        ("actions", 5, 7, "actions.npy: episode 1: actions is outside the action space"),
        ("observations", 5, float("nan"), "observations.npy: episode 1: observations is not a finite number"),
        ("flags", 5, TRUNCATED, "flags.npy: episode 1: flags goes on after its end"),
        ("flags", 5, 200, "flags.npy: episode 1: flags is 200, which means nothing"),
    ],
)
def test_a_bad_episode_is_named_and_the_rest_is_used(
    tmp_path: Path, field: str, row: int, value: float, words: str
) -> None:
    folder = record(tmp_path / "a", [3, 4, 5], VECTOR)
    damage(folder, field, row, value)
    data = Dataset(folder)
    assert len(data.problems) == 1
    assert words in data.problems[0]
    assert data.problems[0].startswith("shard-00000/")
    assert [e.seed for e in data.episodes] == [0, 2]
    assert data.read(0, data.rows)[:, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]
    assert len(data.actions) == len(data.rewards) == len(data.flags) == data.rows == 10


@pytest.mark.parametrize("field", ["observations", "actions", "rewards", "flags"])
def test_a_shard_cut_short_keeps_its_whole_rows(tmp_path: Path, field: str) -> None:
    folder = record(tmp_path / "a", [3, 4, 5])
    path = folder / "shard-00000" / f"{field}.npy"
    row = (path.stat().st_size - 256) // 15
    os.truncate(path, 256 + row * 11 + row // 2)
    data = Dataset(folder)
    assert any(f"{field} is cut short: 11 of 15 rows" in problem for problem in data.problems)
    assert [e.length for e in data.episodes] == [4, 5, 2]
    assert not data.episodes[-1].complete


def test_a_ruined_shard_does_not_take_the_others_along(tmp_path: Path) -> None:
    folder = record(tmp_path / "a", [3])
    with Recorder(folder, "test", {}, FRAME, TWO) as recorder:
        recorder.begin(0, np.zeros((8, 8, 3), np.uint8), 9, "random")
        recorder.step(0, np.zeros((8, 8, 3), np.uint8), 1, 0.0, True, False)
    for content, words in (
        (b"garbage", "is no .npy file"),
        (b"", "is no .npy file"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': '|u1', ", "is no .npy file"),
        (None, "cannot be read"),
        (np.zeros((4, 8, 8, 3), np.float64), "is float64"),
        (np.zeros((4, 9, 8, 3), np.uint8), "[9, 8, 3]"),
    ):
        path = folder / "shard-00000" / "observations.npy"
        path.unlink(missing_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            np.save(path, content)
        data = Dataset(folder)
        assert [e.seed for e in data.episodes] == [9]
        assert any("shard-00000/observations.npy" in p and words in p for p in data.problems), data.problems


def test_object_arrays_are_never_unpickled(tmp_path: Path) -> None:
    """A recording from a stranger may carry a program: these few bytes would make a folder if they were loaded."""
    folder, trap = record(tmp_path / "a", [3]), tmp_path / "sprung"
    with (folder / "shard-00000" / "actions.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (4,)})
        file.write(f"cos\nmkdir\n(V{trap}\ntR.".encode())
    assert "Python objects" in Dataset(folder).problems[0]
    assert not trap.exists()


def test_datasets_are_listed_found_and_deleted_by_name(home: Path) -> None:
    record(paths.episodes_dir("test") / "mine", [3])
    record(paths.episodes_dir("test") / "report", [3], held_out=True)
    record(paths.episodes_dir("other") / "mine", [3])
    assert [(d["game"], d["name"], d["held_out"], d["steps"], d["complete"]) for d in datasets("test")] == [
        ("test", "mine", False, 3, True),
        ("test", "report", True, 3, True),
    ]
    with pytest.raises(UsageError, match=r"other/mine or test/mine"):
        find_dataset("mine")
    with pytest.raises(NotFoundError, match="test/report"):
        find_dataset("nowhere")
    delete_dataset(find_dataset("test/mine"))
    assert find_dataset("mine").parent.name == "other"


def test_a_dataset_in_use_is_not_deleted(home: Path) -> None:
    folder = paths.episodes_dir("test") / "mine"
    with Recorder(folder, "test", {}, FRAME, TWO), pytest.raises(WmplayError, match="being recorded"):
        delete_dataset(folder)
    assert folder.exists()


def test_an_unreadable_description_is_listed_with_the_reason(home: Path) -> None:
    record(paths.episodes_dir("test") / "good", [3])
    bad = record(paths.episodes_dir("test") / "bad", [3])
    newer = record(paths.episodes_dir("test") / "newer", [3])
    (bad / "dataset.json").write_text("{")
    meta = json.loads((newer / "dataset.json").read_text())
    (newer / "dataset.json").write_text(json.dumps({**meta, "schema": 99}))
    listed = {d["name"]: d for d in datasets()}
    assert [name for name, d in listed.items() if d["ok"]] == ["good"]
    assert "newer wmplay" in listed["newer"]["why"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("observation", {}),
        ("observation", [1]),
        ("observation", {"kind": "smell", "shape": [4]}),
        ("observation", {"kind": "vector", "shape": "x"}),
        ("action", {"kind": "foo"}),
        ("action", {"kind": "discrete", "n": "two"}),
        ("action", {"kind": "discrete", "n": -1}),
        ("action", {"kind": "box", "low": [0.0], "high": []}),
        ("game", 7),
        ("game_params", [1]),
        ("held_out", "yes"),
        ("created", 5),
    ],
)
def test_a_damaged_description_is_named_by_field(home: Path, field: str, value: object) -> None:
    """One dataset from elsewhere must not take the list of all of them along."""
    record(paths.episodes_dir("test") / "good", [3])
    bad = record(paths.episodes_dir("test") / "bad", [3])
    meta = json.loads((bad / "dataset.json").read_text())
    (bad / "dataset.json").write_text(json.dumps({**meta, field: value}))
    listed = {d["name"]: d for d in datasets()}
    assert [name for name, d in listed.items() if d["ok"]] == ["good"]
    assert f"dataset.json is damaged: {field} is" in listed["bad"]["why"]


def test_a_game_goes_by_one_name_whichever_was_recorded(home: Path) -> None:
    """The list would show the same game twice, and --game only half of its data."""
    long = "wmplay/GridWorld-v0"
    recorded = {"a": ("grid_world", "grid_world"), "b": ("grid_world", long), "c": ("wmplay__GridWorld-v0", long),
                "d": ("Acrobot-v1", "Acrobot-v1")}  # fmt: skip
    for name, (folder, game) in recorded.items():
        with Recorder(home / "episodes" / folder / name, game, {}, FRAME, TWO) as recorder:
            recorder.begin(0, np.zeros(FRAME.shape, np.uint8), 0, "random")
            recorder.step(0, np.zeros(FRAME.shape, np.uint8), 1, 0.0, True, False)
    assert {row["name"]: row["game"] for row in datasets()} == {
        "a": "grid_world", "b": "grid_world", "c": "grid_world", "d": "Acrobot-v1",
    }  # fmt: skip
    assert {row["name"] for row in datasets("grid_world")} == {"a", "b", "c"}
