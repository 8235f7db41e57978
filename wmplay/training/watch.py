"""What `wmplay train --wait` shows: a Rich display of a job that lives on its own, and dies with nobody's terminal."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from wmplay.core import jobs
from wmplay.core.errors import WmplayError
from wmplay.core.jobs import JobInfo
from wmplay.core.runs import RUN_FILE, RunStore

# Figures worth a place in one line, in this order.
_SHOWN = ("loss", "reconstruction", "nll", "kl", "reward", "return")
# Cells of the bar, and of what stands between it, the phase and the figures (spinner, percentage, spaces).
_BAR, _BETWEEN = 20, 9


def watch(job_id: str, why: Mapping[str, str] = MappingProxyType({})) -> JobInfo:
    """Show the job until it ends, and return it as it ended. Without a terminal: a line at each phase, and for whatever
    else the worker begins.

    why: a sentence to say when a phase of that name begins, for people who see their first training.
    """
    console = Console(stderr=True)
    if not sys.stderr.isatty():
        return _lines(console, job_id, why)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(_BAR),
               TextColumn("{task.percentage:>3.0f}%"), TextColumn("{task.fields[detail]}"))  # fmt: skip
    with Progress(*columns, console=console, transient=False) as progress:
        task = progress.add_task("starting", total=1.0, detail="")
        job = jobs.find_job(job_id)
        told = 0
        for job in jobs.watch(job_id):
            told = _explain(progress.console, job, why, told)
            phase = _phase(job)
            detail = figures(job, console.width - len(phase) - _BAR - _BETWEEN)
            progress.update(task, completed=job.progress, description=phase, detail=detail)
    return job


def _lines(console: Console, job_id: str, why: Mapping[str, str]) -> JobInfo:
    said, told = "", 0
    job = jobs.find_job(job_id)
    for job in jobs.watch(job_id):
        told = _explain(console, job, why, told)
        now = re.sub(r"[\d,]", "", f"{job.state} {job.phase} {job.message}")  # a count that goes on is no news
        if now != said and job.active:
            line = f"{_phase(job)}: {job.message}" if job.message else _phase(job)
            console.print(line, highlight=False, markup=False, soft_wrap=True)
            said = now
    console.print(figures(job), highlight=False, markup=False, soft_wrap=True)
    return job


def _explain(console: Console, job: JobInfo, why: Mapping[str, str], told: int) -> int:
    """Say what each phase is for that began since `told` phases had; returns how many have begun by now."""
    try:
        with RunStore(job.path / "train" / RUN_FILE, run=job.id) as store:
            begun = store.phases_begun()
    except WmplayError:
        return told
    for phase in begun[told:]:
        if phase in why:
            console.print(f"      {why[phase]}", highlight=False, markup=False, soft_wrap=True)
    return len(begun)


def _phase(job: JobInfo) -> str:
    if job.state != "running":
        return job.state
    return f"{job.phase} {job.phase_index + 1}/{job.phases}" if job.phase else "starting"


def figures(job: JobInfo, room: int | None = None) -> str:
    """Losses, speed and time left in one line; while nothing is measured yet, what the worker says.

    room: cells there are for it. Where they are too few, losses are left out from the last one on, speed and time stay.
    """
    try:
        with RunStore(job.path / "train" / RUN_FILE, run=job.id) as store:
            latest = store.latest()
    except WmplayError:
        latest = {}
    losses = [f"{name} {latest[name]:.4g}" for name in _SHOWN if name in latest]
    parts = []
    if job.frames_per_second:
        parts.append(f"{job.frames_per_second:,.0f} frames/s")
    if job.seconds_left is not None and job.active:
        parts.append(f"{clock(job.seconds_left)} left")
    if job.message and job.active:
        parts.append(job.message)
    while room is not None and len(losses) > 1 and len(" · ".join(losses + parts)) > room:
        losses.pop()
    line = " · ".join(losses + parts)
    return line if room is None or len(line) <= room else line[: max(room - 1, 0)] + "…"


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


@contextmanager
def collecting_bar(total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar for collecting: call what it gives with the rows there are; it shows them and the frames/s."""
    columns = (TextColumn("collecting"), BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f} frames"),
               TextColumn("{task.fields[speed]:,.0f} frames/s"), TimeRemainingColumn())  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("collecting", total=total, speed=0.0)
        start: list[tuple[float, int]] = []

        def show(rows: int) -> None:
            now = time.monotonic()
            start[:] = start or [(now, rows)]
            speed = (rows - start[0][1]) / max(1e-6, now - start[0][0])
            progress.update(task, completed=rows, speed=speed)

        yield show
