"""Where training's batches come from: segments off the disk as tensors on the device, latents computed once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from wmplay.core import atomic
from wmplay.core.episodes import Dataset
from wmplay.core.segments import SegmentArrays, SegmentSampler
from wmplay.devices import Device, set_layout
from wmplay.worlds.protocol import PhaseSpec, Segment

if TYPE_CHECKING:
    from wmplay.training.workshop import Workshop

# Rows encoded at a time, large enough for speed and small enough for memory; and how many such pieces each thread is
# given at a time. 768 frames of CarRacing took `canvas` 1.27 to 1.50 s by 128, 1.08 to 1.20 by 64 and 1.18 to 1.29 by
# 32 (one thread, beside a training).
_ROWS, _AHEAD = 64, 8


class Source:
    """Segments of a phase, in an order that is fixed by a seed; its state is that of the next batch."""

    def __init__(
        self,
        datasets: Sequence[Dataset],
        spec: PhaseSpec,
        seed: int,
        device: Device,
        arrays: list[np.ndarray] | None = None,
    ) -> None:
        shape = (spec.batch, spec.length, seed, spec.boundaries)
        self._sampler = SegmentSampler(datasets, *shape, None if spec.beside else arrays)
        # With the same seed the same segments, of what was encoded.
        self._beside = SegmentSampler(datasets, *shape, arrays) if spec.beside else None
        self._device = device

    def next(self) -> Segment:
        """The next batch [B, T] on the device."""
        segment = to_device(self._sampler.sample(), self._device)
        if self._beside is None:
            return segment
        return segment._replace(encoded=to_device(self._beside.sample(), self._device).observation)

    def state(self) -> dict[str, Any]:
        return self._sampler.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        self._sampler.load_state_dict(state)
        if self._beside is not None:
            self._beside.load_state_dict(state)


def to_device(arrays: SegmentArrays, device: Device) -> Segment:
    """The arrays as tensors; for a graphics card through pinned memory, so that the copy overlaps with work."""
    tensors = [torch.from_numpy(np.ascontiguousarray(part)) for part in arrays]
    if device.name == "cuda":
        tensors = [part.pin_memory().to("cuda", non_blocking=True) for part in tensors]
    elif device.name != "cpu":
        tensors = [part.to(device.torch) for part in tensors]
    return Segment(*tensors)


def encode_all(shop: Workshop) -> list[np.ndarray]:
    """`World.encode` of every row of every dataset, one array each, kept in the slot's `train/cache` as .npy.

    A kept one is used again only if it was made by the same weights from the same rows. Modules that are trained on
    encodings have no part in making them.
    """
    folder = shop.path / "train" / "cache"
    # The same layout and precision whatever ran before, so that encodings made again are the same bit for bit.
    world = set_layout(shop.world.eval(), torch.contiguous_format)
    shop.plain()
    mark = _fingerprint(shop, [module for phase in world.phases if phase.encoded for module in phase.modules])
    index = folder / "index.json"
    datasets = shop.datasets()
    files = [folder / f"encoded-{number}.npy" for number in range(len(datasets))]
    if index.exists() and atomic.read_json(index) == mark and all(f.exists() for f in files):
        found = [np.load(file, mmap_mode="r", allow_pickle=False) for file in files]
        if [len(a) for a in found] == [d.rows for d in datasets]:
            return found
    folder.mkdir(parents=True, exist_ok=True)
    index.unlink(missing_ok=True)
    shop.say("encoding every frame once")
    for data, file in zip(datasets, files, strict=True):
        with atomic.writing(file):
            _encode(world, data, file, shop)
    atomic.write_json(index, mark)
    return [np.load(file, mmap_mode="r", allow_pickle=False) for file in files]


def _encode(world: Any, data: Dataset, file: Path, shop: Workshop) -> None:
    """Write what a dataset's rows are encoded to, one row each, piece by piece: on a CPU a thread for each piece, since
    cores share the work better so than in the many small operations of one."""

    @torch.no_grad()  # inference mode would leave weights whose layout changed unfit for the training that follows
    def piece(start: int) -> np.ndarray:
        rows = torch.from_numpy(data.read(max(0, start - 1), start + _ROWS)).to(shop.device.torch)
        now = rows[1:] if start else rows
        before = rows[:-1] if start else torch.cat((rows[:1], rows[:-1]))
        encoded: np.ndarray = world.encode_after(before, now).cpu().numpy()
        return encoded

    out: np.memmap | None = None
    at_once = shop.threads if shop.device.name == "cpu" else 1
    wave = _ROWS * _AHEAD * at_once
    with ThreadPoolExecutor(at_once, "encode", torch.set_num_threads, (1,)) as pool:
        # In waves: whatever goes wrong is told at once, and a slow disk fills no memory.
        for begin in range(0, data.rows, wave):
            starts = range(begin, min(begin + wave, data.rows), _ROWS)
            for start, encoded in zip(starts, pool.map(piece, starts), strict=True):
                if out is None:
                    out = np.lib.format.open_memmap(file, "w+", encoded.dtype, (data.rows, *encoded.shape[1:]))
                out[start : start + len(encoded)] = encoded
                shop.working(f"encoding {data.name}: {start + len(encoded):,} of {data.rows:,} frames")
    shop.plain()  # a part of what the threads set for themselves holds for all
    if out is not None:
        out.flush()


def _fingerprint(shop: Workshop, trained: Sequence[str]) -> dict[str, Any]:
    """What the encodings depend on: the world's frozen weights and the rows of the data."""
    digest = hashlib.sha256()
    for name, tensor in sorted(shop.world.state_dict().items()):
        if any(name.startswith(f"{module}.") for module in trained):
            continue
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    rows = json.dumps([[data.name, data.rows] for data in shop.datasets()])
    return {"weights": digest.hexdigest(), "data": rows}
