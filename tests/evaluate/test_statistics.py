"""Figures on the card must mean what they say, or every comparison between slots is worthless."""

import numpy as np

from wmplay.evaluate.statistics import mean_figure, share_figure, skill_figure, spread


def test_a_mean_lies_within_its_interval_and_the_interval_covers_the_truth():
    """A user reads the interval as 'the truth is in here 19 times of 20': check just that."""
    generator = np.random.default_rng(0)
    covered = 0
    for i in range(200):
        figure = mean_figure(generator.normal(3.0, 1.0, size=64), seed=i)
        assert figure is not None and figure[1] <= figure[0] <= figure[2]
        covered += figure[1] <= 3.0 <= figure[2]
    assert 180 <= covered <= 199


def test_a_perfect_share_is_not_claimed_with_certainty():
    """64 exact dreams of 64 do not prove that all are: the interval stays open below, as Wilson's does."""
    figure = share_figure(64, 64)
    assert figure is not None
    assert figure[0] == figure[2] == 1.0
    assert abs(figure[1] - 64 / (64 + 1.959964**2)) < 1e-4
    assert share_figure(0, 0) is None


def test_skill_is_zero_for_the_better_baseline_and_one_for_the_truth():
    """The scale every user compares by: 0 learned nothing, 1 is the game itself."""
    generator = np.random.default_rng(1)
    still, mean = generator.uniform(0.1, 1, 50), generator.uniform(1, 2, 50)
    assert skill_figure(still, [still, mean]) == [0.0, 0.0, 0.0]
    assert skill_figure(np.zeros(50), [still, mean]) == [1.0, 1.0, 1.0]
    worse = skill_figure(mean, [still, mean])
    assert worse is not None and worse[0] < 0


def test_skill_is_a_ratio_of_means():
    """A start where nothing moves has no baseline error; it must not blow the figure up."""
    still = np.array([1e-9, 1.0, 1.0, 1.0])
    figure = skill_figure(np.array([0.1, 0.1, 0.1, 0.1]), [still, still * 2])
    assert figure is not None and abs(figure[0] - (1 - 0.4 / 3)) < 1e-6


def test_spread_counts_its_episodes():
    """mean ± sd over n is how returns are read; a single episode has no spread."""
    assert spread([1.0, 3.0]) == {"mean": 2.0, "sd": 1.41421, "n": 2}
    assert spread([]) is None
