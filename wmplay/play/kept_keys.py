"""The keys that people have changed, kept in `keys.json` of the home: by game and kind of action, as texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wmplay.core import atomic, paths
from wmplay.core.errors import UsageError, WmplayError
from wmplay.core.spaces import ActionSpec
from wmplay.play.keys import GameKeys
from wmplay.play.own_keys import applied


def file() -> Path:
    """Where they are kept."""
    return paths.home() / "keys.json"


def all_kept() -> dict[str, dict[str, dict[str, str]]]:
    """Game id -> action space in words -> mapping. Raises WmplayError if the file is no such thing."""
    if not file().exists():
        return {}
    found = atomic.read_json(file())
    games = found.get("games") if isinstance(found, dict) else None
    sound = isinstance(games, dict) and all(
        isinstance(mapping, dict) and all(isinstance(text, str) for text in mapping.values())
        for spaces in games.values()
        for mapping in (spaces.values() if isinstance(spaces, dict) else [None])
    )
    if not sound or games is None:
        raise WmplayError(f"{file()} does not hold keys; `wmplay keys --reset` forgets them all.")
    return games


def kept(game: str, action: ActionSpec) -> dict[str, str] | None:
    """The mapping kept for a game (by its id, so that its variants share it) with these actions, or None."""
    return all_kept().get(game, {}).get(str(action))


def keep(game: str, action: ActionSpec, texts: Mapping[str, str]) -> None:
    """Keep a mapping in place of the one there was."""
    games = all_kept()
    games[game] = {**games.get(game, {}), str(action): dict(texts)}
    atomic.write_json(file(), {"schema": 1, "games": games})


def forget(game: str, action: ActionSpec) -> bool:
    """Forget the mapping of a game with these actions; whether there was one."""
    games = all_kept()
    gone = games.get(game, {}).pop(str(action), None)
    if gone is not None:
        atomic.write_json(file(), {"schema": 1, "games": {name: spaces for name, spaces in games.items() if spaces}})
    return gone is not None


def forget_all() -> bool:
    """Forget every mapping, also where the file is damaged; whether there was one."""
    there = file().exists()
    with atomic.writing(file()):
        file().unlink(missing_ok=True)
    return there


def own(base: GameKeys, game: str, action: ActionSpec) -> GameKeys:
    """The keys to play with: the person's own where there are any, else the game's. Raises WmplayError."""
    texts = kept(game, action)
    if texts is None:
        return base
    try:
        return applied(base, texts, action)
    except UsageError as why:
        raise WmplayError(
            f"The keys kept for {game} do not fit: {why} `wmplay keys {game} --reset` forgets them."
        ) from why
