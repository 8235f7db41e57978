"""Where CarRacing-v3's camera stands: the map from world units to pixels of a frame of any size."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from gymnasium.envs.box2d import car_racing as original

WINDOW_W, WINDOW_H = original.WINDOW_W, original.WINDOW_H
CAR_X, CAR_Y = WINDOW_W / 2, WINDOW_H / 4
"""The car's fixed place in CarRacing-v3's window of 1000 x 800 pixels, from the left and from the bottom."""
FULL_ZOOM = original.ZOOM * original.SCALE
"""Window pixels per world unit once the opening second has passed."""
BAR_SHARE = 5 / 40
"""Share of the frame's height, at the bottom, that the indicator bar takes."""


class View(NamedTuple):
    """What the camera follows: the car's place and heading in the world, and window pixels per world unit."""

    x: float
    y: float
    angle: float
    zoom: float

    def to_pixels(self, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """The affine map of a frame of `width` x `height` pixels: pixels = world @ matrix + offset, y pointing down.

        Returns matrix float64 [2, 2] and offset float64 [2].
        """
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        across, down = self.zoom * width / WINDOW_W, -self.zoom * height / WINDOW_H
        matrix = np.array([[cos * across, -sin * down], [sin * across, cos * down]])
        place = np.array([CAR_X * width / WINDOW_W, (WINDOW_H - CAR_Y) * height / WINDOW_H])
        return matrix, place - np.array([self.x, self.y]) @ matrix


def zoom_at(seconds: float) -> float:
    """Window pixels per world unit `seconds` after the start: from the whole field down to the car in one second."""
    return 0.1 * original.SCALE * max(1 - seconds, 0) + FULL_ZOOM * min(seconds, 1)
