"""Moves slots about: copy, rename, delete, and one file that travels. Nothing is ever half there under its name."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sqlite3
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from wmplay.core import atomic, paths
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.run_file import new_run_id
from wmplay.core.slot_check import content_problem, verify_files
from wmplay.core.slot_store import SCHEMA, SLOT_FILE, digest, lock_slot, now, read_slot_json, reading, safe_relative

MANIFEST = "wmplay.json"
FORMAT = "wmplay-slot"
_MAX_FILES = 10_000
_MAX_RATIO = 100  # weights hardly shrink; a file that grows a hundredfold is a bomb
_SMALL = 64 << 20  # bytes that any archive may unpack to, whatever its ratio
_STORED = {".safetensors", ".npz", ".png", ".gif"}  # do not shrink, so are not compressed


def copy_folder(source: Path, target: Path) -> Path:
    """Copy a slot with its newest checkpoint to `target`, whose name it takes; returns `target`."""
    with _building(target) as built:
        _take(source, built)
        info = read_slot_json(built)
        lineage = {**info.get("lineage", {}), "copied_from": source.name, "copied": now()}
        atomic.write_json(built / SLOT_FILE, {**info, "name": target.name, "lineage": lineage})
    return target


def rename_folder(source: Path, target: Path) -> Path:
    """Rename a slot nobody writes; returns `target`."""
    with lock_slot(source), atomic.writing(target):
        info = read_slot_json(source)
        source.rename(target) if not target.exists() else _place(source, target)
        atomic.write_json(target / SLOT_FILE, {**info, "name": target.name})
    return target


def delete_folder(path: Path) -> None:
    """Remove a slot nobody writes: out of sight in one rename, then from the disk."""
    with lock_slot(path), atomic.writing(path):
        doomed = path.with_name(f".deleted-{path.name}-{secrets.token_hex(3)}")
        path.rename(doomed)
        shutil.rmtree(doomed)


def export_folder(path: Path, file: Path) -> Path:
    """Pack a slot into one zip file with a manifest of checksums, whole or not at all; returns the file."""
    if file.is_dir():
        file = file / f"{path.name}.wmplay"
    with _building(paths.home() / f"{path.name}.export", place=False) as built, atomic.writing(file):
        _take(path, built)
        names = sorted(p.relative_to(built).as_posix() for p in built.rglob("*") if p.is_file())
        listed = {n: {"sha256": digest(built / n), "size": (built / n).stat().st_size} for n in names}
        manifest = {"format": FORMAT, "schema": SCHEMA, "name": path.name, "files": listed}
        beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
        try:
            with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(MANIFEST, atomic.to_json(manifest))
                for name in names:
                    stored = Path(name).suffix in _STORED
                    archive.write(built / name, name, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
            atomic.replace(beside, file)
        finally:
            beside.unlink(missing_ok=True)
    return file


def import_archive(file: Path, name: str | None, free: Callable[[str], Path]) -> Path:
    """Unpack an exported slot after checking every byte of it; `free` gives the folder of an unused name."""
    if not file.is_file():
        raise NotFoundError(f"There is no file {file}.")
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _manifest(archive, file)
            target = free(name or manifest["name"])
            _check_entries(archive, manifest, file)
            with _building(target) as built:
                for entry, expected in manifest["files"].items():
                    _extract(archive, entry, expected, built / entry, file)
                _check_unpacked(built, file, target.name)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError) as why:
        raise WmplayError(f"{file} is damaged or cut short, or is no exported slot: {why}.") from why
    return target


def _manifest(archive: zipfile.ZipFile, file: Path) -> dict[str, Any]:
    try:
        entry = archive.getinfo(MANIFEST)
        if entry.file_size > 16 << 20:
            raise ValueError
        with archive.open(entry) as stream:
            found = json.loads(stream.read((16 << 20) + 1))
        if found["format"] != FORMAT or not isinstance(found["schema"], int) or not isinstance(found["files"], dict):
            raise ValueError
        sizes = [(e["size"] + 0, e["sha256"] + "") for e in found["files"].values()]
        if any(size < 0 for size, _ in sizes) or not isinstance(found["name"], str):
            raise ValueError
    except (KeyError, ValueError, TypeError, RecursionError) as why:
        raise WmplayError(f"{file} is no exported slot: it has no readable {MANIFEST}.") from why
    if found["schema"] > SCHEMA:
        raise WmplayError(
            f"{file} was made by a newer wmplay (schema {found['schema']}, this one reads {SCHEMA});"
            " upgrade to import it."
        )
    plain: dict[str, Any] = found
    return plain


def _check_entries(archive: zipfile.ZipFile, manifest: dict[str, Any], file: Path) -> None:
    """Names, kinds and sizes, before a byte is unpacked."""
    entries = [e for e in archive.infolist() if e.filename != MANIFEST]
    if len(entries) > _MAX_FILES:
        raise WmplayError(f"{file} is refused: it holds {len(entries)} files, more than any slot has.")
    for entry in entries:
        if not safe_relative(entry.filename):
            raise WmplayError(f"{file} is refused: {entry.filename!r} would be written outside the slot's folder.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise WmplayError(f"{file} is refused: {entry.filename} is a link, which a slot may not hold.")
    names = [e.filename for e in entries]
    if len({n.lower() for n in names}) != len(names):
        raise WmplayError(f"{file} is refused: it holds two files of the same name.")
    if set(names) != set(manifest["files"]):
        odd = sorted(set(names) ^ set(manifest["files"]))[0]
        raise WmplayError(f"{file} is refused: {odd} is missing, or is not in its list of checksums.")
    total = sum(e["size"] for e in manifest["files"].values())
    if total > max(_SMALL, _MAX_RATIO * file.stat().st_size):
        raise WmplayError(f"{file} is refused: it would unpack to {total / 1e9:.1f} GB, out of all proportion.")
    free = shutil.disk_usage(_existing(paths.home())).free
    if total > free:
        raise WmplayError(f"{file} needs {total / 1e6:.0f} MB, but only {free / 1e6:.0f} MB are free on the disk.")
    for entry in entries:
        if entry.file_size != manifest["files"][entry.filename]["size"]:
            raise WmplayError(f"{file} is refused: {entry.filename} is not as long as its list of checksums says.")


def _extract(archive: zipfile.ZipFile, entry: str, expected: dict[str, Any], target: Path, file: Path) -> None:
    """Unpack one file, never more bytes than announced, and compare its checksum."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as stream, target.open("wb") as out:
        left = expected["size"]
        while block := stream.read(1 << 20):
            left -= len(block)
            if left < 0:
                raise WmplayError(f"{file} is refused: {entry} unpacks to more than it announces.")
            out.write(block)
    if left or digest(target) != expected["sha256"]:
        raise WmplayError(f"{file} is refused: {entry} is not what its checksum says.")


def _check_unpacked(built: Path, file: Path, name: str) -> None:
    problems = verify_files(built)
    for path in (p for p in built.rglob("*") if p.is_file()):
        wrong = content_problem(path)
        if wrong:
            problems.append(f"{path.relative_to(built).as_posix()} {wrong}.")
    if problems:
        said = problems[0].replace(f"{built}{os.sep}", "").replace(built.name, name)  # as nobody knows that folder
        raise WmplayError(f"{file} is refused: {said}")
    store = built / "train" / "run.sqlite"
    if store.exists():
        _end_runs(store, file, name)
    info = read_slot_json(built)
    lineage = {**info.get("lineage", {}), "imported_from": file.name, "imported": now()}
    atomic.write_json(built / SLOT_FILE, {**info, "name": name, "lineage": lineage})


def _take(source: Path, built: Path) -> None:
    """What travels: the published files, the newest checkpoint, a consistent copy of the run's figures."""
    with reading(source), atomic.writing(built):
        info = read_slot_json(source)
        for name in info.get("files", {}):
            (built / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, built / name)
        shutil.copyfile(source / SLOT_FILE, built / SLOT_FILE)
        checkpoints = sorted((source / "train").glob("checkpoint-*"), key=lambda p: p.stat().st_mtime)
        if checkpoints:
            shutil.copytree(checkpoints[-1], built / "train" / checkpoints[-1].name)
    problems = verify_files(built)
    if problems:  # a run saved in between: its next state is as good, but this mixture is not
        raise WmplayError(f"The slot {source.name} changed while it was read; try again ({problems[0]}).")
    store = source / "train" / "run.sqlite"
    if store.exists():
        (built / "train").mkdir(exist_ok=True)
        copy = built / "train" / "run.sqlite"
        with (
            contextlib.closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as old,
            contextlib.closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
        _end_runs(copy, source, source.name)


def _end_runs(store: Path, file: Path, name: str) -> None:
    """Runs of a slot that travelled are no processes of this machine: none is running, and each gets a new id."""
    try:
        with contextlib.closing(sqlite3.connect(store)) as db, db:
            db.execute("PRAGMA trusted_schema=OFF")
            db.execute("UPDATE run SET slot=?", (name,))
            db.execute("UPDATE run SET state='stopped', pid=NULL WHERE state NOT IN ('done', 'failed')")
            for (old,) in db.execute("SELECT id FROM run").fetchall():
                new = new_run_id()
                db.execute("UPDATE run SET id=? WHERE id=?", (new, old))
                for name in ("metrics", "events", "control"):
                    db.execute(f"UPDATE {name} SET run=? WHERE run=?", (new, old))
    except sqlite3.Error as why:
        raise WmplayError(f"{file} is damaged: train/run.sqlite cannot be read ({why}).") from why


@contextlib.contextmanager
def _building(target: Path, place: bool = True) -> Iterator[Path]:
    """A hidden folder beside `target` to build in; put into place at the end, thrown away on an error."""
    with atomic.writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        built = target.with_name(f".building-{target.name}-{secrets.token_hex(3)}")
        built.mkdir()
    try:
        with atomic.writing(target):
            yield built
            if place:
                _place(built, target)
    finally:
        shutil.rmtree(built, ignore_errors=True)


def _place(built: Path, target: Path) -> None:
    """Move a finished folder to its name; into a placeholder (hidden files only) child by child, slot.json last."""
    if not target.exists():
        built.rename(target)
    else:
        for child in sorted(built.iterdir(), key=lambda p: p.name == SLOT_FILE):
            if (target / child.name).exists():
                raise UsageError(f"There is something called {target.name} already; choose another name.")
            child.rename(target / child.name)
    atomic.sync_folder(target.parent)


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
