"""The choice of a precision: measured once for a machine, and not by a moment in which others wanted it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from wmplay import devices
from wmplay.devices import Precision, fastest, resolve

PLAIN, ROUNDED, OTHER = Precision(), Precision(bf16=True), Precision(channels_last=True)


@pytest.fixture(autouse=True)
def quiet(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that nobody else wants, and no memory of earlier measurements."""
    monkeypatch.setattr(devices, "_busy", lambda: False)
    return home


def test_one_bad_moment_does_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training would run at two thirds of its speed for good: what is measured is remembered."""
    asked: list[Precision] = []

    def seconds(tried: Precision) -> float:
        asked.append(tried)
        if tried == PLAIN:
            return 2.0
        return 1.3 if tried == ROUNDED and asked.count(ROUNDED) == 1 else {ROUNDED: 1.0, OTHER: 1.1}[tried]

    assert fastest(resolve("cpu"), "some work", seconds, (PLAIN, OTHER, ROUNDED)) == ROUNDED
    assert asked.count(PLAIN) == 1  # far behind: no need to look again


def test_a_run_of_bad_moments_does_not_decide_either() -> None:
    """Others want the machine for seconds, as long as three trials take."""
    asked: list[Precision] = []

    def seconds(tried: Precision) -> float:
        asked.append(tried)
        if tried == OTHER:
            return 1.2 if asked.count(OTHER) <= 3 else 0.9
        return {PLAIN: 2.0, ROUNDED: 1.05}[tried]

    assert fastest(resolve("cpu"), "some work", seconds, (PLAIN, OTHER, ROUNDED)) == OTHER


def test_an_idle_processor_must_be_worth_a_tenth() -> None:
    """One thread looks as fast as two in a moment in which others want the second."""
    alone, both = (Precision(bf16=True, threads=n) for n in (1, 2))
    for name, took, chosen in (("near", 0.95, both), ("far", 0.8, alone)):
        speeds = {Precision(threads=2): 2.0, alone: took, both: 1.0}
        assert fastest(resolve("cpu"), name, speeds.__getitem__, tuple(speeds)) == chosen


def test_it_is_measured_once(home: Path) -> None:
    """Every start of a training would cost seconds."""
    calls: list[Precision] = []

    def seconds(tried: Precision) -> float:
        calls.append(tried)
        return 1.0 if tried == ROUNDED else 2.0

    assert fastest(resolve("cpu"), "work", seconds, (PLAIN, ROUNDED)) == ROUNDED
    measured = len(calls)
    assert fastest(resolve("cpu"), "work", seconds, (PLAIN, ROUNDED)) == ROUNDED
    assert len(calls) == measured
    fastest(resolve("cpu"), "other work", seconds, (PLAIN, ROUNDED))
    assert len(calls) == 2 * measured


def test_a_busy_machine_is_not_remembered(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_busy", lambda: True)
    assert fastest(resolve("cpu"), "work", lambda tried: 1.0 if tried.bf16 else 2.0, (PLAIN, ROUNDED)) == ROUNDED
    monkeypatch.setattr(devices, "_busy", lambda: False)
    assert fastest(resolve("cpu"), "work", lambda tried: 2.0 if tried.bf16 else 1.0, (PLAIN, ROUNDED)) == PLAIN


def test_plain_float32_unless_a_tenth_is_won(home: Path) -> None:
    """Exactness would be given up for nothing."""
    assert fastest(resolve("cpu"), "work", lambda tried: 0.95 if tried.bf16 else 1.0, (PLAIN, ROUNDED)) == PLAIN


def test_a_spoilt_memory_is_only_measured_again(home: Path) -> None:
    fastest(resolve("cpu"), "work", lambda tried: 1.0 if tried.bf16 else 2.0, (PLAIN, ROUNDED))
    (file,) = home.rglob("precision.json")
    assert len(json.loads(file.read_text())) == 1
    file.write_text("{half a")
    assert fastest(resolve("cpu"), "work", lambda tried: 2.0 if tried.bf16 else 1.0, (PLAIN, ROUNDED)) == PLAIN


def test_what_cannot_be_done_is_tried_again_next_time(home: Path) -> None:
    """A compiler that is installed later would never be used."""
    assert fastest(resolve("cpu"), "work", lambda tried: math.inf if tried.bf16 else 2.0, (PLAIN, ROUNDED)) == PLAIN
    assert fastest(resolve("cpu"), "work", lambda tried: 1.0 if tried.bf16 else 2.0, (PLAIN, ROUNDED)) == ROUNDED
