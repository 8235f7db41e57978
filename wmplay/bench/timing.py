"""How things are timed: the works to compare take turns in one run, and a figure is the median of its turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

Narrate = Callable[[str], None]
Row = dict[str, Any]

# Turns of each work; every figure says its own number in `n`.
TURNS = 5


def waited(device: str) -> None:
    """Wait for a device that works on its own, so that the clock stops when the work is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def take_turns(
    works: Mapping[str, Callable[[], int]], seconds: float, device: str = "cpu", turns: int = TURNS
) -> dict[str, list[float]]:
    """Units of work a second, one figure for each turn, for works that alternate so that all meet the same machine.

    Each work does one unit or more when called and returns how many. seconds: for each work, all turns together. The
    first call of a turn is not measured: it finds the caches full of the others' data, and their memory in its way.
    """
    figures: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(turns):
        for name, work in works.items():
            work()
            waited(device)
            done, start = 0, time.perf_counter()
            while True:
                done += work()
                if time.perf_counter() - start >= seconds / turns:
                    break
            waited(device)
            figures[name].append(done / (time.perf_counter() - start))
    return figures


def row(
    what: str,
    figures: Sequence[float],
    unit: str,
    *,
    game: str | None = None,
    family: str | None = None,
    preset: str | None = None,
    batch: int = 1,
    device: str = "cpu",
    **more: Any,
) -> Row:
    """One row of `wmplay bench --json`; `low` and `high` are the slowest and the fastest turn."""
    return {
        "what": what,
        "game": game,
        "family": family,
        "preset": preset,
        "batch": batch,
        "unit": unit,
        "median": rounded(statistics.median(figures)),
        "low": rounded(min(figures)),
        "high": rounded(max(figures)),
        "n": len(figures),
        "device": device,
        **{name: rounded(value) if isinstance(value, float) else value for name, value in more.items()},
    }


def rounded(value: float) -> float:
    """Four digits: more would be noise."""
    return float(f"{value:.4g}")
