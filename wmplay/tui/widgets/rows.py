"""How one game, job or slot looks as a line of a list."""

from __future__ import annotations

from textual.content import Content

from wmplay.tui.snapshot import GameRow, JobRow, SlotRow, TaskRow
from wmplay.tui.text import STATE_GLYPHS, ago, bar, count, duration, fit, size

MUTED = "$foreground-muted"


def glyph(state: str) -> tuple[str, str]:
    """A state's sign and colour."""
    sign, colour = STATE_GLYPHS.get(state, ("?", "foreground-muted"))
    return sign, f"${colour}"


def game_row(row: GameRow, width: int) -> Content:
    """Title on the left, what it takes on the right."""
    kind = row.actions
    name = fit(row.title, width - len(kind) - 1)
    return Content.assemble(name + " ", (kind, MUTED))


def job_row(row: JobRow, width: int) -> Content:
    """State, slot, phase where there is room, progress, time left."""
    sign = glyph(row.state)
    if row.state in ("running", "paused"):
        right = f"{row.progress:4.0%}"
        if width >= 34:
            right = f"{bar(row.progress, 8)} {right}"
        left = duration(row.seconds_left) if row.state == "running" else row.state
        right += f" {left:>7}" if width >= 26 else ""
    else:
        right = row.state
    middle = fit(row.slot, max(6, width - len(right) - 3))
    if width >= 48:
        middle = fit(row.slot, width - len(right) - 17) + " " + fit(row.phase, 13)
    colour = "$primary" if row.state == "running" else sign[1]
    return Content.assemble(sign, " ", middle, " ", (right, colour))


def slot_row(row: SlotRow, width: int) -> Content:
    """Name, family, steps and size; a broken one says so."""
    if not row.ok:
        return Content.assemble(("✗", "$error"), " ", fit(row.name, width - 13), " ", ("unreadable", "$error"))
    right = f"{row.family:>9}"
    if width >= 40:
        right += f" {count(row.steps):>6} {size(row.size_bytes):>8}"
    if width >= 60:
        right += f" {ago(row.updated):>11}"
    mark = ("◆", "$accent") if row.shipped else ("◇", "$primary")
    return Content.assemble(mark, " ", fit(row.name, width - len(right) - 3), " ", (right, MUTED))


def task_line(row: TaskRow) -> Content:
    """A running command on one line."""
    return Content.assemble(glyph(row.state), f" {row.title}  ", (row.last_line, MUTED))
