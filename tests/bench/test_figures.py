"""This machine's figures beside what the project set itself to reach. Run alone: `pytest -m bench -s`.

Only ratios of two sides that took turns are held to a floor, and the input pipeline; other figures are for reading.
"""

from __future__ import annotations

from typing import Any

import pytest

from wmplay.bench.data import measure_data
from wmplay.bench.dreams import measure_dreams
from wmplay.bench.games import measure_games
from wmplay.bench.start import measure_start
from wmplay.bench.training import measure_training
from wmplay.core.catalog import FAMILIES
from wmplay.devices import resolve

pytestmark = pytest.mark.bench

# Ratios over a plain float32 eager version that the project aims at; printed beside what was reached.
AIMS = {
    ("vae_mdn", "training, vision", 256): 3.5,
    ("vae_mdn", "training, vision", 32): 3.0,
    ("vae_mdn", "training, memory", 64): 1.5,
}
RSSM_AIM = 2.5


def show(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items() if value is not None))


def test_a_command_answers_soon_after_its_libraries_are_there() -> None:
    """Every command a person types, and every completion of one, would keep them waiting."""
    rows = measure_start(4.0, print)
    show(rows)
    assert max(row["ratio"] for row in rows) < 3


def test_car_racing_is_twenty_times_as_fast_as_gymnasiums() -> None:
    """Collecting would cost a newcomer an hour instead of minutes."""
    rows = measure_games(2.0, print)
    show(rows)
    car = next(row for row in rows if row["game"] == "car_racing")
    assert car["ratio"] >= 20


def test_segments_come_faster_than_any_training_needs_them() -> None:
    """Training would wait for its data."""
    rows = measure_data(2.0, print)
    show(rows)
    assert min(row["median"] for row in rows if row["what"].startswith("segments")) >= 50_000


@pytest.mark.parametrize("family", [entry.name for entry in FAMILIES])
def test_training_is_no_slower_than_the_plain_version(family: str) -> None:
    """What was rewritten for speed would only make the code harder to read."""
    rows = measure_training([family], "small", resolve("auto"), 4.0, print, compiled=True)
    for row in rows:
        aim = RSSM_AIM if family == "rssm" else AIMS.get((family, row["what"], row["batch"]))
        show([{**row, "aim": aim}])
    assert min(row["ratio"] for row in rows) >= 0.9
    assert max(row["input_share"] for row in rows) < 0.03


@pytest.mark.parametrize("family", [entry.name for entry in FAMILIES])
def test_a_dream_runs_at_the_speed_of_play(family: str) -> None:
    """A person could not drive in it. 25 frames/s is CarRacing's own rate at action repeat 2."""
    rows = measure_dreams([family], "small", resolve("auto"), 2.0, print)
    show(rows)
    assert min(row["median"] for row in rows if row["batch"] == 1) >= 25
