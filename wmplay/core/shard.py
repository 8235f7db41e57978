"""One stream of rows on its way to disk, and what a row may hold: the flags of episodes, the bounds of actions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wmplay.core import arrays
from wmplay.core.errors import WmplayError
from wmplay.core.spaces import ActionSpec, ObservationSpec

# Bits of a row's flags.
FIRST, TERMINATED, TRUNCATED = 1, 2, 4
# The arrays of a shard; each is a file of that name.
FIELDS = ("observations", "actions", "rewards", "flags")


class Stream:
    """The rows of one stream that are not on disk yet, and the shard they go to."""

    def __init__(self, folder: Path, capacity: int, observation: ObservationSpec, action: ActionSpec) -> None:
        self.folder = folder
        self.capacity = capacity
        self.observations = np.empty((capacity, *observation.shape), observation.dtype)
        self.actions = np.empty((capacity, *action.shape), action.dtype)
        self.rewards = np.empty(capacity, np.float32)
        self.flags = np.empty(capacity, np.uint8)
        self.labels: list[dict[str, Any]] = []
        self.filled = 0
        self.written = 0
        self.open = False

    def cut(self, rows: int) -> None:
        """Go back to the first `rows` rows of a shard that is on disk and go on after them. Raises OSError."""
        for name in FIELDS:
            arrays.cut(self.folder / f"{name}.npy", rows)
        index = self.folder / "episodes.jsonl"
        whole = [line for line in index.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        index.write_bytes(b"".join(line for line in whole if json.loads(line)["start"] < rows))
        self.written, self.filled, self.labels = rows, 0, []

    def flush(self) -> None:
        """Append the buffered rows to the four arrays and the labels of new episodes to the index. Raises OSError."""
        if not self.filled:
            return
        if not self.written:
            self.folder.mkdir(exist_ok=True)
        for name in FIELDS:
            arrays.append(self.folder / f"{name}.npy", getattr(self, name)[: self.filled], self.written)
        if self.labels:
            with (self.folder / "episodes.jsonl").open("ab", buffering=0) as file:
                file.write("".join(json.dumps(label) + "\n" for label in self.labels).encode())
        self.labels = []
        self.written += self.filled
        self.filled = 0


def holds(folder: Path, mark: Mapping[str, Any]) -> bool:
    """Whether the dataset in this folder still has every row up to the mark of a recorder."""
    try:
        return all(
            len(arrays.open_array(folder / name / f"{field}.npy")) >= rows
            for name, rows, _ in mark["streams"]
            for field in FIELDS
        )
    except WmplayError:
        return False


def action_problem(spec: ActionSpec, actions: np.ndarray) -> str | None:
    """What is wrong with actions [N, ...] of the spec's shape, in words to follow 'the action'; None if nothing."""
    if spec.kind == "box":
        if not np.isfinite(actions).all():
            return "is not a finite number"
        slack = 1e-4  # float32 rounding of a policy's own clipping
        if (actions < np.array(spec.low, np.float32) - slack).any() or (
            actions > np.array(spec.high, np.float32) + slack
        ).any():
            return "is outside the action space"
        return None
    top = spec.n if spec.kind == "discrete" else np.array(spec.counts)
    return "is outside the action space" if (actions < 0).any() or (actions >= top).any() else None
