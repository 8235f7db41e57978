"""Where on the track the car is, and what lies ahead of it: what a scripted driver and a report need."""

from __future__ import annotations

import math

import numpy as np
from gymnasium.envs.box2d import car_racing as original

AHEAD = 24
"""How many centre points ahead of the car `info["ahead"]` holds; they lie 3.5 world units apart."""
LOST = 2 * original.TRACK_WIDTH
"""Farther than this from the tile it was last seen at, the car is looked for along the whole track."""


class Lap:
    """Follows the car along one track, given as the centre points of its N tiles, float64 [N, 2]."""

    def __init__(self, centres: np.ndarray) -> None:
        self._xs, self._ys = centres.T.copy()
        self._places = list(zip(self._xs.tolist(), self._ys.tolist(), strict=True))
        # The lap is closed: what lies ahead of the last tiles are the first ones.
        self._twice = np.concatenate([centres, centres[: AHEAD + 1]]).astype(np.float32)
        self.tile = 0

    def follow(self, x: float, y: float) -> int:
        """The number of the tile whose centre is nearest to (x, y), looked for from the last one found."""
        places, tile = self._places, self.tile
        count = len(places)
        near_x, near_y = places[tile]
        best = (near_x - x) ** 2 + (near_y - y) ** 2
        for way in (1, -1):
            while True:
                near_x, near_y = places[(tile + way) % count]
                distance = (near_x - x) ** 2 + (near_y - y) ** 2
                if distance >= best:
                    break
                tile, best = (tile + way) % count, distance
        if best > LOST * LOST:
            away_x, away_y = self._xs - x, self._ys - y
            tile = int((away_x * away_x + away_y * away_y).argmin())
        self.tile = tile
        return tile

    def ahead(self, x: float, y: float, angle: float) -> np.ndarray:
        """The next centre points as the driver sees them, float32 [AHEAD, 2]: world units to the right, and forward."""
        cos, sin = math.cos(angle), math.sin(angle)
        near = self._twice[self.tile + 1 : self.tile + 1 + AHEAD] - np.array((x, y), np.float32)
        return near @ np.array(((cos, -sin), (sin, cos)), np.float32)
