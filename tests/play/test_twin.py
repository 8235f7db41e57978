"""Real, dream and difference in step: the picture that tells at a glance whether a model has learned anything."""

from __future__ import annotations

import numpy as np
import pytest

from tests.play.tiny import ACTION, KEYS, Clock, TinyDream, TinyGame
from wmplay.play.controls import Controls
from wmplay.play.engine import Settings
from wmplay.play.twin import CONTEXT, Twin


def twin(clock: Clock, off: int = 0) -> Twin:
    settings = Settings("twin", 10.0, seed=7, clock=clock)
    return Twin(TinyGame(), TinyDream(off=off), Controls(KEYS, ACTION, 10.0), settings, lambda seen: seen)


def test_the_dream_reads_the_first_steps_then_runs_alone_on_the_same_actions(clock: Clock) -> None:
    session = twin(clock, off=3)
    for _ in range(CONTEXT - 1):
        session.tick({"left"})
    assert session.dream.actions == [] or len(session.dream.actions) <= 1
    before = len(session.dream.actions)
    for keys in ({"right"}, {"left"}, set()):
        session.tick(keys)
    assert session.dream.actions[before:] == session.env.actions[-3:] == [2, 1, 0]
    real, dream, difference = session.panels()
    assert "alone" in dream.title
    assert (dream.frame.astype(int) - real.frame == 3 * len(session.dream.actions)).all()
    assert (difference.frame == 2 * 3 * len(session.dream.actions)).all()


def test_a_games_opening_is_forgotten_before_the_dream_runs_alone(clock: Clock) -> None:
    """If not, a dream of CarRacing draws its map from the pictures of the opening zoom."""
    settings = Settings("twin", 10.0, seed=7, clock=clock)
    session = Twin(TinyGame(), TinyDream(), Controls(KEYS, ACTION, 10.0), settings, lambda seen: seen, warmup=5)
    while session.reading:
        session.tick({"left"})
    context = session.dream.contexts[-1]
    assert len(context["observation"]) == CONTEXT
    assert context["observation"][0, 0, 0, 0] >= 5 - 1, "nothing of the opening is read"
    assert session.view().curve[-1] == 0


def test_the_drift_is_the_mean_squared_error_of_each_step(clock: Clock) -> None:
    session = twin(clock, off=5)
    for _ in range(CONTEXT + 4):
        session.tick()
    curve = session.view().curve
    assert curve[: CONTEXT - 1] == (0.0,) * (CONTEXT - 1)
    alone = len(session.dream.actions)
    assert curve[-alone:] == pytest.approx([(5 * k / 255) ** 2 for k in range(1, alone + 1)])


def test_waking_the_dream_sets_it_to_what_is_real_now(clock: Clock) -> None:
    session = twin(clock, off=5)
    for _ in range(CONTEXT + 10):
        session.tick({"right"})
    assert session.view().curve[-1] > 0
    session.command("resync")
    assert session.view().curve[-1] == 0 and session.steps == CONTEXT + 10, "the real game goes on where it was"
    context = session.dream.contexts[-1]
    assert context["observation"].shape == (CONTEXT, 8, 8, 3)
    assert context["observation"][:, 0, 0, 0].tolist() == list(range(11, 11 + CONTEXT))
    assert context["action"].tolist() == [2] * CONTEXT and not context["first"].any()


def test_the_temperature_is_the_dreams_and_there_is_no_rewind(clock: Clock) -> None:
    session = twin(clock)
    session.command("warmer")
    assert session.dream.temperature == pytest.approx(1.1)
    assert "resync" in session.offered and "rewind" not in session.offered


def test_a_dream_that_says_it_is_over_says_so_and_waits(clock: Clock) -> None:
    session = twin(clock)
    session.dream.length = CONTEXT + 2
    for _ in range(CONTEXT + 6):
        session.tick()
    assert session.dream_over and session.panels()[1].title == "dream · says: over"
    frame = session.panels()[1].frame
    session.tick()
    assert (session.panels()[1].frame == frame).all()
    assert np.isfinite(session.view().curve).all()
