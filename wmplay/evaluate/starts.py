"""Held-out starting points: C real steps for a world to read, the H real steps after them, and how to get there
again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wmplay.core.episodes import FIRST, TERMINATED, Dataset
from wmplay.core.errors import WmplayError
from wmplay.worlds.protocol import Segment

CONTEXT = 8


@dataclass(frozen=True)
class Starts:
    """N stretches of C + H rows, each from its own held-out episode. Arrays have leading axes [N, C + H].

    Rows as in `core.episodes`: row t is what arrived at t, with the action that led there. `valid` int [N]: how many
    of the rows are real (an episode may end early; the rest is zeros). `seeds` [N] and `prefix` (the actions from the
    reset up to the last context row, one array for each start) replay a start in the real game.
    """

    context: int
    observation: NDArray[Any]
    action: NDArray[Any]
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    first: NDArray[np.bool_]
    valid: NDArray[np.int64]
    seeds: NDArray[np.int64]
    prefix: tuple[NDArray[Any], ...]

    @property
    def count(self) -> int:
        return len(self.observation)

    @property
    def horizon(self) -> int:
        return self.observation.shape[1] - self.context

    def lasting(self, k: int) -> NDArray[np.bool_]:
        """bool [N]: the real episode still shows something k steps after the context."""
        return self.valid >= self.context + k

    def truth(self, k: int) -> NDArray[Any]:
        """The real observations k steps after the context, [N, ...]; k = 0 is the last context row."""
        return self.observation[:, self.context - 1 + k]

    def actions(self, k: int) -> NDArray[Any]:
        """The recorded actions that led to `truth(k)`, [N] or [N, A]."""
        return self.action[:, self.context - 1 + k]

    def segment(self, device: torch.device | str = "cpu", rows: slice | None = None) -> Segment:
        """Rows (default: the context) as a Segment for `World.begin`; those beyond an episode's end are masked."""
        part = rows or slice(0, self.context)

        def tensor(array: NDArray[Any]) -> torch.Tensor:
            return torch.as_tensor(np.ascontiguousarray(array[:, part])).to(device)

        return Segment(
            tensor(self.observation),
            tensor(self.action),
            tensor(self.reward),
            tensor(self.terminated),
            tensor(self.first),
            tensor(np.arange(self.observation.shape[1])[None] < self.valid[:, None]),
        )

    def take(self, which: NDArray[Any] | slice) -> Starts:
        """Only these starts (indices, a mask or a slice)."""
        index = np.arange(self.count)[which]
        rows = ("observation", "action", "reward", "terminated", "first", "valid", "seeds")
        return replace(
            self, **{name: getattr(self, name)[index] for name in rows}, prefix=tuple(self.prefix[i] for i in index)
        )

    def digest(self) -> str:
        """A short name for exactly these starts: two cards with the same digest stood on the same ground."""
        parts = hashlib.sha256(f"{self.context} {self.observation.shape}".encode())
        for array in (self.seeds, self.valid, np.ascontiguousarray(self.action)):
            parts.update(array.tobytes())
        for actions in self.prefix:
            parts.update(len(actions).to_bytes(4, "little"))
        return parts.hexdigest()[:12]


def draw_starts(
    dataset: Dataset, count: int, horizon: int, context: int = CONTEXT, warmup: int = 0, tail: bool = False
) -> Starts:
    """Starts from a held-out dataset: one from each of its first episodes that are long enough for `horizon`.

    The starting row is drawn (from the episode's seed) after `warmup` rows. Where fewer than `count` episodes last
    that long, the longest of the others follow. tail: the last rows of each episode instead, so that its end is among
    them. Raises WmplayError if no episode outlasts the context.
    """
    need = warmup + context + horizon
    episodes = sorted(dataset.episodes, key=lambda e: (-min(e.length, need), e.seed))
    chosen = [e for e in episodes if e.length > warmup + context][:count]
    if not chosen:
        raise WmplayError(
            f"No held-out episode is longer than {warmup + context} steps, so there is nothing to compare with."
        )
    rows = context + horizon
    observation_spec, action_spec = dataset.observation, dataset.action
    arrays: dict[str, Any] = {
        "observation": np.zeros((len(chosen), rows, *observation_spec.shape), observation_spec.dtype),
        "action": np.zeros((len(chosen), rows, *action_spec.shape), action_spec.dtype),
        "reward": np.zeros((len(chosen), rows), np.float32),
        "terminated": np.zeros((len(chosen), rows), np.bool_),
        "first": np.zeros((len(chosen), rows), np.bool_),
    }
    valid = np.zeros(len(chosen), np.int64)
    prefix = []
    for i, episode in enumerate(chosen):
        last = max(warmup, episode.length - context - horizon)
        begin = last if tail else int(np.random.default_rng(episode.seed).integers(warmup, last + 1))
        valid[i] = n = min(rows, episode.length - begin)
        a, b = episode.start + begin, episode.start + begin + n
        arrays["observation"][i, :n] = dataset.read(a, b)
        arrays["action"][i, :n] = dataset.actions[a:b]
        arrays["reward"][i, :n] = dataset.rewards[a:b]
        flags: Any = dataset.flags[a:b]
        arrays["terminated"][i, :n] = flags & TERMINATED > 0
        arrays["first"][i, :n] = flags & FIRST > 0
        prefix.append(np.array(dataset.actions[episode.start + 1 : a + context]))
    seeds = np.array([e.seed for e in chosen], dtype=np.int64)
    return Starts(context, **arrays, valid=valid, seeds=seeds, prefix=tuple(prefix))
