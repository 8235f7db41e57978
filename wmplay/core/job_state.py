"""What a job is right now, read from its record, its process and its log: no status word is believed."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wmplay.core.processes import is_alive

ACTIVE = ("queued", "running", "paused")
ENDED = ("done", "stopped", "failed", "dead")
LOG_FILE = "log.txt"

_BEAT = 4.0  # seconds without a heartbeat after which a run on another machine counts as dead
_SILENT = 30.0  # seconds after which a living worker without a heartbeat is remarked on
_ERROR_LINE = re.compile(r"^(\w+\.)*\w*(Error|Exception|Interrupt|Exit|Killed|fault)\b|^wmplay: |Killed|out of memory")
_COPIED = (
    "game", "family", "preset", "phase", "phase_index", "phases", "progress", "started", "updated", "device", "message",
    "pid", "seconds_left", "frames_per_second", "command", "options",
)  # fmt: skip


@dataclass
class JobInfo:
    """One run of one slot as it is right now; `state` is derived from the process, not believed.

    state: queued running paused done stopped failed dead. progress: 0..1 over all phases. started, updated: seconds
    since 1970. last_error: for a dead or failed job, the line of its log that says why.
    """

    id: str
    slot: str
    path: Path
    game: str = ""
    family: str = ""
    preset: str = ""
    phase: str = ""
    phase_index: int = 0
    phases: int = 0
    progress: float = 0.0
    state: str = "queued"
    pid: int | None = None
    started: float = 0.0
    updated: float = 0.0
    device: str = ""
    message: str = ""
    seconds_left: float | None = None
    frames_per_second: float | None = None
    last_error: str | None = None
    log: str = ""
    command: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    def to_json(self) -> dict[str, Any]:
        """The row of `wmplay jobs --json`."""
        return {**asdict(self), "path": str(self.path)}


def _describe(slot_path: Path, row: Mapping[str, Any]) -> JobInfo:
    """A row of the table `run` as what is true right now."""
    state = _state(row)
    job = JobInfo(
        id=str(row["id"]),
        slot=slot_path.name,
        path=slot_path,
        state=state,
        log=str(slot_path / "train" / LOG_FILE),
    )
    for key in _COPIED:
        if row[key] is not None:
            setattr(job, key, row[key])
    if state in ("dead", "failed"):
        job.seconds_left = None
        job.last_error = _last_error(slot_path, job)
    elif state == "running" and time.time() - job.updated > _SILENT:
        job.message = f"no sign of life for {time.time() - job.updated:.0f} s ({job.message})"
    return job


def describe_all(slot_path: Path, read: Callable[[], Sequence[Mapping[str, Any]]]) -> list[JobInfo]:
    """The jobs that the rows which `read` gives tell of, as what is true right now.

    A worker's last word is written before it goes. So where one is gone without a last word, the rows are read once
    more: it may have spoken and gone after they were read and before it was looked for.
    """
    found = [_describe(slot_path, row) for row in read()]
    if any(job.state == "dead" for job in found):
        found = [_describe(slot_path, row) for row in read()]
    return found


def tail(path: Path, lines: int) -> str:
    """The last lines of a text file of any length, or nothing."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - lines * 400))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def marker(run: str) -> str:
    return f"--- run {run} starts"


def _state(row: Mapping[str, Any]) -> str:
    claimed = str(row["state"] or "queued")
    if claimed not in ACTIVE:
        return claimed
    age = time.time() - float(row["updated"] or 0)
    if row["host"] not in (None, platform.node()):
        return claimed if age < _BEAT else "dead"
    if row["pid"] is None:  # between being noted down and being started
        return claimed if age < _BEAT else "dead"
    return claimed if is_alive(row["pid"], row["pid_started"]) else "dead"


def _last_error(slot_path: Path, job: JobInfo) -> str:
    """The line that says why a job ended badly: the last error of its log since its last start, else its last word."""
    text = tail(slot_path / "train" / LOG_FILE, 200).rpartition(marker(job.id))[2]
    lines = [line.strip() for line in text.splitlines()[1:] if line.strip()]
    for line in reversed(lines):
        if _ERROR_LINE.search(line):
            return line
    if job.state == "failed" and job.message:
        return job.message
    gone = "the process is gone without a word: killed, or out of memory"
    return f"{gone} (its last line: {lines[-1]})" if lines else gone
