"""The texts around the picture in the terminal: HUD, notice, curve and key line as Rich text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from wmplay.play.hud import Hud, error
from wmplay.play.view import View

TONES = {"plain": "#d3d8e2", "quiet": "#9aa3b2", "good": "#86b98a", "warn": "#e2b56b", "alert": "#dd7f7f"}
LABEL, KEY, LINE, CURVE = "#7d8798", "#e2b56b", "#2b3443", "#7aa2c9"
BARS = " ▁▂▃▄▅▆▇█"
GAP = 2


def key_lines(keys: Sequence[tuple[str, str]], width: int, every: bool) -> Text:
    """Keys and what they do, no pair broken: one line that keeps the last two (help, quit), or as many as it takes."""
    sizes = [len(cap) + 1 + len(does) + GAP for cap, does in keys]
    shown = list(range(len(keys)))
    if not every:
        room = width - sum(sizes[-2:])
        shown = [index for index in shown[:-2] if sum(sizes[: index + 1]) <= room] + shown[-2:]
    text, used = Text(no_wrap=True), 0
    for index in shown:
        cap, does = keys[index]
        if used and used + sizes[index] - GAP > width:
            text.append("\n")
            used = 0
        text.append(f"{cap} ", KEY).append(does, LABEL).append(" " * GAP)
        used += sizes[index]
    return text


def notice(view: View) -> Text:
    text = Text(justify="center", no_wrap=True, overflow="ellipsis")
    text.append(view.notice, "bold " + TONES["plain"])
    return text.append(f"  {view.detail}", LABEL) if view.detail else text


def side(title: str, hud: Hud, width: int) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    name, _, subtitle = title.partition(" · ")
    text.append(name + "\n", "bold " + TONES["plain"]).append(subtitle + "\n\n", LABEL)
    for column in hud:
        for item in column:
            gap = max(1, width - len(item.label) - len(item.value))
            text.append(item.label, TONES["alert"] if item.label[0] == "●" else LABEL).append(" " * gap)
            text.append(item.value + "\n", TONES[item.tone])
        text.append("─" * width + "\n", LINE)
    return text


def strip(hud: Hud, width: int) -> Text:
    """The columns side by side, for pictures that need the whole width."""
    text = Text(no_wrap=True, overflow="ellipsis")
    sizes = [max(len(item.label) + 1 + len(item.value) for item in column) for column in hud]
    gap = max(1, min((width - sum(sizes)) // max(len(hud) - 1, 1), 12))
    for row in range(max(len(column) for column in hud)):
        for column, size in zip(hud, sizes, strict=True):
            label, value, tone = "", "", "plain"
            if row < len(column):
                label, value, tone = column[row].label, column[row].value, column[row].tone
            text.append(f"{label} ", LABEL).append(value, TONES[tone])
            text.append(" " * (size + gap - len(label) - 1 - len(value) if column is not hud[-1] else 0))
        text.append("\n")
    return text


def one_line(hud: Hud, width: int) -> Text:
    """The most telling figures in one line: the step, a session's own (a twin's drift), then the others that fit."""
    episode, *others = hud
    own = others[-1] if len(others) > 2 else ()
    order = [episode[0], *own, *episode[1:], *(item for column in others for item in column if column is not own)]
    text, used = Text(no_wrap=True), 0
    for item in order:
        length = len(item.label) + 1 + len(item.value)
        if used + length > width:
            break
        text.append(f"{item.label} ", LABEL).append(item.value, TONES[item.tone]).append(" " * GAP)
        used += length + GAP
    return text


def curve(view: View, width: int) -> Text:
    """The curve as three lines of eighth blocks under its title, one column a step, the newest at the right."""
    values = view.curve[-width:]
    text = Text(no_wrap=True).append(view.curve_title, LABEL)
    if not values:
        return text
    top = max(*values, 1e-6)
    text.append(f"   {error(values[-1])}   peak {error(top)}\n", TONES["quiet"])
    eighths = [round(24 * value / top) for value in values]
    for floor in (16, 8, 0):
        text.append("".join(BARS[min(max(height - floor, 0), 8)] for height in eighths) + "\n", CURVE)
    return text
