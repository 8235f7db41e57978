"""Commands: games (list, show, save a variant, delete a variant) and families."""

from __future__ import annotations

from json import dumps as json_text
from typing import Annotated, Any

import typer

from wmplay.cli.output import confirm, emit_json, say, table
from wmplay.cli.play import parameters
from wmplay.core import catalog, variants
from wmplay.core.errors import UsageError, WmplayError

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

games = typer.Typer(help="The games there are; save a game with other parameters as a variant.")


@games.command("list")
@games.callback(invoke_without_command=True)
def list_games(context: typer.Context, json: Json = False) -> None:
    """List our own games and the saved variants. Any Gymnasium id and any module:Class can be used besides."""
    if context.invoked_subcommand is not None:
        return
    rows = [game_row(game) for game in variants.all_games()]
    if json:
        emit_json(rows)
        return
    table([{**row, "name": row["short"], "shown_at": f"{row['fps']}/s"} for row in rows],
          ("name", "title", "observation", "actions", "shown_at", "id"))  # fmt: skip
    say("Any other Gymnasium id works too, and module:Class for a class of your own.")


@games.command("show")
def show(name: str, json: Json = False) -> None:
    """Everything that is known about one game, and what of it can be set."""
    from wmplay.games import parameters

    game = variants.find_game(name)
    row = game_row(game)
    try:
        row["parameters"] = parameters(game)
    except WmplayError as why:
        row["parameters"] = []
        say(f"Its parameters are not known: {why}")
    if json:
        emit_json(row)
        return
    settable = {f"  {each['name']}": _parameter(each) for each in row.pop("parameters")}
    _one({**row, **({"parameters": "name=value", **settable} if settable else {})}, json)


@games.command("save")
def save(
    name: Annotated[str, typer.Argument(help="What the variant will be called.")],
    game: Annotated[str, typer.Argument(help="The game it is a variant of.")],
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="A parameter, as name=value.")] = None,
    json: Json = False,
) -> None:
    """Save a game with these parameters under a name; from then on it is a game everywhere."""
    params = parameters(param or [])
    base = variants.find_game(game)
    saved = variants.save_variant(name, base, params, _try(base, params))
    _one(game_row(saved), json)
    say(f"Saved; try it: wmplay play {name}")


@games.command("delete")
def delete(name: str, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Forget a variant; its recorded episodes and the slots trained on it stay."""
    if not yes and not confirm(f"Forget the variant {name}?"):
        raise UsageError("Nothing was deleted; add --yes to delete without being asked.")
    variants.delete_variant(name)
    say(f"Forgot the variant {name}.")


def families(json: Json = False) -> None:
    """List the families of world models, and which games each can learn."""
    rows = [
        {
            "name": family.name,
            "title": family.title,
            "observations": list(family.observations),
            "presets": list(catalog.PRESETS),
            "games": [g.short for g in variants.all_games() if g.observation in family.observations],
        }
        for family in catalog.FAMILIES
    ]
    if json:
        emit_json(rows)
    else:
        table([{**row, "learns": ", ".join(map(str, row["observations"])), "games": ", ".join(map(str, row["games"]))}
               for row in rows], ("name", "title", "learns", "games"))  # fmt: skip


def game_row(game: catalog.Game) -> dict[str, Any]:
    """The row of `wmplay games --json`."""
    return {
        "id": game.id,
        "title": game.title,
        "short": game.short,
        "observation": game.observation,
        "actions": game.actions,
        "frame": list(game.frame),
        "fps": game.fps,
        "params": game.params,
        "players": list(game.players),
        "expert": game.expert,
        "variant": catalog.builtin_game(game.short) is None and bool(game.short),
    }


def _try(base: catalog.Game, params: dict[str, Any]) -> dict[str, Any]:
    """Make the game once, so that a wrong parameter is told now; what it shows and accepts, how fast and how large."""
    from wmplay.games import make, pace, specs

    environment = make(base, **params)
    try:
        observation, action = specs(environment)
        seen = {"observation": observation.kind, "actions": str(action), "fps": pace(environment, base)}
        return {**seen, "frame": list(observation.shape[:2] if observation.kind == "frame" else base.frame)}
    finally:
        environment.close()


def _parameter(each: dict[str, Any]) -> str:
    """A parameter's default and type in a line, the default as it is typed."""
    default = "" if each["default"] is None else json_text(each["default"], default=str).strip('"')
    return " · ".join(part for part in (default, each["type"]) if part)


def _one(row: dict[str, Any], json: bool) -> None:
    if json:
        emit_json(row)
    else:
        table([{"field": key, "value": value} for key, value in row.items()], ("field", "value"))


def register(app: typer.Typer) -> None:
    """Add these commands to the app."""
    app.add_typer(games, name="games")
    app.command("families")(families)
