"""Starts wmplay commands for the dashboard: always as processes of their own, so that nothing they do can harm it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

ANSWER_LINES = 400


def argv(args: Sequence[str]) -> list[str]:
    """The full command line of `wmplay ARGS…`, run by this very Python."""
    return [sys.executable, "-m", "wmplay", *args]


def shown(args: Sequence[str]) -> str:
    """The command as a person would type it."""
    import shlex

    return shlex.join(["wmplay", *args])


def has_display() -> bool:
    """Whether a window can be opened here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def call(args: Sequence[str]) -> tuple[int, str]:
    """Run a short command to its end (call from a thread); returns its exit code and all it said."""
    try:
        done = subprocess.run(
            argv(args), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        return 1, f"{shown(args)} could not be started: {error}"
    said = "\n".join(part for part in (done.stdout.strip(), done.stderr.strip()) if part)
    return done.returncode, "\n".join(said.splitlines()[-ANSWER_LINES:])


def in_this_terminal(args: Sequence[str]) -> tuple[int, str]:
    """Run a command that takes the whole terminal (the app is suspended); returns its exit code and a word on it.

    It draws on stderr, so that its errors cannot be caught: they stay on the screen until the person has read them.
    """
    sys.stderr.write(f"{shown(args)} opens here…\n")
    sys.stderr.flush()
    try:
        code = subprocess.run(argv(args), check=False).returncode
    except OSError as error:
        return 1, f"{shown(args)} could not be started: {error}"
    if code in (0, 130):
        return code, ""
    sys.stderr.write("\nPress Enter to go back to the dashboard. ")
    sys.stderr.flush()
    sys.stdin.readline()
    return code, f"{shown(args)} ended with exit code {code}; what it said stands in the terminal, above the dashboard."
