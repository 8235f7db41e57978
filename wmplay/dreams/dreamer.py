"""The batched engine of every dream: a world model, its starting segments, its randomness, and nothing of Gymnasium.

Shapes: B batch of dreams, N starting segments, C context rows, T time, A action, F features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from wmplay.core.errors import UsageError
from wmplay.devices import Device, Precision, resolve
from wmplay.worlds.protocol import Segment, State, World, map_state

# Real rows that a dream reads before its first step; the report card measures from the same number (DESIGN §7).
CONTEXT = 8


class Snapshot(NamedTuple):
    """All that a dream's future depends on: its latent state and its random generator's state (uint8 [G])."""

    state: State
    generator: Tensor


def to_segment(arrays: Mapping[str, np.ndarray], rows: slice, device: torch.device) -> Segment:
    """Numpy arrays [B, T, ...] as the tensors a world reads, cut to some rows."""
    seen = {name: torch.from_numpy(np.ascontiguousarray(arrays[name][:, rows])).to(device) for name in arrays}
    first = seen["first"].bool()
    mask = seen["mask"].bool() if "mask" in seen else torch.ones_like(first)
    return Segment(seen["observation"], seen["action"], seen["reward"].float(), seen["terminated"].bool(), first, mask)


class Dreamer:
    """B dreams of one world model, stepped together.

    contexts: arrays [N, C+H, ...] by Segment's field names; a dream reads the first `CONTEXT` rows of one of them.
    temperature: scales the sampling noise of every step; at 0 there is no noise. May be set at any time.
    precision: how steps and pictures are computed; float32 unless set (see `dreams.precision`).
    """

    def __init__(self, world: World, contexts: Mapping[str, np.ndarray], device: Device | str = "auto") -> None:
        self.world = world.eval()
        self.contexts = dict(contexts)
        self.place = device if isinstance(device, Device) else resolve(device)
        self.precision = Precision()
        self.temperature = 1.0
        self.count = 0
        self.state: State = None
        self.generator = torch.Generator(self.device)
        self._starts: State = None

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        return self.place.torch

    @property
    def choices(self) -> int:
        """N, how many starting segments there are."""
        return len(self.contexts["observation"])

    def renew(self, world: World, contexts: Mapping[str, np.ndarray]) -> None:
        """Dream on with another model of the same kind and its starting segments; states of the old one stay states."""
        self.world, self.contexts = world.eval(), dict(contexts)
        self._starts = None

    def seed(self, seed: int) -> None:
        """Start the dreams' randomness anew."""
        self.generator.manual_seed(seed)

    @torch.inference_mode()
    def reset(
        self, count: int, context_index: Sequence[int] | np.ndarray | None = None, seed: int | None = None
    ) -> State:
        """`count` dreams, each begun from a starting segment: the given ones, else drawn at random."""
        if seed is not None:
            self.seed(seed)
        self.count = count
        self.state = self.starts(self._chosen(count, context_index))
        return self.state

    @torch.inference_mode()
    def begin(self, arrays: Mapping[str, np.ndarray]) -> State:
        """Dreams that start after other real rows: arrays [B, T, ...] of the game's own observations and actions."""
        segment = to_segment(arrays, slice(None), self.device)
        self.count = segment.reward.shape[0]
        self.state = self.world.begin(segment)
        return self.state

    @torch.inference_mode()
    def reset_rows(self, mask: np.ndarray | Tensor, context_index: Sequence[int] | np.ndarray | None = None) -> State:
        """Begin the dreams in `mask` (bool [B]) anew and leave the others as they are. Indices are given for all B."""
        chosen = self.starts(self._chosen(self.count, context_index))
        rows = torch.as_tensor(mask, device=self.device)

        def merge(new: Tensor, old: Tensor) -> Tensor:
            return torch.where(rows.view(-1, *([1] * (old.dim() - 1))), new, old)

        self.state = type(chosen)(*(merge(new, old) for new, old in zip(chosen, self.state, strict=True)))
        return self.state

    def starts(self, index: Tensor) -> State:
        """The latent states after the starting segments with these indices (int64 [B]); all N are read only once."""
        if self._starts is None:
            self._starts = self.world.begin(to_segment(self.contexts, slice(0, CONTEXT), self.device))
        return map_state(self._starts, lambda part: part[index])

    @torch.inference_mode()
    def step(self, actions: np.ndarray | Tensor) -> tuple[Tensor, Tensor]:
        """One imagined step under `actions` [B, ...]. Returns reward float32 [B] and end probability float32 [B]."""
        taken = torch.as_tensor(actions, device=self.device)
        with self.precision.autocast(self.place):
            self.state, reward, end = self.world.step(self.state, taken, self.temperature, self.generator)
        return reward, end

    @torch.inference_mode()
    def ended(self, probability: Tensor) -> Tensor:
        """Whether each dream ends: drawn with its probability, and decided at one half when the temperature is 0."""
        if self.temperature <= 0:
            return probability >= 0.5
        return torch.rand(probability.shape, device=self.device, generator=self.generator) < probability

    @torch.inference_mode()
    def update(self, action: np.ndarray, observation: np.ndarray, first: np.ndarray | None = None) -> State:
        """Tell the dreams what really happened (a re-synchronisation): the state after that real step."""
        start = torch.zeros(self.count, dtype=torch.bool) if first is None else torch.from_numpy(np.asarray(first))
        taken, seen = torch.as_tensor(action, device=self.device), torch.as_tensor(observation, device=self.device)
        self.state = self.world.update(self.state, taken, seen, start.to(self.device))
        return self.state

    @torch.inference_mode()
    def observe(self) -> np.ndarray:
        """What the game would show now: uint8 [B, H, W, 3] or float32 [B, S]."""
        with self.precision.autocast(self.place):
            return self.world.observe(self.state).cpu().numpy()

    @torch.inference_mode()
    def frames(self) -> np.ndarray:
        """The picture of every dream, uint8 [B, H, W, 3]; vector games are drawn by their own function."""
        with self.precision.autocast(self.place):
            return self.world.frames(self.state).cpu().numpy()

    @torch.inference_mode()
    def features(self) -> Tensor:
        """What a controller reads, float32 [B, F]."""
        return self.world.features(self.state)

    def snapshot(self) -> Snapshot:
        """Everything to come back to this moment. States are never changed in place, so this copies next to nothing."""
        return Snapshot(self.state, self.generator.get_state())

    def restore(self, snapshot: Snapshot) -> None:
        """Come back to that moment; the same actions then dream the same again."""
        self.state = snapshot.state
        self.count = len(snapshot.state[0])
        self.generator.set_state(snapshot.generator)

    def _chosen(self, count: int, index: Any) -> Tensor:
        if index is None:
            return torch.randint(self.choices, (count,), generator=self.generator, device=self.device)
        chosen = torch.as_tensor(np.asarray(index, np.int64), device=self.device)
        if chosen.shape != (count,) or int(chosen.min()) < 0 or int(chosen.max()) >= self.choices:
            raise UsageError(f"A start is a number from 0 to {self.choices - 1}; there are {count} dreams to start.")
        return chosen


class Tempered:
    """An env around a dreamer: its temperature, 0 or more, may be set in the middle of a dream."""

    dreamer: Dreamer

    @property
    def temperature(self) -> float:
        return self.dreamer.temperature

    @temperature.setter
    def temperature(self, value: float) -> None:
        if not value >= 0:
            raise UsageError(f"The temperature is {value}; it must be 0 or more.")
        self.dreamer.temperature = float(value)
