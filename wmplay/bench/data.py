"""How fast play is recorded, and how fast segments come back from memory-mapped episodes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from wmplay.bench.timing import Narrate, Row, row, take_turns
from wmplay.core.episodes import Dataset
from wmplay.core.recorder import Recorder
from wmplay.core.segments import SegmentSampler
from wmplay.core.spaces import ActionSpec, ObservationSpec

FRAME = ObservationSpec("frame", (64, 64, 3))
STEER = ActionSpec("box", low=(-1.0, 0.0, 0.0), high=(1.0, 1.0, 1.0))
# B×T of the segments that training asks for: recurrent, the report's, and single frames.
SHAPES = ((16, 64), (50, 50), (256, 1))
ROWS = 10_000


def record_noise(folder: Path, rows: int, streams: int = 8, length: int = 500) -> float:
    """Record about `rows` frames of noise in episodes of `length` steps; returns rows recorded per second."""
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


def sampling(folder: Path, batch: int, length: int, boundaries: str, seconds: float) -> list[float]:
    """Frames a second at which segments B×T come from this dataset, one figure for each turn."""
    sampler = SegmentSampler([Dataset(folder)], batch, length, 0, boundaries)  # type: ignore[arg-type]
    out = np.empty((batch, length, *FRAME.shape), np.uint8)

    def work() -> int:
        sampler.sample(out)
        return batch * length

    return take_turns({"sample": work}, seconds)["sample"]


def measure_data(seconds: float, say: Narrate) -> list[Row]:
    """Rows of recording and of sampling, 64×64 frames from the system's cache. seconds: for each figure."""
    rows = []
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where) / "noise"
        say(f"data: recording {ROWS:,} frames")
        rows.append(row("recording", [record_noise(folder, ROWS)], "frames/s", batch=8))
        for boundaries in ("cross", "pad"):
            for batch, length in SHAPES:
                say(f"data: segments {batch}×{length}")
                figures = sampling(folder, batch, length, boundaries, seconds / 2)
                what = f"segments of {length}, {boundaries}"
                rows.append(row(what, figures, "frames/s", batch=batch, length=length))
    return rows
