"""Reads the core's state into snapshots, in the poller's thread; what cannot be read becomes a sentence, not an end."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wmplay.core.errors import WmplayError
from wmplay.tui.details import MINOR, DetailReader
from wmplay.tui.health import HealthWatch
from wmplay.tui.run_watch import RunWatch
from wmplay.tui.snapshot import DatasetRow, GameRow, Health, JobRow, SlotRow, Snapshot, Subject
from wmplay.tui.tasks import TaskStore

if TYPE_CHECKING:
    from wmplay.core.job_state import JobInfo
    from wmplay.core.slots import SlotInfo

SLOW_S = 1.5  # slots, data and games change rarely; jobs are read at every look
READ_ERRORS = (WmplayError, OSError, ValueError, KeyError, TypeError, sqlite3.Error)
T = TypeVar("T")


def _short(folder: Path) -> str:
    """A folder as people would write it: from where they are, or from their home."""
    if folder.is_relative_to(Path.cwd()):
        return str(folder.relative_to(Path.cwd()))
    return f"~/{folder.relative_to(Path.home())}" if folder.is_relative_to(Path.home()) else str(folder)


class CoreReader:
    """The dashboard's eyes. Core modules are imported here, after the first paint."""

    def __init__(self, tasks: TaskStore) -> None:
        self._tasks = tasks
        self._details = DetailReader()
        self._runs = RunWatch()
        self._health: HealthWatch | None = None
        self._slow_at = 0.0
        self._games: tuple[GameRow, ...] = ()
        self._slots: tuple[SlotRow, ...] = ()
        self._datasets: tuple[DatasetRow, ...] = ()
        self._jobs: tuple[JobRow, ...] = ()
        self._slow_problems: list[str] = []

    def read(self, focus: Subject | None) -> Snapshot:
        """The state now. A part that cannot be read keeps its last good value and adds a problem."""
        from wmplay.core import paths

        problems: list[str] = []
        jobs, events, unread = self._runs.jobs()
        problems += unread
        self._jobs = tuple(job_row(job) for job in jobs)
        if time.monotonic() - self._slow_at > SLOW_S or not self._games:
            self._read_slowly()
        rows = {row.name: row for row in self._slots}
        detail = None
        if focus is not None:
            slot = focus.key
            if focus.kind == "job":
                slot = next((row.slot for row in self._jobs if row.id == focus.key), "")
            if focus.kind == "game" or slot in rows:
                read, row = self._details.read, None if focus.kind == "game" else rows[slot]
                folder = row.path if row else ""
                detail = _try(problems, f"details of {focus.key}", lambda: read(focus, folder), None)
                health = _try(problems, f"health of {focus.key}", lambda: self._light(row, rows), None)
                detail = detail and replace(detail, health=health)
        return Snapshot(
            games=self._games,
            jobs=self._jobs,
            slots=self._slots,
            datasets=self._datasets,
            tasks=self._tasks.rows(),
            events=events,
            problems=(*problems, *self._slow_problems),
            detail=detail,
            home=_short(paths.home()),
        )

    def close(self) -> None:
        """Close the connections to the runs."""
        self._details.close()
        self._runs.close()
        if self._health is not None:
            self._health.close()

    def _light(self, row: SlotRow | None, rows: dict[str, SlotRow]) -> Health | None:
        from wmplay.core import paths

        if self._health is None:
            self._health = HealthWatch(paths.cache_dir() / "health")
        return self._health.look(row, rows)

    def _read_slowly(self) -> None:
        from wmplay.core import episodes, slots

        problems: list[str] = []
        self._games = _try(problems, "games", read_games, self._games)
        self._slots = _try(problems, "slots", lambda: tuple(slot_row(info) for info in slots.list_slots()), self._slots)
        self._datasets = _try(
            problems, "data", lambda: tuple(dataset_row(info) for info in episodes.datasets()), self._datasets
        )
        self._slow_problems = problems
        self._slow_at = time.monotonic()


def _try(problems: list[str], what: str, read: Callable[[], T], otherwise: T) -> T:
    """What `read` gives; if it cannot, a sentence among the problems and the value from before."""
    try:
        return read()
    except READ_ERRORS as error:
        problems.append(f"The {what} could not be read: {error}")
        return otherwise


def read_games() -> tuple[GameRow, ...]:
    """The built-in games and the person's variants."""
    from wmplay.core import catalog, variants

    found = [*catalog.GAMES, *variants.variants()]
    return tuple(
        GameRow(
            game.short or game.id, game.id, game.title, game.observation, game.actions, game.fps, tuple(game.players),
            game.expert, game.family or "", dict(game.params),
        )
        for game in found
    )  # fmt: skip


def job_row(job: JobInfo) -> JobRow:
    """A core.jobs.JobInfo as the dashboard shows it."""
    return JobRow(
        id=str(job.id),
        slot=job.slot,
        game=job.game,
        family=job.family,
        state=job.state,
        phase=job.phase or "",
        phase_index=job.phase_index,
        phases=job.phases,
        progress=float(job.progress or 0.0),
        message=job.message or "",
        last_error=job.last_error or "",
        device=job.device or "",
        seconds_left=job.seconds_left,
        frames_per_second=job.frames_per_second,
        started=job.started,
        updated=job.updated,
    )


def slot_row(info: SlotInfo) -> SlotRow:
    """A core.slots.SlotInfo as the dashboard shows it."""
    return SlotRow(
        name=info.name,
        game=info.game or "",
        family=info.family or "",
        preset=info.preset or "",
        steps=int(info.steps or 0),
        updated=_moment(info.updated),
        size_bytes=int(info.size_bytes or 0),
        ok=bool(info.ok),
        why=info.why or "",
        shipped=bool(info.shipped),
        has_agent="agent.safetensors" in info.files,
        trained=info.trained,
        lineage=", ".join(
            f"{how.replace('_', ' ')} {source}" for how, source in info.lineage.items() if isinstance(source, str)
        ),
        path=str(info.path),
        weights=str(info.files.get("world.safetensors", {}).get("sha256", "")),
        figures=_figures(info.metrics),
    )


def dataset_row(info: dict[str, Any]) -> DatasetRow:
    """One of core.episodes.datasets() as the dashboard shows it."""
    return DatasetRow(
        info["name"], info["game"], int(info["steps"]), int(info["episodes"]), int(info["size_bytes"]),
        bool(info.get("held_out")), info.get("why", ""),
    )  # fmt: skip


def _figures(metrics: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """A slot's own summary: the last plain numbers of its training, at most eight."""
    plain = [
        (name.replace("_", " ").replace("/", " "), f"{value:.4g}")
        for name, value in metrics.items()
        if isinstance(value, int | float) and not name.endswith(MINOR)
    ]
    return tuple(plain[-8:])


def _moment(text: str) -> float:
    """Seconds since the epoch from an ISO text; 0 when unknown."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0
