"""A dataset as plain arrays for any other program, in the form that `array_data` reads back."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from wmplay.core import arrays, atomic
from wmplay.core.episodes import FIRST, TERMINATED, TRUNCATED, Dataset


def write_arrays(data: Dataset, path: Path) -> Path:
    """Write a dataset as arrays, to an .npz or a new folder, so that `read_arrays` gives the same episodes again."""
    first = (data.flags & FIRST) > 0
    step = ~first
    ends = np.where(data.flags & TERMINATED, 1, np.where(data.flags & TRUNCATED, 2, 0)).astype(np.uint8)
    # An episode that was cut off has no end flag of its own; in this form every episode needs one.
    lasts = [e.start + e.length - 1 for e in data.episodes if e.length > 1]
    ends[[row for row in lasts if not ends[row]]] = 2
    small: dict[str, np.ndarray] = {
        "actions": data.actions[step],
        "rewards": data.rewards[step],
        "ends": ends[step],
        "seeds": np.array([-1 if e.seed is None else e.seed for e in data.episodes if e.length > 1], np.int64),
    }
    if data.action.kind == "box":
        small |= {"low": np.array(data.action.low, np.float32), "high": np.array(data.action.high, np.float32)}
    single = {e.start for e in data.episodes if e.length == 1}  # begun, and cut off before the first step
    with atomic.writing(path):
        if path.suffix == ".npz":
            _write_npz(data, path, small, single)
        else:
            path.mkdir(parents=True)
            for name, array in small.items():
                np.save(path / f"{name}.npy", array, allow_pickle=False)
            written = 0
            for block in _blocks(data, single):
                arrays.append(path / "observations.npy", block, written)
                written += len(block)
    return path


def _write_npz(data: Dataset, path: Path, small: dict[str, np.ndarray], single: set[int]) -> None:
    beside = path.with_name(f".{path.name}.part")
    rows = data.rows - len(single)
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, array in small.items():
                with archive.open(f"{name}.npy", "w") as out:
                    np.lib.format.write_array(out, array, allow_pickle=False)
            header = {
                "descr": np.lib.format.dtype_to_descr(data.observation.dtype),
                "fortran_order": False,
                "shape": (rows, *data.observation.shape),
            }
            with archive.open("observations.npy", "w", force_zip64=True) as out:
                np.lib.format.write_array_header_1_0(out, header)
                for block in _blocks(data, single):
                    out.write(np.ascontiguousarray(block).tobytes())
        atomic.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _blocks(data: Dataset, single: set[int]) -> Iterator[np.ndarray]:
    """The observations, a piece at a time, without the episodes that have no step."""
    for episode in data.episodes:
        if episode.start not in single:
            for row in range(episode.start, episode.start + episode.length, 1024):
                yield data.read(row, min(row + 1024, episode.start + episode.length))
