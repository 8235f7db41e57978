"""How a collection goes on after a kill: every few seconds it marks where it is, and running episodes are played again.

A game's inner state cannot be saved, but a game that is given the same seed and the same actions is in the same state.
So the dataset comes out as if nothing had happened, and no more than the seconds since the mark is played anew.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from wmplay.core import arrays, atomic
from wmplay.core.errors import WmplayError
from wmplay.core.recorder import MARK
from wmplay.core.shard import holds

VERSION = 1
# Seconds between two marks, and the longest replay worth its wait: together well under the 30 seconds that may be lost.
EVERY, LONGEST = 5.0, 15.0


def write_mark(folder: Path, order: dict[str, Any], place: dict[str, Any]) -> None:
    """Keep where a collection is; `order` is what was asked for, `place` what `read_mark` shall give back."""
    atomic.write_json(folder / MARK, {"version": VERSION, "order": order, **place})


def read_mark(folder: Path, order: dict[str, Any]) -> dict[str, Any] | None:
    """Where this very order was left, if it was left unfinished and its rows are all there."""
    try:
        found = atomic.read_json(folder / MARK) if (folder / MARK).exists() else None
    except WmplayError:
        return None
    if not isinstance(found, dict) or found.get("version") != VERSION:
        return None
    if found.get("order") != json.loads(atomic.to_json(order)) or not holds(folder, found["recorder"]):
        return None
    return found


def drop_mark(folder: Path) -> None:
    """The collection is over."""
    (folder / MARK).unlink(missing_ok=True)


def remember(player: Any) -> dict[str, Any]:
    """What a player keeps between two steps, its random numbers and its arrays, as JSON-ready data."""
    kept: dict[str, Any] = {}
    for name, value in vars(player).items():
        if isinstance(value, np.random.Generator):
            kept[name] = {"random": value.bit_generator.state}
        elif isinstance(value, np.ndarray):
            kept[name] = {"dtype": str(value.dtype), "shape": list(value.shape), "values": value.ravel().tolist()}
    return kept


def recall(player: Any, kept: dict[str, Any]) -> None:
    """Make a player go on as the one that `remember` saw."""
    for name, value in kept.items():
        if "random" in value:
            getattr(player, name).bit_generator.state = value["random"]
        else:
            setattr(player, name, np.array(value["values"], value["dtype"]).reshape(value["shape"]))


class Recording:
    """The running episode of each stream as it lies on disk, up to a mark of the recorder.

    ages: steps of each, 0 where it has only begun.
    """

    def __init__(self, folder: Path, mark: dict[str, Any], ages: list[int]) -> None:
        self.ages = ages
        self._streams = [
            {f: arrays.open_array(folder / shard / f"{f}.npy")[:rows] for f in ("observations", "actions", "rewards")}
            for shard, rows, _ in mark["streams"]
        ]

    def action(self, stream: int, step: int) -> np.ndarray:
        """The action that led to step 1, 2, … of the running episode."""
        return self._at(stream, "actions", step)

    def shows(self, stream: int, step: int, seen: np.ndarray, reward: float) -> bool:
        """Whether just this was seen and given then."""
        same = bool(np.array_equal(self._at(stream, "observations", step), seen))
        return same and (step == 0 or float(self._at(stream, "rewards", step)) == float(np.float32(reward)))

    def _at(self, stream: int, field: str, step: int) -> Any:
        return self._streams[stream][field][-1 - self.ages[stream] + step]


def replay(env: Any, recording: Recording, seeds: list[int]) -> Generator[None, None, tuple[Any, Any] | None]:
    """Play the running episodes of all streams again, so that all arrive together; yields at every step.

    Returns the last observations [N, ...] and info, or None if the game is not the same under the same seed.
    A stream with a shorter episode plays anything until its turn.
    """
    ages = np.array(recording.ages)
    total, count = int(ages.max()), len(ages)
    over = np.ones(count, bool)
    seen: Any = None
    info: Any = None
    rewards: Any = np.zeros(count)
    for tick in range(total + 1):
        begins = ages == total - tick
        begun = begins | over
        if begun.any():
            given = [seed if begun[i] else None for i, seed in enumerate(seeds)]
            seen, info = env.reset(seed=given, options={"reset_mask": begun})
        steps = tick - (total - ages)
        for stream in np.flatnonzero(steps >= 0).tolist():
            if not recording.shows(stream, int(steps[stream]), seen[stream], rewards[stream]):
                return None
        if tick == total:
            break
        actions = [recording.action(i, max(1, int(steps[i]) + 1) if ages[i] else 0) for i in range(count)]
        seen, rewards, terminated, truncated, info = env.step(np.stack(actions))
        over = terminated | truncated
        if (over & (steps >= 0)).any():
            return None
        yield
    return seen, info
