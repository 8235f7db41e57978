"""`wmplay jobs …` with a real worker process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from core.conftest import FAKE_WORKER

from wmplay.core import jobs

Cli = Callable[..., object]

FIELDS = {"id", "slot", "game", "family", "phase", "progress", "state", "pid", "started", "updated"}


@pytest.fixture
def job(make_slot: Callable[..., Path]) -> Iterator[str]:
    """A job that goes on until it is told otherwise."""
    started = jobs.start(make_slot("one"), FAKE_WORKER, options={"end": "hang"})
    next(seen for seen in jobs.watch(started, 0.02) if seen.progress > 0)
    yield started
    left = jobs.find_job(started)
    if left.active and left.pid:
        os.kill(left.pid, signal.SIGKILL)


def until(job: str, state: str) -> None:
    assert next(seen for seen in jobs.watch(job, 0.02) if seen.state == state)


def test_list_as_json_has_the_fields_programs_rely_on(job: str, run_cli: Cli) -> None:
    rows = run_cli("jobs", "--json").json
    assert len(rows) == 1
    assert set(rows[0]) >= FIELDS
    assert (rows[0]["id"], rows[0]["slot"], rows[0]["state"]) == (job, "one", "running")


def test_steered_from_the_command_line(job: str, run_cli: Cli) -> None:
    assert run_cli("jobs", "pause", job).code == 0
    until(job, "paused")
    assert run_cli("jobs", "resume", "one").code == 0
    until(job, "running")
    assert run_cli("jobs", "save", job[:3]).code == 0
    assert run_cli("jobs", "stop", job).code == 0
    until(job, "stopped")
    assert run_cli("jobs", "--active", "--json").json == []
    done = run_cli("jobs", "pause", job)
    assert done.code == 2
    assert "is stopped: there is nothing to pause" in done.stderr


def test_a_dead_job_says_why_and_is_resumed(job: str, run_cli: Cli) -> None:
    pid = jobs.find_job(job).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(job, "dead")
    row = run_cli("jobs", "--json").json[0]
    assert row["state"] == "dead"
    assert "killed, or out of memory" in row["last_error"]
    assert "dead" in run_cli("jobs").stdout
    assert run_cli("jobs", "resume", job).code == 0
    until(job, "running")


def test_show_and_logs(job: str, run_cli: Cli) -> None:
    shown = run_cli("jobs", "show", job, "--json").json
    assert shown["metrics"]["loss"] > 0
    assert "metric loss" in run_cli("jobs", "show", job).stdout
    assert "worker at work" in run_cli("jobs", "logs", job).stdout
    jobs.control(job, "stop")
    followed = run_cli("jobs", "logs", job, "--follow")
    assert followed.stdout.rstrip().endswith(f"{job} is stopped")


def test_ctrl_c_while_following_is_exit_code_130_and_leaves_the_job_alone(job: str) -> None:
    following = subprocess.Popen(
        [sys.executable, "-u", "-m", "wmplay", "jobs", "logs", job, "-f"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert following.stdout is not None
    following.stdout.readline()  # it is at work
    said = b""
    for _ in range(3):  # Python drops a Ctrl-C that arrives within a destructor; a person presses again
        following.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            _, said = following.communicate(timeout=10)
            break
    assert following.returncode == 130
    assert b"Traceback" not in said
    assert jobs.find_job(job).state == "running"


@pytest.mark.parametrize("command", ["show", "pause", "resume", "stop", "save", "logs"])
def test_an_unknown_job_is_exit_code_3(home: Path, run_cli: Cli, command: str) -> None:
    done = run_cli("jobs", command, "none")
    assert done.code == 3
    assert done.stderr.startswith("wmplay: There is no job 'none'")
