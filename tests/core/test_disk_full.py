"""A full disk gives one sentence and leaves what was there: it must never cost the last good state."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from core.conftest import FRAME, TWO, record, weights
from wmplay.core import atomic
from wmplay.core.episodes import Dataset
from wmplay.core.errors import WmplayError
from wmplay.core.recorder import Recorder
from wmplay.core.runs import RunStore
from wmplay.core.slots import copy_slot, export_slot, find_slot, list_slots, save_slot, verify_slot


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may grow beyond 100 kB: writes fail in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def one_sentence(error: pytest.ExceptionInfo[WmplayError]) -> None:
    text = str(error.value)
    assert text.startswith("The disk is full")
    assert "\n" not in text


def test_a_file_stays_as_it_was(tmp_path: Path, small_files: None) -> None:
    atomic.write_text(tmp_path / "x.json", "old")
    with pytest.raises(WmplayError) as error:
        atomic.write_bytes(tmp_path / "x.json", b"n" * 200_000)
    one_sentence(error)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x.json", "old")]


def test_a_slot_stays_as_it_was(make_slot: Callable[..., Path], small_files: None) -> None:
    path = make_slot("one")
    with pytest.raises(WmplayError) as error:
        save_slot(path, {"steps": 2}, {"report/a.json": b"{}", "world.safetensors": weights(2.0, 100_000)})
    one_sentence(error)
    assert verify_slot("one") == []
    assert find_slot("one").steps == 1
    assert not (path / "report").exists()
    assert not [p for p in path.iterdir() if p.name.startswith(".")]


def test_a_copy_or_export_that_finds_no_room_leaves_nothing(
    make_slot: Callable[..., Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = make_slot("one")
    save_slot(path, {}, {"world.safetensors": weights(2.0, 100_000)})
    request.getfixturevalue("small_files")
    for act in (lambda: copy_slot("one", "two"), lambda: export_slot("one", tmp_path / "one.wmplay")):
        with pytest.raises(WmplayError) as error:
            act()
        one_sentence(error)
    assert [s.name for s in list_slots() if not s.shipped] == ["one"]
    assert not list(path.parent.glob(".building*"))
    assert not list(tmp_path.glob("*one.wmplay*"))


def test_a_recording_keeps_what_it_has(tmp_path: Path, small_files: None) -> None:
    seen = np.full((8, 8, 3), 7, np.uint8)
    with pytest.raises(WmplayError) as error, Recorder(tmp_path / "a", "test", {}, FRAME, TWO) as recorder:
        recorder.begin(0, seen, 0, "random")
        for _ in range(2000):
            recorder.step(0, seen, 1, 1.0, False, False)
    one_sentence(error)
    data = Dataset(tmp_path / "a")
    assert data.problems == []
    assert data.rows >= 256, "what was flushed before is there"
    assert (data.read(0, data.rows) == 7).all()
    record(tmp_path / "b", [3])
    with Recorder(tmp_path / "a", "test", {}, FRAME, TWO):
        pass  # the failed recorder holds no lock


FILL = """
import sys
from pathlib import Path
from wmplay.core.errors import WmplayError
from wmplay.core.runs import RunStore
store = RunStore(Path(sys.argv[1]) / "run.sqlite", write=True)
store.create_run("abcd", slot="s")
try:
    for step in range(1000):
        store.log_metrics([(step, "memory", name, 1.0) for name in "abcdefgh" * 50])
except WmplayError as why:
    print(step, why)
"""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk")
def test_a_run_record_on_a_really_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount a disk here")
    try:
        done = subprocess.run([sys.executable, "-c", FILL, str(disk)], capture_output=True, text=True, check=True)
        step, _, sentence = done.stdout.partition(" ")
        assert sentence.startswith("The disk is full")
        with RunStore(disk / "run.sqlite") as store:
            assert max(metric.step for metric in store.metrics(limit=10**6)) == int(step) - 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)
