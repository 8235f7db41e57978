"""How good policies are: whole populations in one batch of dreams, or piece by piece in the real game.

Shapes: P policies, R rollouts of each, D parameters, F features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wmplay.agents.linear import LinearPolicy
from wmplay.core.segments import SegmentSampler
from wmplay.dreams.dreamer import CONTEXT, Dreamer
from wmplay.worlds.protocol import World, map_state


class Starts:
    """Places to begin a dream: recorded play of the training data, as many as are asked for, all different."""

    def __init__(self, datasets: Sequence[Any], count: int, seed: int) -> None:
        # Twice as many as needed: those that end on the last row are no place to begin.
        self.count = count
        self._sampler = SegmentSampler(datasets, 2 * count, CONTEXT, seed)

    def draw(self) -> dict[str, np.ndarray]:
        """Arrays [count, CONTEXT, ...] by Segment's field names."""
        found = self._sampler.sample()
        good = np.flatnonzero(~found.terminated[:, -1])
        index = np.resize(good if len(good) else np.arange(2 * self.count), self.count)
        return {
            name: getattr(found, name)[index] for name in ("observation", "action", "reward", "terminated", "first")
        }

    def state(self) -> dict[str, Any]:
        return self._sampler.state_dict()

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._sampler.load_state_dict(state)


@torch.inference_mode()
def begin_all(dreamer: Dreamer, count: int, starts: Mapping[str, np.ndarray]) -> None:
    """P×R dreams, policy by policy, each policy's from the same R starts."""
    state = dreamer.begin(starts)
    dreamer.state = map_state(state, lambda part: part.repeat(count, *([1] * (part.dim() - 1))))
    dreamer.count = count * len(starts["reward"])


@torch.inference_mode()
def dream_returns(
    dreamer: Dreamer,
    policy: LinearPolicy,
    parameters: np.ndarray,
    starts: Mapping[str, np.ndarray],
    horizon: int,
    seed: int,
) -> np.ndarray:
    """Return of each of P policies in each of R dreams, float64 [P, R], all P×R dreamt as one batch."""
    candidates = torch.from_numpy(np.asarray(parameters, np.float32)).to(dreamer.device)
    count, rollouts = len(candidates), len(starts["reward"])
    dreamer.seed(seed)
    begin_all(dreamer, count, starts)
    total = torch.zeros(count * rollouts, device=dreamer.device)
    alive = torch.ones_like(total)
    for _ in range(horizon):
        action = policy.act(candidates, dreamer.features().view(count, rollouts, -1)).flatten(0, 1)
        reward, end = dreamer.step(action)
        total += alive * reward
        alive *= (~dreamer.ended(end)).float()
        if not bool(alive.any()):
            break
    return total.view(count, rollouts).double().cpu().numpy()


def game_returns(
    slot: str, meta: Mapping[str, Any], parameters: np.ndarray, seeds: Sequence[int], horizon: int
) -> np.ndarray:
    """The same in the real game, float64 [P, R], one game for each policy and seed: a piece of work for a pool."""
    from wmplay import games

    world = _world(slot, (Path(slot) / "world.safetensors").stat().st_mtime_ns)
    policy = LinearPolicy(int(meta["features"]), world.action, tuple(meta["squash"]))
    candidates = torch.from_numpy(np.asarray(parameters, np.float32))
    count, rollouts = len(candidates), len(seeds)
    envs = [games.make(games.of_slot(slot)) for _ in range(count * rollouts)]
    try:
        seen = np.stack([env.reset(seed=int(seeds[i % rollouts]))[0] for i, env in enumerate(envs)])
        return _play(world, policy, candidates, envs, seen, horizon).reshape(count, rollouts)
    finally:
        for env in envs:
            env.close()


@torch.inference_mode()
def _play(
    world: World, policy: LinearPolicy, candidates: torch.Tensor, envs: list[Any], seen: np.ndarray, horizon: int
) -> np.ndarray:
    from wmplay.agents.controller import opening

    count = len(candidates)
    total, alive = np.zeros(len(envs)), np.ones(len(envs), bool)
    first = torch.zeros(len(envs), dtype=torch.bool)
    action = torch.from_numpy(np.zeros((len(envs), *world.action.shape), world.action.dtype))
    state = world.begin(opening(torch.from_numpy(seen), action))
    for step in range(horizon):
        if step:
            state = world.update(state, action, torch.from_numpy(seen), first)
        action = policy.act(candidates, world.features(state).view(count, len(envs) // count, -1)).flatten(0, 1)
        taken = action.numpy().astype(world.action.dtype)
        for i in np.flatnonzero(alive):
            seen[i], reward, terminated, truncated, _ = envs[i].step(taken[i])
            total[i] += float(reward)
            alive[i] = not (terminated or truncated)
        if not alive.any():
            break
    return total


@lru_cache(maxsize=1)
def _world(slot: str, modified: int) -> World:  # noqa: ARG001 - part of the cache's key
    """The slot's world in this process, loaded again only when its file has changed (`modified`)."""
    from wmplay.dreams.load import load_world

    return load_world(slot, "cpu")
