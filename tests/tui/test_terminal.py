"""The whole dashboard in a real terminal: up within a second or two, and the terminal is whole again after it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
PAINT_S = 8.0  # a loaded test machine; the figure of an idle one is measured apart


class Terminal:
    """A tmux session of its own server with a shell in it."""

    def __init__(self, socket: Path, columns: int, rows: int, environment: dict[str, str]) -> None:
        self._base = ["tmux", "-S", str(socket), "-f", os.devnull]
        self._environment = environment
        self.run("new-session", "-d", "-s", "t", "-x", str(columns), "-y", str(rows), "env", "PS1=ready$ ", "sh")

    def run(self, *args: str) -> str:
        done = subprocess.run(
            [*self._base, *args], capture_output=True, text=True, timeout=10, check=True, env=self._environment
        )
        return done.stdout

    def keys(self, *keys: str) -> None:
        self.run("send-keys", "-t", "t", *keys)

    def until(self, text: str, seconds: float = PAINT_S) -> float:
        """Wait for this text on the screen; returns the seconds it took."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if text in self.run("capture-pane", "-p", "-t", "t"):
                return time.monotonic() - begin
            time.sleep(0.02)  # a terminal has no event to wait for
        raise AssertionError(f"{text!r} did not appear:\n" + self.run("capture-pane", "-p", "-t", "t"))


@pytest.fixture
def terminal(tmp_path: Path, home: Path) -> Iterator[Terminal]:
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "TMUX")}
    made = Terminal(tmp_path / "s", 80, 24, environment)
    try:
        made.until("ready$")
        yield made
    finally:
        made.run("kill-server")


def test_it_opens_answers_and_gives_the_terminal_back(terminal) -> None:
    """A newcomer types the command, sees the games, leaves by q and has a shell as before."""
    terminal.keys(f"{sys.executable} -m wmplay; echo left with $?", "Enter")
    terminal.until("Slots")
    terminal.until("Grid World")
    terminal.until("open loop")  # the first slot that ships is read and selected
    terminal.keys("1")
    terminal.until("wmplay/GridWorld-v0")
    terminal.keys("Down")
    terminal.until("wmplay/CarRacing-v0")
    terminal.keys("?")
    terminal.until("Every key acts on what is selected")
    terminal.keys("Escape")
    terminal.until("wmplay/CarRacing-v0")
    terminal.keys("q")
    terminal.until("left with 0")
    assert terminal.run("display-message", "-p", "-t", "t", "#{alternate_on}#{mouse_any_flag}").strip() == "00"
    terminal.keys("echo whole", "Enter")
    terminal.until("\nwhole")
