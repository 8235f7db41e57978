"""The record of a run: what the dashboard draws and how a worker is spoken to."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from wmplay.core.errors import NotFoundError, WmplayError
from wmplay.core.runs import RunStore


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    made = RunStore(tmp_path / "train" / "run.sqlite", write=True)
    made.create_run("abcd", slot="one", game="cartpole", command=["wmplay", "train"], options={"minutes": 2})
    return made


def test_what_was_noted_is_read(store: RunStore) -> None:
    store.heartbeat(state="running", phase="vision", progress=0.5)
    with RunStore(store.path) as reader:
        run = reader.run()
    assert (run["state"], run["phase"], run["progress"]) == ("running", "vision", 0.5)
    assert run["command"] == ["wmplay", "train"]
    assert run["options"] == {"minutes": 2}
    assert run["cwd"]


def test_new_figures_are_asked_for_by_what_is_known(store: RunStore) -> None:
    """A dashboard asks four times a second; it must get the new rows only."""
    store.log_metrics([(1, "v", "loss", 0.5), (1, "v", "kl", 2.0)])
    with RunStore(store.path) as reader:
        first = reader.metrics()
        store.log_metrics([(2, "v", "loss", 0.25)])
        later = reader.metrics(since=first[-1].rowid)
    assert [(m.step, m.name, m.value) for m in first] == [(1, "loss", 0.5), (1, "kl", 2.0)]
    assert [(m.step, m.value) for m in later] == [(2, 0.25)]
    with RunStore(store.path) as reader:
        assert reader.metric_names() == ["loss", "kl"]
        assert reader.latest() == {"loss": 0.25, "kl": 2.0}


def test_a_long_curve_is_drawn_from_few_points_and_keeps_its_spikes(store: RunStore) -> None:
    """A million points would freeze the plot, and a mean alone would hide the spike a user must see."""
    store.log_metrics([(i, "v", "loss", 100.0 if i == 7_777 else 1.0) for i in range(20_000)])
    with RunStore(store.path) as reader:
        curve = reader.series(["loss", "none"], buckets=50)
    assert curve["none"] == []
    assert 45 <= len(curve["loss"]) <= 51
    steps = [point[0] for point in curve["loss"]]
    assert steps == sorted(steps)
    assert max(point[3] for point in curve["loss"]) == 100.0
    assert min(point[2] for point in curve["loss"]) == 1.0


def test_a_loss_that_is_no_number_breaks_no_plot(store: RunStore) -> None:
    store.log_metrics([(1, "v", "loss", float("nan")), (2, "v", "loss", 1.0)])
    with RunStore(store.path) as reader:
        assert reader.series(["loss"])["loss"] == [(2.0, 1.0, 1.0, 1.0)]


def test_a_command_is_obeyed_once_and_in_order(store: RunStore) -> None:
    with RunStore(store.path, write=True, run="abcd") as other:
        other.send("pause")
        other.send("save")
    assert store.take_commands() == ["pause", "save"]
    assert store.take_commands() == []
    store.send("stop")
    store.forget_commands()
    assert store.take_commands() == [], "a successor does not obey what was asked of the dead"


def test_events_are_the_last_ones_in_order(store: RunStore) -> None:
    for number in range(5):
        store.event("info", f"event {number}")
    with RunStore(store.path) as reader:
        assert [event["text"] for event in reader.events(2)] == ["event 3", "event 4"]


def test_two_runs_of_one_slot_keep_their_figures_apart(store: RunStore) -> None:
    store.log_metrics([(1, "v", "loss", 1.0)])
    store.create_run("next", slot="one", started=store.run()["started"] + 1)
    store.log_metrics([(1, "v", "loss", 2.0)])
    with RunStore(store.path) as reader:
        assert [run["id"] for run in reader.runs()] == ["next", "abcd"]
        assert reader.latest() == {"loss": 2.0}, "the newest, where none is named"
    with RunStore(store.path, run="abcd") as reader:
        assert reader.latest() == {"loss": 1.0}


def test_readers_never_wait_for_the_writer(store: RunStore) -> None:
    """The dashboard must not stutter because a worker is writing."""
    blocker = sqlite3.connect(store.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    blocker.execute("INSERT INTO events VALUES('abcd', 0, 'info', 'uncommitted')")
    found: list[object] = []
    reading = threading.Thread(target=lambda: found.append(RunStore(store.path).events()))
    reading.start()
    reading.join(2)
    assert found == [[]]
    blocker.execute("ROLLBACK")
    blocker.close()


def test_a_missing_or_ruined_record_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no record of a run"):
        RunStore(tmp_path / "run.sqlite")
    (tmp_path / "run.sqlite").write_bytes(b"this is no database" * 100)
    for write in (False, True):
        with pytest.raises(WmplayError, match="cannot be used"):
            RunStore(tmp_path / "run.sqlite", write=write)
