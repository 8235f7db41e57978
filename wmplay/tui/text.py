"""How the dashboard writes numbers, times and states: short, and the same everywhere."""

from __future__ import annotations

import time

STATE_GLYPHS = {
    "running": ("●", "success"),
    "queued": ("◌", "secondary"),
    "paused": ("‖", "warning"),
    "done": ("✓", "primary"),
    "stopped": ("■", "foreground-muted"),
    "failed": ("✗", "error"),
    "dead": ("✗", "error"),
    "ended": ("■", "foreground-muted"),
}
PARTS = " ▏▎▍▌▋▊▉█"


def plain_name(game: str) -> str:
    """ALE/Pong-v5 → ALE-Pong-v5: a game's name in the letters that slots and variants are named in."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in game).strip("-.")


def count(value: float) -> str:
    """1234567 → 1.2M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            short = value / (limit if unit != "k" else 1e3)
            return f"{short:.0f}{unit}" if short >= 100 else f"{short:.1f}{unit}"
    return f"{value:.0f}"


def size(value: float) -> str:
    """Bytes in powers of 1000."""
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= limit:
            return f"{value / limit:.1f} {unit}"
    return f"{value:.0f} B"


def duration(seconds: float | None) -> str:
    """Seconds as 42s, 3m 10s, 2h 05m; empty when unknown."""
    if seconds is None or seconds < 0:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def ago(moment: float, now: float | None = None) -> str:
    """How long ago a moment (seconds since the epoch) was."""
    if not moment:
        return ""
    seconds = max(0.0, (time.time() if now is None else now) - moment)
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86400:
        return f"{seconds // 3600:.0f} h ago"
    return f"{seconds // 86400:.0f} d ago"


def bar(share: float, width: int) -> str:
    """A progress bar of `width` cells, in eighths of a cell."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (PARTS[rest] if rest else "")).ljust(width)


def fit(text: str, width: int) -> str:
    """The text in exactly `width` cells, cut with an ellipsis where it is longer."""
    if width <= 0:
        return ""
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
