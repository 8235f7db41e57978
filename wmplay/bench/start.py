"""How long the command line takes to answer, beside a Python that only loads the libraries which it is written with."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable

from wmplay.bench.timing import Narrate, Row, rounded, row, take_turns

# Commands that do nothing but answer.
ANSWERS = ("--help", "slots", "jobs")
# What all of them stand on.
LIBRARIES = "import typer, rich.table"


def measure_start(seconds: float, say: Narrate) -> list[Row]:
    """A row of milliseconds for each command, with `libraries_ms` and the `ratio` of ours to those, taken by turns.

    seconds: for each side of each figure.
    """
    rows = []
    for answer in ANSWERS:
        say(f"start: wmplay {answer}")
        sides = {"ours": _starts("-m", "wmplay", answer), "libraries": _starts("-c", LIBRARIES)}
        figures = take_turns(sides, seconds)
        ratios = [theirs / ours for ours, theirs in zip(figures["ours"], figures["libraries"], strict=True)]
        libraries = rounded(1000.0 / statistics.median(figures["libraries"]))
        rows.append(
            row(f"start, wmplay {answer}", [1000.0 / a_second for a_second in figures["ours"]], "ms",
                libraries_ms=libraries, ratio=statistics.median(ratios))
        )  # fmt: skip
    return rows


def _starts(*arguments: str) -> Callable[[], int]:
    """A work for `take_turns`: a fresh Python with these arguments, from its start to its end."""

    def start() -> int:
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        return 1

    return start
