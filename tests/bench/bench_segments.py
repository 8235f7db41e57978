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
import time
from pathlib import Path

import numpy as np

from wmplay.core.episodes import Dataset
from wmplay.core.recorder import Recorder
from wmplay.core.segments import SegmentSampler
from wmplay.core.spaces import ActionSpec, ObservationSpec

FRAME = ObservationSpec("frame", (64, 64, 3))
STEER = ActionSpec("box", low=(-1.0, 0.0, 0.0), high=(1.0, 1.0, 1.0))


def make(folder: Path, rows: int, streams: int = 8, length: int = 500) -> float:
    """Record `rows` frames of noise in episodes of `length` steps; returns rows recorded per second."""
    pictures = np.random.default_rng(0).integers(0, 256, (streams, 64, 64, 3), dtype=np.uint8)
    lanes, actions = list(range(streams)), np.zeros((streams, 3), np.float32)
    rewards, go = np.zeros(streams, np.float32), np.zeros(streams, bool)
    begun, episode = time.perf_counter(), 0
    with Recorder(folder, "bench", {}, FRAME, STEER) as recorder:
        while recorder.rows < rows:
            recorder.begin_batch(lanes, pictures, list(range(episode, episode + streams)), "noise")
            episode += streams
            for t in range(1, length + 1):
                recorder.step_batch(lanes, pictures, actions, rewards, go, go | (t == length))
    return recorder.rows / (time.perf_counter() - begun)


def drop_cache(folder: Path) -> None:
    """Ask the system to forget the cached pages of these files, so that the next read comes from the disk."""
    for path in folder.rglob("*.npy"):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def measure(sampler: SegmentSampler, seconds: float) -> list[float]:
    """Frames per second of five stretches."""
    out = np.empty((sampler.batch, sampler.length, 64, 64, 3), np.uint8)
    rates = []
    for _ in range(5):
        begun, frames = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds / 5:
            sampler.sample(out)
            frames += sampler.batch * sampler.length
        rates.append(frames / (time.perf_counter() - begun))
    return sorted(rates)


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
        recorded = make(folder, int(options.gigabytes * 1e9 / (64 * 64 * 3)))
        if options.memory:
            # Mapped files count as address space but not as data: this bounds what the process itself holds.
            limit = int(options.memory * 1e9)
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        rows = [{"what": "recorded", "frames_per_s": round(recorded)}]
        for boundaries in ("cross", "pad"):
            for batch, length in ((16, 64), (50, 50), (32, 1), (256, 1)):
                if options.cold:
                    drop_cache(folder)
                sampler = SegmentSampler([Dataset(folder)], batch, length, 0, boundaries)  # type: ignore[arg-type]
                rates = measure(sampler, options.seconds)
                rows.append(
                    {
                        "what": f"{boundaries} {batch}x{length}" + (" cold" if options.cold else ""),
                        "median": round(statistics.median(rates)),
                        "low": round(rates[0]),
                        "high": round(rates[-1]),
                        "n": len(rates),
                    }
                )
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
