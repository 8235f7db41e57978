"""The one door for work that is a list of independent pieces: it has the shape of `concurrent.futures`.

This machine's processes serve behind it today; anything else with `submit` and futures can. Pieces are functions of a
module with plain arguments, small, seeded, and may be repeated.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import Executor, ProcessPoolExecutor


def executor(workers: int | None = None) -> Executor:
    """Processes of this machine, one for each core unless told otherwise; each computes on one thread."""
    return ProcessPoolExecutor(
        workers or os.cpu_count() or 1, mp_context=multiprocessing.get_context("spawn"), initializer=_alone
    )


def _alone() -> None:
    """A process beside as many others as there are cores gains nothing from threads of its own."""
    import torch

    torch.set_num_threads(1)
