"""How fast segments come from more data than memory holds: as from a user's own long recordings on a small machine."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from wmplay.bench.data import record_noise, sampling
from wmplay.bench.memory import memory_group, run_in
from wmplay.bench.timing import Narrate, Row, row
from wmplay.core import paths
from wmplay.core.errors import UsageError

# B×T of the segments: what recurrent families train on, and single frames, the hardest for a disk.
SHAPES = ((16, 32), (64, 32), (16, 64), (32, 1), (256, 1))


def measure_large(gigabytes: float, memory: float, seconds: float, say: Narrate) -> list[Row]:
    """Rows of sampling 64×64 frames from a dataset of so many GB with so many GB of memory, page cache included.

    Where no control group can be made the memory is not limited; the data's pages are dropped from the system's cache
    before each figure instead, and `memory` says so. seconds: for each figure, after as many to fill the memory.
    The data is made in wmplay's home, where a user's data lies, and goes again.
    """
    check_room(gigabytes)
    with tempfile.TemporaryDirectory(dir=paths.home(), prefix=".bench-") as where:
        folder = Path(where) / "noise"
        say(f"data: recording {gigabytes:g} GB")
        record_noise(folder, int(gigabytes * 1e9 / (64 * 64 * 3)))
        forget(folder)
        with memory_group(int(memory * 1e9)) as group:
            if group is None:
                say("data: memory cannot be limited here (that takes Linux and root); every figure begins uncached")
            say(f"data: segments, with {memory:g} GB of memory")
            found = run_in(group, [sys.executable, "-m", "wmplay.bench.large", str(folder), str(seconds)])
    limit = f"{memory:g} GB" if group is not None else "not limited, uncached"
    return [
        row(f"segments of {r['length']}, {r['boundaries']}, {gigabytes:g} GB", r["figures"], "frames/s",
            batch=r["batch"], length=r["length"], memory=limit)
        for r in json.loads(found)
    ]  # fmt: skip


def check_room(gigabytes: float) -> None:
    """Raises UsageError where the data would not fit on the disk."""
    paths.home().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(paths.home()).free / 1e9
    if gigabytes * 1.05 > free - 1:
        raise UsageError(f"{gigabytes:g} GB of data need more room than the {free:.1f} GB free in {paths.home()}.")


def forget(folder: Path) -> None:
    """Ask the system to drop these files from its cache, where it takes such requests."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in folder.rglob("*.npy"):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def main(folder: Path, seconds: float) -> None:
    """Print the figures as JSON; run in a process of its own, that all its memory may count."""
    found = []
    for boundaries in ("cross", "pad"):
        for batch, length in SHAPES:
            forget(folder)
            sampling(folder, batch, length, boundaries, seconds)  # what is left of the cache settles
            figures = sampling(folder, batch, length, boundaries, seconds)
            found.append({"boundaries": boundaries, "batch": batch, "length": length, "figures": figures})
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
