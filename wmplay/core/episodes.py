"""Recorded play on disk by name: list, find, delete. `recorder` writes it and `dataset` reads it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from wmplay.core import atomic, paths
from wmplay.core.catalog import GAMES
from wmplay.core.dataset import Dataset, Episode, folder_size
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.recorder import HELD_OUT_SEED, Recorder
from wmplay.core.shard import FIRST, TERMINATED, TRUNCATED

__all__ = [
    "FIRST",
    "HELD_OUT_SEED",
    "TERMINATED",
    "TRUNCATED",
    "Dataset",
    "Episode",
    "Recorder",
    "datasets",
    "delete_dataset",
    "find_dataset",
]


def datasets(game_slug: str | None = None) -> list[dict[str, Any]]:
    """Every dataset (of one game): `name game steps episodes size_bytes created held_out players complete`, plus
    `ok` and, where it cannot be opened, `why`."""
    root = paths.home() / "episodes"
    found = []
    for meta in sorted(root.glob("*/*/dataset.json")):
        folder = meta.parent
        if folder.name.startswith(".") or (game_slug and _slug(folder.parent.name) != game_slug):
            continue
        try:
            data = Dataset(folder)
            found.append({**data.info(), "problems": data.problems, "ok": True, "path": str(folder)})
        except WmplayError as why:
            blank = {"steps": 0, "episodes": 0, "size_bytes": folder_size(folder), "created": "", "held_out": False}
            found.append(
                {"name": folder.name, "game": folder.parent.name, **blank, "players": [], "complete": False,
                 "problems": [str(why)], "ok": False, "why": str(why), "path": str(folder)}
            )  # fmt: skip
    return found


def _slug(folder: str) -> str:
    """The name of a game whose episodes lie in this folder, which may have been named by its id."""
    return next((game.slug for game in GAMES if folder == game.id.replace("/", "__")), folder)


def find_dataset(name: str, game_slug: str | None = None) -> Path:
    """The folder of the dataset with this name, or `game/name`. Raises NotFoundError, UsageError if ambiguous."""
    if game_slug is None and "/" in name:
        game_slug, _, name = name.partition("/")
    paths.check_name(name, "dataset")
    root = paths.home() / "episodes"
    found = sorted(p.parent for p in root.glob(f"{game_slug or '*'}/{name}/dataset.json"))
    if not found:
        known = ", ".join(f"{p.parent.parent.name}/{p.parent.name}" for p in sorted(root.glob("*/*/dataset.json")))
        raise NotFoundError(
            f"There is no dataset {name!r}; there are {known or 'none yet: `wmplay collect` makes one'}."
        )
    if len(found) > 1:
        raise UsageError(
            f"Several datasets are called {name!r}: say {' or '.join(f'{p.parent.name}/{name}' for p in found)}."
        )
    return found[0]


def delete_dataset(folder: Path) -> None:
    """Remove a dataset; refuses while it is being recorded."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=0)
    try:
        with lock:
            doomed = folder.with_name(f".deleted-{folder.name}")
            with atomic.writing(folder):
                folder.rename(doomed)
    except Timeout as why:
        raise WmplayError(f"The dataset {folder.name} is being recorded right now; stop that first.") from why
    with atomic.writing(folder):
        shutil.rmtree(doomed)
