"""The things CarRacing-v3 draws, as arrays of polygons, and the drawing of them on a pygame surface of any size.

This is the general way, for any zoom and any size: the opening second, and the large picture of a window. Polygons that
the surface does not show are dropped in numpy before pygame hears of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pygame
from gymnasium.envs.box2d import car_racing as original

from envs.car_racing.camera import WINDOW_W, View
from envs.car_racing.car_shape import draw_car
from envs.car_racing.physics import Physics

FIELD = original.PLAYFIELD
GRASS = original.GRASS_DIM
OUTSIDE = (0, 0, 0)
LARGEST = GRASS
"""No corner of a quad or a grass square is farther from its middle than this (world units)."""
SPAN = 8
"""Tiles per polygon of a road seen from afar. It turns by 0.31 at most from tile to tile, so no span meets itself."""
AFAR = 8.0
"""Pixels up to which a tile is far away; a longer one is drawn by itself, in its own shade."""
Color = tuple[int, int, int]


def grass_squares() -> np.ndarray:
    """Corners of the lighter grass squares, float64 [400, 4, 2], world units."""
    steps = np.arange(-20, 20, 2) * GRASS
    low = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    return low + np.array([[GRASS, 0], [0, 0], [0, GRASS], [GRASS, GRASS]])


class Scene:
    """One episode's track as arrays: `quads` float64 [M, 4, 2] in drawing order (tiles and kerbs), and `colors`."""

    def __init__(self, physics: Physics) -> None:
        self.physics = physics
        track = physics.track_shape
        # A tile's kerb is drawn right after it, over it: sorting by tile, tile first, gives CarRacing-v3's order.
        numbers = np.concatenate([2 * np.arange(len(track.tiles)), 2 * track.kerbed + 1])
        self._order = np.argsort(numbers)
        self.quads = np.concatenate([track.tiles, track.kerbs])[self._order]
        self._kerb_colors = _packed(np.where((track.kerbed % 2 == 0)[:, None], (255, 255, 255), (255, 0, 0)))
        self.colors: list[int] = []
        self.refresh()
        self._spans: np.ndarray | None = None
        self._span_color = int(_packed(physics.tile_colors.mean(axis=0)))
        self.background: Color = _color(physics.bg_color)
        self.grass: Color = _color(physics.grass_color)

    def refresh(self) -> None:
        """Take over the tiles' present colours; what a wheel touched has changed, by 5 of 255 at the most."""
        self.colors = np.concatenate([_packed(self.physics.tile_colors), self._kerb_colors])[self._order].tolist()

    def draw_ground(self, surface: pygame.Surface, view: View, full_height: int) -> None:
        """Fill `surface` with field and grass; the arguments are those of `draw_things`."""
        size = surface.get_size()
        matrix, offset = view.to_pixels(size[0], full_height)
        surface.fill(OUTSIDE)
        field = np.array([[FIELD, FIELD], [FIELD, -FIELD], [-FIELD, -FIELD], [-FIELD, FIELD]])
        pygame.draw.polygon(surface, self.background, (field @ matrix + offset).tolist())
        for corners in _visible(grass_squares(), matrix, offset, size)[0].tolist():
            pygame.draw.polygon(surface, self.grass, corners)

    def draw_things(self, surface: pygame.Surface, view: View, full_height: int, particles: bool = False) -> None:
        """Draw track and car as `view` sees them; with skid marks if `particles`.

        The surface holds the upper rows of a frame that is as wide as the surface and `full_height` pixels high.
        """
        size = surface.get_size()
        matrix, offset = view.to_pixels(size[0], full_height)
        if original.TRACK_DETAIL_STEP * view.zoom * size[0] / WINDOW_W < AFAR:
            self._draw_afar(surface, matrix, offset)
        else:
            shown, which = _visible(self.quads, matrix, offset, size)
            for corners, index in zip(shown.tolist(), which.tolist(), strict=True):
                pygame.draw.polygon(surface, self.colors[index], corners)
        if particles:
            width = max(1, round(2 * size[0] / WINDOW_W))
            for particle in self.physics.driven.particles:
                line = (np.array(particle.poly) @ matrix + offset).tolist()
                pygame.draw.lines(surface, particle.color, False, line, width)
        draw_car(surface, self.physics.driven, view.zoom, full_height)

    def _draw_afar(self, surface: pygame.Surface, matrix: np.ndarray, offset: np.ndarray) -> None:
        """Draw the road many tiles at a time, in the mean of their shades, which differ by 5 of 255; then the kerbs."""
        track = self.physics.track_shape
        if self._spans is None:
            self._spans = _spans(track.tiles)
        for corners in _touching(self._spans @ matrix + offset, surface)[0].tolist():
            pygame.draw.polygon(surface, self._span_color, corners)
        shown, which = _touching(track.kerbs @ matrix + offset, surface)
        for corners, color in zip(shown.tolist(), self._kerb_colors[which].tolist(), strict=True):
            pygame.draw.polygon(surface, color, corners)


def _visible(
    polygons: np.ndarray, matrix: np.ndarray, offset: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Those of the polygons [M, 4, 2] that may touch the surface, in pixels, and their indices."""
    # Opposite corners span a polygon; whatever it covers is no farther from their middle than they are from each other.
    middles = (polygons[:, 0] + polygons[:, 2]) @ (0.5 * matrix) + offset
    margin = LARGEST * float(np.hypot(*matrix).max())
    near = (middles > -margin) & (middles < np.array(size) + margin)
    which = np.flatnonzero(near[:, 0] & near[:, 1])
    return polygons[which] @ matrix + offset, which


def _spans(tiles: np.ndarray) -> np.ndarray:
    """The outlines of `SPAN` tiles [N, 4, 2] each: float64 [N / SPAN rounded up, 2 * SPAN + 2, 2]."""
    count = len(tiles)
    # Each begins at the edge where the one before it ends; the last may stand still on the last edge.
    edges = np.minimum(np.arange(0, count, SPAN)[:, None] + np.arange(-1, SPAN), count - 1)
    return np.concatenate([tiles[edges, 0], tiles[edges[:, ::-1], 1]], axis=1)


def _touching(polygons: np.ndarray, surface: pygame.Surface) -> tuple[np.ndarray, np.ndarray]:
    """Those of the polygons [M, corners, 2], in pixels, whose extent meets the surface, and their indices."""
    meets = (polygons.max(axis=1) >= 0) & (polygons.min(axis=1) <= surface.get_size())
    which = np.flatnonzero(meets[:, 0] & meets[:, 1])
    return polygons[which], which


def _packed(colors: np.ndarray) -> np.ndarray:
    """Colours [..., 3] of 0 to 255 as pygame takes them for surfaces of 32 bits: 0x00RRGGBB, int64 [...]."""
    return colors.astype(np.int64) @ np.array((1 << 16, 1 << 8, 1))


def _color(color: Any) -> Color:
    return int(color[0]), int(color[1]), int(color[2])
