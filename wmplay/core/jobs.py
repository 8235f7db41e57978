"""Training in the background: start, list, watch and steer workers, whoever started them, alive or not."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wmplay.core import atomic, paths
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.job_state import ACTIVE, ENDED, LOG_FILE, JobInfo, describe_all, marker, tail
from wmplay.core.processes import start_detached, started_at
from wmplay.core.run_file import new_run_id
from wmplay.core.runs import COMMANDS, RUN_FILE, RunStore
from wmplay.core.slots import find_slot, is_locked

__all__ = [
    "ACTIVE",
    "ENDED",
    "LOG_FILE",
    "JobInfo",
    "control",
    "find_job",
    "follow_log",
    "list_jobs",
    "logs",
    "resume",
    "slot_jobs",
    "start",
    "watch",
]


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
            return describe_all(slot_path, store.runs)
    except WmplayError:
        return []


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


def logs(job_id: str, lines: int = 100) -> str:
    """The last lines of a job's log."""
    return tail(Path(find_job(job_id).log), lines)


def follow_log(job_id: str, lines: int = 100, interval: float = 0.25) -> Iterator[str]:
    """The end of a job's log and then what is added to it, until the job ends."""
    job = find_job(job_id)
    log = Path(job.log)
    at = log.stat().st_size if log.exists() else 0
    yield tail(log, lines) + "\n"
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


def _spawn(store: RunStore, slot_path: Path, run: str, worker: Sequence[str], cwd: Path) -> None:
    log = slot_path / "train" / LOG_FILE
    argv = [*worker, "--slot", str(slot_path), "--run", run]
    with atomic.writing(log):
        with log.open("a", encoding="utf-8") as file:
            file.write(marker(run) + f" {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        pid = start_detached(argv, log, cwd)
    store.heartbeat(pid=pid, pid_started=started_at(pid))


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
    while (run := new_run_id()) in taken:
        pass
    return run
