"""`wmplay demo`: a newcomer's first minutes, from nothing to a dream, with a sentence at every stage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wmplay.core import jobs, slots

TINY = ("demo", "cartpole", "--preset", "tiny", "--slot", "first")


def test_it_ends_in_a_playable_slot_and_names_its_files(home: Path, run_cli: Callable[..., Any]) -> None:
    """`make play` without a terminal is this: whoever ran it must know what was made, where, and what to type next."""
    done = run_cli(*TINY, "--minutes", "0.02", "--starts", "2")
    assert done.code == 0, done.stderr
    stages = [done.stderr.index(f"[{number}/3]") for number in (1, 2, 3)]
    assert stages == sorted(stages)
    for sentence in ("every frame is recorded", "learns", "held-out starts", "wmplay dream first --twin"):
        assert sentence in done.stderr, sentence
    files = [Path(line) for line in done.stdout.splitlines()]
    assert all(file.is_file() for file in files)
    names = {file.relative_to(home / "first").as_posix() for file in files}
    assert {"slot.json", "world.safetensors", "context.npz", "report/report.json", "report/horizon.png"} <= names
    assert not any(name.startswith("train/") for name in names)
    assert slots.verify_slot("first") == [] and slots.find_slot("first").trained


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as a terminal does")
def test_ctrl_c_leaves_the_job_running_and_says_so(home: Path) -> None:
    """Whoever gets impatient keeps the training, and knows how to stop it."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "wmplay", *TINY, "--minutes", "5"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ.copy(),
    )  # fmt: skip
    assert watcher.stderr is not None
    for line in watcher.stderr:
        if line.startswith("collect"):
            break
    watcher.send_signal(signal.SIGINT)
    _, said = watcher.communicate(timeout=60)
    assert watcher.returncode == 130
    job = jobs.find_job("first")
    assert f"first goes on training as job {job.id}; `wmplay jobs stop {job.id}` stops it." in said
    assert "Traceback" not in said
    assert job.active
    jobs.control(job.id, "stop")
    *_, last = jobs.watch(job.id)
    assert last.state == "stopped"
