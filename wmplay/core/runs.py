"""What a training run says of itself while it works (SQLite): metrics, events, heartbeat; and what it is told to do."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from wmplay.core.errors import NotFoundError
from wmplay.core.run_file import RUN_COLUMNS, open_store, sentence, unpack

COMMANDS = ("pause", "resume", "save", "stop")
RUN_FILE = "run.sqlite"
# The event that marks where a phase starts; `phases_begun` finds it again.
PHASE_BEGINS = "phase {} begins"


class Metric(NamedTuple):
    """One logged figure. `rowid` is its place in the table, to ask for what came after it."""

    rowid: int
    run: str
    step: int
    phase: str
    name: str
    value: float
    time: float


class RunStore:
    """The run.sqlite of one slot, in WAL mode: one writer, any number of readers, none waits for another.

    write=False opens it read-only and never makes it. `run` narrows every call to one run; None means the newest.
    Raises WmplayError in a sentence when the file is damaged or the disk is full.
    """

    def __init__(self, path: Path, write: bool = False, run: str | None = None) -> None:
        self.path, self.run_id = Path(path), run
        self._db = open_store(self.path, write)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ the starter and the worker

    def create_run(self, run: str, **fields: Any) -> None:
        """Add a run in state `queued`; fields are columns of the table `run`."""
        started = time.time()
        row = {"state": "queued", "progress": 0.0, "host": platform.node(), "cwd": str(Path.cwd())}
        row.update({"started": started, "updated": started, **fields, "id": run})
        self._write_row(f"INSERT INTO run({','.join(row)}) VALUES({','.join('?' * len(row))})", row)
        self.run_id = run

    def attach(self) -> None:
        """The calling process is this run's worker from now on."""
        import psutil

        self.heartbeat(pid=os.getpid(), pid_started=psutil.Process().create_time(), host=platform.node())

    def heartbeat(self, **fields: Any) -> None:
        """Say that the run is alive, with whatever changed: `state phase progress message seconds_left …`."""
        row = {"updated": time.time(), **fields}
        sets = ",".join(f"{name}=?" for name in row)
        self._write_row(f"UPDATE run SET {sets} WHERE id=?", {**row, "": self._id()})

    def log_metrics(self, rows: Iterable[tuple[int, str, str, float]]) -> None:
        """Store a batch of (step, phase, name, value) in one transaction."""
        run, when = self._id(), time.time()
        batch = [(run, step, phase, name, float(value), when) for step, phase, name, value in rows]
        self._do(lambda: self._many("INSERT INTO metrics VALUES(?,?,?,?,?,?)", batch))

    def event(self, level: str, text: str) -> None:
        """Add a line to the run's history; level is `info`, `warning` or `error`."""
        self._do(lambda: self._db.execute("INSERT INTO events VALUES(?,?,?,?)", (self._id(), time.time(), level, text)))

    def take_commands(self) -> list[str]:
        """The commands given since the last call, oldest first, now marked as handled."""
        run = self._id()
        # A read first: it runs between all training steps, and a write each time would cost a transaction.
        found = self._rows("SELECT id, command FROM control WHERE run=? AND handled IS NULL ORDER BY id", (run,))
        if not found:
            return []
        last = found[-1][0]
        self._do(
            lambda: self._db.execute(
                "UPDATE control SET handled=? WHERE run=? AND handled IS NULL AND id<=?", (time.time(), run, last)
            )
        )
        return [command for _, command in found]

    def send(self, command: str) -> None:
        """Give the run a command: one of COMMANDS."""
        if command not in COMMANDS:
            raise ValueError(f"{command!r} is none of {COMMANDS}")
        row = (self._id(), command, time.time())
        self._do(lambda: self._db.execute("INSERT INTO control(run, command, created) VALUES(?,?,?)", row))

    def forget_commands(self) -> None:
        """Drop what was asked of a worker that is gone, so that its successor does not obey it."""
        run = self._id()
        self._do(
            lambda: self._db.execute("UPDATE control SET handled=? WHERE run=? AND handled IS NULL", (time.time(), run))
        )

    # ------------------------------------------------------------------ readers

    def runs(self) -> list[dict[str, Any]]:
        """Every run of the slot as a dict of the columns, the newest first."""
        rows = self._rows(f"SELECT {','.join(RUN_COLUMNS)} FROM run ORDER BY started DESC, id", ())
        return [unpack(dict(zip(RUN_COLUMNS, row, strict=True))) for row in rows]

    def run(self) -> dict[str, Any]:
        """This run (or the newest) as a dict of the columns. Raises NotFoundError if there is none."""
        for row in self.runs():
            if self.run_id in (None, row["id"]):
                return row
        raise NotFoundError(f"{self.path} has no run {self.run_id or 'at all'}.")

    def metrics(self, name: str | None = None, since: int = 0, limit: int = 10_000) -> list[Metric]:
        """Logged figures after rowid `since`, oldest first; of one name if given."""
        where, values = ["rowid>?", "run=?"], [since, self._id()]
        if name is not None:
            where.append("name=?")
            values.append(name)
        columns = "rowid,run,step,phase,name,value,time"
        query = f"SELECT {columns} FROM metrics WHERE {' AND '.join(where)} ORDER BY rowid LIMIT ?"
        return [Metric(*row) for row in self._rows(query, (*values, limit))]

    def metric_names(self) -> list[str]:
        """The names there are, in the order in which they first came."""
        return [
            r[0]
            for r in self._rows("SELECT name FROM metrics WHERE run=? GROUP BY name ORDER BY MIN(rowid)", (self._id(),))
        ]

    def curve_names(self) -> list[tuple[str, str]]:
        """The (phase, name) pairs there are, in the order in which they first came: one curve each."""
        query = "SELECT phase, name FROM metrics WHERE run=? GROUP BY phase, name ORDER BY MIN(rowid)"
        return [(str(phase), str(name)) for phase, name in self._rows(query, (self._id(),))]

    def series(
        self, names: Sequence[str], buckets: int = 200, phase: str | None = None
    ) -> dict[str, list[tuple[float, float, float, float]]]:
        """Curves for a plot: per name at most `buckets` of (step, mean, min, max), by equal stretches of steps."""
        curves: dict[str, list[tuple[float, float, float, float]]] = {}
        for name in names:
            where, values = "run=? AND name=?", [self._id(), name]
            if phase is not None:
                where += " AND phase=?"
                values.append(phase)
            low, high = self._rows(f"SELECT MIN(step), MAX(step) FROM metrics WHERE {where}", tuple(values))[0]
            if low is None:
                curves[name] = []
                continue
            width = max((high - low + 1) / buckets, 1.0)
            query = (
                f"SELECT AVG(step), AVG(value), MIN(value), MAX(value) FROM metrics WHERE {where}"
                " AND value IS NOT NULL GROUP BY CAST((step - ?) / ? AS INTEGER) ORDER BY 1"
            )
            curves[name] = [tuple(map(float, row)) for row in self._rows(query, (*values, low, width))]  # type: ignore[misc]
        return curves

    def latest(self) -> dict[str, float]:
        """The last value of every metric."""
        query = (
            "SELECT name, value FROM metrics WHERE rowid IN (SELECT MAX(rowid) FROM metrics WHERE run=? GROUP BY name)"
        )
        return {name: value for name, value in self._rows(query, (self._id(),)) if value is not None}

    def events(self, count: int = 50) -> list[dict[str, Any]]:
        """The last events, oldest first: `time level text`."""
        query = "SELECT time, level, text FROM events WHERE run=? ORDER BY rowid DESC LIMIT ?"
        return [
            dict(zip(("time", "level", "text"), row, strict=True)) for row in self._rows(query, (self._id(), count))
        ][::-1]

    def phases_begun(self) -> list[str]:
        """The phases that have begun so far, in order; also those that came and went between two looks."""
        before, after = PHASE_BEGINS.split("{}")
        query = "SELECT text FROM events WHERE run=? AND text LIKE ? ORDER BY rowid"
        rows = self._rows(query, (self._id(), f"{before}%{after}"))
        return [text.removeprefix(before).removesuffix(after) for (text,) in rows]

    # ------------------------------------------------------------------ inside

    def _id(self) -> str:
        if self.run_id is None:
            found = self._rows("SELECT id FROM run ORDER BY started DESC, id LIMIT 1", ())
            if not found:
                raise NotFoundError(f"{self.path} has no run.")
            return str(found[0][0])
        return self.run_id

    def _rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as why:
            raise sentence(why, self.path) from why

    def _write_row(self, query: str, row: Mapping[str, Any]) -> None:
        values = [json.dumps(v) if isinstance(v, (list, tuple, dict)) else v for v in row.values()]
        self._do(lambda: self._db.execute(query, values))

    def _many(self, query: str, batch: list[tuple[Any, ...]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(query, batch)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _do(self, write: Any) -> None:
        try:
            write()
        except sqlite3.Error as why:
            raise sentence(why, self.path) from why
