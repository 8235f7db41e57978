"""Many dreams of one slot as a `gymnasium.vector.VectorEnv`: one batch through the network for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.autoreset import as_mode, reset_mask
from wmplay import games
from wmplay.dreams.dreamer import Dreamer, Tempered
from wmplay.dreams.load import load_contexts, load_world, slot_info
from wmplay.dreams.precision import known
from wmplay.dreams.precision import precision as measured


class DreamVectorEnv(Tempered, VectorEnv):
    """`num_envs` dreams of a slot, `gymnasium.make_vec("wmplay/Dream-v0", num_envs=..., slot=...)`.

    Parameters as in `DreamEnv`; autoreset_mode as Gymnasium defines them. `reset(options={"context": [i, ...]})`
    chooses the starting segments. One seed makes the whole batch deterministic.
    precision: `bf16` computes pictures whose dreams are drawn from a distribution anyway with rounded products, half as
    many again to twice as many a second; `auto` does so where a measurement at the first reset finds it quicker.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["rgb_array"],
        "render_fps": 25,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        slot: str | Path = "",
        horizon: int | None = None,
        temperature: float = 1.0,
        device: str = "auto",
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        precision: str = "float32",
    ) -> None:
        info = slot_info(slot)
        game = games.of_slot(info)
        world = load_world(info, device)
        self.dreamer = Dreamer(world, load_contexts(info), device)
        self.dreamer.temperature = temperature
        # By name until the first reset, when there are dreams to measure.
        self._precision: str | None = known(precision)
        self.num_envs, self.render_mode = num_envs, render_mode
        self.horizon = horizon or max_episode_steps or game.horizon
        self.mode = as_mode(autoreset_mode)
        self.metadata = {**type(self).metadata, "render_fps": game.fps, "autoreset_mode": self.mode}  # type: ignore[misc]
        self.single_observation_space = games.to_space(world.observation)
        self.single_action_space = games.to_space(world.action)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._steps = np.zeros(num_envs, np.int64)
        self._done = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        mask = reset_mask(options, self.num_envs)
        if seed is not None:
            folded = seed if isinstance(seed, int) else _fold(seed)
            self._np_random, self._np_random_seed = np.random.default_rng(folded), folded
            self.dreamer.seed(int(self.np_random.integers(2**62)))
        index = (options or {}).get("context")
        if mask.all() or self.dreamer.state is None:
            self.dreamer.reset(self.num_envs, index)
        else:
            self.dreamer.reset_rows(mask, index)
        if self._precision is not None:
            self.dreamer.precision, self._precision = measured(self.dreamer, self._precision), None
        self._steps[mask] = 0
        self._done[mask] = False
        return self.dreamer.observe(), self._info(np.zeros(self.num_envs))

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        waiting = self._done.copy()
        if self.mode is AutoresetMode.DISABLED and waiting.any():
            raise ValueError("a dream that has ended was stepped; reset it with options={'reset_mask': ...}")
        reward_tensor, end_tensor = self.dreamer.step(np.asarray(actions))
        ended = self.dreamer.ended(end_tensor).cpu().numpy()
        reward, end = reward_tensor.cpu().numpy(), end_tensor.cpu().numpy()
        self._steps += 1
        terminated, truncated = ended & ~waiting, (self._steps >= self.horizon) & ~waiting
        info = self._info(end)
        if waiting.any():  # only in NEXT_STEP: this step was their reset, whatever the action
            reward = np.where(waiting, np.float32(0), reward)
            self._begin_again(waiting)
        self._done = terminated | truncated
        if self.mode is AutoresetMode.SAME_STEP and self._done.any():
            seen, final = self.dreamer.observe(), np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(self._done):
                final[i] = seen[i]
            info |= {"final_obs": final, "_final_obs": self._done.copy()}
            info |= {"final_info": self._info(np.where(self._done, end, 0)), "_final_info": self._done.copy()}
            self._begin_again(self._done)
            self._done = np.zeros(self.num_envs, bool)
        return self.dreamer.observe(), reward.astype(np.float64), terminated, truncated, info

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Every dream's picture, uint8 [H, W, 3] each, if made with render_mode="rgb_array"."""
        return tuple(self.dreamer.frames()) if self.render_mode == "rgb_array" else None

    def _begin_again(self, rows: np.ndarray) -> None:
        self.dreamer.reset_rows(rows)
        self._steps[rows] = 0

    def _info(self, end: np.ndarray) -> dict[str, Any]:
        return {"end_probability": end.astype(np.float64), "_end_probability": np.ones(self.num_envs, bool)}


def _fold(seeds: list[int | None]) -> int:
    """A list of seeds, one an env, as the one seed of the batch."""
    return int(np.random.SeedSequence([seed or 0 for seed in seeds]).generate_state(1)[0])
