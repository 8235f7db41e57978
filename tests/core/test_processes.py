"""Workers are processes of their own: what they are given on their way."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from wmplay.core.processes import KEEP_MEMORY, start_detached


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_a_worker_keeps_its_memory_and_the_user_has_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, every training step asks the system for its large arrays anew, a fifth of its time."""
    mine, given = sorted(KEEP_MEMORY)
    monkeypatch.setenv(mine, "123")
    log = tmp_path / "log.txt"
    code = f"import os; print(os.environ[{mine!r}], os.environ[{given!r}])"
    child = start_detached([sys.executable, "-c", code], log)
    os.waitpid(child, 0)
    assert log.read_text().split() == ["123", KEEP_MEMORY[given]]


FAULTS = """
import resource, sys
import numpy as np
from wmplay.core.processes import keep_memory
if sys.argv[1] == "keep":
    keep_memory()
def work():
    for _ in range(20):
        np.ones(8 << 20, np.uint8), np.ones(48 << 20, np.uint8)
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another library manages memory here")
def test_memory_that_is_kept_is_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of training would pay for its pages again and again; what the user has set for malloc stays."""

    def faults(*how: str) -> int:
        return int(
            subprocess.run([sys.executable, "-c", FAULTS, *how], capture_output=True, check=True, text=True).stdout
        )

    for name in KEEP_MEMORY:
        monkeypatch.delenv(name, raising=False)
    assert faults("keep") < faults("as it is") / 10
    monkeypatch.setenv(sorted(KEEP_MEMORY)[0], str(128 << 10))
    assert faults("keep") > 1000
