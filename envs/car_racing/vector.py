"""Many CarRacing games at once, in this process or shared out to several over shared memory."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.envs.box2d import car_racing as original
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.autoreset import as_mode, final_infos, reset_mask
from envs.car_racing.batch import INFO, Batch, allocate, fields
from envs.car_racing.env import CarRacing
from envs.car_racing.workers import Workers
from envs.errors import GameError
from envs.processes import cores


class CarRacingVector(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """`num_envs` CarRacing games; `settings` are those of `CarRacing`, seeds as in Gymnasium's SyncVectorEnv.

    workers: how many processes; 1 is this one alone, None one for each core that it may
        use but no fewer than two games in each.
    autoreset_mode: NEXT_STEP, SAME_STEP or DISABLED (then `reset(options={"reset_mask": bool [N]})`).
    context: how processes are started ("fork", "spawn", …), None as the platform does by default.
    `info` holds arrays [N, ...] of what `CarRacing` tells.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["rgb_array"],
        "render_fps": original.FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        workers: int | None = None,
        max_episode_steps: int = 1000,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        context: str | None = None,
        **settings: Any,
    ) -> None:
        if num_envs < 1 or (workers is not None and workers < 1):
            raise GameError(f"num_envs and workers must be at least 1, not {num_envs} and {workers}")
        if render_mode not in (None, "rgb_array"):
            raise GameError(f'render_mode of many games must be None or "rgb_array", not {render_mode!r}')
        single = CarRacing(**settings)
        self.num_envs, self.render_mode = num_envs, render_mode
        self.mode = as_mode(autoreset_mode)
        self.metadata = {**single.metadata, "render_modes": ["rgb_array"], "autoreset_mode": self.mode}  # type: ignore[misc]
        self.single_observation_space = single.observation_space
        self.single_action_space = single.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        if workers is None:
            workers = max(1, min(cores(), num_envs // 2))
        discrete = isinstance(self.single_action_space, spaces.Discrete)
        layout = fields(single.size, () if discrete else (3,), np.int64 if discrete else np.float32)
        settings = {**settings, "render_mode": render_mode}
        self._games: Batch | Workers
        if workers == 1:
            self._arrays = allocate(num_envs, layout, bytearray)
            self._games = Batch(self._arrays, 0, num_envs, self.mode, max_episode_steps, settings)
        else:
            workers = min(workers, num_envs)
            self._games = Workers(num_envs, workers, layout, self.mode, max_episode_steps, settings, context)
            self._arrays = self._games.arrays

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start new episodes: everywhere, or where `options["reset_mask"]` says; other options go to the games."""
        mask = reset_mask(options, self.num_envs)
        if seed is None:
            seeds: list[int | None] = [None] * self.num_envs
        elif isinstance(seed, (int, np.integer)):
            seeds = [int(seed) + number for number in range(self.num_envs)]
            self._np_random, self._np_random_seed = np.random.default_rng(int(seed)), int(seed)
        else:
            seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise GameError(f"{len(seeds)} seeds were given for {self.num_envs} games")
        options = {name: value for name, value in (options or {}).items() if name != "reset_mask"}
        self._games.reset(mask, seeds, options or None)
        return self._arrays["observation"].copy(), self._info(mask)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Step all games; `actions` float32 [N, 3] or, if discrete, int64 [N]."""
        actions = np.asarray(actions)
        slots = self._arrays["action"]
        if actions.shape != slots.shape:
            raise GameError(f"actions must have shape {slots.shape}, not {actions.shape}")
        slots[...] = actions
        self._games.step()
        told = self._arrays
        terminated, truncated = told["terminated"].copy(), told["truncated"].copy()
        info = self._info(np.ones(self.num_envs, np.bool_))
        ended = terminated | truncated
        if self.mode == AutoresetMode.SAME_STEP and ended.any():
            last = {name: told[f"final_{name}"] for name in INFO}
            info |= final_infos(ended, told["final_observation"], last)
            finished = ended & told["final__lap_finished"]
            if finished.any():  # a name that no game told of is not there, as in Gymnasium's
                info["final_info"] |= {"lap_finished": told["final_lap_finished"] & finished, "_lap_finished": finished}
        return told["observation"].copy(), told["reward"].copy(), terminated, truncated, info

    def render(self) -> tuple[Any, ...] | None:
        """Each game's large picture, uint8 [600, 600, 3], if `render_mode` is "rgb_array"."""
        return tuple(self._games.render())

    def close_extras(self, **_: Any) -> None:
        """End the processes."""
        self._games.close()

    def _info(self, mask: np.ndarray) -> dict[str, Any]:
        """Gymnasium's vector info: for each name an array and, under `_name`, where it holds."""
        info: dict[str, Any] = {}
        for name in INFO:
            info[name], info[f"_{name}"] = self._arrays[name].copy(), mask.copy()
        if self._arrays["_lap_finished"].any():
            info["lap_finished"] = self._arrays["lap_finished"].copy()
            info["_lap_finished"] = self._arrays["_lap_finished"] & mask
        return info
