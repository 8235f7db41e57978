"""The indicator bar at the bottom of the frame: score, speed, four wheels, steering and rotation, looked up.

CarRacing-v3 draws the gauges as rectangles with whole window pixels as corners, so each gauge has a few hundred states;
each is shrunk by area once, and a frame adds up seven of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pygame

from envs.car_racing.camera import BAR_SHARE, WINDOW_H, WINDOW_W

UNIT_W, UNIT_H = WINDOW_W // 40, WINDOW_H // 40
BAR_TOP = round(WINDOW_H * (1 - BAR_SHARE))
FLOOR = WINDOW_H - UNIT_H
"""The window row on which the upright gauges stand."""
UPRIGHT = ((5, (255, 255, 255)), (7, (0, 0, 255)), (8, (0, 0, 255)), (9, (51, 0, 255)), (10, (51, 0, 255)))
"""Place (in units of 25 window pixels) and colour of the speed gauge and of the four wheels' gauges."""
LYING = ((20, (0, 255, 0)), (30, (255, 0, 0)))
"""Place and colour of the steering and of the rotation gauge."""
LEAST = 1e-4
"""Values smaller than this show no gauge at all."""


class Gauges:
    """Draws the bar, the lowest eighth, of frames of `size` x `size` pixels."""

    def __init__(self, size: int) -> None:
        self.top = size - round(size * BAR_SHARE)
        self._rows = area_weights(WINDOW_H, size)[self.top :, BAR_TOP:]
        self._columns = area_weights(WINDOW_W, size)
        self._upright = [self._upright_states(place, color) for place, color in UPRIGHT]
        self._lying = [self._lying_states(place, color) for place, color in LYING]
        self._scores: dict[int, tuple[slice, np.ndarray]] = {}
        pygame.font.init()
        self._font = pygame.font.Font(pygame.font.get_default_font(), 42)

    def draw(self, frame: np.ndarray, car: Any, reward: float) -> None:
        """Draw the bar of the car's present state and of the `reward` so far into `frame`, uint8 [size, size, 3]."""
        bar = frame[self.top :]
        bar.fill(0)
        score = round(reward)
        columns, text = self._scores.get(score) or self._score(score)
        bar[:, columns] = text
        hull = car.hull
        speed_x, speed_y = hull.linearVelocity
        speed = math.sqrt(speed_x * speed_x + speed_y * speed_y)
        wheels = car.wheels
        heights = (0.02 * speed, *(0.01 * wheel.omega for wheel in wheels))
        for (columns, states), height in zip(self._upright, heights, strict=True):
            end = int(FLOOR - UNIT_H * height) - BAR_TOP
            if end != FLOOR - BAR_TOP or abs(height) > 0.02 * LEAST:
                bar[:, columns] += states[min(max(end, 0), WINDOW_H - 1 - BAR_TOP)]
        lengths = (-10.0 * wheels[0].joint.angle, -0.8 * hull.angularVelocity)
        for (place, _), (columns, states), length in zip(LYING, self._lying, lengths, strict=True):
            if abs(length) > LEAST:
                end = int((place + length) * UNIT_W) - place * UNIT_W
                bar[:, columns] += states[min(max(end + 250, 0), 499)]

    def _upright_states(self, place: int, color: tuple[int, int, int]) -> tuple[slice, list[np.ndarray]]:
        """An upright gauge by the window row, counted from the bar's top, at which it ends."""
        # One window pixel less at the right than is drawn: the next gauge covers it.
        across = self._columns[:, place * UNIT_W : (place + 1) * UNIT_W].sum(axis=1)
        columns = _extent(across)
        states = []
        for end in range(WINDOW_H - BAR_TOP):
            first, last = sorted((end, FLOOR - BAR_TOP))
            states.append(_mix(self._rows[:, first : last + 1].sum(axis=1), across[columns], color))
        return columns, states

    def _lying_states(self, place: int, color: tuple[int, int, int]) -> tuple[slice, list[np.ndarray]]:
        """A lying gauge by the window column at which it ends, counted from 250 to the left of where it starts."""
        start = place * UNIT_W
        down = self._rows[:, UNIT_H : 3 * UNIT_H + 1].sum(axis=1)
        columns = _extent(self._columns[:, start - 250 : start + 250].sum(axis=1))
        states = []
        for end in range(start - 250, start + 250):
            first, last = sorted((start, end))
            states.append(_mix(down, self._columns[columns, first : last + 1].sum(axis=1), color))
        return columns, states

    def _score(self, score: int) -> tuple[slice, np.ndarray]:
        """The score's digits, drawn when a score first appears."""
        text = self._font.render(f"{score:04d}", True, (255, 255, 255), (0, 0, 0))
        box = text.get_rect()
        box.center = (60, int(WINDOW_H - WINDOW_H * 2.5 / 40.0))
        pixels = pygame.surfarray.array3d(text)[..., 0].T
        first = max(-box.left, 0)
        down = self._rows[:, box.top - BAR_TOP : box.bottom - BAR_TOP]
        across = self._columns[:, max(box.left, 0) : box.right]
        columns = _extent(across.sum(axis=1))
        shown = down @ pixels[:, first:] @ across[columns].T
        found = columns, np.repeat(shown[..., None], 3, axis=2).astype(np.uint8)
        self._scores[score] = found
        return found


def area_weights(old: int, new: int) -> np.ndarray:
    """The share of each of `old` pixels in each of `new` ones when resizing by area, float64 [new, old]; rows sum to 1."""
    edges = np.arange(new + 1) * (old / new)
    low = np.maximum(edges[:-1, None], np.arange(old))
    high = np.minimum(edges[1:, None], np.arange(old) + 1)
    return (high - low).clip(0) * (new / old)


def _extent(weights: np.ndarray) -> slice:
    """From the first to the last pixel that has any weight."""
    which = np.flatnonzero(weights > 0)
    return slice(int(which[0]), int(which[-1]) + 1)


def _mix(down: np.ndarray, across: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """A rectangle over black, uint8 [rows, columns, 3], from its shares of the pixels' rows and columns."""
    return (np.outer(down, across)[..., None] * np.array(color)).clip(0, 255).astype(np.uint8)
