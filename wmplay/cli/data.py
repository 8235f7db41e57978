"""Commands: data (list, show, verify, delete, export, import)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wmplay.cli.output import confirm, emit_json, say, table
from wmplay.core.errors import UsageError

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Name = Annotated[str, typer.Argument(help="The dataset's name, or GAME/NAME.")]

data = typer.Typer(help="Recorded play: list, show, verify, delete, export, import.")


@data.command("list")
@data.callback(invoke_without_command=True)
def list_all(
    context: typer.Context,
    json: Json = False,
    game: Annotated[str | None, typer.Option(help="Only the datasets of this game.")] = None,
) -> None:
    """List the datasets."""
    if context.invoked_subcommand is not None:
        return
    from wmplay.core.episodes import datasets

    found = datasets(_slug(game))
    if json:
        emit_json(found)
        return
    rows = [{**_row(entry), "state": _state(entry)} for entry in found]
    columns = ("game", "name", "steps", "episodes", "size", "players", "created", "state")
    table(rows, columns, empty="No data yet: wmplay collect GAME --steps 10000 makes some.")


@data.command("show")
def show(name: Name, json: Json = False) -> None:
    """One dataset: what it holds, its episodes, and what is wrong with it."""
    import numpy as np

    from wmplay.core.episodes import Dataset, find_dataset

    found = Dataset(find_dataset(name))
    lengths = [episode.length - 1 for episode in found.episodes]
    returns = [float(found.rewards[e.start + 1 : e.start + e.length].sum(dtype=np.float64)) for e in found.episodes]
    full = {
        **found.info(),
        "path": str(found.folder),
        "observation": found.observation.to_json(),
        "action": found.action.to_json(),
        "game_params": found.game_params,
        "terminated": sum(episode.terminated for episode in found.episodes),
        "cut_off": sum(not episode.complete for episode in found.episodes),
        "mean_length": float(np.mean(lengths)) if lengths else None,
        "mean_return": float(np.mean(returns)) if returns else None,
        "rows": found.rows,
        "problems": found.problems,
    }
    if json:
        emit_json(full)
        return
    seen = f"{found.observation.kind} {list(found.observation.shape)}"
    shown = {**_row(full), "path": full["path"], "observation": seen,
             "action": str(found.action), "ended": full["terminated"], "cut off": full["cut_off"],
             "mean length": _figure(full["mean_length"]), "mean return": _figure(full["mean_return"])}  # fmt: skip
    table([{"field": k, "value": v} for k, v in shown.items() if v not in ("", None)], ("field", "value"))
    for problem in found.problems:
        say(f"left out: {problem}")


@data.command("verify")
def verify(name: Name) -> None:
    """Check every episode of a dataset; exit code 0 if all is well, 1 if anything of it cannot be used."""
    from wmplay.core.episodes import Dataset, find_dataset

    found = Dataset(find_dataset(name))
    for problem in found.problems:
        typer.echo(problem)
    say(f"{len(found.episodes)} episodes, {found.steps} steps can be used.")
    if found.problems:
        raise typer.Exit(1)


@data.command("delete")
def delete(name: Name, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete a dataset. Asks first, and says which trainings need it."""
    from wmplay.core.data_use import users
    from wmplay.core.episodes import delete_dataset, find_dataset

    folder = find_dataset(name)
    full = f"{folder.parent.name}/{folder.name}"
    needed = ", ".join(f"{job.slot} ({job.state})" for job in users(folder))
    warning = f"The training of {needed} uses {full} and could not go on without it" if needed else ""
    if not yes and not confirm(f"{warning and warning + '. '}Delete the dataset {full} for good?"):
        raise UsageError(f"{warning or 'Nothing was deleted'}; add --yes to delete {full} without being asked.")
    delete_dataset(folder)
    say(f"Deleted {full}.{warning and f' {warning}.'}")


@data.command("export")
def export(
    name: Name,
    target: Annotated[str, typer.Argument(help="FILE.zip (all of it), FILE.npz or a new folder, or minari:NAME.")],
) -> None:
    """Write a dataset where other programs, or another wmplay, can read it."""
    from wmplay.core.data_transfer import export_dataset
    from wmplay.core.episodes import find_dataset

    typer.echo(export_dataset(find_dataset(name), target))


@data.command("import")
def import_(
    source: Annotated[str, typer.Argument(help="A FILE.zip of ours, an .npz or folder of arrays, or minari:NAME.")],
    game: Annotated[
        str | None, typer.Option(help="The game the play is of; a new name if there is no such game.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the dataset.")] = None,
    held_out: Annotated[bool, typer.Option("--held-out", help="For reports only, never to train on.")] = False,
) -> None:
    """Take in recorded play.

    Arrays are observations (or frames) uint8 [N, H, W, 3] or numbers [N, S], actions [N] or [N, A], rewards [N], and
    ends [N]: 0 goes on, 1 ended for good, 2 was cut off. Row t is what was seen, the action taken then, and what it
    brought. With one more row of observations for each episode, the last one seen is in there too.
    """
    from wmplay.core.data_transfer import import_dataset
    from wmplay.core.episodes import Dataset

    arrays = not source.startswith("minari:") and not source.endswith(".zip")
    folder, problems = import_dataset(source, game, name, held_out, _specs(game) if game and arrays else None)
    for problem in problems:
        say(f"left out: {problem}")
    taken = Dataset(folder)
    say(f"Took in {len(taken.episodes)} episodes, {taken.steps} steps.")
    typer.echo(f"{folder.parent.name}/{folder.name}")


def _slug(game: str | None) -> str | None:
    if game is None:
        return None
    from wmplay.core.variants import find_game

    return find_game(game).slug


def _specs(name: str) -> tuple[Any, Any] | None:
    """What the game shows and accepts; None if only data of it exists, or will."""
    from wmplay.core.errors import NotFoundError, WmplayError
    from wmplay.core.variants import DATA_ONLY, find_game

    try:
        game = find_game(name)
    except NotFoundError:
        return None
    if game.id.startswith(DATA_ONLY):
        return None
    from wmplay import games

    try:
        env = games.make(game)
    except WmplayError as why:
        say(f"The data cannot be compared with the game: {why}")
        return None
    try:
        return games.specs(env)
    finally:
        env.close()


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    from wmplay.cli.slots import size

    return {
        "game": entry["game"],
        "name": entry["name"],
        "steps": entry["steps"],
        "episodes": entry["episodes"],
        "size": size(entry["size_bytes"]),
        "players": ", ".join(entry["players"]),
        "created": entry["created"].replace("T", " ")[:16],
    }


def _state(entry: dict[str, Any]) -> str:
    if not entry["ok"]:
        return str(entry["why"])
    parts = ["held out"] if entry["held_out"] else []
    parts += [] if entry["complete"] else ["being recorded, or cut off"]
    parts += [f"{len(entry['problems'])} problems"] if entry["problems"] else []
    return ", ".join(parts) or "ok"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def register(app: typer.Typer) -> None:
    """Add these commands to the app."""
    app.add_typer(data, name="data")
