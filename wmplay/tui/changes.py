"""What is worth telling when one snapshot follows another, and what to look at first."""

from __future__ import annotations

from wmplay.tui.snapshot import Kind, Snapshot, Subject


def first_subject(state: Snapshot, kind: Kind | None = None) -> Subject | None:
    """What a person most likely wants to see: a running job, else the newest slot, else a game; or one of a kind."""
    jobs = [row for row in state.jobs if kind == "job" or row.state in ("running", "queued", "paused")]
    slots = [row for row in state.slots if row.ok]
    if jobs and kind in (None, "job"):
        return Subject("job", jobs[0].id)
    if slots and kind in (None, "slot"):
        return Subject("slot", max(slots, key=lambda row: row.updated).name)
    return Subject("game", state.games[0].short) if state.games and kind in (None, "game") else None


def between(before: Snapshot, after: Snapshot, *, first: bool) -> list[tuple[str, str]]:
    """Lines for the log as (level, text). On the first snapshot only what stands out, not everything that is."""
    lines: list[tuple[str, str]] = []
    if first:
        lines.append(("info", f"{_count(len(after.slots), 'slot')}, {_count(len(after.jobs), 'job')} in {after.home}"))
    for job in after.jobs:
        old = before.job(job.id)
        if old is not None and old.state == job.state:
            continue
        if job.state in ("failed", "dead"):
            lines.append(("error", f"{job.slot} is {job.state}: {job.last_error or job.message or 'no last word'}"))
        elif first and job.state in ("done", "stopped"):
            continue
        else:
            level = "good" if job.state == "done" else "info"
            lines.append((level, f"{job.slot} is {job.state}" + (f", {job.phase}" if job.phase else "")))
    told = set(before.events)
    for event in after.events:
        # When the dashboard opens, only what runs at work said last is news.
        if event not in told and (not first or (event.at_work and event in after.events[-3:])):
            lines.append((event.level if event.level == "error" else "info", f"{event.slot}: {event.text}"))
    broken = {row.name for row in before.slots if not row.ok}
    for slot in after.slots:
        if not slot.ok and slot.name not in broken:
            lines.append(("error", f"the slot {slot.name} cannot be read: {slot.why}"))
    known = {task.id: task.state for task in before.tasks}
    for task in after.tasks:
        if known.get(task.id) == task.state or (first and task.state != "running"):
            continue
        if task.state == "running":
            lines.append(("info", f"{task.title}: started"))
        elif task.id in known:
            level = {"done": "good", "failed": "error"}.get(task.state, "info")
            lines.append((level, f"{task.title}: {task.state}" + (f", {task.last_line}" if task.last_line else "")))
    lines.extend(("error", problem) for problem in after.problems if problem not in before.problems)
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
