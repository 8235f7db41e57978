"""Where a learner practises step by step: N dreams, or N real games seen through the world model."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from wmplay import games
from wmplay.agents.controller import opening
from wmplay.core.catalog import Game
from wmplay.devices import Precision
from wmplay.dreams.dreamer import Dreamer
from wmplay.dreams.precision import precision
from wmplay.training.phases import PhaseState
from wmplay.training.practice import Starts
from wmplay.worlds.protocol import World, map_state


class Outcome(NamedTuple):
    """What a step brought N streams: reward float32 [N]; ended bool [N], for good; cut bool [N], it was only stopped;
    last float32 [N, F]: the features of where those that were cut had come to, None if none was."""

    reward: Tensor
    ended: Tensor
    cut: Tensor
    last: Tensor | None


class Ground(Protocol):
    """N streams of experience that begin again by themselves."""

    def features(self) -> Tensor:
        """What the policy reads now, float32 [N, F]."""

    def step(self, action: Tensor) -> Outcome:
        """Take these actions [N, ...]."""

    def refresh(self) -> None:
        """Called between updates: get new places to begin."""

    def state(self) -> PhaseState:
        """To go on from here."""

    def load_state(self, state: PhaseState) -> None: ...

    def close(self) -> None: ...


class DreamGround:
    """N dreams that begin from recorded play and go on for `horizon` steps, in the precision of that name."""

    def __init__(self, dreamer: Dreamer, starts: Starts, horizon: int, seed: int, asked: str = "float32") -> None:
        self._dreamer, self._starts, self._horizon = dreamer, starts, horizon
        dreamer.seed(seed)
        self._fresh = dreamer.begin(starts.draw())
        dreamer.precision = precision(dreamer, asked)
        self._age = torch.zeros(starts.count, device=dreamer.device)

    def features(self) -> Tensor:
        return self._dreamer.features().clone()

    @torch.inference_mode()
    def step(self, action: Tensor) -> Outcome:
        dreamer = self._dreamer
        reward, probability = dreamer.step(action)
        ended = dreamer.ended(probability)
        self._age += 1
        cut = (self._age >= self._horizon) & ~ended
        over = ended | cut
        last = None
        if bool(over.any()):
            if bool(cut.any()):
                last = self.features()
            fresh = iter(self._fresh)

            def merge(old: Tensor) -> Tensor:
                return torch.where(over.view(-1, *([1] * (old.dim() - 1))), next(fresh), old)

            dreamer.state = map_state(dreamer.state, merge)
            self._age *= (~over).float()
        return Outcome(reward, ended, cut, last)

    def refresh(self) -> None:
        now = self._dreamer.state
        self._fresh = self._dreamer.begin(self._starts.draw())
        self._dreamer.state = now

    def state(self) -> PhaseState:
        tensors = {f"dream.{i}": part for i, part in enumerate(self._dreamer.state)}
        tensors |= {f"fresh.{i}": part for i, part in enumerate(self._fresh)}
        tensors |= {"age": self._age, "dreaming": self._dreamer.generator.get_state()}
        return PhaseState(tensors, {"starts": self._starts.state(), "precision": self._dreamer.precision.to_json()})

    def load_state(self, state: PhaseState) -> None:
        device = self._dreamer.device
        kind, count = type(self._fresh), len(self._fresh)
        self._dreamer.state = kind(*(state.tensors[f"dream.{i}"].to(device) for i in range(count)))
        self._fresh = kind(*(state.tensors[f"fresh.{i}"].to(device) for i in range(count)))
        self._age = state.tensors["age"].to(device)
        self._dreamer.generator.set_state(state.tensors["dreaming"])
        self._dreamer.precision = Precision.from_json(state.numbers.get("precision", {}))
        self._starts.load_state(state.numbers["starts"])

    def close(self) -> None:
        """Nothing to let go of."""


class GameGround:
    """N real games in this process. A resumed run begins new episodes: a game's own state is not saved."""

    def __init__(self, world: World, game: Game, count: int, seed: int) -> None:
        self._world, self._env = world, games.make_vec(game, count)
        self._device = next(world.parameters()).device
        self._next_seed, self._count = seed * 10_007, count
        self._reset(np.ones(count, bool))
        blank = torch.from_numpy(np.zeros((count, *world.action.shape), world.action.dtype))
        with torch.inference_mode():
            self._state = world.begin(opening(self._observed(), blank.to(self._device)))

    def _reset(self, mask: np.ndarray) -> None:
        seeds: list[Any] = [None] * self._count
        for lane in np.flatnonzero(mask):
            seeds[lane] = self._next_seed % 1_000_000
            self._next_seed += 1
        env: Any = self._env  # whose stub knows no list of seeds
        self._seen, _ = env.reset(seed=seeds, options={"reset_mask": mask.copy()})

    def _observed(self) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self._seen)).to(self._device)

    @torch.inference_mode()
    def _features(self) -> Tensor:
        return self._world.features(self._state)

    def features(self) -> Tensor:
        return self._features().clone()

    @torch.inference_mode()
    def step(self, action: Tensor) -> Outcome:
        taken = action.cpu().numpy().astype(self._world.action.dtype)
        self._seen, reward, terminated, truncated, _ = self._env.step(taken)
        cut, over = truncated & ~terminated, terminated | truncated
        first = torch.from_numpy(over).to(self._device)
        last = None
        if cut.any():
            there = self._world.update(self._state, action, self._observed(), torch.zeros_like(first))
            last = self._world.features(there).clone()
        if over.any():
            self._reset(over)
        self._state = self._world.update(self._state, action, self._observed(), first)
        gained = torch.from_numpy(np.asarray(reward, np.float32)).to(self._device)
        ended, stopped = (torch.from_numpy(part.copy()).to(self._device) for part in (terminated, cut))
        return Outcome(gained, ended, stopped, last)

    def refresh(self) -> None:
        """Games begin anew by their seeds."""

    def state(self) -> PhaseState:
        return PhaseState({}, {"next_seed": self._next_seed})

    def load_state(self, state: PhaseState) -> None:
        self._next_seed = state.numbers["next_seed"]

    def close(self) -> None:
        self._env.close()
