"""`wmplay bench` as typed: figures that other programs can read, whatever their size on this machine."""

from __future__ import annotations

import pytest

FIELDS = {"what", "game", "family", "preset", "batch", "unit", "median", "low", "high", "n", "device"}


def test_every_part_gives_rows_with_the_promised_fields(run_cli, home) -> None:
    """A script that follows these figures over time would break."""
    done = run_cli("bench", "--family", "state_vae", "--preset", "tiny", "--seconds", "0.02", "--json")
    assert done.code == 0, done.stderr
    rows = done.json
    for row in rows:
        assert set(row) >= FIELDS, row
        assert 0 < row["low"] <= row["median"] <= row["high"], row
    starts = [row for row in rows if row["what"].startswith("start, wmplay ")]
    assert len(starts) == 3 and all(row["unit"] == "ms" and row["libraries_ms"] > 0 for row in starts)
    car = next(row for row in rows if row["game"] == "car_racing")
    assert car["steps_per_s"] > car["gymnasium_steps_per_s"]
    assert car["ratio"] == pytest.approx(car["steps_per_s"] / car["gymnasium_steps_per_s"], rel=0.01)
    assert 0 < car["reset_ms"] <= car["reset_p95_ms"] and car["gymnasium_reset_ms"] > 0
    scaled = {row["processes"]: row for row in rows if "processes" in row}
    assert scaled[1]["scaling"] == 1
    assert scaled[2]["independent_steps_per_s"] > 0, "what the machine has to give"
    assert 0 < scaled[2]["scaling_low"] <= scaled[2]["scaling"] <= scaled[2]["scaling_high"]
    assert {row["game"] for row in rows if "steps_per_s" in row} == {"grid_world", "car_racing", "cartpole"}
    dreams = [(row["what"], row["batch"]) for row in rows if row["what"].startswith("dream")]
    assert dreams == [("dream, with picture", 1), ("dream, latent only", 256), ("dream, with picture", 256)]
    training = next(row for row in rows if row["what"] == "training, joint")
    assert training["family"] == "state_vae"
    assert training["plain_frames_per_s"] > 0
    assert training["ratio_low"] <= training["ratio"] <= training["ratio_high"]
    assert any(row["what"].startswith("segments") for row in rows)
    assert "training: state_vae joint" in done.stderr
    assert list((home / "episodes").glob("*")) == [], "nothing of it stays"


def test_more_data_than_memory_is_measured_and_goes_again(run_cli, home) -> None:
    """Who has long recordings and a small machine learns whether training will wait for its disk."""
    done = run_cli("bench", "data", "--gigabytes", "0.3", "--memory", "1", "--seconds", "0.02", "--json")
    assert done.code == 0, done.stderr
    rows = [row for row in done.json if "memory" in row]
    assert {(row["batch"], row["length"]) for row in rows} >= {(16, 32), (64, 32), (256, 1)}
    assert {row["memory"] for row in rows} <= {"1 GB", "not limited, uncached"}
    assert not list(home.glob(".bench-*"))


def test_car_racing_is_held_against_gymnasiums_by_a_command(run_cli, home) -> None:
    """Who doubts that results here can be compared with anybody's on CarRacing-v3 can see for themselves."""
    done = run_cli("bench", "games", "--tracks", "1", "--seconds", "0.02", "--json")
    assert done.code == 0, done.stderr
    rows = {row["what"]: row for row in done.json}
    for form in ("continuous", "discrete"):
        row = rows[f"equality, {form}"]
        assert set(row) >= FIELDS and (row["n"], row["steps"], row["unequal"]) == (1, 1000, [])
        assert f"car_racing, {form}: 1 of 1 tracks of 1,000 steps, unequal: none" in done.stderr
    for size in (64, 96):
        row = rows[f"difference, frames of {size}"]
        assert row["low"] <= row["median"] <= row["high"]
        assert row["median"] <= 3 and row["road_iou"] >= 0.98


@pytest.mark.parametrize(
    ("wrong", "code", "word"),
    [
        (("gmaes",), 2, "choose one of start, games"),
        (("dreams", "--preset", "huge"), 2, "choose one of tiny"),
        (("dreams", "--seconds", "0"), 2, "more than 0"),
        (("data", "--gigabytes", "-1"), 2, "more than 0"),
        (("data", "--gigabytes", "1e7"), 2, "need more room"),
        (("dreams", "--family", "gan"), 3, "There is no family"),
    ],
)
def test_what_cannot_be_measured_is_told_in_a_sentence(run_cli, wrong, code, word) -> None:
    done = run_cli("bench", *wrong)
    assert (done.code, done.stdout) == (code, "")
    assert word in done.stderr
    assert "Traceback" not in done.stderr
