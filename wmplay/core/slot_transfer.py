"""Moves slots about: copy, rename, delete. Nothing is ever half there under its name."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from wmplay.core import atomic
from wmplay.core.errors import UsageError, WmplayError
from wmplay.core.run_file import new_run_id
from wmplay.core.slot_check import verify_files
from wmplay.core.slot_store import SLOT_FILE, lock_slot, now, read_slot_json, reading


def copy_folder(source: Path, target: Path) -> Path:
    """Copy a slot with its newest checkpoint to `target`, whose name it takes; returns `target`."""
    with building(target) as built:
        take(source, built)
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


def take(source: Path, built: Path) -> None:
    """Copy into the folder `built` what travels: published files, newest checkpoint, a consistent copy of the figures.

    Raises WmplayError where the slot changed meanwhile.
    """
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
        end_runs(copy, source, source.name)


def end_runs(store: Path, file: Path, name: str) -> None:
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
def building(target: Path, place: bool = True) -> Iterator[Path]:
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
