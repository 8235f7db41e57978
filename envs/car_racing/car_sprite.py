"""The car at the usual zoom, looked up instead of drawn.

The camera is fixed to the hull, so the car always covers the same few pixels. Only two things change: the front wheels
turn with the steering, and the light stripe of each wheel runs with its rotation. For every steering angle and phase,
in fine steps, the share of each pixel that hull, tyres and stripes cover is worked out once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium.envs.box2d import car_dynamics as dynamics

from envs.car_racing.camera import CAR_X, CAR_Y, FULL_ZOOM, WINDOW_H, WINDOW_W
from envs.car_racing.car_shape import HALF_WIDTH, HULL_COLOR, RADIUS, WHEELS, hull_corners, white_band

STEERING_STEPS = 33
"""Steps of the front wheels' angle, from -0.4 to 0.4 radians."""
STEERING_LIMIT = 0.4
PHASES = 32
"""Steps of a wheel's rotation."""
SAMPLES = 8
"""Samples per pixel and axis for the shares."""
RIM = 0.5 / FULL_ZOOM
"""World units by which a drawn polygon is larger than the true one: pygame draws the pixels of the edge, too."""


class CarSprite:
    """The car over any ground, for frames of `size` x `size` pixels."""

    def __init__(self, size: int) -> None:
        # A little margin around the hull's extent holds the turned wheels.
        left, right = (int(np.floor((CAR_X + x * FULL_ZOOM) * size / WINDOW_W)) for x in (-1.75, 1.75))
        top, bottom = (int(np.floor((WINDOW_H - CAR_Y - y * FULL_ZOOM) * size / WINDOW_H)) for y in (2.75, -2.55))
        self.place = np.s_[top : bottom + 1, left : right + 1]
        across = (np.arange(left * SAMPLES, (right + 1) * SAMPLES) + 0.5) / SAMPLES * WINDOW_W / size
        down = (np.arange(top * SAMPLES, (bottom + 1) * SAMPLES) + 0.5) / SAMPLES * WINDOW_H / size
        x, y = np.meshgrid((across - CAR_X) / FULL_ZOOM, (WINDOW_H - down - CAR_Y) / FULL_ZOOM)
        hull = np.any([_inside(part, x, y) for part in hull_corners()], axis=0)
        angles = np.linspace(-STEERING_LIMIT, STEERING_LIMIT, STEERING_STEPS)
        phases = (np.arange(PHASES) + 0.5) * 2 * math.pi / PHASES
        wheels = [
            [_wheel(x, y, hull, place, angle, phases) for angle in (angles if number < 2 else [0.0])]
            for number, place in enumerate(WHEELS)
        ]
        rear = _share(hull) + wheels[2][0][0] + wheels[3][0][0]
        self._ground_share = [
            (1 - (rear + wheels[0][step][0] + wheels[1][step][0])[..., None]).clip(0, 1).astype(np.float32)
            for step in range(STEERING_STEPS)
        ]
        self._hull = (_share(hull)[..., None] * np.array(HULL_COLOR) + 0.5).astype(np.float32)
        self._stripes = [[stripes for _, stripes in steps] for steps in wheels]

    def stamp(self, frame: np.ndarray, car: Any) -> None:
        """Draw the car, as its wheels now stand, over the ground in `frame`, uint8 [rows, size, 3]."""
        front = car.wheels[0]
        turned = front.joint.angle
        step = round((turned + STEERING_LIMIT) * ((STEERING_STEPS - 1) / (2 * STEERING_LIMIT)))
        step = min(max(step, 0), STEERING_STEPS - 1)
        patch = frame[self.place]
        mixed = patch * self._ground_share[step]
        mixed += self._hull
        for number, wheel in enumerate(car.wheels):
            phase = int(wheel.phase * (PHASES / (2 * math.pi)) // 1) % PHASES
            stripe = self._stripes[number][step if number < 2 else 0][phase]
            if stripe is not None:
                mixed += stripe
        patch[...] = mixed


def _inside(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which points lie in the convex polygon, or within `RIM` of one of its edges."""
    following = np.roll(corners, -1, axis=0)
    turn = np.sign(np.sum(corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]))
    inside = np.ones(x.shape, bool)
    for (x1, y1), (x2, y2) in zip(corners, following, strict=True):
        distance = turn * ((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) / math.hypot(x2 - x1, y2 - y1)
        inside &= distance >= -RIM
    return inside


def _wheel(
    x: np.ndarray, y: np.ndarray, hull: np.ndarray, place: tuple[float, float], angle: float, phases: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray | None]]:
    """The share of each pixel that one wheel covers, and for each phase what its stripe adds to all three colours."""
    dx, dy = x - place[0], y - place[1]
    along, across = dy * math.cos(angle) - dx * math.sin(angle), dx * math.cos(angle) + dy * math.sin(angle)
    wide = (np.abs(across) <= HALF_WIDTH + RIM) & ~hull
    tyre = wide & (np.abs(along) <= RADIUS + RIM)
    stripes: list[np.ndarray | None] = []
    for phase in phases:
        band = white_band(phase)
        if band is None:
            stripes.append(None)
        else:
            shown = wide & (along >= min(band) - RIM) & (along <= max(band) + RIM)
            stripes.append((_share(shown)[..., None] * dynamics.WHEEL_WHITE[0]).astype(np.float32))
    return _share(tyre), stripes


def _share(mask: np.ndarray) -> np.ndarray:
    """The share of each pixel's samples that is set."""
    rows, columns = mask.shape[0] // SAMPLES, mask.shape[1] // SAMPLES
    return mask.reshape(rows, SAMPLES, columns, SAMPLES).mean(axis=(1, 3))
