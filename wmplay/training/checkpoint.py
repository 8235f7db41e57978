"""Checkpoints: all that a bit-exact resume needs, whole or not at all, in safetensors and JSON (never a pickle).

A checkpoint is a folder `checkpoint-00000042` with `model.safetensors`, `phase.safetensors` (optimiser moments, random
generators) and `state.json` (numbers, and the sizes and sha256 of the other two). It is written under a hidden name,
flushed, then renamed; the newest two are kept.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from wmplay.core import atomic
from wmplay.core.errors import WmplayError

KEEP = 2
_NAME = re.compile(r"checkpoint-(\d{8})")


@dataclass(frozen=True)
class Checkpoint:
    """model: the world's state dict. tensors, numbers: what the running phase and the loop need to go on."""

    number: int
    model: dict[str, Tensor]
    tensors: dict[str, Tensor]
    numbers: dict[str, Any]


def portable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as safetensors can store them: on the CPU, dense, none sharing memory with another."""
    seen: set[int] = set()
    out = {}
    for name, tensor in tensors.items():
        dense = tensor.detach().cpu().contiguous()
        out[name] = dense.clone() if dense.data_ptr() in seen else dense
        seen.add(dense.data_ptr())
    return out


def write(root: Path, checkpoint: Checkpoint) -> Path:
    """Store a checkpoint under `root`; older ones than the newest two go. Raises WmplayError if the disk refuses."""
    target = root / f"checkpoint-{checkpoint.number:08d}"
    beside = root / f".{target.name}.part"
    with atomic.writing(target):
        root.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        try:
            sums = {}
            for name, tensors in (("model", checkpoint.model), ("phase", checkpoint.tensors)):
                data = save(portable(tensors))
                atomic.write_flushed(beside / f"{name}.safetensors", data)
                sums[name] = hashlib.sha256(data).hexdigest()
            state = {"schema": 1, "sha256": sums, "numbers": checkpoint.numbers}
            atomic.write_flushed(beside / "state.json", json.dumps(state).encode())
            atomic.sync_folder(beside)
            shutil.rmtree(target, ignore_errors=True)
            atomic.replace(beside, target)
        except BaseException:
            # Give the room back at once: a full disk must not be left fuller.
            shutil.rmtree(beside, ignore_errors=True)
            raise
        atomic.sync_folder(root)
    for old in _folders(root)[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def latest(root: Path) -> Checkpoint | None:
    """The newest checkpoint under `root` that is whole, or None. A damaged one is passed over for the one before it."""
    found = _folders(root)
    for folder in reversed(found):
        checkpoint = _read(folder)
        if checkpoint is not None:
            return checkpoint
    if found:
        raise WmplayError(f"No checkpoint in {root} can be read: they are damaged; train this slot anew.")
    return None


def clear(root: Path) -> None:
    """Remove every checkpoint: the next run starts from the published weights or from nothing."""
    for folder in _folders(root):
        shutil.rmtree(folder)


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(f for f in root.iterdir() if f.is_dir() and _NAME.fullmatch(f.name))


def _read(folder: Path) -> Checkpoint | None:
    try:
        state = json.loads((folder / "state.json").read_bytes())
        parts = {}
        for name in ("model", "phase"):
            data = (folder / f"{name}.safetensors").read_bytes()
            if hashlib.sha256(data).hexdigest() != state["sha256"][name]:
                return None
            parts[name] = load(data)
        return Checkpoint(int(folder.name[-8:]), parts["model"], parts["phase"], state["numbers"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None
