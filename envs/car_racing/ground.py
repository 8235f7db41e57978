"""Field, grass and road as a picture that lies still in the world, kept only around the camera.

The ground never changes its place, so it is painted once and then looked up: a frame at the usual zoom is one gather of
as many texels as it has pixels. The picture is a torus: what the camera leaves behind is painted over with what comes
into reach, strip by strip. Each strip is drawn five times finer than needed, shrunk by area, and enlarged again with
linear interpolation. The two together blur it as an average over one pixel of the frame would, so that the nearest
texel is the pixel's colour, and edges neither flicker nor step.
"""

from __future__ import annotations

import math

import numpy as np
import pygame

from envs.car_racing.camera import BAR_SHARE, CAR_X, CAR_Y, FULL_ZOOM, WINDOW_H, WINDOW_W, View
from envs.car_racing.scene import FIELD, GRASS, OUTSIDE, Scene
from envs.car_racing.torus import Lookup

FINE = 5
"""How many times finer than a coarse pixel a strip is drawn. (pygame darkens when it shrinks by 3 or 4, not by 5.)"""
ENLARGE = 4
"""Texels per coarse pixel. With 2, nearest texels step visibly at the road's edge."""
COARSE = 0.6
"""Coarse pixel, as a share of a frame pixel's width. Box and interpolation together spread as a box of 1.73 coarse
pixels does. 0.5 is nearest to one resizing by area, 0.7 to the two of CarRacing-v3's 96 pixels brought to 64."""
CELL = 16
"""Coarse pixels per cell; strips are whole cells. Measured best of 8, 16 and 32."""


class _Surfaces:
    """The three surfaces that a strip of up to `wide` x `tall` cells goes through: drawn, shrunk, enlarged."""

    def __init__(self, wide: int, tall: int) -> None:
        self._all = [pygame.Surface(size, 0, 32) for size in self._sizes(wide, tall)]

    def cut(self, wide: int, tall: int) -> list[pygame.Surface]:
        """Parts of them for a strip of `wide` x `tall` cells."""
        return [whole.subsurface((0, 0, *size)) for whole, size in zip(self._all, self._sizes(wide, tall), strict=True)]

    @staticmethod
    def _sizes(wide: int, tall: int) -> list[tuple[int, int]]:
        wide, tall = wide * CELL, tall * CELL
        # One coarse pixel more than the strip: enlarging goes from the middle of one pixel to that of the next.
        return [((wide + 1) * FINE, (tall + 1) * FINE), (wide + 1, tall + 1), (wide * ENLARGE, tall * ENLARGE)]


class Ground:
    """The ground around the camera at the usual zoom, for frames of `size` x `size` pixels (a multiple of 8)."""

    def __init__(self, size: int) -> None:
        self.coarse = COARSE * WINDOW_W / size / FULL_ZOOM
        self.texel = self.coarse / ENLARGE
        top, bottom = WINDOW_H - CAR_Y, WINDOW_H * BAR_SHARE - CAR_Y
        self._middle_up = (top + bottom) / 2 / FULL_ZOOM
        self._reach = math.hypot(CAR_X, (top - bottom) / 2) / FULL_ZOOM + self.coarse
        cells = math.ceil(2 * self._reach / (CELL * self.coarse)) + 1
        bits = math.ceil(math.log2(cells * CELL * ENLARGE))
        self._lookup = Lookup(size, bits)
        self.texels = np.zeros(1 << 2 * bits, np.uint32)
        self._torus = self.texels.reshape(1 << bits, 1 << bits)
        # Strips lie or stand; the surfaces that they go through are kept, long enough for any.
        self._strips = [_Surfaces(cells, 1), _Surfaces(1, cells)]
        self._painted: tuple[int, int, int, int] | None = None
        self._scene: Scene | None = None

    def lay(self, scene: Scene) -> None:
        """Take up the scene of a new episode; nothing is painted before it comes into view."""
        self._scene = scene
        self._painted = None

    def look(self, view: View) -> np.ndarray:
        """The ground that `view` sees at the usual zoom above the bar: packed 0x00RRGGBB, uint32 [rows, size]."""
        cos, sin = math.cos(view.angle), math.sin(view.angle)
        self._cover(view.x - sin * self._middle_up, view.y + cos * self._middle_up)
        # pygame's enlarging puts texel 0 into the middle of the first coarse pixel.
        return self.texels.take(self._lookup.find(view, self.texel, ENLARGE / 2))

    def _prepare(self, scene: Scene) -> None:
        """Have the quads' outlines ready, a little narrower than they are.

        pygame draws the pixels of a polygon's edge too, half a pixel on each side: more world units in a strip than in
        CarRacing-v3's window.
        """
        excess = 0.5 * self.coarse / FINE - 0.5 / FULL_ZOOM
        quads = scene.quads
        left, right = quads[:, [0, 3]], quads[:, [1, 2]]
        inward = right - left
        # A kerb beside a stretch that does not turn at all has no width (seed 298 has two): it stays the line it is.
        width = np.hypot(inward[..., 0], inward[..., 1])
        inward *= np.divide(excess, width, out=np.zeros_like(width), where=width > 0)[..., None]
        left, right = left + inward, right - inward
        self._quads = np.stack([left[:, 0], right[:, 0], right[:, 1], left[:, 1]], axis=1)
        low, high = self._quads.min(axis=1), self._quads.max(axis=1)
        self._bounds = np.stack([low[:, 0], low[:, 1], -high[:, 0], -high[:, 1]])

    def _cover(self, x: float, y: float) -> None:
        """Paint the cells within reach of the world point (x, y) that are not painted yet."""
        cell, reach = self.coarse * CELL, self._reach
        left, right = math.floor((x - reach) / cell), math.floor((x + reach) / cell) + 1
        low, high = math.floor((y - reach) / cell), math.floor((y + reach) / cell) + 1
        now = (left, right, low, high)
        if now == self._painted:
            return
        was_left, was_right, was_low, was_high = self._painted or (0, 0, 0, 0)
        if left >= was_right or right <= was_left or low >= was_high or high <= was_low:
            if self._painted is None:
                assert self._scene is not None
                self._prepare(self._scene)
            self._paint(left, right, low, high)
        else:
            if left < was_left:
                self._paint(left, was_left, low, high)
            if right > was_right:
                self._paint(was_right, right, low, high)
            left, right = max(left, was_left), min(right, was_right)
            if low < was_low:
                self._paint(left, right, low, was_low)
            if high > was_high:
                self._paint(left, right, was_high, high)
        self._painted = now

    def _paint(self, left: int, right: int, low: int, high: int) -> None:
        """Paint a rectangle of cells into the torus."""
        if right - left > high - low:
            for row in range(low, high):
                self._paint_strip(self._strips[0], left, row, right - left, 1)
        else:
            for column in range(left, right):
                self._paint_strip(self._strips[1], column, low, 1, high - low)

    def _paint_strip(self, surfaces: _Surfaces, left: int, low: int, wide: int, tall: int) -> None:
        """Paint `wide` x `tall` cells from cell (left, low); one of the two is 1."""
        drawn, coarse, fine = surfaces.cut(wide, tall)
        self._draw(drawn, left * CELL, low * CELL)
        pygame.transform.smoothscale(drawn, coarse.get_size(), coarse)
        # pygame enlarges so that texel t lies at coarse pixel t * (old - 1) / new: with one pixel more, t / ENLARGE.
        pygame.transform.smoothscale(coarse, fine.get_size(), fine)
        pixels = pygame.surfarray.pixels2d(fine).T
        tall, wide = pixels.shape
        torus = self._torus
        side = torus.shape[0]
        x, y = left * CELL * ENLARGE % side, low * CELL * ENLARGE % side
        split_x, split_y = min(wide, side - x), min(tall, side - y)
        torus[y : y + split_y, x : x + split_x] = pixels[:split_y, :split_x]
        if split_x < wide:
            torus[y : y + split_y, : wide - split_x] = pixels[:split_y, split_x:]
        if split_y < tall:
            torus[: tall - split_y, x : x + split_x] = pixels[split_y:, :split_x]
            if split_x < wide:
                torus[: tall - split_y, : wide - split_x] = pixels[split_y:, split_x:]

    def _draw(self, surface: pygame.Surface, left: int, low: int) -> None:
        """Draw the coarse pixels from (left, low), y pointing up the rows, `FINE` times finer than they are."""
        scene = self._scene
        assert scene is not None
        scale = FINE / self.coarse
        wide, tall = surface.get_size()
        world_x, world_y = left * self.coarse, low * self.coarse
        end_x, end_y = world_x + wide / scale, world_y + tall / scale
        if max(-world_x, -world_y, end_x, end_y) > FIELD:
            surface.fill(OUTSIDE)
            _fill(surface, scene.background, (-FIELD - world_x) * scale, (-FIELD - world_y) * scale, 2 * FIELD * scale)
        else:
            surface.fill(scene.background)
        for column in _even(world_x, end_x):
            for row in _even(world_y, end_y):
                x, y = (column * GRASS - world_x) * scale, (row * GRASS - world_y) * scale
                _fill(surface, scene.grass, x, y, GRASS * scale)
        ends = np.array(((end_x,), (end_y,), (-world_x,), (-world_y,)))
        which = np.flatnonzero((self._bounds < ends).all(axis=0))
        if which.size:
            corners = (self._quads[which] - (world_x, world_y)) * scale
            for polygon, index in zip(corners.tolist(), which.tolist(), strict=True):
                pygame.draw.polygon(surface, scene.colors[index], polygon)


def _even(start: float, end: float) -> range:
    """The numbers of the lighter grass squares' columns (or rows) that reach into the stretch from `start` to `end`."""
    first = max(-20, math.floor(start / GRASS))
    last = min(18, math.floor(end / GRASS))
    return range(first + first % 2, last + 1, 2)


def _fill(surface: pygame.Surface, color: tuple[int, int, int], x: float, y: float, side: float) -> None:
    """Fill an axis-parallel square whose corner of least coordinates is (x, y), in pixels."""
    left, low = round(x), round(y)
    surface.fill(color, (left, low, round(x + side) - left, round(y + side) - low))
