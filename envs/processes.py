"""What games in processes of their own have in common, whoever's games they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

# Seconds a process has to leave by itself once nobody talks to it any more.
PATIENCE = 2.0


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end(pipes: Sequence[Connection], processes: Sequence[BaseProcess]) -> None:
    """Close our ends of the pipes, which tells the processes to leave, and end those that do not."""
    for pipe in pipes:
        pipe.close()
    for process in processes:
        process.join(timeout=PATIENCE)
        if process.is_alive():
            process.terminate()
            process.join()
