"""The opening second, while the camera comes down from the whole field to the car and the scale changes every step.

Field and grass repeat every two grass squares, and blurring such a pattern is blurring its rows and its columns: for
any scale, one small table holds it all, and is looked up. Track and car are drawn over it polygon by polygon, finer
than the frame, and the whole is shrunk.
"""

from __future__ import annotations

import numpy as np
import pygame

from envs.car_racing.camera import WINDOW_H, WINDOW_W, View
from envs.car_racing.scene import FIELD, GRASS, OUTSIDE, Color, Scene
from envs.car_racing.torus import Lookup

FINE = 5
"""How many times finer than the frame the track is drawn. (pygame darkens when it shrinks by 3 or 4, not by 5.)"""
BITS = 6
"""The table of one period of the grass has 64 x 64 texels."""
SHADES = 64
"""Shades between the darker and the lighter grass."""


class Opening:
    """Draws what lies above the bar of frames of `size` x `size` pixels at any zoom."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._lookup = Lookup(size, BITS)
        self._colors: tuple[Color, Color] | None = None
        self._packed = np.zeros(SHADES, np.uint32)
        self._small = pygame.Surface((size, self._lookup.rows), 0, 32)
        self._surface = pygame.Surface((size * FINE, self._lookup.rows * FINE), 0, 32)

    def draw(self, above: np.ndarray, scene: Scene, view: View) -> None:
        """Draw `scene` into `above`, uint8 [rows, size, 3]."""
        texel = 2 * GRASS / (1 << BITS)
        table = self._grass(scene, view.zoom).ravel()
        pygame.surfarray.pixels2d(self._small)[...] = table[self._lookup.find(view, texel, 0.5)].T
        pygame.transform.scale(self._small, self._surface.get_size(), self._surface)
        self._draw_outside(view)
        scene.draw_things(self._surface, view, self.size * FINE)
        pygame.transform.smoothscale(self._surface, self._small.get_size(), self._small)
        above[...] = pygame.surfarray.pixels3d(self._small).swapaxes(0, 1)

    def _grass(self, scene: Scene, zoom: float) -> np.ndarray:
        """One period of the grass, averaged over a frame's pixel at this `zoom`: packed uint32 [64, 64]."""
        # The mean of the pixel's width and height, in periods; a period's first half is light.
        pixel = (WINDOW_W + WINDOW_H) / 2 / self.size / zoom / (2 * GRASS)
        middle = (np.arange(1 << BITS) + 0.5) / (1 << BITS)
        light = (_light_until(middle + pixel / 2) - _light_until(middle - pixel / 2)) / pixel
        return self._shades(scene)[(np.outer(light, light) * (SHADES - 0.01)).astype(np.intp)]

    def _shades(self, scene: Scene) -> np.ndarray:
        """The colours between the darker and the lighter grass: packed uint32 [SHADES]."""
        colors = (scene.background, scene.grass)
        if colors != self._colors:
            low, high = np.array(colors[0]), np.array(colors[1])
            shades = (low + np.linspace(0, 1, SHADES)[:, None] * (high - low) + 0.5).astype(np.uint32)
            self._colors, self._packed = colors, shades[:, 0] << 16 | shades[:, 1] << 8 | shades[:, 2]
        return self._packed

    def _draw_outside(self, view: View) -> None:
        """Blacken what lies outside the field, where the frame reaches so far."""
        wide, tall = self._surface.get_size()
        matrix, offset = view.to_pixels(wide, self.size * FINE)
        (a, b), (c, d) = matrix.tolist()
        determinant = a * d - b * c
        inverse = np.array(((d, -b), (-c, a))) / determinant
        seen = (np.array(((0, 0), (0, tall), (wide, 0), (wide, tall))) - offset) @ inverse
        (left, low), (right, high) = seen.min(axis=0), seen.max(axis=0)
        sides = []
        if left < -FIELD:
            sides.append(((left, low), (-FIELD, high)))
        if right > FIELD:
            sides.append(((FIELD, low), (right, high)))
        if low < -FIELD:
            sides.append(((left, low), (right, -FIELD)))
        if high > FIELD:
            sides.append(((left, FIELD), (right, high)))
        for (x1, y1), (x2, y2) in sides:
            outline = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)]) @ matrix + offset
            pygame.draw.polygon(self._surface, OUTSIDE, outline.tolist())


def _light_until(place: np.ndarray) -> np.ndarray:
    """How much light grass lies between 0 and `place`, both in periods: half of each period, its first half."""
    return np.floor(place) * 0.5 + np.minimum(place - np.floor(place), 0.5)
