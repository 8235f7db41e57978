"""Workers are processes of their own: what they are given on their way."""

from __future__ import annotations

import os
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
