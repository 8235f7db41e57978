"""Many CartPoles in one numpy batch, each equal to the single one of its seed, in every autoreset mode."""

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control import utils as bounds
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.autoreset import as_mode, final_infos, generators, reset_mask
from envs.cartpole_drawing import draw_state
from envs.settings import check_flags

__all__ = ["CartPoleVector"]


class CartPoleVector(VectorEnv[NDArray[Any], NDArray[np.int64], NDArray[Any]]):
    """`num_envs` CartPoles; seeds as in Gymnasium's SyncVectorEnv, so that row i equals a CartPole seeded `seed + i`.

    pictures: observations are uint8 [N, 64, 64, 3] and the states `infos["state"]`, as in `CartPole`.
    autoreset_mode: NEXT_STEP, SAME_STEP or DISABLED (then `reset(options={"reset_mask": bool [N]})`).
    `frames()` draws all states, uint8 [N, 64, 64, 3]; `render()` is the same, larger, as a tuple.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["rgb_array"],
        "render_fps": 50,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = 500,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        pictures: bool = False,
    ) -> None:
        check_flags(pictures=pictures)
        self.num_envs, self.max_episode_steps, self.render_mode = num_envs, max_episode_steps, render_mode
        self.pictures = pictures
        self.mode = as_mode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.mode}  # type: ignore[misc]
        self._physics = CartPoleEnv()  # holds the constants of CartPole-v1
        self.single_action_space = spaces.Discrete(2)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.single_observation_space = (
            spaces.Box(0, 255, (64, 64, 3), np.uint8) if pictures else self._physics.observation_space
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._states = np.zeros((num_envs, 4))
        self._steps = np.zeros(num_envs, dtype=np.int64)
        self._done = np.zeros(num_envs, dtype=np.bool_)
        self._generators: list[np.random.Generator] = []
        self._low, self._high = -0.05, 0.05

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        mask = reset_mask(options, self.num_envs)
        self._generators = generators(self, self._generators, seed, mask)
        self._low, self._high = bounds.maybe_parse_reset_bounds(options, -0.05, 0.05)
        self._start(np.flatnonzero(mask))
        return self._observed(), self._infos(mask)

    def _start(self, which: NDArray[np.int64]) -> None:
        for i in which:
            self._states[i] = self._generators[i].uniform(self._low, self._high, size=4)
        self._steps[which] = 0
        self._done[which] = False

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,) or not np.isin(actions, (0, 1)).all():
            raise ValueError(f"actions must be {self.num_envs} numbers, each 0 (left) or 1 (right)")
        waiting = self._done.copy()
        if self.mode is AutoresetMode.DISABLED and waiting.any():
            raise ValueError("an environment that has ended was stepped; reset it with options={'reset_mask': ...}")
        self._states = np.where(waiting[:, None], self._states, self._moved(actions))
        self._steps += 1
        x, _, theta, _ = self._states.T
        limit_x, limit_theta = self._physics.x_threshold, self._physics.theta_threshold_radians
        terminated = ((abs(x) > limit_x) | (abs(theta) > limit_theta)) & ~waiting
        truncated = (self._steps >= self.max_episode_steps) & ~waiting
        self._done = terminated | truncated
        rewards = np.where(waiting, 0.0, 1.0)
        infos: dict[str, Any] = {}
        everyone = np.ones(self.num_envs, dtype=np.bool_)
        if self.mode is AutoresetMode.SAME_STEP and self._done.any():
            last = self._infos(everyone)
            infos = final_infos(self._done, self._observed(), {"state": last["state"]} if last else None)
            self._start(np.flatnonzero(self._done))
        elif self.mode is AutoresetMode.NEXT_STEP:
            self._start(np.flatnonzero(waiting))
        return self._observed(), rewards, terminated, truncated, {**infos, **self._infos(everyone)}

    def _observed(self) -> NDArray[Any]:
        """What is shown now: the states or their pictures."""
        return self.frames() if self.pictures else self._states.astype(np.float32)

    def _infos(self, which: NDArray[np.bool_]) -> dict[str, Any]:
        """The states of these environments, where they are not the observation."""
        return {"state": self._states.astype(np.float32), "_state": which} if self.pictures else {}

    def _moved(self, actions: NDArray[np.int64]) -> NDArray[np.float64]:
        """The next states [N, 4]: one explicit Euler step of the equations of Barto, Sutton and Anderson (1983)."""
        p = self._physics
        x, x_dot, theta, theta_dot = self._states.T
        force = np.where(actions == 1, p.force_mag, -p.force_mag)
        cos, sin = np.cos(theta), np.sin(theta)
        push = (force + p.polemass_length * np.square(theta_dot) * sin) / p.total_mass
        slope = p.length * (4.0 / 3.0 - p.masspole * np.square(cos) / p.total_mass)
        theta_acc = (p.gravity * sin - cos * push) / slope
        x_acc = push - p.polemass_length * theta_acc * cos / p.total_mass
        return np.stack(
            (x + p.tau * x_dot, x_dot + p.tau * x_acc, theta + p.tau * theta_dot, theta_dot + p.tau * theta_acc), axis=1
        )

    def frames(self, size: int = 64) -> NDArray[np.uint8]:
        """All states drawn, uint8 [N, size, size, 3]."""
        return draw_state(self._states, size)

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Every state drawn large, as a tuple of uint8 [512, 512, 3], if made with render_mode="rgb_array"."""
        return None if self.render_mode is None else tuple(self.frames(512))
