"""The things CarRacing-v3 draws, as arrays of polygons, and the drawing of them on a pygame surface of any size.

This is the general way, for any zoom and any size: the opening second, and the large picture of a window. Polygons that
the surface does not show are dropped in numpy before pygame hears of them.
"""

from __future__ import annotations

from itertools import chain
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
        numbers = np.array([2 * i for i in range(len(track.tiles))] + [2 * i + 1 for i, _ in track.kerbs])
        order = np.argsort(numbers, kind="stable")
        quads = track.tiles + [corners for _, corners in track.kerbs]
        numbers_in_a_row = chain.from_iterable(chain.from_iterable(quads))
        self.quads = np.fromiter(numbers_in_a_row, float, 8 * len(quads)).reshape(-1, 4, 2)[order]
        self._order = order
        self._kerb_colors = np.array(
            [(255, 255, 255) if i % 2 == 0 else (255, 0, 0) for i, _ in track.kerbs], float
        ).reshape(-1, 3)
        self.colors: list[list[int]] = []
        self.refresh()
        self.background: Color = _color(physics.bg_color)
        self.grass: Color = _color(physics.grass_color)

    def refresh(self) -> None:
        """Take over the tiles' present colours; what a wheel touched has changed, by 5 of 255 at the most."""
        colors = np.concatenate([self.physics.tile_colors, self._kerb_colors])[self._order]
        self.colors = colors.astype(int).tolist()

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
        shown, which = _visible(self.quads, matrix, offset, size)
        for corners, index in zip(shown.tolist(), which.tolist(), strict=True):
            pygame.draw.polygon(surface, self.colors[index], corners)
        if particles:
            width = max(1, round(2 * size[0] / WINDOW_W))
            for particle in self.physics.driven.particles:
                line = (np.array(particle.poly) @ matrix + offset).tolist()
                pygame.draw.lines(surface, particle.color, False, line, width)
        draw_car(surface, self.physics.driven, view.zoom, full_height)


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


def _color(color: Any) -> Color:
    return int(color[0]), int(color[1]), int(color[2])
