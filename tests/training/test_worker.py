"""Workers as users have them: real processes, really killed, paused, queued and stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.training.helpers import loop, order, same, weights
from wmplay.core import jobs, slots
from wmplay.core.jobs import JobInfo
from wmplay.training import checkpoint
from wmplay.training.settings import Settings
from wmplay.training.start import Order, start
from wmplay.training.workshop import Workshop


def until(job_id: str, reached: Callable[[JobInfo], bool]) -> JobInfo:
    """The job as it is when it first is as wanted; fails if it ends before."""
    for job in jobs.watch(job_id, interval=0.05):
        if reached(job):
            return job
    raise AssertionError(f"the job ended as {job.state}: {job.last_error or job.message}")


def end_of(job_id: str) -> JobInfo:
    """The job when it is over."""
    *_, last = jobs.watch(job_id, interval=0.1)
    return last


def request(slot: str, **more: object) -> Order:
    wanted = {
        "family": "state_vae", "preset": "tiny", "steps": 1500, "frames": 600, "device": "cpu", "precision": "float32",
        "checkpoint_every": 0.2,
    }  # fmt: skip
    return Order(game="cartpole", slot=slot, **{**wanted, **more})  # type: ignore[arg-type]


@pytest.mark.slow
def test_kill_nine_then_resume_gives_the_weights_of_an_unbroken_run(home: Path) -> None:
    """The promise of the whole project, on a real process."""
    job_id = start(request("broken"))
    job = until(job_id, lambda j: j.progress > 0.3)
    os.kill(job.pid or 0, signal.SIGKILL)
    dead = end_of(job_id)
    assert dead.state == "dead"
    assert dead.last_error
    assert slots.verify_slot("broken") == []
    assert checkpoint.latest(home / "broken" / "train") is not None
    jobs.resume(job_id)
    assert end_of(job_id).state == "done"

    whole, settings = order("cartpole", "state_vae", "whole", steps=1500, precision="float32")
    loop(whole, settings).run()
    assert same(weights(whole), weights(home / "broken"))


@pytest.mark.slow
def test_pause_costs_no_cpu_and_a_second_job_waits_its_turn(home: Path) -> None:
    """A paused job leaves the machine to its owner; a queued one says that it waits and starts by itself."""
    first = start(request("first", steps=None, minutes=5.0))
    job = until(first, lambda j: j.state == "running" and j.progress > 0)
    second = start(request("second", steps=20))
    waiting = until(second, lambda j: j.state == "queued" and "waiting" in j.message)
    assert "1 before" in waiting.message

    jobs.control(first, "pause")
    until(first, lambda j: j.state == "paused")
    process = psutil.Process(job.pid)
    before = sum(process.cpu_times()[:2])
    with pytest.raises(psutil.TimeoutExpired):
        process.wait(1.5)  # lets time pass while the worker does nothing
    assert sum(process.cpu_times()[:2]) - before < 0.15
    jobs.resume(first)
    until(first, lambda j: j.state == "running")

    jobs.control(first, "stop")
    assert end_of(first).state == "stopped"
    assert slots.find_slot("first").trained
    assert end_of(second).state == "done"


@pytest.mark.slow
def test_a_slot_can_be_dreamt_in_while_it_trains(home: Path) -> None:
    """`save` publishes what there is at once."""
    from wmplay.dreams import DreamEnv

    job_id = start(request("x", steps=None, minutes=5.0))
    until(job_id, lambda j: j.phase == "joint" and j.progress > 0)
    jobs.control(job_id, "save")
    until(job_id, lambda _: slots.find_slot("x").trained)
    env = DreamEnv("x", device="cpu")
    seen, _ = env.reset(seed=0)
    assert seen.shape == (4,)
    jobs.control(job_id, "stop")
    assert end_of(job_id).state == "stopped"


def test_minutes_are_kept_to(home: Path) -> None:
    """A user who gives six seconds gets a model after about six seconds of work, whatever the family."""
    from tests.training.helpers import MemoryLog

    ticks = iter(range(10**9))
    path, settings = order("grid_world", "vae_mdn", "x", steps=None, minutes=3.0)
    running = loop(path, settings, MemoryLog())
    # A clock that goes on by half a second each time somebody looks: three minutes pass in no time.
    running._clock = lambda: next(ticks) * 0.5
    running._last = dict.fromkeys(running._last, 0.0)
    assert running.run() == "done"
    assert 180 <= running.standing.active <= 200
    vision, memory = running.phases[1:]
    assert vision.used / memory.used == pytest.approx(0.45 / 0.55, rel=0.2)


def test_settings_survive_the_journey_to_the_worker() -> None:
    """What the command line was told is what the worker does."""
    settings = Settings(minutes=2.5, data=("a", "b"), agent="evolution", seed=3)
    assert Settings.from_json(settings.to_json()) == settings


def test_what_a_run_says_while_it_gets_ready_is_gone_once_it_works(home: Path) -> None:
    """Else `wmplay jobs` shows "measuring …" for hours, and nobody knows whether it learns."""
    from tests.training.helpers import MemoryLog

    path, settings = order("cartpole", "state_vae", "x")
    log = MemoryLog()
    running = loop(path, settings, log)
    joint = running.phases[1]
    start_phase, step, seen = joint.start, joint.step, []

    def ready(shop: Workshop) -> None:
        log.pulse(message="measuring")
        start_phase(shop)

    def watched() -> dict[str, float]:
        seen.append(log.fields["message"])
        return step()

    joint.start, joint.step = ready, watched  # type: ignore[method-assign]
    assert running.run() == "done"
    assert set(seen) == {""}
