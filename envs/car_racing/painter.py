"""One frame of CarRacing, drawn straight at the size asked for: ground, car and indicator bar put together."""

from __future__ import annotations

import numpy as np
import pygame

from envs.car_racing.camera import View, zoom_at
from envs.car_racing.car_sprite import CarSprite
from envs.car_racing.gauges import GaugePictures, Gauges
from envs.car_racing.ground import Ground
from envs.car_racing.opening import Opening
from envs.car_racing.physics import Physics
from envs.car_racing.scene import Scene

OPENING = 1.0
"""Seconds until the camera has come down; until then the picture's scale changes with every step."""


class Tools:
    """What is the same in every frame of `size` x `size` pixels. Games that are drawn in turn may share it: it is made
    once then, and stays in the processor's caches."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.gauges = GaugePictures(size)
        self.sprite = CarSprite(size)
        self.opening = Opening(size)


class Painter:
    """Draws what a `Physics` shows as frames of `tools.size` x `tools.size` pixels."""

    def __init__(self, physics: Physics, tools: Tools) -> None:
        self.physics = physics
        self.tools = tools
        self.size = tools.size
        self.scene: Scene | None = None
        self._gauges = Gauges(tools.gauges)
        self._ground = Ground(self.size)
        self._above = self._gauges.top

    def begin(self) -> None:
        """Take up the track of a new episode."""
        self.scene = Scene(self.physics)
        self._ground.lay(self.scene)

    def view(self) -> View:
        """Where the camera stands now."""
        hull = self.physics.driven.hull
        place = hull.position
        return View(place.x, place.y, hull.angle, zoom_at(self.physics.t))

    def frame(self, view: View) -> np.ndarray:
        """The present frame, a new array uint8 [size, size, 3]; `view` is that of now."""
        assert self.scene is not None
        frame = np.empty((self.size, self.size, 3), np.uint8)
        above = frame[: self._above]
        if self.physics.t < OPENING:
            self.tools.opening.draw(above, self.scene, view)
        else:
            colors = self._ground.look(view).view(np.uint8).reshape(*above.shape[:2], 4)
            above[..., 0], above[..., 1], above[..., 2] = colors[..., 2], colors[..., 1], colors[..., 0]
            self.tools.sprite.stamp(above, self.physics.driven)
        self._gauges.draw(frame, self.physics.driven, self.physics.reward)
        return frame


def resized_original(physics: Physics, size: int) -> np.ndarray:
    """CarRacing-v3's own picture, drawn at 1000 x 800 and resized by area: uint8 [size, size, 3].

    At 96 pixels it is CarRacing-v3's observation, bit for bit.
    """
    shrunk = pygame.transform.smoothscale(physics.original_surface(), (size, size))
    return np.ascontiguousarray(pygame.surfarray.pixels3d(shrunk).swapaxes(0, 1))
