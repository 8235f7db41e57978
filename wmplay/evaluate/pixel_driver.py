"""Drives CarRacing by what is on the picture alone, so that it can drive in a dream, where there is no track to ask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.car_racing import road_mask
from wmplay.core.spaces import ActionSpec


class PixelDriver:
    """Steers at the middle of the road some way ahead, and slowly enough to get round every bend.

    Where there is no road ahead it turns, slowly, towards what road there is, and in a circle where there is none. Both
    forms of CarRacing's actions: float32 [N, 3] or int64 [N] (nothing, right, left, gas, brake).
    """

    # Found by trying: with these, 8 real cars were on the road at 99 % of the moments of 400 steps, at 37 units/s.
    gain, ahead, speed = 1.6, (0.45, 0.65), 35.0
    # So few pixels of road ahead are none; where the car is, as a part of the height; and how fast to look for a road.
    few, place, lost_speed = 6, 0.7, 15.0

    def __init__(self, action: ActionSpec) -> None:
        self.action = action

    def act(self, frames: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int64]:
        """Actions for frames uint8 [N, H, W, 3]."""
        road = road_mask(frames)
        height, width = road.shape[1:]
        band = road[:, round(height * self.ahead[0]) : round(height * self.ahead[1])]
        columns = np.arange(width) - (width - 1) / 2
        mass = band.sum(axis=(1, 2))
        middle = (band.sum(axis=1) * columns).sum(axis=1) / np.maximum(mass, 1) / (width / 2)
        lost = mass < self.few
        steer = np.clip(np.where(lost, self._towards(road), self.gain * middle), -1, 1)
        fast = self._speed(frames) > np.where(lost, self.lost_speed, self.speed)
        if self.action.kind == "discrete":
            turn = np.where(steer > 0.25, 1, np.where(steer < -0.25, 2, 0))
            return np.where(turn > 0, turn, np.where(fast, 0, 3)).astype(np.int64)
        gas = np.where(fast, 0.0, 0.3)
        brake = np.where(fast & (np.abs(steer) > 0.6), 0.1, 0.0)
        return np.stack([steer, gas, brake], axis=1).astype(np.float32)

    def _towards(self, road: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Steering [N] to the middle of all road in sight, bool [N, H, W]; to the right where there is none."""
        height, width = road.shape[1:]
        mass = road.sum(axis=(1, 2))
        right = (road.sum(axis=1) * (np.arange(width) - (width - 1) / 2)).sum(axis=1) / np.maximum(mass, 1)
        forward = (road.sum(axis=2) * (height * self.place - np.arange(height))).sum(axis=1) / np.maximum(mass, 1)
        return np.where(mass >= self.few, np.arctan2(right, forward), 1.0)

    @staticmethod
    def _speed(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
        """World units per second as the white gauge of the indicator bar shows them: 0.02 of a fortieth of the height
        each."""
        height, width = frames.shape[1:3]
        gauge = frames[:, height * 7 // 8 :, round(width * 5 / 40)].astype(np.float64).min(axis=-1)
        return gauge.sum(axis=1) / 255 * 40 / height / 0.02
