"""Field, grass and road as a picture that lies still in the world, kept only around the camera.

The ground never changes its place, so it is painted once and then looked up: a frame at the usual zoom is one gather of
as many texels as it has pixels. The picture is a torus of 1024 x 1024 texels: what the camera leaves behind is painted over
with what comes into reach, strip by strip. Each strip is drawn five times finer than needed, shrunk by area, and enlarged again with
linear interpolation. The two together blur it as an average over one pixel of the frame would, so that the nearest texel is the
pixel's colour, and edges neither flicker nor step.
"""

from __future__ import annotations

import math

import numpy as np
import pygame

from envs.car_racing.camera import BAR_SHARE, CAR_X, CAR_Y, FULL_ZOOM, WINDOW_H, WINDOW_W, View
from envs.car_racing.scene import FIELD, GRASS, OUTSIDE, Scene

FINE = 5
"""How many times finer than a coarse pixel a strip is drawn."""
ENLARGE = 4
"""Texels per coarse pixel."""
COARSE = 0.52
"""Coarse pixel, as a share of a frame pixel's width. Box and interpolation together spread as a box of 1.73 coarse pixels
does; this is the mean of what a frame pixel's width and its height (0.8 of it) ask for."""
CELL = 16
"""Coarse pixels per cell; strips are whole cells."""
FRACTION = 12
"""Bits behind the point in texel coordinates; whole texels take the bits above, up to 18 with the sign."""


class Ground:
    """The ground around the camera at the usual zoom, for frames of `size` x `size` pixels (a multiple of 8)."""

    def __init__(self, size: int) -> None:
        self.rows = size - round(size * BAR_SHARE)
        pixel = WINDOW_W / size / FULL_ZOOM
        self.coarse = COARSE * pixel
        self.texel = self.coarse / ENLARGE
        across = (np.arange(size) + 0.5) * (WINDOW_W / size) - CAR_X
        up = WINDOW_H - (np.arange(self.rows) + 0.5) * (WINDOW_H / size) - CAR_Y
        unit = (1 << FRACTION) / (FULL_ZOOM * self.texel)
        self._across = across * unit
        self._up = (up * unit)[:, None]
        self._middle_up = (up[0] + up[-1]) / 2 / FULL_ZOOM
        self._reach = math.hypot(across[-1], (up[0] - up[-1]) / 2) / FULL_ZOOM + self.coarse
        needed = 2 * self._reach / self.texel + 2 * CELL * ENLARGE
        self.bits = math.ceil(math.log2(needed))
        self.texels = np.zeros(1 << 2 * self.bits, np.uint32)
        self._torus = self.texels.reshape(1 << self.bits, 1 << self.bits)
        self._x = np.empty((self.rows, size), np.int32)
        self._y = np.empty_like(self._x)
        self._index = np.empty(self._x.shape, np.intp)
        self._painted: tuple[int, int, int, int] | None = None
        self._scene: Scene | None = None

    def lay(self, scene: Scene) -> None:
        """Take up the scene of a new episode; nothing is painted before it comes into view."""
        self._scene = scene
        self._painted = None

    def look(self, view: View) -> np.ndarray:
        """The ground as `view` sees it at the usual zoom, above the indicator bar: packed 0x00RRGGBB, uint32 [rows, size]."""
        cos, sin = math.cos(view.angle), math.sin(view.angle)
        self._cover(view.x - sin * self._middle_up, view.y + cos * self._middle_up)
        unit = (1 << FRACTION) / self.texel
        # The nearest texel is floor(coordinate + 0.5); texel 0 lies half a coarse pixel from the origin.
        start = (0.5 - ENLARGE / 2) * (1 << FRACTION)
        mask, x, y = (1 << self.bits) - 1, self._x, self._y
        along_x = (self._across * cos + (view.x * unit + start)).astype(np.int32)
        along_y = (self._across * sin + (view.y * unit + start)).astype(np.int32)
        np.subtract(along_x, (self._up * sin).astype(np.int32), out=x)
        np.add(along_y, (self._up * cos).astype(np.int32), out=y)
        np.right_shift(x, FRACTION, out=x)
        np.bitwise_and(x, mask, out=x)
        if self.bits > FRACTION:
            np.left_shift(y, self.bits - FRACTION, out=y)
        else:
            np.right_shift(y, FRACTION - self.bits, out=y)
        np.bitwise_and(y, mask << self.bits, out=y)
        np.bitwise_or(x, y, out=self._index)
        return self.texels[self._index]

    def _cover(self, x: float, y: float) -> None:
        """Paint the cells within reach of the world point (x, y) that are not painted yet."""
        cell, reach = self.coarse * CELL, self._reach
        left, right = math.floor((x - reach) / cell), math.floor((x + reach) / cell) + 1
        low, high = math.floor((y - reach) / cell), math.floor((y + reach) / cell) + 1
        if self._painted is None:
            self._paint(left, right, low, high)
        elif self._painted == (left, right, low, high):
            return
        else:
            was_left, was_right, was_low, was_high = self._painted
            if left >= was_right or right <= was_left or low >= was_high or high <= was_low:
                self._paint(left, right, low, high)
            else:
                if left < was_left:
                    self._paint(left, was_left, low, high)
                if right > was_right:
                    self._paint(was_right, right, low, high)
                if low < was_low:
                    self._paint(max(left, was_left), min(right, was_right), low, was_low)
                if high > was_high:
                    self._paint(max(left, was_left), min(right, was_right), was_high, high)
        self._painted = (left, right, low, high)

    def _paint(self, left: int, right: int, low: int, high: int) -> None:
        """Paint a rectangle of cells into the torus."""
        wide, tall = (right - left) * CELL, (high - low) * CELL
        drawn = self._draw(left * CELL, low * CELL, wide + 1, tall + 1)
        coarse = pygame.transform.smoothscale(drawn, (wide + 1, tall + 1))
        # pygame enlarges so that texel t lies at coarse pixel t * (old - 1) / new: one pixel more makes that t / ENLARGE.
        fine = pygame.transform.smoothscale(coarse, (wide * ENLARGE, tall * ENLARGE))
        pixels = pygame.surfarray.pixels2d(fine).T
        side = 1 << self.bits
        x, y = left * CELL * ENLARGE % side, low * CELL * ENLARGE % side
        split_x, split_y = min(wide * ENLARGE, side - x), min(tall * ENLARGE, side - y)
        torus = self._torus
        torus[y : y + split_y, x : x + split_x] = pixels[:split_y, :split_x]
        if split_x < wide * ENLARGE:
            torus[y : y + split_y, : wide * ENLARGE - split_x] = pixels[:split_y, split_x:]
        if split_y < tall * ENLARGE:
            torus[: tall * ENLARGE - split_y, x : x + split_x] = pixels[split_y:, :split_x]
            if split_x < wide * ENLARGE:
                torus[: tall * ENLARGE - split_y, : wide * ENLARGE - split_x] = pixels[split_y:, split_x:]

    def _draw(self, left: int, low: int, wide: int, tall: int) -> pygame.Surface:
        """Draw the coarse pixels from (left, low), y pointing up the rows, `FINE` times finer than they are."""
        scene = self._scene
        assert scene is not None
        scale = FINE / self.coarse
        surface = pygame.Surface((wide * FINE, tall * FINE), 0, 32)
        world_x, world_y = left * self.coarse, low * self.coarse
        end_x, end_y = world_x + wide * self.coarse, world_y + tall * self.coarse
        if max(-world_x, -world_y, end_x, end_y) > FIELD:
            surface.fill(OUTSIDE)
        _fill(surface, scene.background, (-FIELD - world_x) * scale, (-FIELD - world_y) * scale, 2 * FIELD * scale)
        for column in _even(world_x, end_x):
            for row in _even(world_y, end_y):
                x, y = (column * GRASS - world_x) * scale, (row * GRASS - world_y) * scale
                _fill(surface, scene.grass, x, y, GRASS * scale)
        which = scene.within((world_x, world_y), (end_x, end_y))
        corners = (scene.quads[which] - (world_x, world_y)) * scale
        for polygon, index in zip(corners.tolist(), which.tolist(), strict=True):
            pygame.draw.polygon(surface, scene.color(index), polygon)
        return surface


def _even(start: float, end: float) -> range:
    """The numbers of the lighter grass squares' columns (or rows) that reach into the stretch from `start` to `end`."""
    first = max(-20, math.floor(start / GRASS))
    last = min(18, math.floor(end / GRASS))
    return range(first + first % 2, last + 1, 2)


def _fill(surface: pygame.Surface, color: tuple[int, int, int], x: float, y: float, side: float) -> None:
    """Fill an axis-parallel square whose corner of least coordinates is (x, y), in pixels."""
    left, low = round(x), round(y)
    surface.fill(color, (left, low, round(x + side) - left, round(y + side) - low))
