"""Training in the background: start, list, watch and steer workers, whoever started them, alive or not."""

from __future__ import annotations

import platform
import re
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wmplay.core import atomic, paths
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.processes import is_alive, start_detached, started_at
from wmplay.core.runs import COMMANDS, RUN_FILE, RunStore
from wmplay.core.slots import find_slot, is_locked

ACTIVE = ("queued", "running", "paused")
ENDED = ("done", "stopped", "failed", "dead")
LOG_FILE = "log.txt"

_BEAT = 4.0  # seconds without a heartbeat after which a run on another machine counts as dead
_SILENT = 30.0  # seconds after which a living worker without a heartbeat is remarked on
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no letter that looks like another
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


def start(
    slot_path: Path,
    argv_worker: Sequence[str] | None = None,
    *,
    device: str = "auto",
    command: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    phases: int = 0,
) -> str:
    """Start a detached worker that trains a slot, and return the job's id at once.

    argv_worker: the worker's command line, to which `--slot PATH --run ID` is added; ours if None. options: what the
    worker should know (budget, data), kept with the run. Raises WmplayError if a run has the slot already.
    """
    slot = find_slot(Path(slot_path))
    if not slot.ok:
        raise WmplayError(f"The slot {slot.name} cannot be trained: {slot.why}")
    if slot.shipped:
        raise UsageError(f"{slot.name} ships with wmplay and is read-only; copy it: wmplay slots copy {slot.name} NEW.")
    _refuse_second(slot.path)
    run = _new_id()
    worker = list(argv_worker) if argv_worker is not None else [sys.executable, "-m", "wmplay.training.worker"]
    with RunStore(slot.path / "train" / RUN_FILE, write=True) as store:
        store.create_run(
            run,
            slot=slot.name,
            game=slot.game,
            family=slot.family,
            preset=slot.preset,
            device=device,
            command=list(command),
            options=dict(options or {}),
            worker=worker,
            phases=phases,
            message="starting",
        )
        _spawn(store, slot.path, run, worker, Path.cwd())
    return run


def resume(job_id: str) -> None:
    """Let a paused job go on; for a dead, stopped or failed one start a new worker from the last checkpoint."""
    job = find_job(job_id)
    if job.state == "paused":
        control(job.id, "resume")
        return
    if job.state in ("queued", "running"):
        raise UsageError(f"The job {job.id} is {job.state} already.")
    if job.state == "done":
        raise UsageError(f"The job {job.id} is done; train the slot {job.slot} further with wmplay train.")
    _refuse_second(job.path)
    with RunStore(job.path / "train" / RUN_FILE, write=True, run=job.id) as store:
        row = store.run()
        store.forget_commands()
        store.heartbeat(state="queued", message="starting again", pid=None, pid_started=None, host=platform.node())
        store.event("info", "resumed from the last checkpoint")
        worker = row["worker"] or [sys.executable, "-m", "wmplay.training.worker"]
        _spawn(store, job.path, job.id, worker, Path(row["cwd"] or "."))


def control(job_id: str, command: str) -> None:
    """Tell a job to `pause`, `resume`, `save` or `stop`; it obeys between two steps. Raises UsageError if it cannot."""
    if command not in COMMANDS:
        raise UsageError(f"There is no command {command!r} for a job; there are {', '.join(COMMANDS)}.")
    job = find_job(job_id)
    if command == "resume" and job.state != "paused":
        resume(job_id)
        return
    if job.state in ("done", "stopped", "failed") or (job.state == "dead" and command != "stop"):
        raise UsageError(f"The job {job.id} is {job.state}: there is nothing to {command}.")
    with RunStore(job.path / "train" / RUN_FILE, write=True, run=job.id) as store:
        if job.state == "dead":
            store.heartbeat(state="stopped", message="given up after it died")
        else:
            store.send(command)


def list_jobs(active_only: bool = False) -> list[JobInfo]:
    """Every run of every slot of the home, those at work first, then the newest."""
    found = []
    for file in paths.home().glob(f"*/train/{RUN_FILE}"):
        slot_path = file.parents[1]
        if not slot_path.name.startswith("."):
            found += slot_jobs(slot_path)
    found = [job for job in found if job.active] if active_only else found
    return sorted(found, key=lambda job: (not job.active, -job.started))


def slot_jobs(slot_path: Path) -> list[JobInfo]:
    """The runs of one slot, the newest first. A damaged record counts as no runs at all."""
    file = slot_path / "train" / RUN_FILE
    try:
        with RunStore(file) as store:
            rows = store.runs()
    except WmplayError:
        return []
    return [describe(slot_path, row) for row in rows]


def find_job(name: str) -> JobInfo:
    """The job with this id, or whose id begins so, or the newest of the slot with this name. Raises NotFoundError."""
    listed = list_jobs()
    for matches in (
        [job for job in listed if job.id == name],
        [job for job in listed if job.slot == name],
        [job for job in listed if name and job.id.startswith(name)],
    ):
        if len({job.id for job in matches}) > 1 and matches[0].slot != name:
            raise UsageError(f"{name!r} could be the job {' or '.join(job.id for job in matches)}; type more of it.")
        if matches:
            return matches[0]
    known = ", ".join(f"{job.id} ({job.slot})" for job in listed[:8])
    raise NotFoundError(f"There is no job {name!r}; there are {known or 'none yet: wmplay train starts one'}.")


def describe(slot_path: Path, row: Mapping[str, Any]) -> JobInfo:
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


def logs(job_id: str, lines: int = 100) -> str:
    """The last lines of a job's log."""
    return _tail(Path(find_job(job_id).log), lines)


def follow_log(job_id: str, lines: int = 100, interval: float = 0.25) -> Iterator[str]:
    """The end of a job's log and then what is added to it, until the job ends."""
    job = find_job(job_id)
    log = Path(job.log)
    at = log.stat().st_size if log.exists() else 0
    yield _tail(log, lines) + "\n"
    for seen in watch(job.id, interval):
        if log.exists():
            with log.open("rb") as file:
                file.seek(at)
                new = file.read()
            at += len(new)
            if new:
                yield new.decode("utf-8", "replace")
        job = seen
    yield f"--- {job.id} is {job.state}{f': {job.last_error}' if job.last_error else ''}\n"


def watch(job_id: str, interval: float = 0.25) -> Iterator[JobInfo]:
    """The job again and again until it is done, stopped, failed or dead: the last one yielded says which."""
    first = find_job(job_id)
    while True:
        job = next((j for j in slot_jobs(first.path) if j.id == first.id), None)
        if job is None:
            raise NotFoundError(f"The job {first.id} is gone: its slot was deleted.")
        yield job
        if not job.active:
            return
        time.sleep(interval)


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


def _spawn(store: RunStore, slot_path: Path, run: str, worker: Sequence[str], cwd: Path) -> None:
    log = slot_path / "train" / LOG_FILE
    argv = [*worker, "--slot", str(slot_path), "--run", run]
    with atomic.writing(log):
        with log.open("a", encoding="utf-8") as file:
            file.write(_marker(run) + f" {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        pid = start_detached(argv, log, cwd)
    store.heartbeat(pid=pid, pid_started=started_at(pid))


def _marker(run: str) -> str:
    return f"--- run {run} starts"


def _last_error(slot_path: Path, job: JobInfo) -> str:
    """The line that says why a job ended badly: the last error of its log since its last start, else its last word."""
    tail = _tail(slot_path / "train" / LOG_FILE, 200).rpartition(_marker(job.id))[2]
    lines = [line.strip() for line in tail.splitlines()[1:] if line.strip()]
    for line in reversed(lines):
        if _ERROR_LINE.search(line):
            return line
    if job.state == "failed" and job.message:
        return job.message
    gone = "the process is gone without a word: killed, or out of memory"
    return f"{gone} (its last line: {lines[-1]})" if lines else gone


def _tail(path: Path, lines: int) -> str:
    """The last lines of a text file of any length, or nothing."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - lines * 400))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _refuse_second(slot_path: Path) -> None:
    active = [job for job in slot_jobs(slot_path) if job.active]
    if active:
        raise WmplayError(
            f"The slot {slot_path.name} is being trained by the job {active[0].id}; stop it first: wmplay jobs stop"
            f" {active[0].id}."
        )
    if is_locked(slot_path):
        raise WmplayError(f"The slot {slot_path.name} is being written by another process; wait for it to end.")


def _new_id() -> str:
    taken = {job.id for job in list_jobs()}
    while True:
        run = "".join(secrets.choice(_LETTERS) for _ in range(4))
        if run not in taken and not run.isdigit():
            return run
