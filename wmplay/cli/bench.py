"""Command: bench, this machine's figures."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wmplay.cli.output import emit_json, say, table
from wmplay.core import catalog
from wmplay.core.errors import UsageError

PARTS = ("start", "games", "data", "dreams", "training")


def bench(
    part: Annotated[
        str | None, typer.Argument(help="start, games, data, dreams or training; all of them if none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    seconds: Annotated[float, typer.Option(help="About so long for each figure.")] = 1.0,
    family: Annotated[str | None, typer.Option(help="Only this family of world models.")] = None,
    preset: Annotated[str, typer.Option(help="Size of the world models: tiny, small or base.")] = "small",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    compiled: Annotated[
        bool, typer.Option("--compiled", help="training: compile what long trainings do; takes some minutes more.")
    ] = False,
    tracks: Annotated[
        int | None, typer.Option(min=1, help="games: also hold CarRacing against CarRacing-v3, 100 being all of it.")
    ] = None,
    gigabytes: Annotated[
        float | None, typer.Option(help="data: also segments from so much data, made for this and removed.")
    ] = None,
    memory: Annotated[float, typer.Option(help="With --gigabytes: GB of memory, the system's cache included.")] = 1.0,
) -> None:
    """Measure how fast this machine starts, plays, records, dreams and trains; all figures in about two minutes."""
    parts = PARTS if part is None else (part,)
    if part is not None and part not in PARTS:
        raise UsageError(f"There is nothing called {part!r} to measure; choose one of {', '.join(PARTS)}.")
    if preset not in catalog.PRESETS:
        raise UsageError(f"There is no preset {preset!r}; choose one of {', '.join(catalog.PRESETS)}.")
    if not 0 < seconds < 3600:
        raise UsageError(f"--seconds must be more than 0 and less than an hour, not {seconds}.")
    if gigabytes is not None and not (gigabytes > 0 and memory > 0):
        raise UsageError(f"--gigabytes and --memory must be more than 0, not {gigabytes} and {memory}.")
    families = [f.name for f in catalog.FAMILIES] if family is None else [catalog.family(family).name]
    if gigabytes is not None and "data" in parts:
        from wmplay.bench.large import check_room

        check_room(gigabytes)
    rows = [row for name in parts for row in _measure(name, families, preset, device, seconds, compiled)]
    unequal: list[int] = []
    if tracks is not None and "games" in parts:
        from wmplay.bench.equality import measure_equality

        compared = measure_equality(tracks, say)
        unequal = [seed for row in compared for seed in row.get("unequal", ())]
        rows += compared
    if gigabytes is not None and "data" in parts:
        from wmplay.bench.large import measure_large

        rows += measure_large(gigabytes, memory, seconds, say)
    if as_json:
        emit_json(rows)
    else:
        for name in parts:
            _print(name, [row for row in rows if _belongs(row, name)])
    if unequal:
        raise typer.Exit(1)


def _measure(
    part: str, families: list[str], preset: str, device: str, seconds: float, compiled: bool
) -> list[dict[str, Any]]:
    if part == "start":
        from wmplay.bench.start import measure_start

        return measure_start(seconds, say)
    if part == "games":
        from wmplay.bench.games import measure_games

        return measure_games(seconds, say)
    if part == "data":
        from wmplay.bench.data import measure_data

        return measure_data(seconds, say)
    from wmplay.devices import resolve

    if part == "dreams":
        from wmplay.bench.dreams import measure_dreams

        return measure_dreams(families, preset, resolve(device), seconds, say)
    from wmplay.bench.training import measure_training

    return measure_training(families, preset, resolve(device), seconds, say, compiled)


_FIGURES = ("batch", "median", "low", "high", "unit")
# How the rows of a part begin their `what`, and the columns that people are shown of them.
_COLUMNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "start": ("start", ("what", "median", "low", "high", "unit", "libraries_ms", "ratio")),
    "games": (
        "game drawing equality difference",
        ("game", "what", *_FIGURES, "gymnasium", "ratio", "reset_ms", "scaling", "road_iou"),
    ),
    "data": ("recording segments", ("what", "batch", "median", "low", "high", "unit", "memory")),
    "dreams": (
        "dream",
        ("family", "game", "what", "batch", "median", "low", "high", "unit", "p99_ms", "precision", "weights"),
    ),
    "training": (
        "training",
        ("family", "game", "what", "batch", "median", "plain", "ratio", "unit", "input_share", "busy", "precision"),
    ),
}


def _belongs(row: dict[str, Any], part: str) -> bool:
    return row["what"].split()[0].rstrip(",") in _COLUMNS[part][0].split()


def _print(part: str, rows: list[dict[str, Any]]) -> None:
    shown = [
        {**row, "gymnasium": row.get("gymnasium_steps_per_s"), "plain": row.get("plain_frames_per_s")} for row in rows
    ]
    typer.echo(f"\n{part}")
    # Of figures that only some runs have, no empty column is left in the others.
    table(shown, [name for name in _COLUMNS[part][1] if name != "road_iou" or any(name in row for row in rows)])


def register(app: typer.Typer) -> None:
    """Add this command to the app."""
    app.command("bench")(bench)
