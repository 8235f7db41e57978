"""Two phases at once: a canvas' painter and memory, then its modes and what is to be expected, a core each."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.helpers import MemoryLog, loop, order
from wmplay.core.errors import WmplayError
from wmplay.core.runs import PHASE_BEGINS
from wmplay.devices import Precision
from wmplay.training import loop as loops
from wmplay.training import preview
from wmplay.training.loop import Loop
from wmplay.training.side_by_side import SideBySide
from wmplay.training.workshop import Workshop
from wmplay.worlds.protocol import Segment


def pair(running: Loop) -> SideBySide:
    return next(phase for phase in running.phases if isinstance(phase, SideBySide))


@pytest.mark.parametrize("threads", [1, 2])
def test_in_a_budget_of_time_both_learn(home: Path, threads: int) -> None:
    """Whoever waits for the other until the time is over would leave a model that cannot paint, or cannot move."""
    path, settings = order("grid_world", "canvas", "x", steps=None, minutes=0.1)
    log = MemoryLog()
    running = loop(path, settings, log)
    running.shop.threads = threads
    assert running.run() == "done"
    both = pair(running)
    assert both.first.count > 0 and both.second.count > 0
    curves = {phase for _, phase, name, _ in log.points if name == "loss"}
    together = {"painter", "memory", "modes", "expected"}
    assert {"vision", *together} <= curves
    assert {PHASE_BEGINS.format(phase) for phase in together} <= set(log.events)


def test_the_second_waits_for_nobody_but_who_looks_at_the_world(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A core stood idle after every unit of the first; but what is published must not change while it is written."""
    path, settings = order("grid_world", "canvas", "x", steps=None, minutes=0.12)
    running = loop(path, dataclasses.replace(settings, checkpoint_every=0.5))
    for pause in ("PREVIEW", "PUBLISH", "FIRST_PUBLISH"):
        monkeypatch.setattr(loops, pause, 0.5)
    monkeypatch.setattr(loops, "SHOWING", 1.0)
    running.shop.threads = 2
    both = pair(running)
    moved: dict[str, list[bool]] = {"strip": [], "publish": [], "save": [], "step": []}

    def watched(name: str, work: Callable[..., Any], seconds: float = 0.1) -> Callable[..., Any]:
        """The work, and then whether the second phase takes a step within so many seconds."""

        def watching(*given: Any, **more: Any) -> Any:
            result, before, end = work(*given, **more), both.second.count, time.monotonic() + seconds
            if running.phases[running.shop.phase_index] is both and both.progress < 1:
                while both.second.count == before and time.monotonic() < end:
                    time.sleep(0.01)  # a thread that counts its steps: there is no event to wait for
                moved[name].append(both.second.count > before)
            return result

        return watching

    monkeypatch.setattr(loops.preview, "strip", watched("strip", preview.strip))
    for name in ("publish", "save"):
        monkeypatch.setattr(loops, name, watched(name, getattr(loops, name)))
    both.step = watched("step", both.step, 30.0)  # type: ignore[method-assign]
    assert running.run() == "done"
    assert moved["step"] and all(moved.pop("step"))
    assert all(found and not any(found) for found in moved.values()), moved


def test_counted_steps_keep_their_proportion(home: Path) -> None:
    """A run of a given number of steps must come out the same on every machine."""
    path, settings = order("grid_world", "canvas", "x", steps=23)
    running = loop(path, settings)
    both, seen = pair(running), []
    work = both.step

    def step() -> object:
        found = work()
        seen.append((both.first.count, both.second.count))
        return found

    both.step = step  # type: ignore[method-assign, assignment]
    assert running.run() == "done"
    firsts, seconds = both.first.steps, both.second.steps
    assert firsts and seconds and both.count == firsts + seconds
    assert seen == [(n, -(-n * seconds // firsts)) for n in range(1, firsts + 1)]


def test_what_was_measured_for_the_painter_holds_when_it_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring the same steps twice more took 33 of a demo's 900 seconds."""
    measured: list[str] = []

    def precision_for(shop: Workshop, parameters: int, work: str, *more: object) -> Precision:
        measured.append(work)
        return shop.plain()

    monkeypatch.setattr(Workshop, "precision_for", precision_for)
    path, settings = order("grid_world", "canvas", "x", steps=10)
    assert loop(path, settings).run() == "done"
    vision, memory, painter, expected, modes = measured
    assert modes == expected == painter
    assert len({vision, memory, painter}) == 3


def test_a_memory_begins_with_brief_segments(home: Path) -> None:
    """Without them, after six minutes, CarRacing's camera is 4.1 degrees off 15 steps on, and not 3.1."""
    path, settings = order("grid_world", "canvas", "x", steps=40)
    log = MemoryLog()
    running = loop(path, settings, log)
    memory, rows = pair(running).second, []
    world = running.shop.world
    learn = world.loss

    def loss(segment: Segment, phase: str, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        if phase == "memory" and pair(running).count:  # not while it is measured which precision is fastest
            rows.append(segment.reward.shape)
        return learn(segment, phase, generator)

    world.loss = loss  # type: ignore[method-assign]
    assert running.run() == "done"
    whole = (memory.spec.batch, memory.spec.length)
    short = (whole[0] * whole[1] // memory.spec.brief, memory.spec.brief)
    assert 0 < memory.spec.brief < memory.spec.length
    assert rows == sorted(rows, key=lambda shape: shape[1]) and {*rows} == {short, whole}
    assert sum("begins again higher up" in text for text in log.events) == 1  # or its curve looks like an accident


@pytest.mark.parametrize("budget", [{"steps": 12}, {"steps": None, "minutes": 0.05}])
@pytest.mark.parametrize("which", ["first", "second"])
def test_a_failure_of_either_one_is_told(home: Path, which: str, budget: dict[str, Any]) -> None:
    """Unheard, the run would go on with half a model; and whoever waits for the failed one must not wait for ever."""
    path, settings = order("grid_world", "canvas", "x", **budget)
    running = loop(path, settings)
    running.shop.threads = 2

    def fail() -> dict[str, float]:
        raise WmplayError("the loss is no number any more")

    getattr(pair(running), which).step = fail
    with pytest.raises(WmplayError, match="no number"):
        running.run()
