"""A disk that fills up in the middle of a training, with a real worker on a really small disk."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wmplay.core import jobs, slots
from wmplay.core.runs import RunStore
from wmplay.training import runlog
from wmplay.training.runlog import StoreLog
from wmplay.training.start import Order, start


def _mounted(path: Path, size: str) -> None:
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True)
    if made.returncode:
        pytest.skip("may not mount a disk here")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, which can be filled without harm."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounts a small disk")
    path = tmp_path / "disk"
    _mounted(path, "24m")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def _fill(disk: Path, number: int) -> None:
    with contextlib.suppress(OSError), (disk / f"others-{number}").open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(1 << 16))
            except OSError as why:
                assert why.errno == errno.ENOSPC
                break


@pytest.mark.slow
def test_a_training_on_a_disk_that_fills_up_is_told_as_failed(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dead` would send a user looking for a killed process; what is needed is room."""
    monkeypatch.setenv("WMPLAY_HOME", str(disk))
    job_id = start(
        Order(
            game="cartpole", slot="x", family="state_vae", preset="tiny", steps=10**6, frames=600, device="cpu",
            precision="float32", checkpoint_every=0.0,
        )
    )  # fmt: skip
    filled, again, last = 0, 0.0, None
    for last in jobs.watch(job_id, interval=0.1):
        # Once, and anew should an old checkpoint have made room in that very moment.
        if last.active and last.progress > 0 and time.monotonic() > again:
            _fill(disk, filled)
            filled, again = filled + 1, time.monotonic() + 10.0
    assert last is not None and filled
    assert last.state == "failed", last
    assert "disk is full" in last.message and "disk is full" in last.last_error
    assert not (disk / "x" / "train" / runlog.RESERVE_FILE).exists()
    for file in disk.glob("others-*"):
        file.unlink()
    assert slots.verify_slot("x") == []
    jobs.resume(job_id)
    going = next(job for job in jobs.watch(job_id, interval=0.1) if job.state in ("running", *jobs.ENDED))
    assert going.state == "running", going.last_error
    jobs.control(job_id, "stop")
    *_, last = jobs.watch(job_id, interval=0.1)
    assert last.state == "stopped"


def test_the_last_words_are_said_in_the_room_kept_for_them(disk: Path) -> None:
    """However full the disk is, and whatever was still to be written."""
    file = disk / "train" / "run.sqlite"
    with RunStore(file, write=True) as store:
        store.create_run("abcd", slot="x")
    log = StoreLog(file, "abcd")
    _fill(disk, 0)
    log.metrics(1, "joint", {f"figure {n}": 1.0 for n in range(100_000)})
    log.fail("The disk is full: so it is.")
    with RunStore(file) as store:
        run = store.run()
        assert (run["state"], run["message"]) == ("failed", "The disk is full: so it is.")


def test_a_run_that_ends_well_leaves_no_reserve(tmp_path: Path) -> None:
    """A quarter of a megabyte in every slot would be a nuisance."""
    file = tmp_path / "train" / "run.sqlite"
    with RunStore(file, write=True) as store:
        store.create_run("abcd", slot="x")
    log = StoreLog(file, "abcd")
    assert (tmp_path / "train" / runlog.RESERVE_FILE).stat().st_size == runlog.RESERVE
    log.close(state="done")
    assert not (tmp_path / "train" / runlog.RESERVE_FILE).exists()
