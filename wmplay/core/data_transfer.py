"""Datasets in and out: one zip of our own that travels whole, plain arrays for every other program, and Minari."""

from __future__ import annotations

import secrets
import shutil
import stat
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from wmplay.core import atomic, paths
from wmplay.core.array_data import ArrayData, read_arrays, record
from wmplay.core.array_export import write_arrays
from wmplay.core.catalog import Game, builtin_game
from wmplay.core.episodes import Dataset
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.core.variants import find_game, save_data_game

_FILES = ("observations.npy", "actions.npy", "rewards.npy", "flags.npy", "episodes.jsonl")
MINARI = "minari:"


def export_dataset(folder: Path, target: str | Path) -> str:
    """Write a dataset to `FILE.zip` (all), `FILE.npz` or a new folder (arrays), or `minari:NAME`; returns where."""
    text = str(target)
    if text.startswith(MINARI):
        from wmplay.core.minari_data import write_minari

        return MINARI + write_minari(Dataset(folder), text.removeprefix(MINARI))
    path = Path(target)
    if path.exists() and path.suffix not in (".zip", ".npz"):
        raise UsageError(f"{path} exists already; name a new folder, or a file that ends in .zip or .npz.")
    if path.suffix != ".zip":
        return str(write_arrays(Dataset(folder), path))
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with atomic.writing(path):
        try:
            with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.write(folder / "dataset.json", "dataset.json")
                for shard in sorted(p for p in folder.glob("shard-*") if p.is_dir()):
                    for name in _FILES:
                        if (shard / name).exists():
                            archive.write(shard / name, f"{shard.name}/{name}")
            atomic.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    return str(path)


def import_dataset(
    source: str | Path,
    game: str | None = None,
    name: str | None = None,
    held_out: bool = False,
    specs: tuple[ObservationSpec, ActionSpec] | None = None,
) -> tuple[Path, list[str]]:
    """Take in a zip of ours, arrays (folder or .npz) or `minari:NAME`; returns the folder and what was left out.

    game: which game the play is of; needed for arrays, else the dataset says. A new name
    becomes a game of which only data exists. specs: what the game shows and accepts, where that is known; arrays that
    show anything else are refused, and episodes that act otherwise left out.
    Raises WmplayError if nothing of it can be used.
    """
    text = str(source)
    if text.startswith(MINARI):
        from wmplay.core.minari_data import read_minari

        there = text.removeprefix(MINARI)
        return _take_in(read_minari(there), game, name or _tame(there), held_out)
    path = Path(source)
    if not path.exists():
        raise NotFoundError(f"There is no file or folder {path}.")
    if path.suffix == ".zip":
        return _import_zip(path, game, name)
    if (path / "dataset.json").exists():
        return _import_folder(path, game, name)
    known = builtin_game(game) if game else None
    data = read_arrays(path, specs[1] if specs else _expected(known))
    if specs and data.observation.shape != specs[0].shape:
        raise WmplayError(
            f"{path}: observations is {data.observation.kind} {list(data.observation.shape)}, but the game {game} shows"
            f" {specs[0].kind} {list(specs[0].shape)}."
        )
    return _take_in(data, game, name or _tame(path.stem), held_out)


def _take_in(data: ArrayData, game: str | None, name: str, held_out: bool) -> tuple[Path, list[str]]:
    if game is None:
        raise UsageError("Say which game the data is of: --game NAME (a new name if there is no such game).")
    known = _game(game, data)
    target = _free(known, name)
    built = target.with_name(f".importing-{name}-{secrets.token_hex(3)}")
    try:
        problems = record(data, built, known.short or known.id, dict(known.params), held_out)
        (built / ".lock").unlink(missing_ok=True)
        with atomic.writing(target):
            built.rename(target)
    finally:
        shutil.rmtree(built, ignore_errors=True)
    return target, problems


def _game(name: str, data: ArrayData) -> Game:
    try:
        return find_game(name)
    except NotFoundError:
        return save_data_game(name, data.observation.kind, str(data.action))


def _expected(game: Game | None) -> ActionSpec | None:
    """The actions of a game of ours, as far as its catalog entry says."""
    if game is not None and game.actions.startswith("Discrete("):
        return ActionSpec("discrete", n=int(game.actions[9:-1]))
    return None


def _import_zip(path: Path, game: str | None, name: str | None) -> tuple[Path, list[str]]:
    built = paths.home() / "episodes" / f".importing-{secrets.token_hex(4)}"
    try:
        with atomic.writing(built), zipfile.ZipFile(path) as archive:
            _check_zip(archive.infolist(), path)
            built.mkdir(parents=True)
            for entry in archive.infolist():
                out = built / entry.filename
                out.parent.mkdir(exist_ok=True)
                with archive.open(entry) as stream, out.open("wb") as file:
                    shutil.copyfileobj(stream, file, 1 << 20)
        return _place(built, path, game, name or _tame(path.stem))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as why:
        raise WmplayError(f"{path} is damaged or cut short, or is no exported dataset: {why}.") from why
    finally:
        shutil.rmtree(built, ignore_errors=True)


def _import_folder(path: Path, game: str | None, name: str | None) -> tuple[Path, list[str]]:
    built = paths.home() / "episodes" / f".importing-{secrets.token_hex(4)}"
    try:
        with atomic.writing(built):
            built.mkdir(parents=True)
            shutil.copyfile(path / "dataset.json", built / "dataset.json")
            for shard in sorted(p for p in path.glob("shard-*") if p.is_dir() and not p.is_symlink()):
                (built / shard.name).mkdir()
                for file in _FILES:
                    if (shard / file).is_file():
                        shutil.copyfile(shard / file, built / shard.name / file)
        return _place(built, path, game, name or _tame(path.name))
    finally:
        shutil.rmtree(built, ignore_errors=True)


def _check_zip(entries: Sequence[zipfile.ZipInfo], path: Path) -> None:
    """Only the files a dataset has, none outside its folder, nothing out of proportion."""
    if "dataset.json" not in {e.filename for e in entries}:
        raise WmplayError(f"{path} is no exported dataset: it has no dataset.json.")
    for entry in entries:
        parts = PurePosixPath(entry.filename).parts
        shard = len(parts) == 2 and parts[0].startswith("shard-") and parts[1] in _FILES
        if not (shard or entry.filename == "dataset.json") or stat.S_ISLNK(entry.external_attr >> 16):
            raise WmplayError(f"{path} is refused: {entry.filename!r} is no file of a dataset.")
    total = sum(e.file_size for e in entries)
    # Frames of simple games shrink a hundredfold, so proportion alone proves nothing: the room on the disk does.
    free = shutil.disk_usage(paths.home() if paths.home().exists() else path.parent).free
    if total > free - (1 << 28):
        raise WmplayError(f"{path} would unpack to {total / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free.")


def _place(built: Path, source: Path, wanted: str | None, name: str) -> tuple[Path, list[str]]:
    """Check an unpacked dataset and put it under its game."""
    try:
        data = Dataset(built)
    except (WmplayError, KeyError, TypeError, ValueError) as why:
        raise WmplayError(f"{source} is refused: {why}") from why
    if not data.rows:
        raise WmplayError(
            f"{source} is refused: no episode of it can be used ({(data.problems or ['it is empty'])[0]})."
        )
    try:
        game = find_game(wanted or data.game)
    except NotFoundError:
        game = save_data_game(_tame(wanted or data.game), data.observation.kind, str(data.action))
    if wanted is not None:
        atomic.write_json(built / "dataset.json", {**data.meta, "game": game.short or game.id})
    target = _free(game, name)
    with atomic.writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        built.rename(target)
    return target, data.problems


def _free(game: Game, name: str) -> Path:
    target = paths.episodes_dir(game.slug) / paths.check_name(name, "dataset")
    if target.exists():
        raise UsageError(f"{game.slug} has a dataset {name!r} already; choose another with --name.")
    return target


def _tame(text: str) -> str:
    """A name made of a file's or dataset's own."""
    kept: Any = "".join(c if c.isalnum() or c in "-_." else "-" for c in text).strip("-.")
    return str(kept) or "imported"
