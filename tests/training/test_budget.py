"""How a budget of minutes is split over the phases of a recipe."""

import math

import pytest

from wmplay.training.budget import Budget
from wmplay.training.phases import Phase
from wmplay.training.settings import Settings


class _Work(Phase):
    """Nothing to do: only its name and its part of the time count."""

    progress = 1.0

    def __init__(self, name: str, share: float = 0.0, longest: float = math.inf) -> None:
        self.name, self.share, self.longest, self.teaches = name, share, longest, share > 0.0

    def step(self) -> dict[str, float]:
        return {}


def _granted(minutes: float | None, *phases: _Work, agent: str = "none") -> list[float | None]:
    """Seconds of each phase, where every one before it took as long as it was given."""
    budget = Budget(Settings(minutes=minutes, steps=None if minutes else 100, agent=agent), (_Work("collect"), *phases))
    granted: list[float | None] = []
    for index in range(1, len(phases) + 1):
        granted.append(budget.grant(index, sum(seconds or 0.0 for seconds in granted)))
    return granted


def test_time_is_split_by_shares():
    assert _granted(10, _Work("a", 0.25), _Work("b", 0.75)) == pytest.approx([150.0, 450.0])
    assert _granted(None, _Work("a", 0.25), _Work("b", 0.75)) == [None, None]


def test_what_a_phase_does_not_need_goes_to_those_after_it():
    phases = _Work("a", 0.5, longest=100.0), _Work("b", 0.2, longest=200.0), _Work("c", 0.3)
    assert _granted(10, *phases) == pytest.approx([100.0, 200.0, 300.0])
    assert _granted(2, *phases) == pytest.approx([60.0, 24.0, 36.0]), "a short training is split as before"


def test_the_last_phase_has_the_time_that_nobody_else_could_use():
    assert _granted(10, _Work("a", 0.5), _Work("b", 0.5, longest=10.0)) == pytest.approx([300.0, 300.0])


def test_an_agents_time_is_its_own():
    world = _Work("a", 0.5, longest=60.0), _Work("b", 0.5)
    seconds = _granted(10, *world, _Work("agent"), agent="evolution")
    plain = _granted(10, _Work("a", 0.5), _Work("b", 0.5), _Work("agent"), agent="evolution")
    assert seconds[2] == pytest.approx(plain[2])
    assert seconds[0] == pytest.approx(60.0)


def test_progress_of_the_whole_counts_the_time_that_phases_get():
    budget = Budget(Settings(minutes=10), (_Work("collect"), _Work("a", 0.5, longest=60.0), _Work("b", 0.5)))
    assert budget.progress(1) == pytest.approx((0.05 + 0.1 * 0.95) / (0.05 + 0.95))
    part = Budget(Settings(minutes=10), (_Work("collect"), _Work("b", 0.2)))
    assert part.progress(0) == pytest.approx(0.05 / 1.0), "collecting is no more of a recipe with some of the phases"
