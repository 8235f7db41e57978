"""The car's polygons as the camera, which is fixed to the hull, sees them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pygame
from gymnasium.envs.box2d import car_dynamics as dynamics

from envs.car_racing.camera import CAR_X, CAR_Y, WINDOW_H, WINDOW_W

Point = tuple[float, float]
HULL = tuple(
    tuple((x * dynamics.SIZE, y * dynamics.SIZE) for x, y in part)
    for part in (dynamics.HULL_POLY1, dynamics.HULL_POLY2, dynamics.HULL_POLY3, dynamics.HULL_POLY4)
)
"""The parts of the hull: world units to the right and forward."""
HULL_COLOR = (204, 0, 0)
WHEELS = tuple((x * dynamics.SIZE, y * dynamics.SIZE) for x, y in dynamics.WHEELPOS)
"""Where the wheels' middles are: front left, front right, rear left, rear right."""
HALF_WIDTH, RADIUS = dynamics.WHEEL_W * dynamics.SIZE, dynamics.WHEEL_R * dynamics.SIZE


def white_band(phase: float) -> tuple[float, float] | None:
    """From where to where, along a wheel that turned by `phase` radians, its light stripe shows; None: not at all."""
    ahead, behind = phase, phase + 1.2
    if math.sin(ahead) > 0 and math.sin(behind) > 0:
        return None
    first = math.copysign(1, math.cos(ahead)) if math.sin(ahead) > 0 else math.cos(ahead)
    second = math.copysign(1, math.cos(behind)) if math.sin(behind) > 0 else math.cos(behind)
    return RADIUS * first, RADIUS * second


def draw_car(surface: pygame.Surface, car: Any, zoom: float, full_height: int) -> None:
    """Draw wheels, stripes and hull in CarRacing-v3's order, at `zoom` window pixels per world unit.

    The surface holds the upper rows of a frame that is as wide as the surface and `full_height` pixels high.
    """
    across, down = surface.get_width() / WINDOW_W, full_height / WINDOW_H
    middle_x, middle_y = CAR_X * across, (WINDOW_H - CAR_Y) * down
    across, down = across * zoom, down * zoom
    for wheel, (wheel_x, wheel_y) in zip(car.wheels, WHEELS, strict=True):
        angle = wheel.joint.angle
        cos, sin = math.cos(angle), math.sin(angle)
        x, y = middle_x + wheel_x * across, middle_y - wheel_y * down
        bands = ((dynamics.WHEEL_COLOR, (-RADIUS, RADIUS)), (dynamics.WHEEL_WHITE, white_band(wheel.phase)))
        for color, band in bands:
            if band is not None:
                low, high = band
                corners = ((-HALF_WIDTH, low), (HALF_WIDTH, low), (HALF_WIDTH, high), (-HALF_WIDTH, high))
                turned = [(x + (a * cos - b * sin) * across, y - (a * sin + b * cos) * down) for a, b in corners]
                pygame.draw.polygon(surface, color, turned)
    for part in HULL:
        pygame.draw.polygon(surface, HULL_COLOR, [(middle_x + a * across, middle_y - b * down) for a, b in part])


def hull_corners() -> list[np.ndarray]:
    """The parts of the hull as arrays, float64 [corners, 2]."""
    return [np.array(part) for part in HULL]
