"""Steps a second of our own games, and CarRacing's beside CarRacing-v3's, taken by turns in one run."""

from __future__ import annotations

from envs.bench import measure as measure_small
from envs.car_racing.bench import measure as measure_car
from wmplay.bench.scaling import measure_scaling
from wmplay.bench.timing import Narrate, Row, rounded

# What envs.bench measures, as game, what, batch and unit.
_SMALL = {
    "grid_world": ("grid_world", "game", 1, "steps/s"),
    "grid_world x1024": ("grid_world", "game, many at once", 1024, "steps/s"),
    "grid_world x1024, frames not copied": ("grid_world", "game, many at once, frames not copied", 1024, "steps/s"),
    "cartpole": ("cartpole", "game", 1, "steps/s"),
    "cartpole x1024": ("cartpole", "game, many at once", 1024, "steps/s"),
    "cartpole drawings": ("cartpole", "drawing of states", 512, "frames/s"),
}


def measure_games(seconds: float, say: Narrate) -> list[Row]:
    """A row for each game and way to run it; `steps_per_s` again by that name, for CarRacing both sides and `ratio`,
    how long resets take on both, and how it scales over processes (see `measure_scaling`).

    seconds: for each figure.
    """
    say("games: grid_world and cartpole")
    rows = []
    for name, found in measure_small(seconds * len(_SMALL)).items():
        game, what, batch, unit = _SMALL[name]
        figures = {key: rounded(found[key]) for key in ("median", "low", "high")}
        more = {"steps_per_s": figures["median"]} if unit == "steps/s" else {}
        rows.append(_row(what, game, batch, unit, figures, int(found["n"]), more))
    say("games: car_racing beside CarRacing-v3")
    car = measure_car(2 * seconds)
    more = {name: rounded(car[name]) for name in ("steps_per_s", "gymnasium_steps_per_s", "ratio")}
    more |= {f"ratio_{name}": rounded(car[name]) for name in ("low", "high")}
    more |= {"episode_ratio": rounded(car["episode_ratio"])}
    more |= {name: rounded(value) for name, value in car.items() if "reset_" in name}
    figures = {
        "median": more["steps_per_s"],
        "low": rounded(car["steps_low"]),
        "high": rounded(car["steps_high"]),
    }
    rows.append(_row("game", "car_racing", 1, "steps/s", figures, int(car["n"]), more))
    return rows + measure_scaling(2 * seconds, say)


def _row(what: str, game: str, batch: int, unit: str, figures: dict[str, float], n: int, more: dict[str, float]) -> Row:
    nothing = {"family": None, "preset": None}
    return {"what": what, "game": game, **nothing, "batch": batch, "unit": unit, **figures, "n": n, "device": "cpu",
            **more}  # fmt: skip
