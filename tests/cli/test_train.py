"""`wmplay train` and `wmplay collect` as a person types them."""

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
from wmplay.core.episodes import Dataset

TINY = ("cartpole", "--slot", "x", "--preset", "tiny", "--frames", "400", "--device", "cpu")


def test_collect_then_go_on_collecting(home: Path, run_cli: Callable[..., Any]) -> None:
    """A dataset is continued to the size asked for, with episodes it does not have yet."""
    first = run_cli("collect", "cartpole", "--steps", "300", "--name", "mine", "--agent", "random", "--json")
    assert first.code == 0, first.stderr
    assert first.json["rows"] >= 300
    more = run_cli("collect", "cartpole", "--steps", "600", "--name", "mine", "--agent", "random", "--json")
    assert more.json["rows"] >= 600
    data = Dataset(home / "episodes" / "cartpole" / "mine")
    seeds = [episode.seed for episode in data.episodes]
    assert len(set(seeds)) == len(seeds)
    assert max(seeds) < 1_000_000
    assert data.players == ["random"]


def test_held_out_play_keeps_to_its_seeds(home: Path, run_cli: Callable[..., Any]) -> None:
    """What a report measures on must never be trained on."""
    done = run_cli("collect", "grid_world", "--steps", "200", "--held-out", "--json")
    assert done.json["held_out"] is True
    data = Dataset(home / "episodes" / "grid_world" / "held-out")
    assert all(e.seed is not None and e.seed >= 1_000_000 for e in data.episodes)
    refused = run_cli("train", "grid_world", "--slot", "x", "--preset", "tiny", "--steps", "2", "--data", "held-out")
    assert refused.code == 2
    assert "held out" in refused.stderr


def test_a_mistake_is_one_sentence(home: Path, run_cli: Callable[..., Any]) -> None:
    """No traceback for a slip of the finger."""
    for arguments, code in (
        (("collect", "cartpole", "--steps", "0"), 2),
        (("collect", "cartpole", "--steps", "10", "--agent", "nobody"), 3),
        (("train", *TINY, "--steps", "5", "--set", "hiden_size=3"), 2),
        (("train", "nothing", "--slot", "x", "--steps", "5"), 3),
    ):
        done = run_cli(*arguments)
        assert done.code == code, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("wmplay: ")


def test_a_refused_training_says_nothing_of_how_long_it_will_take(home: Path, run_cli: Callable[..., Any]) -> None:
    """A mistake is one sentence, and no other before it."""
    result = run_cli("train", "cartpole", "--slot", "x", "--set", "hiden=1")
    assert result.code == 2
    assert "there is no setting 'hiden'" in result.stderr
    assert "No budget given" not in result.stderr


def test_a_part_of_a_slot_that_cannot_be_trained_further_is_refused(home: Path, run_cli: Callable[..., Any]) -> None:
    """A phase of a new slot would learn from networks that know nothing; a wrong name is answered by the right ones."""
    for arguments, answer in (
        (("--resume", "--phase", "stat"), "no phase 'stat'; it has joint, polish"),
        (("--resume", "--phase", "joint"), "leave it out (a shipped slot: `wmplay slots copy` it first)"),
    ):
        done = run_cli("train", *TINY, "--steps", "5", *arguments)
        assert done.code == 2, done.stderr
        assert answer in done.stderr
    assert not (home / "x").exists()


@pytest.mark.slow
def test_train_and_wait(home: Path, run_cli: Callable[..., Any]) -> None:
    """The whole of it in one command, the job as JSON at the end."""
    done = run_cli("train", *TINY, "--steps", "20", "--wait", "--json")
    assert done.code == 0, done.stderr
    assert done.json["state"] == "done"
    assert slots.find_slot("x").steps == 20
    assert "wmplay dream x" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as a terminal does")
def test_ctrl_c_leaves_the_job_running(home: Path) -> None:
    """Whoever stops looking does not lose an hour of training."""
    command = [sys.executable, "-m", "wmplay", "train", *TINY, "--minutes", "5", "--wait"]
    watcher = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ.copy())
    assert watcher.stderr is not None
    for line in watcher.stderr:
        if "joint" in line:
            break
    watcher.send_signal(signal.SIGINT)
    _, said = watcher.communicate(timeout=30)
    assert watcher.returncode == 130
    assert "goes on training" in said
    job = jobs.find_job("x")
    assert job.active
    jobs.control(job.id, "stop")
    *_, last = jobs.watch(job.id)
    assert last.state == "stopped"
