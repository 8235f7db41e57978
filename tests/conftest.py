"""What every test may use: a home of its own and the command line as a user runs it, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wmplay.core.processes import patient_threads

# Before any test loads torch: each of the tests that run side by side has its share of the cores, and so have the
# processes it starts. Threads that wait for one another's cores take twice as long.
patient_threads()
if side_by_side := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(side_by_side))))

# A shell's job in the background, `make test &`, is deaf to Ctrl-C, and what it starts inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code and what it said."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The JSON document on stdout."""
        return json.loads(self.stdout)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty WMPLAY_HOME for this test and for every process it starts."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("WMPLAY_HOME", str(folder))
    return folder


@pytest.fixture
def run_cli(tmp_path: Path) -> Callable[..., Outcome]:
    """`run_cli("slots", "--json")` runs `python -m wmplay slots --json` with the environment as it is now.

    Keywords: `env` (variables to add), `input` (text for standard input, which else is empty), `timeout` in seconds.
    """

    def run(*args: object, env: Mapping[str, str] | None = None, input: str = "", timeout: float = 120) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "wmplay", *map(str, args)],
            env={**os.environ, **(env or {})},
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=tmp_path,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
