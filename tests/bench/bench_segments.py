"""How fast segments come from memory-mapped episodes: `python tests/bench/bench_segments.py [--gigabytes 5] [--cold]`.

The figure to hold is 50,000 frames/s at 64×64. `--cold` drops the file from the page cache first (where the system
allows it), so that the disk is measured too; `--memory GB` caps this process's memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
from pathlib import Path

from wmplay.bench.data import record_noise, sampling


def drop_cache(folder: Path) -> None:
    """Ask the system to forget the cached pages of these files, so that the next read comes from the disk."""
    for path in folder.rglob("*.npy"):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--memory", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--folder", type=Path, default=None, help="where to make the data; else a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as where:
        folder = Path(where) / "noise"
        recorded = record_noise(folder, int(options.gigabytes * 1e9 / (64 * 64 * 3)))
        if options.memory:
            # Mapped files count as address space but not as data: this bounds what the process itself holds.
            limit = int(options.memory * 1e9)
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        rows = [{"what": "recorded", "frames_per_s": round(recorded)}]
        for boundaries in ("cross", "pad"):
            for batch, length in ((16, 64), (50, 50), (32, 1), (256, 1)):
                if options.cold:
                    drop_cache(folder)
                rates = sampling(folder, batch, length, boundaries, options.seconds)
                rows.append(
                    {
                        "what": f"{boundaries} {batch}x{length}" + (" cold" if options.cold else ""),
                        "median": round(statistics.median(rates)),
                        "low": round(min(rates)),
                        "high": round(max(rates)),
                        "n": len(rates),
                    }
                )
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
