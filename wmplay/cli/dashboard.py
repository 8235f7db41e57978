"""`wmplay` alone: opens the dashboard."""

from __future__ import annotations

import sys

from wmplay.core.errors import UsageError


def open_dashboard() -> None:
    """Open the Textual dashboard; without a terminal say what to run instead."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The dashboard needs a terminal; run `wmplay --help` for the commands that do not.")
    from wmplay.tui.app import run

    run()
