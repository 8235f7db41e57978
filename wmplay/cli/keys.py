"""Command: keys, which shows the keys of a game, changes them and keeps them for every way of playing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wmplay.cli.games import Json
from wmplay.cli.output import emit_json, say, table
from wmplay.cli.play import parameters
from wmplay.core.errors import NotFoundError, UsageError, WmplayError

if TYPE_CHECKING:
    from wmplay.core.catalog import Game
    from wmplay.core.spaces import ActionSpec
    from wmplay.play.keys import GameKeys


def keys(
    game: Annotated[
        str | None, typer.Argument(help="A game's short name, id, variant or module:Class; or a slot.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="KEY=ACTION, may be repeated: left=2, space=fire, a+up=3, idle=wait; entry:value for many."
        ),
    ] = None,
    free: Annotated[list[str] | None, typer.Option(help="Take this key away from the game; may be repeated.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Forget your keys (of every game, if none is named).")] = False,
    param: Annotated[list[str] | None, typer.Option(help="A parameter of the game, key=value.")] = None,
    json: Json = False,
) -> None:
    """Show the keys of a game; change them, and they are kept for its play, its dreams and the terminal."""
    from wmplay.play import kept_keys
    from wmplay.play.legend import displaced

    if reset and (set_ or free):
        raise UsageError("--reset forgets your keys, so it goes without --set and --free.")
    if game is None:
        if set_ or free:
            raise UsageError("Name the game whose keys are to change: wmplay keys GAME --set KEY=ACTION.")
        if reset:
            say("Forgot your keys of every game." if kept_keys.forget_all() else "No game had keys of your own.")
            return
        _list(json)
        return
    found, action, proposed = _game(game, parameters(param or []))
    if reset:
        there = kept_keys.forget(found.id, action)
        say(f"Forgot your keys of {game}." if there else f"{game} had no keys of your own.")
    if set_ or free:
        from wmplay.play.own_keys import applied, changed, written

        now = kept_keys.kept(found.id, action) or written(proposed, action)
        made = applied(proposed, changed(now, _pairs(set_ or []), tuple(free or [])), action)
        kept_keys.keep(found.id, action, written(made, action))
        for key, command, other in displaced(made):
            say(f"{key} plays this game now; {command} stays on {other}.")
    _show(found, action, kept_keys.own(proposed, found.id, action), kept_keys.kept(found.id, action) is not None, json)


def _game(name: str, params: dict[str, Any]) -> tuple[Game, ActionSpec, GameKeys]:
    """The game, made once to ask for its actions and its own keys; for a slot, the game it dreams of."""
    from wmplay import games
    from wmplay.core.slots import find_slot
    from wmplay.play.opening import proposed_keys

    try:
        found = games.find(name)
    except NotFoundError as why:
        try:
            info = find_slot(name)
        except WmplayError:
            raise why from None
        found = games.of_slot(info)
        return found, info.action_spec, proposed_keys(None, found, info.action_spec)
    env = games.make(found, **params)
    try:
        action = games.specs(env)[1]
        return found, action, proposed_keys(env, found, action)
    finally:
        env.close()


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        key, equals, action = text.rpartition("=")
        if not equals or not key.strip() or not action.strip():
            raise UsageError(f"{text!r} is not of the form KEY=ACTION, such as left=2.")
        pairs[key.strip()] = action
    return pairs


def _list(json: bool) -> None:
    """The games that have keys of the person's own."""
    from wmplay.play.kept_keys import all_kept

    rows: list[dict[str, Any]] = [
        {"id": game, "actions": actions, "keys": texts}
        for game, spaces in all_kept().items()
        for actions, texts in spaces.items()
    ]
    if json:
        emit_json(rows)
        return
    for row in rows:
        row["keys"] = " ".join(f"{key}={text}" for key, text in row["keys"].items())
    table(rows, ("id", "actions", "keys"), empty="No game has keys of your own; wmplay keys GAME shows those it has.")


def _show(game: Game, action: ActionSpec, keys: GameKeys, kept: bool, json: bool) -> None:
    from wmplay.play.own_keys import written

    texts = written(keys, action)
    rows = [{"key": key, "action": text, "does": _does(keys, action, text)} for key, text in texts.items()]
    unreached = _unreached(keys, action)
    if json:
        emit_json({"game": game.short or game.id, "id": game.id, "actions": str(action), "kept": kept, "keys": rows,
                   "unreached": unreached})  # fmt: skip
        return
    table(rows, ("key", "action", "does"))
    if unreached:
        say(f"No key for {', '.join(unreached)}.")
    say("These are your own keys; --reset forgets them." if kept else "Change them with --set KEY=ACTION.")


def _does(keys: GameKeys, action: ActionSpec, text: str) -> str:
    """A text of the mapping in words."""
    from wmplay.play.legend import does

    if text == "wait":
        return "the game waits for a key"
    if text == "alternate":
        return "the actions in turn"
    if action.kind == "discrete":
        return does(keys, int(text)) if keys.names else ""
    if action.kind == "box":
        entry = int(text.partition(":")[0]) - 1
        return next(axis.does for axis in keys.axes if axis.index == entry)
    return ""


def _unreached(keys: GameKeys, action: ActionSpec) -> list[str]:
    """Actions (or entries) that no key reaches, in words."""
    from wmplay.play.legend import does

    if action.kind == "discrete":
        reached = {*keys.combos.values(), keys.idle}
        reached |= set(range(action.n)) if keys.idle == "alternate" else set()
        return [does(keys, number) for number in range(action.n) if number not in reached]
    if action.kind == "box":
        moved = {axis.index for axis in keys.axes}
        return [f"entry {entry + 1}" for entry in range(len(action.low)) if entry not in moved]
    reach = [{value[entry] for value in keys.combos.values()} | {0} for entry in range(len(action.counts))]
    return [
        f"entry {entry + 1} at {value}"
        for entry, count in enumerate(action.counts)
        for value in range(count)
        if value not in reach[entry]
    ]


def register(app: typer.Typer) -> None:
    """Add this command to the app."""
    app.command()(keys)
