"""What the large pane says in words about a game, a job or a slot."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from wmplay.tui.snapshot import Detail, Health, Snapshot, Subject
from wmplay.tui.text import ago, bar, count, duration, size
from wmplay.tui.widgets.rows import MUTED, glyph

Part = str | tuple[str, str] | Content
LABEL = 9
LIGHTS = {"ok": ("●", "$success"), "look": ("●", "$warning"), "bad": ("●", "$error"), "unknown": ("○", MUTED)}


def facts(state: Snapshot, subject: Subject) -> Content:
    """The facts about the selection."""
    if not state.exists(subject):
        return Content.styled("It is no longer there.", MUTED)
    told = {"game": _game, "job": _job, "slot": _slot}[subject.kind](state, subject.key)
    mine = state.detail is not None and state.detail.subject == subject
    health = state.detail.health if state.detail is not None and mine else None
    if health is None:
        return told
    # Of a job one first wants to know whether it goes on; of a slot whether the model is any good.
    return _lines([told, light(health)] if subject.kind == "job" else [light(health), told])


def light(health: Health) -> Content:
    """The model doctor's light: green, amber or red, why, and what to do about it."""
    if health.light == "examining":
        return _line("model", ("◌ the doctor looks at it next", MUTED))
    sign, colour = LIGHTS[health.light]
    older = () if health.current else ((" (weights of a moment ago)", MUTED),)
    said = _line("model", (f"{sign} {health.light}", f"bold {colour}"), f"  {health.sentence}", *older)
    return _lines([said, Content.styled(health.remedy, MUTED)]) if health.remedy else said


def hint(state: Snapshot, subject: Subject, detail: Detail | None) -> str:
    """What stands in the place of curves that are not there."""
    if detail is None:
        return "reading…"
    if subject.kind == "job":
        return "The curves begin with the first training step."
    slot = state.slot(subject.key)
    if slot is not None and slot.ok:
        return "This slot came without its training curves." if slot.shipped else "No training curves yet."
    return ""


def _line(label: str, *parts: Part) -> Content:
    return Content.assemble((label.ljust(LABEL), MUTED), *parts)


def _lines(lines: Sequence[Content]) -> Content:
    return Content("\n").join(lines)


def _game(state: Snapshot, key: str) -> Content:
    row = state.game(key)
    assert row is not None
    lines = [
        _line("id", row.id),
        _line("shows", f"{row.observation or 'not known before it is made'}, {row.fps or '?'} frames a second"),
        _line("takes", row.actions or "not known before it is made"),
        _line("players", ", ".join(row.players) + (f"; expert: {row.expert}" if row.expert else "")),
    ]
    if row.params:
        lines.append(_line("with", ", ".join(f"{name}={value}" for name, value in row.params.items())))
    slots = [slot.name for slot in state.slots if slot.game in (row.short, row.id)]
    lines.append(_line("slots", ", ".join(slots) if slots else ("none yet: t trains one", MUTED)))
    lines.append(Content(""))
    mine = [data for data in state.datasets if data.game in (row.short, row.id)]
    if not mine:
        lines.append(_line("data", ("no recorded episodes yet: c collects some, R records you", MUTED)))
    for held_out, label in ((False, "data"), (True, "held out")):
        for data in (one for one in mine if one.held_out == held_out):
            figures = f"{count(data.steps):>7} steps  {size(data.size_bytes):>8}"
            told = (data.why, "$error") if data.why else (figures, MUTED)
            lines.append(_line(label, f"{data.name:<14} ", told))
            label = ""  # only the first line carries it
    return _lines(lines)


def _job(state: Snapshot, key: str) -> Content:
    row = state.job(key)
    assert row is not None
    sign, colour = glyph(row.state)
    phase = f"{row.phase}, phase {row.phase_index + 1} of {row.phases}" if row.phase and row.phases else row.phase
    speed = f"{count(row.frames_per_second)} frames/s" if row.frames_per_second else ""
    left = f"{duration(row.seconds_left)} left" if row.seconds_left is not None and row.state == "running" else ""
    about = (row.family, row.game, speed, row.device)
    lines = [
        Content.assemble((f"{sign} {row.state}", f"bold {colour}"), "  ", phase),
        Content.assemble((bar(row.progress, 24), "$primary on $panel"), f" {row.progress:.0%}", (f"  {left}", MUTED)),
        Content.styled(" · ".join(part for part in about if part), MUTED),
    ]
    if row.state in ("failed", "dead"):
        lines.append(
            Content.styled(row.last_error or row.message or "It ended without a word; l shows its log.", "$error")
        )
        lines.append(Content.styled("r resumes it from its last checkpoint.", MUTED))
    elif row.message:
        lines.append(Content(row.message))
    return _lines(lines)


def _slot(state: Snapshot, key: str) -> Content:
    row = state.slot(key)
    assert row is not None
    if not row.ok:
        return _lines([
            Content.styled("✗ This slot cannot be read.", "bold $error"),
            Content(row.why),
            Content.styled("k checks its files one by one; delete removes it after asking.", MUTED),
        ])  # fmt: skip
    lines = [
        _line("game", row.game),
        _line("family", f"{row.family} {row.preset}".strip()),
        _line("trained", f"{count(row.steps)} steps" if row.trained else ("not yet", MUTED)),
        _line("saved", ago(row.updated) or "never"),
        _line("size", size(row.size_bytes)),
    ]
    if row.lineage:
        lines.append(_line("from", row.lineage))
    if row.shipped:
        lines.append(_line("origin", "shipped"))
    if row.has_agent:
        lines.append(_line("agent", "trained: key a"))
    job = state.job_of(row.name)
    if job is not None:
        lines.append(_line("job", glyph(job.state), f" {job.state} {job.progress:.0%}"))
    wide = max((len(name) for name, _ in row.figures), default=0) + 2
    lines.extend(Content.assemble((name.ljust(wide), MUTED), value) for name, value in row.figures)
    if not (state.detail and state.detail.subject == Subject("slot", key) and state.detail.table):
        lines.append(Content.styled("no report card: e makes one", MUTED))
    return _lines(lines)


def table(rows: Sequence[Sequence[str]]) -> Content:
    """A report card's figures in columns, header first."""
    if not rows:
        return Content("")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for index, row in enumerate(rows):
        cells = " ".join(
            cell.rjust(max(4, width)) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append(Content.styled(cells, MUTED) if index == 0 else Content(cells))
    return _lines(lines)
