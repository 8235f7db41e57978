"""CartPole with the physics of Gymnasium's CartPole-v1 and a drawing of any state, at any size, in batches."""

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control.cartpole import CartPoleEnv

from envs.cartpole_drawing import draw_state
from envs.cartpole_reading import read_pose
from envs.screen import Screen
from envs.settings import check_flags

__all__ = ["CartPole", "draw_state", "get_keys_to_action", "read_pose"]

# SDL's key codes of the arrow keys (pygame.K_LEFT, pygame.K_RIGHT).
_LEFT, _RIGHT = 1073741904, 1073741903


def get_keys_to_action() -> dict[tuple[str | int, ...], int]:
    """Keys to actions as `gymnasium.utils.play` reads them: A and D or the arrow keys."""
    return {("a",): 0, ("d",): 1, (_LEFT,): 0, (_RIGHT,): 1}


class CartPole(CartPoleEnv):
    """Balance a pole on a cart by pushing left (0) or right (1). Steps, rewards and ends are CartPole-v1's.

    Observation: float32 [4]: x, its speed, pole angle in radians, its speed. `render()` draws it, uint8 [512, 512, 3].
    pictures: the observation is the drawing of it instead, uint8 [64, 64, 3], in which nothing tells the speeds; what
    it was before is then `info["state"]`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["human", "rgb_array"], "render_fps": 50}  # type: ignore[misc]

    def __init__(self, render_mode: str | None = None, pictures: bool = False) -> None:
        check_flags(pictures=pictures)
        super().__init__(render_mode=render_mode)
        self.pictures = pictures
        if pictures:
            self.observation_space = spaces.Box(0, 255, (64, 64, 3), np.uint8)
        self._window: Screen | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        state, info = super().reset(seed=seed, options=options)
        return (draw_state(state), {**info, "state": state}) if self.pictures else (state, info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        state, reward, terminated, truncated, info = super().step(action)
        if self.pictures:
            return draw_state(state), reward, terminated, truncated, {**info, "state": state}
        return state, reward, terminated, truncated, info

    def render(self) -> Any:
        """The state drawn large, or shown in a window."""
        if self.render_mode is None:
            return None
        picture = draw_state(np.zeros(4) if self.state is None else self.state, 512)
        if self.render_mode == "rgb_array":
            return picture
        if self._window is None:
            self._window = Screen("CartPole", self.metadata["render_fps"])
        self._window.show(picture)
        return None

    def get_keys_to_action(self) -> dict[tuple[str | int, ...], int]:
        """Keys to actions as `gymnasium.utils.play` reads them."""
        return get_keys_to_action()

    def close(self) -> None:
        if self._window is not None:
            self._window.close()
