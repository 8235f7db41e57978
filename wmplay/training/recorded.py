"""Recorded play as a controller sees it: the features of a world model beside what was done and what came of it.

A controller that begins at random rarely meets what it is to look for. The best of the recorded players shows it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wmplay.agents.policy_gradient import Experience
from wmplay.core.episodes import FIRST, TERMINATED, Dataset
from wmplay.worlds.protocol import Segment, State, World

LANES = 128
ROWS_AT_ONCE = 32
# What is kept in memory of the features, and how many rows one piece of work goes through.
MEMORY_BYTES, PIECE_ROWS = 256 << 20, 2048


def best_played(datasets: Sequence[Dataset]) -> Dataset:
    """The dataset whose episodes earned the most on average."""
    return max(datasets, key=lambda data: float(data.rewards.sum()) / max(1, int((data.flags & FIRST > 0).sum())))


class Recorded:
    """A dataset cut into lanes that are read side by side, each from its own beginning on."""

    def __init__(self, world: World, data: Dataset) -> None:
        self._world, self._data = world, data
        self._device = next(world.parameters()).device
        most = MEMORY_BYTES // (2 * world.features_size)
        rows = min(data.rows, most)
        lanes = max(1, min(LANES, rows // 2))
        self.length = rows // lanes
        """Rows of a lane."""
        # Spread over the whole dataset, also where not all of it is read.
        self._starts = np.linspace(0, data.rows - self.length, lanes).astype(int)
        self._index = self._starts[:, None] + np.arange(self.length)
        self._features: list[Tensor] = []
        self._state: State = None

    @property
    def ready(self) -> bool:
        """Whether all of it is read."""
        return len(self._features) >= self.length

    @torch.inference_mode()
    def read(self) -> None:
        """Look at some more rows of every lane with the world model's eyes."""
        begin = len(self._features)
        stop = min(begin + ROWS_AT_ONCE, self.length)
        seen = np.stack([self._data.read(start + begin, start + stop) for start in self._starts])
        for t in range(begin, stop):
            self._state = self._after(t, torch.from_numpy(seen[:, t - begin]).to(self._device))
            self._features.append(self._world.features(self._state).half())

    def forget(self) -> None:
        """Free the memory that it takes."""
        self._features.clear()
        self._state = None

    def _after(self, t: int, observation: Tensor) -> State:
        """The world's state once row t of every lane has arrived."""
        rows = self._index[:, t]
        action = torch.from_numpy(self._data.actions[rows]).to(self._device)
        first = torch.from_numpy(self._data.flags[rows] & FIRST > 0).to(self._device)
        if t:
            return self._world.update(self._state, action, observation, first)
        nothing = torch.zeros(len(rows), 1, device=self._device)
        no = nothing.bool()
        return self._world.begin(Segment(observation[:, None], action[:, None], nothing, no, ~no, ~no))

    def piece(self, generator: torch.Generator) -> tuple[Experience, Tensor]:
        """N lanes as experience of T steps, and which of these are real, bool [T, N]: from the last row of an episode
        no action led to the next one. features float32 [T+1, N, F], choice the recorded actions [T, N, ...]; chance
        and value are zeros, to be filled in."""
        count = max(1, min(len(self._starts), PIECE_ROWS // self.length))
        lanes = torch.randperm(len(self._starts), generator=generator, device=generator.device)[:count].cpu()
        rows = self._index[lanes.numpy(), 1:].T
        flags = self._data.flags[rows]

        def tensor(values: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(self._device)

        features = torch.stack([row[lanes.to(self._device)] for row in self._features]).float()
        reward = tensor(self._data.rewards[rows])
        going_on = tensor((flags & TERMINATED == 0).astype(np.float32))
        nothing = torch.zeros_like(reward)
        experience = Experience(
            features,
            tensor(self._data.actions[rows]),
            nothing,
            reward,
            going_on,
            features.new_zeros(self.length, count),
        )
        return experience, tensor(flags & FIRST == 0)
