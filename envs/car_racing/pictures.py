"""What can be read off a frame of CarRacing, real or dreamed: where the road is, and whether the car is there."""

from __future__ import annotations

import numpy as np

from envs.car_racing.camera import BAR_SHARE, CAR_X, CAR_Y, WINDOW_H, WINDOW_W

GREYNESS = 40
"""A pixel is grey if its largest and smallest colour differ by less than this. Grass has 102 more green than red, so a
pixel half grass and half road 51; a little less leaves room for the noise of dreamed frames."""
DARKEST, BRIGHTEST = 60, 170
"""Mean brightness of road, which is 102 to 107: above the black outside of the field, below the white of kerbs."""


def road_mask(frames: np.ndarray) -> np.ndarray:
    """Which pixels show road. `frames` uint8 [..., H, W, 3] -> bool [..., H * 7 // 8, W]: the rows above the bar."""
    height = frames.shape[-3]
    shown = frames[..., : height - round(height * BAR_SHARE), :, :]
    red, green, blue = (shown[..., channel].astype(np.int16) for channel in range(3))
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    total = red + green + blue
    return (high - low < GREYNESS) & (total > 3 * DARKEST) & (total < 3 * BRIGHTEST)


def car_visible(frames: np.ndarray) -> np.ndarray:
    """Whether the red car is at its fixed place. `frames` uint8 [..., H, W, 3] -> bool [...] (a bool for one frame).

    True where, within the hull's outline, at least a quarter of the pixels are clearly redder than green and blue.
    """
    height, width = frames.shape[-3:-1]
    left, right = round((CAR_X - 22) * width / WINDOW_W), round((CAR_X + 22) * width / WINDOW_W)
    top = round((WINDOW_H - CAR_Y - 42) * height / WINDOW_H)
    bottom = round((WINDOW_H - CAR_Y + 39) * height / WINDOW_H)
    patch = frames[..., top:bottom, left:right, :].astype(np.int16)
    red = patch[..., 0] - np.maximum(patch[..., 1], patch[..., 2]) > 40
    return red.mean(axis=(-2, -1)) >= 0.25
