"""A trained controller with the eyes and memory of its world model, as an agent for the real game or for the dream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from wmplay.agents.linear import LinearPolicy
from wmplay.agents.policy_gradient import ActorCritic
from wmplay.core.errors import WmplayError
from wmplay.core.spaces import ActionSpec
from wmplay.devices import resolve
from wmplay.worlds.protocol import Segment, State, World


class Controller(Protocol):
    """What decides on features."""

    def act(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Features float32 [N, F] -> actions [N, ...]; chance, where there is any, from `generator`."""


class Linear:
    """One linear policy as a Controller; parameters float32 [D]."""

    def __init__(self, policy: LinearPolicy, parameters: Tensor) -> None:
        self.policy, self.parameters = policy, parameters

    def act(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.policy.act(self.parameters[None], features[None])[0]


class LatentAgent:
    """Follows `wmplay.agents.protocol.Agent`: what it sees goes through the world model, which keeps its memory.

    The same in a dream: there the pictures it is shown are dreamt ones.
    """

    def __init__(self, world: World, controller: Controller) -> None:
        self.world, self.controller = world.eval(), controller
        self._device = next(world.parameters()).device
        self._generator = torch.Generator(self._device).manual_seed(0)
        self._state: State = None
        self._action: Tensor | None = None

    def reset(self, count: int, seed: int | None = None) -> None:
        """Forget everything; without a seed the random numbers go on."""
        if seed is not None:
            self._generator.manual_seed(seed)
        spec = self.world.action
        blank = torch.from_numpy(np.zeros((count, *spec.shape), spec.dtype))
        self._state, self._action = None, blank.to(self._device)

    @torch.inference_mode()
    def act(self, observation: np.ndarray, info: dict[str, Any], first: np.ndarray) -> np.ndarray:
        if self._action is None or len(self._action) != len(observation):
            self.reset(len(observation))
        assert self._action is not None
        seen = torch.from_numpy(np.ascontiguousarray(observation)).to(self._device)
        start = torch.from_numpy(np.asarray(first, bool)).to(self._device)
        if self._state is None:
            self._state = self.world.begin(opening(seen, self._action))
        else:
            self._state = self.world.update(self._state, self._action, seen, start)
        self._action = self.decide(self.world.features(self._state))
        taken: np.ndarray = self._action.cpu().numpy()
        return taken.astype(self.world.action.dtype)

    def decide(self, features: Tensor) -> Tensor:
        """Actions [N, ...] for the world model's features [N, F], as in a dream, where there is nothing to look at."""
        return self.controller.act(features, self._generator)


def opening(observation: Tensor, action: Tensor) -> Segment:
    """The first real row of N episodes as a segment [N, 1]."""
    count, device = len(observation), observation.device
    yes = torch.ones(count, 1, dtype=torch.bool, device=device)
    nothing = torch.zeros(count, 1, device=device)
    return Segment(observation[:, None], action[:, None], nothing, ~yes, yes, yes)


def rebuild(meta: Mapping[str, Any], tensors: Mapping[str, Tensor], action: ActionSpec) -> Controller:
    """The controller that slot.json's `agent` and agent.safetensors describe. Raises WmplayError if they do not fit."""
    try:
        if meta["kind"] == "linear":
            policy = LinearPolicy(int(meta["features"]), action, tuple(meta["squash"]))
            parameters = tensors["parameters"].float()
            if parameters.shape != (policy.size,):
                raise WmplayError(f"The saved agent has {parameters.shape[0]} parameters, not {policy.size}.")
            return Linear(policy, parameters)
        if meta["kind"] == "actor_critic":
            grid = meta.get("grid")
            shape = None if grid is None else (int(grid[0]), int(grid[1]), int(grid[2]))
            model = ActorCritic(int(meta["features"]), action, int(meta["hidden"]), shape)
            model.load_state_dict(dict(tensors))
            return model.eval()
    except (KeyError, RuntimeError, TypeError) as why:
        raise WmplayError(f"The saved agent cannot be read: {' '.join(str(why).split())[:200]}") from why
    raise WmplayError(f"The saved agent is of the unknown kind {meta['kind']!r}; upgrade wmplay to use it.")


def load_agent(slot: str | Path, device: str = "auto") -> LatentAgent:
    """The agent trained in this slot. Raises WmplayError if there is none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from wmplay.dreams.load import load_world, slot_info

    info = slot_info(slot)
    file = info.path / "agent.safetensors"
    if not info.agent or not file.exists():
        raise WmplayError(
            f"No agent was trained in the slot {info.name}; train one with wmplay train … --agent evolution."
        )
    world = load_world(info, device)
    try:
        tensors = load_file(file, device=resolve(device).name)
    except (SafetensorError, OSError) as why:
        raise WmplayError(f"The agent of the slot {info.name} cannot be read: {why}") from why
    controller = rebuild(info.agent, tensors, world.action)
    if isinstance(controller, torch.nn.Module):
        controller.to(resolve(device).torch)
    return LatentAgent(world, controller)
