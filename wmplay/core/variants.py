"""Any game by any name: our own, saved variants of them, any Gymnasium id, a class of the user's own, or mere data."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wmplay.core import atomic, paths
from wmplay.core.catalog import GAMES, Game, builtin_game
from wmplay.core.errors import NotFoundError, UsageError

# `Namespace/Name-v3` or `Name-v3`, with an optional `module:` that Gymnasium imports first
_GYMNASIUM_ID = re.compile(r"(?:[\w.]+:)?(?:[\w:.-]+/)?[\w:.-]+-v\d+")
_CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_CLASS_IN_FILE = re.compile(r"(?P<file>[^:]+\.py):(?P<name>[A-Za-z_]\w*)")
# The id of a game of which only recorded data exists.
DATA_ONLY = "data/"


def find_game(name: str, suggestions: Sequence[str] = ()) -> Game:
    """The game with this short name, id, variant name, Gymnasium id, `module:Class` or `path/file.py:Class`.

    A game that wmplay does not know is returned with `observation` and `actions` empty until somebody makes it; whether
    it can be made is not tried here. Raises NotFoundError with near names if it can be none of these, `suggestions`
    among them.
    """
    found = builtin_game(name) or _variant(name)
    if found is not None:
        return found
    in_file = _CLASS_IN_FILE.fullmatch(name)
    if in_file:
        name = f"{Path(in_file['file']).as_posix()}:{in_file['name']}"  # ./maze.py is maze.py
    if in_file or _CLASS.fullmatch(name) or _GYMNASIUM_ID.fullmatch(name):
        return Game(id=name, short="", title=name, observation="", actions="", fps=30)
    if name.endswith(".py") or Path(f"{name}.py").is_file():
        raise NotFoundError(f"There is no game {name!r}; name the class in that file as well: {name}:Class.")
    known = [*(g.short for g in GAMES), *(g.id for g in GAMES), *_stored()]
    near = [*difflib.get_close_matches(name, known, 3), *suggestions]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}."
    raise NotFoundError(f"There is no game {name!r}; {hint} Any Gymnasium id or module:Class works too.")


def save_variant(name: str, game: Game | str, params: Mapping[str, Any], seen: Mapping[str, Any] | None = None) -> Game:
    """Keep a game with these parameters under a name, from now on a game everywhere; replaces a variant of that name.

    seen: `observation`, `actions`, `fps` and `frame` of the variant, where it was tried; else those of its base.
    """
    paths.check_name(name, "variant")
    base = find_game(game) if isinstance(game, str) else game
    if builtin_game(name) is not None:
        raise UsageError(f"{name!r} is a game of wmplay's own; give the variant another name.")
    if base.short == name:
        raise UsageError(f"A variant cannot be a variant of itself; give it another name than {name!r}.")
    made = base.having(params)
    known = {"observation": made.observation, "actions": made.actions, "fps": made.fps, "frame": list(made.frame)}
    entry = {"game": base.short or base.id, "params": dict(params), **known, **(seen or {})}
    atomic.write_json(_file(), {"schema": 1, "variants": {**_stored(), name: entry}})
    return find_game(name)


def save_data_game(name: str, observation: str, actions: str) -> Game:
    """Keep a name for a game that exists only as recorded data, with no environment to play."""
    paths.check_name(name, "game")
    entry = {"game": DATA_ONLY + name, "params": {}, "observation": observation, "actions": actions}
    atomic.write_json(_file(), {"schema": 1, "variants": {**_stored(), name: entry}})
    return find_game(name)


def delete_variant(name: str) -> None:
    """Forget a variant; its episodes and slots stay. Raises UsageError if another variant builds on it."""
    stored = _stored()
    if name not in stored:
        raise NotFoundError(f"There is no variant {name!r}; there are {', '.join(stored) or 'none'}.")
    users = [other for other, entry in stored.items() if entry["game"] == name]
    if users:
        raise UsageError(f"The variant {', '.join(users)} builds on {name!r}; delete that first.")
    atomic.write_json(_file(), {"schema": 1, "variants": {k: v for k, v in stored.items() if k != name}})


def variants() -> list[Game]:
    """Every saved variant as a game."""
    return [game for name in _stored() if (game := _variant(name)) is not None]


def all_games() -> list[Game]:
    """Our own games and the saved variants."""
    return [*GAMES, *variants()]


def _file() -> Path:
    return paths.home() / "variants.json"


def _stored() -> dict[str, dict[str, Any]]:
    if not _file().exists():
        return {}
    found = atomic.read_json(_file())
    listed = found.get("variants", {}) if isinstance(found, dict) else {}
    return {k: v for k, v in listed.items() if isinstance(v, dict) and "game" in v}


def _variant(name: str, depth: int = 0) -> Game | None:
    stored = _stored()
    entry = stored.get(name)
    if entry is None or depth > 8:  # a hand-edited file may run in a circle
        return None
    if entry["game"].startswith(DATA_ONLY):
        return Game(entry["game"], name, f"{name} (data only)", entry["observation"], entry["actions"], fps=30)
    base = _variant(entry["game"], depth + 1) if entry["game"] in stored else find_game(entry["game"])
    if base is None:
        return None
    settings = ", ".join(f"{key}={value}" for key, value in entry["params"].items())
    made = base.having(entry["params"])
    return dataclasses.replace(
        made,
        short=name,
        title=f"{base.title} ({settings})" if settings else f"{base.title} ({name})",
        observation=entry.get("observation") or made.observation,
        actions=entry.get("actions") or made.actions,
        fps=entry.get("fps") or made.fps,
        frame=tuple(entry.get("frame") or made.frame),
    )
