"""The scene large and smooth, for people to look at: a window, a video, the terminal."""

from __future__ import annotations

import math

import numpy as np
import pygame

from envs.car_racing.camera import BAR_SHARE, WINDOW_H, WINDOW_W
from envs.car_racing.gauges import FLOOR, LEAST, LYING, UNIT_H, UNIT_W, UPRIGHT
from envs.car_racing.painter import Painter

SIDE = 600
"""Pixels along each side of the picture."""
FINE = 2
"""How many times finer it is drawn before it is shrunk, which smooths its edges."""


class LargePicture:
    """Draws what a `Painter` shows, skid marks included, as frames of 600 x 600 pixels."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        side = SIDE * FINE
        self._surface = pygame.Surface((side, side), 0, 32)
        self._above = self._surface.subsurface((0, 0, side, side - round(side * BAR_SHARE)))
        self._bar = self._surface.subsurface((0, self._above.get_height(), side, side - self._above.get_height()))
        self._font = pygame.font.Font(pygame.font.get_default_font(), round(42 * side / WINDOW_H))

    def draw(self) -> np.ndarray:
        """The present picture, a new array uint8 [600, 600, 3]."""
        scene = self._painter.scene
        assert scene is not None
        view = self._painter.view()
        scene.refresh()
        scene.draw_ground(self._above, view, SIDE * FINE)
        scene.draw_things(self._above, view, SIDE * FINE, particles=True)
        self._draw_bar()
        shrunk = pygame.transform.smoothscale(self._surface, (SIDE, SIDE))
        return np.ascontiguousarray(pygame.surfarray.pixels3d(shrunk).swapaxes(0, 1))

    def _draw_bar(self) -> None:
        """Draw the indicator bar with CarRacing-v3's measures."""
        physics = self._painter.physics
        self._bar.fill((0, 0, 0))
        wheels, hull = physics.driven.wheels, physics.driven.hull
        uprights = [math.hypot(*hull.linearVelocity), *(wheel.omega for wheel in wheels)]
        for (place, scale, color), value in zip(UPRIGHT, uprights, strict=True):
            self._rectangle(color, place, place + 1, FLOOR - UNIT_H * scale * value, FLOOR)
        for (place, scale, color), value in zip(LYING, [wheels[0].joint.angle, hull.angularVelocity], strict=True):
            if abs(value) > LEAST:
                self._rectangle(color, place, place + scale * value, WINDOW_H - 4 * UNIT_H, WINDOW_H - 2 * UNIT_H)
        text = self._font.render(f"{physics.reward:04.0f}", True, (255, 255, 255), (0, 0, 0))
        box = text.get_rect()
        box.center = (round(60 * self._bar.get_width() / WINDOW_W), self._bar.get_height() // 2)
        self._bar.blit(text, box)

    def _rectangle(self, color: tuple[int, int, int], left: float, right: float, top: float, bottom: float) -> None:
        """Fill from column `left` to `right` (units of 25 window pixels) and from window row `top` to `bottom`."""
        across = self._bar.get_width() / WINDOW_W * UNIT_W
        down = self._surface.get_height() / WINDOW_H
        left, right = sorted((left * across, right * across))
        top, bottom = sorted(((top - WINDOW_H) * down, (bottom - WINDOW_H) * down))
        height = self._bar.get_height()
        self._bar.fill(color, (round(left), round(top) + height, round(right - left), round(bottom - top)))


class Window:
    """A window of the desktop that shows pictures at the game's pace; needs a display."""

    def __init__(self, side: int, frames_per_second: float) -> None:
        pygame.display.init()
        self._screen = pygame.display.set_mode((side, side))
        pygame.display.set_caption("CarRacing")
        self._clock = pygame.time.Clock()
        self._rate = frames_per_second

    def show(self, picture: np.ndarray) -> None:
        """Show `picture`, uint8 [side, side, 3], and wait until the next is due."""
        pygame.event.pump()
        pygame.surfarray.blit_array(self._screen, picture.swapaxes(0, 1))
        pygame.display.flip()
        self._clock.tick(self._rate)

    def close(self) -> None:
        """Close the window."""
        pygame.display.quit()
