"""Commands: jobs (list, show, pause, resume, stop, save, logs)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from wmplay.cli.output import emit_json, say, table

if TYPE_CHECKING:
    from wmplay.core.jobs import JobInfo

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Job = Annotated[str, typer.Argument(help="The job's id, the start of it, or the name of its slot.")]

jobs = typer.Typer(help="Training in the background: list, show, pause, resume, stop, save, logs.")


@jobs.command("list")
@jobs.callback(invoke_without_command=True)
def list_all(
    context: typer.Context,
    json: Json = False,
    active: Annotated[bool, typer.Option("--active", help="Only those that are queued, running or paused.")] = False,
) -> None:
    """List the jobs, those at work first."""
    if context.invoked_subcommand is not None:
        return
    from wmplay.core.jobs import list_jobs

    found = list_jobs(active_only=active)
    if json:
        emit_json([job.to_json() for job in found])
        return
    columns = ("id", "slot", "game", "family", "state", "phase", "progress", "left", "message")
    table([row(job) for job in found], columns, empty="No jobs yet: wmplay train starts one.")


@jobs.command("show")
def show(job: Job, json: Json = False) -> None:
    """Everything about one job: where it is, its latest figures, what happened."""
    from wmplay.core.jobs import find_job
    from wmplay.core.runs import RUN_FILE, RunStore

    found = find_job(job)
    with RunStore(found.path / "train" / RUN_FILE, run=found.id) as store:
        metrics, events = store.latest(), store.events(20)
    if json:
        emit_json({**found.to_json(), "metrics": metrics, "events": events})
        return
    shown = {**row(found), "device": found.device, "frames/s": _round(found.frames_per_second), "pid": found.pid,
             "started": clock(found.started), "updated": clock(found.updated), "log": found.log,
             "command": " ".join(found.command)}  # fmt: skip
    shown.update({f"metric {name}": f"{value:.5g}" for name, value in metrics.items()})
    shown.update({f"{clock(event['time'])}": f"{event['level']}: {event['text']}" for event in events})
    table([{"field": k, "value": v} for k, v in shown.items() if v not in ("", None)], ("field", "value"))


@jobs.command("pause")
def pause(job: Job) -> None:
    """Pause a job; it keeps its place and costs no CPU."""
    _tell(job, "pause", "will pause after the step it is in")


@jobs.command("resume")
def resume(job: Job) -> None:
    """Let a paused job go on, or take up a dead, stopped or failed one from its last checkpoint."""
    from wmplay.core.jobs import find_job, resume

    found = find_job(job)
    resume(found.id)
    say(f"{found.id} goes on" + (" from its last checkpoint." if found.state != "paused" else "."))


@jobs.command("stop")
def stop(job: Job) -> None:
    """Stop a job; it saves first, and can be resumed later."""
    _tell(job, "stop", "will save and stop after the step it is in")


@jobs.command("save")
def save(job: Job) -> None:
    """Make a job save now."""
    _tell(job, "save", "will save after the step it is in")


@jobs.command("logs")
def logs(
    job: Job,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many lines from the end.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing until the job ends.")] = False,
) -> None:
    """Print the end of a job's log."""
    from wmplay.core.jobs import find_job, follow_log
    from wmplay.core.jobs import logs as tail

    found = find_job(job)
    if not follow:
        typer.echo(tail(found.id, lines))
        return
    for text in follow_log(found.id, lines):
        typer.echo(text, nl=False)


def row(job: JobInfo) -> dict[str, object]:
    """A job as a row of the table."""
    message = job.last_error or job.message
    return {
        "id": job.id,
        "slot": job.slot,
        "game": job.game,
        "family": job.family,
        "state": job.state,
        "phase": job.phase,
        "progress": f"{job.progress:.0%}",
        "left": span(job.seconds_left) if job.active else "",
        "message": message,
    }


def span(seconds: float | None) -> str:
    """A stretch of time for people: 3:05 or 1:02:03."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock(when: float) -> str:
    """A time of day, with the date where it is not today."""
    local = time.localtime(when)
    today = time.strftime("%Y-%m-%d", local) == time.strftime("%Y-%m-%d")
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M", local)


def _tell(job: str, command: str, answer: str) -> None:
    from wmplay.core.jobs import control, find_job

    found = find_job(job)
    control(found.id, command)
    say(f"{found.id} {answer}.")


def _round(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def register(app: typer.Typer) -> None:
    """Add these commands to the app."""
    app.add_typer(jobs, name="jobs")
