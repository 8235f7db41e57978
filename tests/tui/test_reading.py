"""What the dashboard reads: real slots, runs and files, and what happens when they are damaged or change."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wmplay.core import atomic
from wmplay.core.catalog import GAMES
from wmplay.core.runs import RunStore
from wmplay.core.slots import create_slot
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.tui import tasks as tasks_module
from wmplay.tui.keymap import read_keymap
from wmplay.tui.reader import CoreReader
from wmplay.tui.snapshot import Subject
from wmplay.tui.tasks import TaskStore


@pytest.fixture
def slot(home: Path) -> Path:
    observation, action = ObservationSpec("frame", (64, 64, 3)), ActionSpec("discrete", 4)
    return create_slot("one", GAMES[0], observation, action, "vqvae_mdn", "tiny", {})


@pytest.fixture
def reader(tmp_path: Path):
    made = CoreReader(TaskStore(tmp_path / "tasks"))
    yield made
    made.close()


def log_run(slot: Path, state: str = "done") -> None:
    with RunStore(slot / "train" / "run.sqlite", write=True, run="r1") as store:
        store.create_run("r1", slot=slot.name, game="grid_world", family="vqvae_mdn", preset="tiny", state=state)
        store.attach()
        store.log_metrics([(step, "vision", "loss", 1 / (step + 1)) for step in range(1000)])
        store.log_metrics([(step, "vision", "learning_rate", 0.001) for step in range(1000)])
        store.event("info", "phase vision begins")
        store.heartbeat(state=state)


def test_a_real_home_is_read_whole(reader, slot) -> None:
    """Games, slots, jobs, curves in few buckets, events: all that was logged is on the screen."""
    log_run(slot)
    state = reader.read(Subject("job", "r1"))
    assert [row.short for row in state.games][:3] == ["grid_world", "car_racing", "cartpole"]
    assert "one" in [row.name for row in state.slots]
    assert [(row.id, row.state) for row in state.jobs] == [("r1", "done")]
    assert state.detail is not None
    names = [(curve.phase, curve.name) for curve in state.detail.curves]
    assert names == [("vision", "loss"), ("vision", "learning_rate")]
    curve = state.detail.curves[0]
    assert len(curve.x) <= 200
    assert curve.high[0] == 1.0
    assert (curve.low <= curve.mean).all()
    assert "phase vision begins" in [event.text for event in state.events]
    assert state.problems == ()


def test_unchanged_details_are_the_same_and_new_files_make_new_ones(reader, slot) -> None:
    """Otherwise every look would redraw all pictures and charts."""
    subject = Subject("slot", "one")
    first = reader.read(subject).detail
    assert reader.read(subject).detail.version == first.version
    Image.fromarray(np.full((64, 64, 3), 99, np.uint8)).save(slot / "thumb.png")
    second = reader.read(subject).detail
    assert second.version != first.version
    assert second.clip.frames.shape == (1, 64, 64, 3)


def test_the_preview_strip_and_the_report_card_are_read(reader, slot) -> None:
    log_run(slot)
    (slot / "report").mkdir()
    figures = {"skill": [0.91, 0.9, 0.92], "exact": [1.0, 1.0, 1.0]}
    (slot / "report" / "report.json").write_text(json.dumps({"regimes": {"player": {"1": figures, "5": figures}}}))
    np.savez(slot / "train" / "preview.npz", strip=np.zeros((3, 4, 64, 64, 3), np.uint8))
    assert reader.read(Subject("job", "r1")).detail.strip.shape == (3, 4, 64, 64, 3)
    table = reader.read(Subject("slot", "one")).detail.table
    assert ("player skill", "0.91", "0.91") in table
    assert ("player exact", "1.00", "1.00") in table


def test_damaged_files_become_sentences(reader, slot) -> None:
    """A preview cut short, a run that is no database, a slot that is no JSON: told, and the rest stays."""
    log_run(slot)
    (slot / "train" / "preview.npz").write_bytes(b"PK cut short")
    state = reader.read(Subject("job", "r1"))
    assert any("details of r1" in problem for problem in state.problems)
    assert len(state.jobs) == 1
    other = slot.parent / "two" / "train"
    other.mkdir(parents=True)
    (other / "run.sqlite").write_bytes(b"no database at all" * 100)
    (other.parent / "slot.json").write_text("{ not json")
    fresh = CoreReader(TaskStore(slot.parent / ".tasks"))
    state = fresh.read(None)
    fresh.close()
    assert any("two" in problem for problem in state.problems)
    broken = state.slot("two")
    assert broken is not None
    assert not broken.ok
    assert broken.why
    assert [row.id for row in state.jobs] == ["r1"]


@pytest.mark.parametrize("text", ["null", "[1]", '{"regimes": 3}', '{"regimes": {"player": 1}}', '{"regimes": {"pl'])
def test_a_damaged_report_card_is_told_and_the_dashboard_goes_on(reader, slot, text) -> None:
    """One bad file must not blind the whole dashboard, look after look."""
    (slot / "report").mkdir()
    (slot / "report" / "report.json").write_text(text)
    state = reader.read(Subject("slot", "one"))
    assert any("details of one" in problem for problem in state.problems)
    assert state.slot("one") is not None


def test_a_run_that_claims_to_work_but_has_no_process_is_dead(reader, slot) -> None:
    log_run(slot)
    with RunStore(slot / "train" / "run.sqlite", write=True, run="r1") as store:
        store.heartbeat(state="running", pid=2**22 - 3, pid_started=1.0)
    atomic.write_text(slot / "train" / "log.txt", "--- run r1 starts\nRuntimeError: no memory\n")
    job = reader.read(None).jobs[0]
    assert job.state == "dead"
    assert "no memory" in job.last_error


def test_a_deleted_slot_leaves_no_open_file_behind(reader, slot) -> None:
    log_run(slot)
    assert len(reader.read(Subject("job", "r1")).jobs) == 1
    (slot / "train" / "run.sqlite").unlink()
    assert reader.read(Subject("job", "r1")).jobs == ()


def wait_for(store: TaskStore, key: str, state: str):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        row = next(row for row in store.rows() if row.id == key)
        if row.state == state:
            return row
        time.sleep(0.02)  # another process is awaited: there is no event of ours to wait for
    raise AssertionError(f"the task is {row.state}, not {state}")


def test_a_task_outlives_the_dashboard_and_is_known_again(tmp_path, monkeypatch) -> None:
    """Collecting goes on when the dashboard is closed, and a reopened one shows it."""
    code = "import time; print('half way', flush=True); time.sleep(60)"
    monkeypatch.setattr(tasks_module, "argv", lambda args: [sys.executable, "-c", code])
    store = TaskStore(tmp_path)
    key = store.start("collect", ("collect", "grid_world"))
    child = store._children[key]
    try:
        row = wait_for(TaskStore(tmp_path), key, "running")
    finally:
        child.kill()
        child.wait()
    assert wait_for(store, key, "failed").title == row.title == "collect"


def test_a_failed_task_keeps_its_last_words(tmp_path, monkeypatch) -> None:
    code = "import sys; print('wmplay: no display', file=sys.stderr); sys.exit(1)"
    monkeypatch.setattr(tasks_module, "argv", lambda args: [sys.executable, "-c", code])
    store = TaskStore(tmp_path)
    key = store.start("dream", ("dream", "x"))
    assert wait_for(store, key, "failed").last_line == "wmplay: no display"
    assert "no display" in store.output(key)


def test_a_note_cut_short_does_no_harm(tmp_path) -> None:
    (tmp_path / "1-a.json").write_text('{"title": "co')
    assert TaskStore(tmp_path).rows() == ()


def test_a_wrong_keymap_is_told_and_the_usual_keys_stay(home) -> None:
    assert read_keymap() == ({}, "")
    (home / "keymap.json").write_text('{"dream": "f5", "fly": "z"}')
    keymap, why = read_keymap()
    assert keymap == {"dream": "f5"}
    assert "fly" in why
    (home / "keymap.json").write_text("no json")
    keymap, why = read_keymap()
    assert keymap == {}
    assert "could not be read" in why
