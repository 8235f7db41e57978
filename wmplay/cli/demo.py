"""`wmplay demo`: the whole loop in one command, for the newcomer's first minutes."""

from __future__ import annotations

from typing import Annotated

import typer

from wmplay.cli.output import say
from wmplay.core import jobs, paths
from wmplay.core.errors import Interrupted, WmplayError
from wmplay.core.slots import list_slots

# What each kind of phase does and why, by the name the recipe gives it.
_WHY = {
    "collect": "Players play the real game and every frame is recorded: a world model learns from experience alone.",
    "vision": "The model learns to see: frames become a few numbers, and back.",
    "painter": "The model learns to paint what it has not seen yet.",
    "modes": "It learns to go on in one way or another where several are possible.",
    "expected": "It learns what is to be expected, whichever way that is.",
    "memory": "The model learns what happens next, from what it saw and the keys that were pressed.",
    "dynamics": "The model learns what happens next, from what it saw and the keys that were pressed.",
    "joint": "The model learns to see and to foresee at once.",
    "polish": "What it foresees is made exact.",
    "controller": "An agent learns to play, inside the dream.",
}


def register(app: typer.Typer) -> None:
    """Add `demo` and `screenshots` to the app."""
    app.command()(demo)
    app.command(hidden=True)(screenshots)


def demo(
    game: Annotated[str, typer.Argument(help="A game, see `wmplay games`.")] = "grid_world",
    minutes: Annotated[float | None, typer.Option(help="Training budget; by default what the game needs.")] = None,
    family: Annotated[str | None, typer.Option(help="World model family; by default the game's best.")] = None,
    preset: Annotated[str, typer.Option(help="Size: tiny, small or base.")] = "small",
    slot: Annotated[str | None, typer.Option(help="Name of the slot it ends in.")] = None,
    starts: Annotated[int, typer.Option(min=2, help="Held-out starts of the report.")] = 32,
) -> None:
    """The whole loop, small: collect, train, measure, and a dream to play at the end."""
    from wmplay import games
    from wmplay.training.start import Order, start

    found = games.find(game)
    budget = found.minutes if minutes is None else minutes
    name = slot or _free(f"demo-{found.slug}")
    order = Order(game=game, slot=name, family=family, preset=preset, minutes=budget)
    command = ["wmplay", "demo", game, "--minutes", f"{budget:g}", "--preset", preset]
    run = start(order, command=command)
    say(f"[1/3] Training a world model of {found.title} in the background as {name}, about {budget:g} min.")
    try:
        job = _tell(run)
    except KeyboardInterrupt:
        raise Interrupted(f"{name} goes on training as job {run}; `wmplay jobs stop {run}` stops it.") from None
    if job.state != "done":
        raise WmplayError(f"Training {name} ended as {job.state}: {job.last_error or job.message}")

    say("[2/3] Measuring: from held-out starts the model dreams on recorded keys, beside the real game.")
    from wmplay.cli.report import measure
    from wmplay.evaluate.report import save_report
    from wmplay.evaluate.words import sentences

    report, pictures, subject = measure(name, starts, False, 0, "auto")
    save_report(subject, report, pictures)
    for sentence in sentences(report):
        say(f"      {sentence}")
    folder = paths.slot_dir(name)
    say("[3/3] Done. Play in it, or look at the real game beside it:")
    say(f"      wmplay dream {name}")
    say(f"      wmplay dream {name} --twin")
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and "train" not in path.parts):
        typer.echo(str(file))


def _free(stem: str) -> str:
    """The stem, or the stem with the first number that no slot has."""
    taken = {slot.name for slot in list_slots()}
    return next(name for name in (stem, *(f"{stem}-{i}" for i in range(2, 10_000))) if name not in taken)


def _tell(run: str) -> jobs.JobInfo:
    """Show the job to its end, with a sentence at the start of each phase on what it is for."""
    from wmplay.training.watch import watch

    return watch(run, _WHY)


def screenshots(
    folder: Annotated[str, typer.Argument(help="Where the pictures go.")] = "docs",
) -> None:
    """The pictures of the README, made by the program itself from the shipped slots."""
    from wmplay.cli.screenshots import make

    for file in make(folder):
        typer.echo(str(file))
