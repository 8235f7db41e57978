"""`wmplay/CarRacing-v0`: CarRacing-v3's world at the speed of its physics, with frames drawn at the size asked for."""

from __future__ import annotations

import math
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.box2d import car_racing as original

from envs.car_racing.lap import Lap
from envs.car_racing.large import LargePicture, Window
from envs.car_racing.painter import Painter, Tools, resized_original
from envs.car_racing.physics import Physics
from envs.errors import GameError, ParameterError
from envs.settings import check_flags, check_number

Action = np.ndarray | int


class CarRacing(gymnasium.Env[np.ndarray, Action]):
    """The racing game, seen from above.

    Observation: uint8 [size, size, 3]. Action: steering -1 to 1, gas and brake 0 to 1 (float32 [3]), or with
    `continuous=False` one of nothing, right, left, gas, brake. Track, car, rewards and ends are CarRacing-v3's: the
    same seed and actions give the same there. `action_repeat` holds each action for that many steps, adds up their
    rewards, stops where the episode ends, and draws only the frame that it returns.

    `renderer="direct"` draws frames straight at their size; "gymnasium" draws CarRacing-v3's 1000 x 800 window and
    shrinks it by area, which is slow; direct frames are measured against that. Other arguments are CarRacing-v3's.

    `info` holds `speed` (units/s), `x`, `y`, `angle` (the car's pose, world units and radians), `tile` (the nearest
    tile's number), `progress` (share of the tiles visited), `ahead` (the next centre points, float32 [24, 2]: world
    units to the right and forward), and at the end of an episode CarRacing-v3's `lap_finished`.
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": original.FPS}  # noqa: RUF012 (Gymnasium's name)

    def __init__(
        self,
        continuous: bool = True,
        action_repeat: int = 1,
        size: int = 64,
        renderer: Literal["direct", "gymnasium"] = "direct",
        render_mode: str | None = None,
        lap_complete_percent: float = 0.95,
        domain_randomize: bool = False,
        verbose: bool = False,
    ) -> None:
        if isinstance(action_repeat, bool) or not isinstance(action_repeat, int) or action_repeat < 1:
            raise ParameterError(f"action_repeat must be a whole number of at least 1, not {action_repeat!r}")
        if isinstance(size, bool) or not isinstance(size, int) or size % 8 or not 32 <= size <= 512:
            raise ParameterError(f"size must be a multiple of 8 from 32 to 512, not {size!r}")
        if renderer not in ("direct", "gymnasium"):
            raise ParameterError(f'renderer must be "direct" or "gymnasium", not {renderer!r}')
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise GameError(f"render_mode must be one of {self.metadata['render_modes']}, not {render_mode!r}")
        check_number("lap_complete_percent", lap_complete_percent, 0, 1, "it is a share of the lap from 0 to 1")
        check_flags(continuous=continuous, domain_randomize=domain_randomize, verbose=verbose)
        self.metadata = {**self.metadata, "render_fps": original.FPS / action_repeat}
        self.render_mode = render_mode
        self.action_repeat = action_repeat
        self.size = size
        self.renderer = renderer
        self.physics = Physics(
            continuous=continuous,
            domain_randomize=domain_randomize,
            lap_complete_percent=lap_complete_percent,
            verbose=verbose,
        )
        self.action_space = self.physics.action_space
        self.observation_space = spaces.Box(0, 255, (size, size, 3), np.uint8)
        self._painter = Painter(self.physics, self.make_tools())
        self._large: LargePicture | None = None
        self._window: Window | None = None
        self._lap: Lap | None = None

    def make_tools(self) -> Tools:
        """What frames are drawn with; where several games live in one process they may share it."""
        return Tools(self.size)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start on a new track. `options={"randomize": bool}` is CarRacing-v3's, with `domain_randomize`."""
        super().reset(seed=seed)
        if seed is not None:
            self.physics.np_random = self.np_random
        else:
            self.np_random = self.physics.np_random
        self.physics.reset(options=options)
        self._painter.begin()
        self._lap = Lap(self.physics.track_shape.places)
        if self.render_mode == "human":
            self.render()
        return self._outcome()

    def step(self, action: Action) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Drive on by `action_repeat` steps of 1/50 s."""
        if self._lap is None:
            raise gymnasium.error.ResetNeeded("call reset before the first step")
        if self.physics.continuous:
            action = np.asarray(action)
        total, terminated, ended = 0.0, False, {}
        for _ in range(self.action_repeat):
            _, reward, terminated, _, ended = self.physics.step(action)
            total += reward
            if terminated:
                break
        if self.render_mode == "human":
            self.render()
        observation, info = self._outcome()
        info.update(ended)
        return observation, float(total), terminated, False, info

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """The same scene large and smooth: uint8 [600, 600, 3] for "rgb_array", shown in a window for "human"."""
        if self.render_mode is None or self._painter.scene is None:
            return None
        if self._large is None:
            self._large = LargePicture(self._painter)
        picture = self._large.draw()
        if self.render_mode == "rgb_array":
            return picture
        if self._window is None:
            self._window = Window(picture.shape[0], self.metadata["render_fps"])
        self._window.show(picture)
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def get_keys_to_action(self) -> dict[tuple[int, ...], Action]:
        """Arrow keys (pygame key codes) to actions, for players such as Gymnasium's `play`."""
        import pygame

        left, right, up, down = pygame.K_LEFT, pygame.K_RIGHT, pygame.K_UP, pygame.K_DOWN
        if not self.physics.continuous:
            return {(): 0, (right,): 1, (left,): 2, (up,): 3, (down,): 4}
        keys: dict[tuple[int, ...], Action] = {}
        for side, steer in ((None, 0.0), (left, -1.0), (right, 1.0)):
            for pedal, gas, brake in ((None, 0.0, 0.0), (up, 1.0, 0.0), (down, 0.0, 0.8)):
                held = tuple(sorted(key for key in (side, pedal) if key is not None))
                keys[held] = np.array([steer, gas, brake], np.float32)
        return keys

    def _outcome(self) -> tuple[np.ndarray, dict[str, Any]]:
        """The present observation and info."""
        physics, lap = self.physics, self._lap
        assert lap is not None
        view = self._painter.view()
        observation = (
            resized_original(physics, self.size) if self.renderer == "gymnasium" else self._painter.frame(view)
        )
        velocity = physics.driven.hull.linearVelocity
        speed_x, speed_y = velocity.x, velocity.y
        info = {
            "speed": math.sqrt(speed_x * speed_x + speed_y * speed_y),
            "x": view.x,
            "y": view.y,
            "angle": view.angle,
            "tile": lap.follow(view.x, view.y),
            "progress": physics.tile_visited_count / len(physics.track),
            "ahead": lap.ahead(view.x, view.y, view.angle),
        }
        return observation, info
