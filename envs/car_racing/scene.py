"""The things CarRacing-v3 draws, as arrays of polygons, and the drawing of them on a pygame surface of any size.

This is the general way, for any zoom and any size: the opening second, and the large picture of a window. Polygons that
the surface does not show are dropped in numpy before pygame hears of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pygame
from gymnasium.envs.box2d import car_dynamics as dynamics
from gymnasium.envs.box2d import car_racing as original

from envs.car_racing.camera import View
from envs.car_racing.physics import Physics

FIELD = original.PLAYFIELD
GRASS = original.GRASS_DIM
OUTSIDE = (0, 0, 0)
Color = tuple[int, int, int]


def grass_squares() -> np.ndarray:
    """Corners of the lighter grass squares, float64 [400, 4, 2], world units."""
    steps = np.arange(-20, 20, 2) * GRASS
    low = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    return low + np.array([[GRASS, 0], [0, 0], [0, GRASS], [GRASS, GRASS]])


class Scene:
    """One episode's track as arrays: `quads` float64 [M, 4, 2] in drawing order (tiles and kerbs), with their colours."""

    def __init__(self, physics: Physics, squares: np.ndarray) -> None:
        self.physics = physics
        self.squares = squares
        self.quads = np.array([corners for corners, _ in physics.road_poly])
        self.low = self.quads.min(axis=1)
        self.high = self.quads.max(axis=1)
        self.background: Color = _color(physics.bg_color)
        self.grass: Color = _color(physics.grass_color)

    def color(self, index: int) -> Color:
        """The present colour of quad `index`; a road tile that a wheel has touched has changed it."""
        return _color(self.physics.road_poly[index][1])

    def within(self, low: tuple[float, float], high: tuple[float, float]) -> np.ndarray:
        """Indices, in drawing order, of the quads that may reach into the world rectangle from `low` to `high`."""
        return np.flatnonzero(((self.high > low) & (self.low < high)).all(axis=1))

    def draw(self, surface: pygame.Surface, view: View, full_height: int, particles: bool = False) -> None:
        """Draw ground, track and car as `view` sees them, filling `surface`; with skid marks if `particles`.

        The surface holds the upper rows of a frame that is as wide as the surface and `full_height` pixels high.
        """
        size = surface.get_size()
        matrix, offset = view.to_pixels(size[0], full_height)
        surface.fill(OUTSIDE)
        field = np.array([[FIELD, FIELD], [FIELD, -FIELD], [-FIELD, -FIELD], [-FIELD, FIELD]])
        pygame.draw.polygon(surface, self.background, (field @ matrix + offset).tolist())
        for corners in _visible(self.squares @ matrix + offset, size)[0].tolist():
            pygame.draw.polygon(surface, self.grass, corners)
        shown, which = _visible(self.quads @ matrix + offset, size)
        for corners, index in zip(shown.tolist(), which.tolist(), strict=True):
            pygame.draw.polygon(surface, self.color(index), corners)
        if particles:
            self._draw_particles(surface, matrix, offset, size[0])
        draw_car(surface, self.physics.car, matrix, offset)

    def _draw_particles(self, surface: pygame.Surface, matrix: np.ndarray, offset: np.ndarray, width: int) -> None:
        """Draw the marks that skidding wheels left, two window pixels wide."""
        for particle in self.physics.car.particles:
            line = (np.array(particle.poly) @ matrix + offset).tolist()
            pygame.draw.lines(surface, particle.color, False, line, max(1, round(2 * width / original.WINDOW_W)))


def draw_car(surface: pygame.Surface, car: Any, matrix: np.ndarray, offset: np.ndarray) -> None:
    """Draw wheels and hull polygon by polygon, in CarRacing-v3's order."""
    for body in car.drawlist:
        color = _color([part * 255 for part in body.color])
        place = body.transform
        for fixture in body.fixtures:
            corners = np.array([tuple(place * corner) for corner in fixture.shape.vertices])
            pygame.draw.polygon(surface, color, (corners @ matrix + offset).tolist())
        band = white_band(body.phase) if hasattr(body, "phase") else None
        if band is not None:
            half = dynamics.WHEEL_W * dynamics.SIZE
            stripe = [(-half, band[0]), (half, band[0]), (half, band[1]), (-half, band[1])]
            corners = np.array([tuple(place * corner) for corner in stripe])
            pygame.draw.polygon(surface, dynamics.WHEEL_WHITE, (corners @ matrix + offset).tolist())


def white_band(phase: float) -> tuple[float, float] | None:
    """From where to where, along a wheel that has turned by `phase` radians, its light stripe shows; None: not at all."""
    ahead, behind = phase, phase + 1.2
    if math.sin(ahead) > 0 and math.sin(behind) > 0:
        return None
    first = math.copysign(1, math.cos(ahead)) if math.sin(ahead) > 0 else math.cos(ahead)
    second = math.copysign(1, math.cos(behind)) if math.sin(behind) > 0 else math.cos(behind)
    radius = dynamics.WHEEL_R * dynamics.SIZE
    return radius * first, radius * second


def _visible(corners: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Those of the polygons [M, 4, 2] whose bounding box touches the surface, and their indices."""
    low, high = corners.min(axis=1), corners.max(axis=1)
    which = np.flatnonzero(((high >= 0) & (low <= size)).all(axis=1))
    return corners[which], which


def _color(color: Any) -> Color:
    return int(color[0]), int(color[1]), int(color[2])
