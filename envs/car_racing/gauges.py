"""The indicator bar at the bottom of the frame: score, speed, four wheels, steering and rotation, looked up.

CarRacing-v3 draws the gauges as rectangles with whole window pixels as corners, so each gauge has a few hundred states.
Each state is shrunk by area once; a frame changes only the gauges that moved.
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
UPRIGHT = (
    (5, 0.02, (255, 255, 255)),
    (7, 0.01, (0, 0, 255)),
    (8, 0.01, (0, 0, 255)),
    (9, 0.01, (51, 0, 255)),
    (10, 0.01, (51, 0, 255)),
)
"""Place (in units of 25 window pixels), height per unit of what is shown, and colour of the speed gauge (world units
per second) and of the four wheels' gauges (radians per second)."""
LYING = ((20, -10.0, (0, 255, 0)), (30, -0.8, (255, 0, 0)))
"""Place, length per unit and colour of the steering (radians) and of the rotation gauge (radians per second)."""
REACH = 10 * UNIT_W
"""Window pixels to either side as far as a lying gauge is drawn."""
LEAST = 1e-4
"""Values up to this show no gauge at all."""
UPRIGHT_NONE, LYING_NONE = WINDOW_H - BAR_TOP, 2 * REACH
"""The states, after all others, in which a gauge is not drawn."""

Gauge = tuple[slice, np.ndarray]
"""The columns of the bar that a gauge may touch, and its pictures by state, uint8 [states, rows, columns, 3]."""


class GaugePictures:
    """Every state of every gauge, and the scores seen so far, for frames of `size` x `size` pixels.

    `top` is the bar's first row; `gauges` the uprights and then the lying ones.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.top = size - round(size * BAR_SHARE)
        self._rows = area_weights(WINDOW_H, size)[self.top :, BAR_TOP:]
        self._columns = area_weights(WINDOW_W, size)
        self.gauges = [self._upright(place, color) for place, _, color in UPRIGHT]
        self.gauges += [self._lying(place, color) for place, _, color in LYING]
        self._scores: dict[str, tuple[slice, np.ndarray]] = {}
        pygame.font.init()
        self._font = pygame.font.Font(pygame.font.get_default_font(), 42)

    def score(self, text: str) -> tuple[slice, np.ndarray]:
        """The digits of `text`: the columns that they take and uint8 [rows, columns, 3]."""
        if text not in self._scores:
            self._scores[text] = self._picture(text)
        return self._scores[text]

    def _picture(self, text: str) -> tuple[slice, np.ndarray]:
        """The score's digits, its columns and uint8 [rows, columns, 3]."""
        drawn = self._font.render(text, True, (255, 255, 255), (0, 0, 0))
        box = drawn.get_rect()
        box.center = (60, int(WINDOW_H - WINDOW_H * 2.5 / 40.0))
        # A long score reaches over the window's left edge, where it is cut, and into the speed gauge, which wins.
        left, right = max(box.left, 0), min(box.right, UPRIGHT[0][0] * UNIT_W)
        # White on black comes with a palette of greys, whose numbers are their brightness.
        grey = pygame.surfarray.pixels2d(drawn) if drawn.get_bitsize() == 8 else pygame.surfarray.array3d(drawn)[..., 0]
        pixels = grey[left - box.left : right - box.left].T
        down = self._rows[:, box.top - BAR_TOP : box.bottom - BAR_TOP]
        columns = slice(left * len(self._columns) // WINDOW_W, -(-right * len(self._columns) // WINDOW_W))
        shown = down @ pixels @ self._columns[columns, left:right].T
        return columns, np.repeat(shown[..., None], 3, axis=2).astype(np.uint8)

    def _upright(self, place: int, color: tuple[int, int, int]) -> Gauge:
        """An upright gauge by the window row, counted from the bar's top, at which it ends."""
        # One window pixel less at the right than is drawn: the next gauge covers it.
        across = self._columns[:, place * UNIT_W : (place + 1) * UNIT_W].sum(axis=1)
        floor = FLOOR - BAR_TOP
        ends = range(UPRIGHT_NONE)
        down = [self._rows[:, min(end, floor) : max(end, floor) + 1].sum(axis=1) for end in ends]
        return _pictures([*down, np.zeros_like(down[0])], [across] * (UPRIGHT_NONE + 1), color)

    def _lying(self, place: int, color: tuple[int, int, int]) -> Gauge:
        """A lying gauge by the window column at which it ends, counted from `REACH` to the left of where it starts."""
        start = place * UNIT_W
        down = self._rows[:, UNIT_H : 3 * UNIT_H + 1].sum(axis=1)
        ends = range(start - REACH, start + REACH)
        across = [self._columns[:, min(start, end) : max(start, end) + 1].sum(axis=1) for end in ends]
        return _pictures([down] * (LYING_NONE + 1), [*across, np.zeros_like(across[0])], color)


class Gauges:
    """Draws the bar, the lowest eighth, of a game's frames, with pictures that several games may share."""

    def __init__(self, pictures: GaugePictures) -> None:
        self.top = pictures.top
        self._pictures = pictures
        self._gauges = pictures.gauges
        self._shown = [UPRIGHT_NONE] * len(UPRIGHT) + [LYING_NONE] * len(LYING)
        self._bar = np.zeros((pictures.size - self.top, pictures.size, 3), np.uint8)
        self._text = ""
        self._text_columns = slice(0, 0)

    def draw(self, frame: np.ndarray, car: Any, reward: float) -> None:
        """Draw the bar of the car's present state and of the `reward` so far into `frame`, uint8 [size, size, 3]."""
        text = f"{reward:04.0f}"
        if text != self._text:
            self._write(text)
        hull, (front, *others) = car.hull, car.wheels
        velocity = hull.linearVelocity
        speed_x, speed_y = velocity.x, velocity.y
        values = [math.sqrt(speed_x * speed_x + speed_y * speed_y), front.omega, *[wheel.omega for wheel in others]]
        shown = self._shown
        for number, value in enumerate(values):
            state = int(FLOOR - BAR_TOP - UNIT_H * UPRIGHT[number][1] * value)
            if -LEAST <= value <= LEAST:
                state = UPRIGHT_NONE
            if state != shown[number]:
                self._change(number, state)
        for number, value in enumerate((front.joint.angle, hull.angularVelocity)):
            state = math.floor(UNIT_W * LYING[number][1] * value) + REACH
            if -LEAST <= value <= LEAST:
                state = LYING_NONE
            if state != shown[len(values) + number]:
                self._change(len(values) + number, state)
        frame[self.top :] = self._bar

    def _change(self, number: int, state: int) -> None:
        """Replace gauge `number` in the kept bar by another of its states, or by the nearest one there is."""
        columns, states = self._gauges[number]
        state = min(max(state, 0), len(states) - 1)
        # Gauges add up where they share a pixel. Bytes wrap round, so the difference may be below zero.
        self._bar[:, columns] += states[state] - states[self._shown[number]]
        self._shown[number] = state

    def _write(self, text: str) -> None:
        """Replace the score in the kept bar."""
        columns, picture = self._pictures.score(text)
        self._bar[:, self._text_columns] = 0
        self._bar[:, columns] = picture
        self._text, self._text_columns = text, columns


def area_weights(old: int, new: int) -> np.ndarray:
    """The share of each of `old` pixels in each of `new` ones, resized by area: float64 [new, old]; rows sum to 1."""
    edges = np.arange(new + 1) * (old / new)
    low = np.maximum(edges[:-1, None], np.arange(old))
    high = np.minimum(edges[1:, None], np.arange(old) + 1)
    return (high - low).clip(0) * (new / old)


def _pictures(down: list[np.ndarray], across: list[np.ndarray], color: tuple[int, int, int]) -> Gauge:
    """A rectangle over black in each of its states, from its shares of the bar's rows and columns."""
    which = np.flatnonzero(np.max(across, axis=0) > 0)
    columns = slice(int(which[0]), int(which[-1]) + 1)
    shares = np.array(down)[:, :, None] * np.array(across)[:, None, columns]
    return columns, (shares[..., None] * np.array(color)).clip(0, 255).astype(np.uint8)
