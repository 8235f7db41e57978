"""Figures with their 95 % intervals: means and skills by bootstrap over starts, shares by Wilson's interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

# [mean, low, high]; None where nothing could be measured.
Figure = list[float] | None
# 1,000 resamples put the ends of a 95 % interval within about a tenth of its width; more is not visible on a card.
RESAMPLES = 1000
_Z = 1.959963984540054  # 97.5 % point of the normal distribution


def _weights(count: int, seed: int) -> NDArray[np.float64]:
    """How often each of `count` starts is drawn in each resample, as shares [RESAMPLES, count]."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count


def _rounded(mean: float, low: float, high: float) -> list[float]:
    # Six significant digits: enough for a model's MSE, and the JSON stays readable.
    return [float(f"{value:.6g}") if abs(value) > 1e-12 else 0.0 for value in (mean, low, high)]


def mean_figure(values: Any, seed: int = 0) -> Figure:
    """Mean of values [N] over starts and its percentile-bootstrap interval. None for no values."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0:
        return None
    means = _weights(len(sample), seed) @ sample
    low, high = np.percentile(means, [2.5, 97.5])
    return _rounded(float(sample.mean()), float(low), float(high))


def share_figure(hits: int, count: int) -> Figure:
    """A share `hits / count` with Wilson's interval (Wilson 1927), which is honest at 0 and 1. None for count 0."""
    if count == 0:
        return None
    share = hits / count
    scale = 1 + _Z**2 / count
    middle = (share + _Z**2 / (2 * count)) / scale
    half = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2)) / scale
    return _rounded(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def skill_figure(model: Any, baselines: list[Any], seed: int = 0) -> Figure:
    """Skill = 1 − mean(model) / min over baselines of mean(baseline), with a bootstrap interval over starts.

    model and each baseline: squared errors [N] of the same starts. A ratio of means, not a mean of ratios, so that
    starts where nothing happens cannot blow it up; starts are resampled jointly and the better baseline is chosen
    anew in every resample. None where there are no starts or the best baseline is without error (then there is
    nothing to be skilled at).
    """
    own = np.asarray(model, dtype=np.float64)
    others = np.stack([np.asarray(values, dtype=np.float64) for values in baselines])
    if own.size == 0 or others.mean(axis=1).min() <= 0:
        return None
    weights = _weights(len(own), seed)
    best = np.maximum((others @ weights.T).min(axis=0), 1e-12)
    low, high = np.percentile(1 - (weights @ own) / best, [2.5, 97.5])
    return _rounded(1 - own.mean() / others.mean(axis=1).min(), float(low), float(high))


def spread(values: Any) -> dict[str, float | int] | None:
    """Mean ± standard deviation of episode returns: `mean`, `sd`, `n`. None for no values."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0:
        return None
    deviation = float(sample.std(ddof=1)) if sample.size > 1 else 0.0
    return {"mean": float(f"{sample.mean():.6g}"), "sd": float(f"{deviation:.6g}"), "n": int(sample.size)}
