"""Which devices and precisions there may be, known without importing torch, and the queue of runs for a device."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from wmplay.core import atomic, paths
from wmplay.core.processes import is_alive, started_at

NAMES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bf16")


def choices() -> list[str]:
    """Device names worth offering here. A guess from the machine, not from torch: `wmplay.devices.resolve` decides."""
    found = ["auto", "cpu"]
    if Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidia0").exists() or "CUDA_PATH" in os.environ:
        found.append("cuda")
    if sys.platform == "darwin" and platform.machine() == "arm64":
        found.append("mps")
    return found


@contextlib.contextmanager
def device_turn(
    device: str, run: str, waiting: Callable[[int], bool | None] | None = None, interval: float = 0.5
) -> Iterator[bool]:
    """Hold a device (`cpu`, `cuda`, `mps`) as long as the context lasts; until then wait, first come, first served.

    waiting(ahead) is called every `interval` seconds with the number of runs before this one; if it returns True the
    wait is given up and the context yields False. A waiting or holding process that dies gives up its place by dying.
    """
    folder = paths.locks_dir() / f"queue-{device}"
    with atomic.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    ticket = folder / f"{time.time_ns():020d}-{run}.json"
    lock = FileLock(paths.locks_dir() / f"device-{device}.lock")
    atomic.write_json(ticket, {"pid": os.getpid(), "started": started_at(os.getpid())})
    held = False
    try:
        while not held:
            ahead = _ahead(folder, ticket)
            if not ahead:
                with contextlib.suppress(Timeout):
                    lock.acquire(timeout=0)
                    held = True
                    break
            if waiting is not None and waiting(max(ahead, 1)):
                break
            time.sleep(interval)
        ticket.unlink(missing_ok=True)
        yield held
    finally:
        ticket.unlink(missing_ok=True)
        if held:
            lock.release()


def _ahead(folder: Path, ticket: Path) -> int:
    """How many living processes drew a ticket before this one; tickets of dead ones are thrown away."""
    count = 0
    for other in sorted(folder.glob("*.json")):
        if other.name >= ticket.name:
            break
        try:
            owner = json.loads(other.read_bytes())
            alive = is_alive(owner["pid"], owner["started"])
        except (OSError, ValueError, KeyError, TypeError):
            alive = False
        if alive:
            count += 1
        else:
            other.unlink(missing_ok=True)
    return count
