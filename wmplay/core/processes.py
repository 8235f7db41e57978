"""Whether a process is the one it was, and how to start one that outlives us."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Start times of one process, read twice, may differ by the rounding of the boot time.
_SAME = 2.0


def started_at(pid: int) -> float | None:
    """When the process with this id was started (seconds since 1970), or None if there is none, or only its zombie."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def is_alive(pid: int | None, pid_started: float | None) -> bool:
    """Whether this very process is there: the id alone may have been given to another one since."""
    if not pid:
        return False
    found = started_at(pid)
    return found is not None and (pid_started is None or abs(found - pid_started) < _SAME)


# A training allocates and frees the same large arrays in every step. As glibc is set up, each goes back to the system
# and comes back page by page: a fifth of a step's time where page faults are dear, as in a virtual machine.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(4 << 30), "MALLOC_TRIM_THRESHOLD_": str(16 << 30)}
# The same two by their numbers in malloc.h, and what glibc's own thresholds grow to where arrays are large.
_MMAP, _TRIM = -3, -1
_KEPT, _GROWN = {_MMAP: (1 << 31) - 1, _TRIM: (1 << 31) - 1}, {_MMAP: 32 << 20, _TRIM: 64 << 20}


def keep_memory(keep: bool = True) -> None:
    """From now on, what `KEEP_MEMORY` is for a new process; False: back to how glibc is by itself.

    Nothing happens where memory is managed by another library, or the user has chosen these settings.
    """
    if set(KEEP_MEMORY) & set(os.environ):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return
    for setting, value in (_KEPT if keep else _GROWN).items():
        mallopt(ctypes.c_int(setting), ctypes.c_int(value))


def patient_threads() -> None:
    """Set how torch's threads wait for each other; to be called before torch is imported.

    They spin for some microseconds, which steps of many small pieces need (1.5 times as fast on two cores as sleeping
    at once), and then sleep: threads that spin on cost a factor of ten to a hundred as soon as a game, a window or the
    dashboard wants one of the cores.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")


def start_detached(argv: Sequence[str], log: Path, cwd: Path | None = None) -> int:
    """Start a process in a session of its own, without input, its output added to `log`; returns its id.

    It goes on when its starter, the terminal or the dashboard ends. It is given `KEEP_MEMORY`, unless the user has set
    the same. Raises OSError.
    """
    environment = {**KEEP_MEMORY, **os.environ}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as output:
        where = str(cwd) if cwd is not None and cwd.is_dir() else None
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=where, env=environment, **apart
        )
    # Nobody will wait for it: without this, Python warns about a child that still runs.
    child.returncode = 0
    return child.pid
