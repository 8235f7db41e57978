"""The SQLite file of a slot's runs: its tables, how it is opened, and its errors in words."""

from __future__ import annotations

import json
import secrets
import sqlite3
from pathlib import Path
from typing import Any

from wmplay.core.atomic import explain
from wmplay.core.errors import NotFoundError, WmplayError

TABLES = """
CREATE TABLE IF NOT EXISTS run(
    id TEXT PRIMARY KEY, slot TEXT, game TEXT, family TEXT, preset TEXT, device TEXT, command TEXT, options TEXT,
    worker TEXT, cwd TEXT, host TEXT, pid INTEGER, pid_started REAL, started REAL, updated REAL, state TEXT,
    phase TEXT, phase_index INTEGER, phases INTEGER, progress REAL, message TEXT, seconds_left REAL,
    frames_per_second REAL);
CREATE TABLE IF NOT EXISTS metrics(run TEXT, step INTEGER, phase TEXT, name TEXT, value REAL, time REAL);
CREATE INDEX IF NOT EXISTS metrics_by_name ON metrics(name, step);
CREATE TABLE IF NOT EXISTS events(run TEXT, time REAL, level TEXT, text TEXT);
CREATE TABLE IF NOT EXISTS control(id INTEGER PRIMARY KEY, run TEXT, command TEXT, created REAL, handled REAL);
"""
RUN_COLUMNS = (
    "id", "slot", "game", "family", "preset", "device", "command", "options", "worker", "cwd", "host", "pid",
    "pid_started", "started", "updated", "state", "phase", "phase_index", "phases", "progress", "message",
    "seconds_left", "frames_per_second",
)  # fmt: skip
_AS_JSON = ("command", "options", "worker")
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no letter that looks like another


def new_run_id() -> str:
    """A short id that is easy to type; never a number, which a shell's history could confuse with a process."""
    while True:
        run = "".join(secrets.choice(_LETTERS) for _ in range(4))
        if not run.isdigit():
            return run


def open_store(path: Path, write: bool) -> sqlite3.Connection:
    """Open the file; `write` makes it and its tables. Raises WmplayError in a sentence."""
    try:
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Autocommit: a connection that waits in a transaction would keep the log from being folded in.
            db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.executescript(TABLES)
        else:
            if not path.is_file():
                raise NotFoundError(f"There is no record of a run at {path}.")
            db = _open_read_only(path)
        db.execute("PRAGMA trusted_schema=OFF")
    except OSError as why:
        raise explain(why, path) from why
    except sqlite3.Error as why:
        raise sentence(why, path) from why
    return db


def _open_read_only(path: Path) -> sqlite3.Connection:
    """A read-only connection; where WAL's side files cannot be made (a read-only folder) the file is taken as final."""
    uri = path.absolute().as_uri()
    db = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=1, isolation_level=None, check_same_thread=False)
    try:
        db.execute("SELECT 1 FROM run LIMIT 1").fetchall()
    except sqlite3.OperationalError:
        db.close()
        db = sqlite3.connect(f"{uri}?immutable=1", uri=True, isolation_level=None, check_same_thread=False)
        db.execute("SELECT 1 FROM run LIMIT 1").fetchall()
    return db


def sentence(why: sqlite3.Error, path: Path) -> WmplayError:
    if "full" in str(why):
        return WmplayError(f"The disk is full: {path} could not be written; free some space and try again.")
    return WmplayError(f"{path} cannot be used: {why}.")


def unpack(row: dict[str, Any]) -> dict[str, Any]:
    for name in _AS_JSON:
        try:
            row[name] = json.loads(row[name]) if row[name] else ([] if name != "options" else {})
        except ValueError:
            row[name] = [] if name != "options" else {}
    return row
