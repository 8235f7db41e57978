"""CarRacing held against CarRacing-v3: on how many tracks the two part, and how far their frames differ."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from envs.car_racing.compare import differences, unequal_tracks
from wmplay.bench.timing import Narrate, Row, rounded

# Steps of each track: an episode of CarRacing-v3.
STEPS = 1000
# Tracks whose frames are compared: drawing CarRacing-v3's takes a hundred times as long as driving.
PICTURED = 10


def measure_equality(tracks: int, say: Narrate) -> list[Row]:
    """A row for each form of the game, `unequal` being the seeds of the tracks on which reward, end or pose was not
    exactly CarRacing-v3's at every step; and one for each size of frames, with the mean difference in levels of 0 to
    255, its smallest and largest of a frame, that of the indicator `bar`, and `road_iou`.
    """
    rows = []
    for continuous in (True, False):
        form = "continuous" if continuous else "discrete"
        unequal = unequal_tracks(tracks, STEPS, continuous, partial(_tell, say, form, tracks))
        figures = dict.fromkeys(("median", "low", "high"), float(len(unequal)))
        rows.append(_row(f"equality, {form}", "tracks unequal", figures, tracks, {"steps": STEPS, "unequal": unequal}))
    for size in (64, 96):
        say(f"car_racing: frames of {size} beside CarRacing-v3's")
        found = differences(list(range(min(tracks, PICTURED))), STEPS, size)
        figures = {
            "median": rounded(found.mean_absolute),
            "low": rounded(found.smallest_of_a_frame),
            "high": rounded(found.largest_of_a_frame),
        }
        more = {"bar": rounded(found.bar_mean_absolute), "road_iou": rounded(found.road_iou)}
        rows.append(_row(f"difference, frames of {size}", "of 255", figures, found.frames, more))
    return rows


def _tell(say: Narrate, form: str, tracks: int, done: int, unequal: list[int]) -> None:
    """Say how far it is, at every tenth."""
    if done * 10 // tracks > (done - 1) * 10 // tracks:
        say(f"car_racing, {form}: {done} of {tracks} tracks of {STEPS:,} steps, unequal: {unequal or 'none'}")


def _row(what: str, unit: str, figures: dict[str, float], n: int, more: Mapping[str, object]) -> Row:
    nothing = {"family": None, "preset": None, "batch": 1}
    return {"what": what, "game": "car_racing", **nothing, "unit": unit, **figures, "n": n, "device": "cpu", **more}
