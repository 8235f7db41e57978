"""One frame of CarRacing, drawn straight at the size asked for: ground, car and indicator bar put together."""

from __future__ import annotations

import numpy as np
import pygame

from envs.car_racing.camera import View, zoom_at
from envs.car_racing.car_sprite import CarSprite
from envs.car_racing.gauges import Gauges
from envs.car_racing.ground import Ground
from envs.car_racing.physics import Physics
from envs.car_racing.scene import Scene, grass_squares

OPENING = 1.0
"""Seconds until the camera has come down; until then the picture's scale changes with every step."""
OPENING_FINE = 4
"""How many times finer than the frame an opening picture is drawn."""


class Painter:
    """Draws what a `Physics` shows as frames of `size` x `size` pixels."""

    def __init__(self, physics: Physics, size: int) -> None:
        self.physics = physics
        self.size = size
        self.scene: Scene | None = None
        self._squares = grass_squares()
        self._gauges = Gauges(size)
        self._sprite = CarSprite(size)
        self._ground = Ground(size)
        self._above = self._gauges.top

    def begin(self) -> None:
        """Take up the track of a new episode."""
        self.scene = Scene(self.physics, self._squares)
        self._ground.lay(self.scene)

    def view(self) -> View:
        """Where the camera stands now."""
        hull = self.physics.car.hull
        x, y = hull.position
        return View(x, y, hull.angle, zoom_at(self.physics.t))

    def frame(self) -> np.ndarray:
        """The present frame, a new array uint8 [size, size, 3]."""
        frame = np.empty((self.size, self.size, 3), np.uint8)
        above = frame[: self._above]
        if self.physics.t < OPENING:
            self._opening(above)
        else:
            colors = self._ground.look(self.view()).view(np.uint8).reshape(*above.shape[:2], 4)
            above[..., 0], above[..., 1], above[..., 2] = colors[..., 2], colors[..., 1], colors[..., 0]
            self._sprite.stamp(above, self.physics.car)
        self._gauges.draw(frame, self.physics.car, self.physics.reward)
        return frame

    def _opening(self, above: np.ndarray) -> None:
        """Draw polygons, finer than the frame, and shrink them: the general way, for any zoom."""
        assert self.scene is not None
        side = self.size * OPENING_FINE
        surface = pygame.Surface((side, self._above * OPENING_FINE), 0, 32)
        self.scene.draw(surface, self.view(), full_height=side)
        shrunk = pygame.transform.smoothscale(surface, (self.size, self._above))
        above[...] = pygame.surfarray.pixels3d(shrunk).swapaxes(0, 1)


def resized_original(physics: Physics, size: int) -> np.ndarray:
    """CarRacing-v3's own picture, drawn at 1000 x 800 and resized by area: uint8 [size, size, 3].

    At 96 pixels it is CarRacing-v3's observation, bit for bit.
    """
    shrunk = pygame.transform.smoothscale(physics.original_surface(), (size, size))
    return np.ascontiguousarray(pygame.surfarray.pixels3d(shrunk).swapaxes(0, 1))
