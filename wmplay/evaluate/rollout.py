"""Run a world model open loop on recorded actions, one batched step at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from wmplay.evaluate.starts import Starts
from wmplay.worlds.protocol import State, World


class DreamStep(NamedTuple):
    """One imagined step of all starts: k ≥ 1, the state, reward float32 [N], end probability float32 [N]."""

    k: int
    state: State
    reward: NDArray[np.float32]
    end: NDArray[np.float32]


def begin(world: World, starts: Starts, device: torch.device | str, generator: torch.Generator) -> State:
    """The state after reading every start's context."""
    return world.begin(starts.segment(device), generator)


@torch.inference_mode()
def dream(
    world: World,
    starts: Starts,
    horizon: int,
    temperature: float,
    device: torch.device | str = "cpu",
    seed: int = 0,
    tick: Callable[[], None] | None = None,
    began: State | None = None,
) -> Iterator[DreamStep]:
    """Dream `horizon` steps from every start on its recorded actions. Deterministic for a seed; `tick` is called
    every step.

    began: what `begin` returned for these starts and this seed, where somebody knows it. At temperature 0 the dreams
    are the same; above it they throw other dice, since `begin` may have thrown some.
    """
    generator = torch.Generator(device=device).manual_seed(seed)
    state = begin(world, starts, device, generator) if began is None else began
    for k in range(1, horizon + 1):
        action = torch.as_tensor(np.ascontiguousarray(starts.actions(k))).to(device)
        state, reward, end = world.step(state, action, temperature, generator)
        if tick:
            tick()
        yield DreamStep(k, state, reward.float().cpu().numpy(), end.float().cpu().numpy())


@torch.inference_mode()
def observations(world: World, state: State) -> NDArray[Any]:
    """What the game would show in this state: uint8 [N, H, W, 3] or float32 [N, S]."""
    return world.observe(state).cpu().numpy()


def pictures(world: World, seen: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Observations [N, ...] as frames uint8 [N, H, W, 3]; vector games by their drawing, None where they have none."""
    if world.observation.kind == "frame":
        return seen
    if world.draw is None:
        return None
    drawn = world.draw(seen)
    return np.asarray(drawn)
