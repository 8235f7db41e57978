"""What runs over a phase's time: schedules begin with its first step, and trials do not use it up."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.helpers import Killed, MemoryLog, kill_after, loop, order
from wmplay.devices import Precision
from wmplay.training import preview
from wmplay.training.loop import SHOWING
from wmplay.training.workshop import Workshop
from wmplay.training.world_phase import WorldPhase

READY = 20.0


def test_getting_ready_is_no_part_of_the_schedules(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine four of fifteen minutes went by before the first step: brief segments and the highest learning
    rates were over a moment later."""
    path, settings = order("grid_world", "canvas", "x", steps=None, minutes=2.0)
    running = loop(path, settings)
    now = [0.0]
    running._clock = lambda: now[0]
    start, granted = WorldPhase.start, []

    def slowly(phase: WorldPhase, shop: Workshop, threads: int = 0) -> None:
        granted.append(phase.budget)
        now[0] += READY
        start(phase, shop, threads)

    monkeypatch.setattr(WorldPhase, "start", slowly)
    kill_after(running, "vision", 1)
    with pytest.raises(Killed):
        running.run()
    phase = next(p for p in running.phases if p.name == "vision")
    assert phase.progress == 0
    assert phase.budget == pytest.approx(max(1.0, granted[0] - READY))
    assert running.standing.active == pytest.approx(READY), "it counts among the minutes that were asked for"


def test_a_precision_that_is_many_times_slower_gets_one_step(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 on a processor that only imitates it took a minute of a training of fifteen to be turned down."""
    path, settings = order("grid_world", "tokens", "x")
    running = loop(path, settings)
    kill_after(running, "vision", 0)
    with pytest.raises(Killed):
        running.run()
    phase: Any = next(p for p in running.phases if p.name == "vision")
    world, steps = running.shop.world, []
    loss = type(world).loss

    def counted(*of: Any) -> Any:
        steps.append(1)
        return loss(*of)

    monkeypatch.setattr(type(world), "loss", counted)
    plain = Precision(threads=1)
    phase._quickest = 1e-9
    assert phase._few_steps(plain, world) > 0
    assert len(steps) == 1
    phase._quickest = math.inf
    assert phase._few_steps(plain, world) > 0
    assert len(steps) > 2


@pytest.mark.parametrize(("a_step", "streams"), [(10.0, 8), (0.025, 24), (0.001, 48)])
def test_a_slow_machine_makes_more_steps_of_fewer_streams(
    home: Path, monkeypatch: pytest.MonkeyPatch, a_step: float, streams: int
) -> None:
    """A laptop made 400 steps in fifteen minutes, with which nothing is learned; a resumed run must go on alike."""
    monkeypatch.setattr(WorldPhase, "_trial", lambda *_: a_step)
    path, settings = order("grid_world", "canvas", "x", steps=None, minutes=2.0, sets=("vision_batch=48",))
    log = MemoryLog()
    running = loop(path, settings, log)
    running._clock = lambda: 0.0  # two minutes are two minutes, however slow this machine
    kill_after(running, "vision", 1)
    with pytest.raises(Killed):
        running.run()
    phase: Any = next(p for p in running.phases if p.name == "vision")
    assert phase.frames == 2 * streams
    assert any(f"{streams} of 48 in a batch" in text for text in log.events) == (streams < 48)
    assert phase.state().numbers["streams"] == streams


def test_while_it_collects_a_training_by_the_clock_is_not_over_before_its_time(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training of 90 minutes said "57 left" after one: collecting counts as a twentieth, whatever it takes."""
    path, settings = order("grid_world", "canvas", "x", steps=None, minutes=90.0)
    running = loop(path, settings)
    collect: Any = running.phases[0]
    assert collect.name == "collect"
    monkeypatch.setattr(type(collect), "progress", 0.5)
    assert running.budget.seconds_left(0, 60.0) == 89 * 60
    assert running.budget.seconds_left(0, 100 * 60.0) == 100 * 60, "collecting may outlast what was asked for"
    assert running.budget.seconds_left(1, 100 * 60.0) == 0


def test_what_is_shown_meanwhile_takes_little_of_the_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview of `canvas` every ten seconds took a twentieth of a training of two hours."""
    path, settings = order("grid_world", "tokens", "x", steps=None, minutes=60.0)
    running = loop(path, settings)
    now, shown = [0.0], []
    running._clock = lambda: now[0]

    def a_second(_phase: WorldPhase) -> dict[str, float]:
        now[0] += 1.0
        return {}

    def slowly(*_given: Any, **_more: Any) -> Any:
        shown.append(now[0])
        now[0] += 3.0
        return np.zeros((3, 8, 4, 4, 3), np.uint8)

    monkeypatch.setattr(WorldPhase, "step", a_second)
    monkeypatch.setattr(preview, "strip", slowly)
    kill_after(running, "vision", 500)
    with pytest.raises(Killed):
        running.run()
    assert len(shown) == 4
    assert min(later - before for before, later in itertools.pairwise(shown)) >= 3.0 / SHOWING
