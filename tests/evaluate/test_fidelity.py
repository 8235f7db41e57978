"""The measure, measured: a perfect world must score 1, one that learned nothing 0, and a slightly wrong one in
between."""

import numpy as np
import pytest

from evaluate.fakes import PerfectGrid, RepeatWorld, grid_starts
from wmplay.core.catalog import GAMES
from wmplay.core.spaces import ObservationSpec
from wmplay.evaluate.fidelity import Comparison, mean_observation, measure
from wmplay.evaluate.starts import Starts

GRID = GAMES[0]


@pytest.fixture(scope="module")
def starts() -> Starts:
    return grid_starts()


def card_of(world, starts: Starts, **more):
    mean = mean_observation(starts.observation.reshape(-1, 64, 64, 3))
    return measure(world, GRID, starts, mean, horizons=(1, 5, 15), **more)


def test_a_perfect_world_scores_one(starts: Starts):
    """If the truth itself did not get full marks, nobody could trust a card."""
    card, curve = card_of(PerfectGrid(), starts)
    assert list(card) == ["1", "5", "15"]
    for row in card.values():
        assert row["n"] == starts.count
        assert row["mse"] == [0.0, 0.0, 0.0]
        assert row["skill"] == [1.0, 1.0, 1.0]
        assert row["exact"][0] == 1.0
        assert row["ssim"][0] == pytest.approx(1.0, abs=1e-5)
    assert curve["model"] == [0.0] * len(curve["k"]) and min(curve["repeat"][1:]) > 0


def test_a_world_that_learned_nothing_scores_no_skill(starts: Starts):
    """Repeating the last frame looks good in MSE on a still game; skill must see through it."""
    card, _ = card_of(RepeatWorld(), starts)
    for row in card.values():
        assert row["skill"][0] <= 0.0
        assert row["mse"] == row["repeat_mse"]
    assert card["15"]["exact"][0] < 0.5


def test_exact_means_exact_at_every_step(starts: Starts):
    """A dream that is right again after a mistake is not exact: the share can only fall with k."""
    card, _ = card_of(PerfectGrid(noise=0.1), starts, temperature=1.0)
    shares = [card[k]["exact"][0] for k in ("1", "5", "15")]
    assert shares == sorted(shares, reverse=True) and shares[-1] < 1.0
    assert 0.0 < card["5"]["skill"][0] < 1.0


def test_same_seed_same_card(starts: Starts):
    """A figure that cannot be repeated is not a figure."""
    noisy = PerfectGrid(noise=0.3)
    assert card_of(noisy, starts, seed=3) == card_of(noisy, starts, seed=3)
    assert card_of(noisy, starts, seed=3) != card_of(noisy, starts, seed=4)


def test_starts_whose_episode_is_over_do_not_count(starts: Starts):
    """Comparing a dream with rows that never happened would punish or flatter it."""
    valid = starts.valid.copy()
    valid[:5] = starts.context + 3
    short = Starts(**{**starts.__dict__, "valid": valid})
    blank = short.observation.copy()
    for i in range(5):
        blank[i, valid[i] :] = 0
    short = Starts(**{**short.__dict__, "observation": blank})
    card, _ = card_of(PerfectGrid(), short)
    assert (card["1"]["n"], card["5"]["n"]) == (starts.count, starts.count - 5)
    assert card["5"]["exact"][0] == 1.0


def test_taking_and_naming_starts(starts: Starts):
    """Two cards compare only if they stood on the same starts; the digest says so."""
    half = starts.take(slice(0, 6))
    assert half.count == 6 and half.digest() != starts.digest()
    assert half.digest() == starts.take(np.arange(6)).digest()


def test_a_dream_that_has_ended_stays_as_it_ended_and_is_told():
    """A pole dreamed on after its fall would turn for ever, and the card would say nothing but that."""
    rows, count = 8 + 3, 2
    blank = np.zeros((count, rows), np.float32)
    play = Starts(
        8, np.zeros((count, rows, 4), np.float32), np.zeros((count, rows), np.int64), blank, blank.astype(bool),
        blank.astype(bool), np.full(count, rows), np.arange(count), tuple(np.zeros(7, np.int64) for _ in range(count)),
    )  # fmt: skip
    ranges = np.ones(4, np.float32)
    compared = Comparison(VectorWorld(), GAMES[2], play, np.full(4, 9, np.float32), ranges)
    for k, value in ((1, 0.1), (2, 0.5), (3, 70.0)):
        seen = compared.held(np.full((count, 4), value, np.float32), np.array([k == 2, False], np.float32))
    row = compared.figures(3, seen, None)
    assert seen[:, 0].tolist() == [0.5, 70.0]
    assert row["ended_early"][0] == 0.5
    assert row["state_errors"]["angle"][0] == pytest.approx(35.25)


class VectorWorld:
    """Only what a comparison asks of a world without pictures."""

    observation = ObservationSpec("vector", (4,))
    draw = None
