"""What a person sees who waits for a training: the line must fit, whatever the width of the terminal."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.training.helpers import Killed, MemoryLog, loop, order
from wmplay.core.jobs import JobInfo
from wmplay.core.runs import RunStore
from wmplay.training.watch import figures, watch
from wmplay.training.workshop import Workshop
from wmplay.training.world_phase import WorldPhase

LOSSES = {"loss": 0.9948, "reconstruction": 0.03265, "nll": 0.9869, "kl": 15.49, "reward": 0.004104}


@pytest.fixture
def job(home: Path, monkeypatch: pytest.MonkeyPatch) -> JobInfo:
    path, _ = order("cartpole", "state_vae", "x")

    class Store(RunStore):
        def __init__(self, *_: Any, **__: Any) -> None: ...
        def __exit__(self, *_: object) -> None: ...
        def latest(self) -> dict[str, float]:
            return LOSSES

    monkeypatch.setattr("wmplay.training.watch.RunStore", Store)
    return JobInfo(
        id="abcd", slot="x", path=path, state="running", phase="memory", phases=3, phase_index=2, progress=0.8,
        frames_per_second=7904.0, seconds_left=3.0,
    )  # fmt: skip


@pytest.mark.parametrize("room", [40, 60, 90, 200])
def test_speed_and_time_left_stay_in_view(job: JobInfo, room: int) -> None:
    """A line longer than the terminal squeezes the bar and the percentage out."""
    line = figures(job, room)
    assert len(line) <= room
    assert line.startswith("loss 0.9948") and line.endswith("7,904 frames/s · 0:03 left")
    assert ("reward" in line) == (room == 200)


def test_a_sliver_of_a_terminal_gets_what_fits(job: JobInfo) -> None:
    assert figures(job, 12) == "loss 0.9948…"
    assert "reward 0.004104" in figures(job)


def test_a_log_says_once_what_a_count_goes_on_about(
    job: JobInfo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A demo of 15 minutes, written to a file, said fifty times how many frames were encoded."""
    said = [f"encoding auto-{name}-40000: {n:,} of 40,006 frames" for name in ("random", "driver") for n in (768, 9000)]
    monkeypatch.setattr("wmplay.core.jobs.find_job", lambda _: job)
    monkeypatch.setattr("wmplay.core.jobs.watch", lambda _: (dataclasses.replace(job, message=m) for m in said))
    monkeypatch.setattr("wmplay.training.watch._explain", lambda *_: 0)
    watch("abcd")
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("memory")] == [f"memory 3/3: {said[0]}", f"memory 3/3: {said[2]}"]


def test_a_phase_that_gets_ready_shows_its_own_time_left(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes a minute or two, in which the job seemed to have the collecting's last five seconds left."""
    path, settings = order("grid_world", "rssm", "x", steps=None, minutes=30.0)
    log = MemoryLog()
    running = loop(path, settings, log)
    shown: list[float] = []

    def starting(phase: WorldPhase, shop: Workshop, threads: int = 0) -> None:
        shown.append(log.fields["seconds_left"])
        raise Killed  # what takes so long is compiled here

    monkeypatch.setattr(WorldPhase, "start", starting)
    with pytest.raises(Killed):
        running.run()
    assert 25 * 60 < shown[0] <= 30 * 60
