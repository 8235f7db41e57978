"""Watches the runs of every slot through read-only connections that stay open as long as a run is at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from wmplay.core import paths
from wmplay.core.errors import WmplayError
from wmplay.core.job_state import ACTIVE, JobInfo, describe_all
from wmplay.core.runs import RUN_FILE, RunStore
from wmplay.tui.snapshot import RunEvent

EVENTS = 20
Stamp = tuple[int, ...]


class _Seen(NamedTuple):
    """What a run file said when it was last read."""

    stamp: Stamp
    jobs: list[JobInfo]
    events: tuple[RunEvent, ...]


class RunWatch:
    """Lists jobs a few times a second. A file whose runs have all ended is closed until it changes."""

    def __init__(self) -> None:
        self._stores: dict[Path, RunStore] = {}
        self._seen: dict[Path, _Seen] = {}

    def jobs(self) -> tuple[list[JobInfo], tuple[RunEvent, ...], list[str]]:
        """Every job (at work first, then the newest), what the runs have told lately, and what could not be read."""
        problems: list[str] = []
        files = [
            file for file in sorted(paths.home().glob(f"*/train/{RUN_FILE}")) if file.parts[-3][0] != "."
        ]  # fmt: skip
        for gone in set(self._seen) - set(files):
            self._forget(gone)
        for file in files:
            try:
                self._look(file)
            except (WmplayError, OSError) as why:
                self._forget(file)
                problems.append(str(why))
        seen = [self._seen[file] for file in files if file in self._seen]
        found = [job for one in seen for job in one.jobs]
        events = tuple(event for one in seen for event in one.events)
        return sorted(found, key=lambda job: (not job.active, -job.started)), events, problems

    def close(self) -> None:
        """Close every connection."""
        for file in list(self._stores):
            self._forget(file)

    def _look(self, file: Path) -> None:
        known, stamp = self._seen.get(file), file_stamp(file)
        if known is not None and known.stamp == stamp and not any(job.active for job in known.jobs):
            return
        store = self._stores.get(file)
        if store is None:
            store = self._stores[file] = RunStore(file)
        found = describe_all(file.parents[1], store.runs)
        events = _events(file, store.runs()) if known is None or known.stamp != stamp else known.events
        self._seen[file] = _Seen(stamp, found, events)
        if not any(job.active for job in found):
            # An open file cannot be deleted on every platform.
            self._stores.pop(file).close()

    def _forget(self, file: Path) -> None:
        self._seen.pop(file, None)
        store = self._stores.pop(file, None)
        if store is not None:
            store.close()


def file_stamp(file: Path) -> Stamp:
    """Changes whenever the database does: WAL writes go to the file beside it. Raises FileNotFoundError."""
    stat = file.stat()
    stamp: Stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
    try:
        beside = file.with_name(file.name + "-wal").stat()
    except FileNotFoundError:
        return stamp
    return (*stamp, beside.st_mtime_ns, beside.st_size)


def _events(file: Path, rows: list[dict[str, Any]]) -> tuple[RunEvent, ...]:
    """The newest run's last events, if it is one that still claims to be at work or has just ended."""
    newest = max(rows, key=lambda row: row["started"] or 0.0, default=None)
    if newest is None:
        return ()
    with RunStore(file, run=str(newest["id"])) as store:
        told = store.events(EVENTS)
    slot, at_work = file.parts[-3], str(newest["state"]) in ACTIVE
    return tuple(RunEvent(slot, event["time"], event["level"], event["text"], at_work) for event in told)
