"""A picture that lies still in the world and repeats, looked at by the turning camera: one gather per frame."""

from __future__ import annotations

import math

import numpy as np

from envs.car_racing.camera import BAR_SHARE, CAR_X, CAR_Y, WINDOW_H, WINDOW_W, View

FRACTION = 12
"""Bits behind the point in texel coordinates."""


class Lookup:
    """Finds, for each pixel above the bar of a `size` x `size` frame, the texel of a torus of 2**bits x 2**bits."""

    def __init__(self, size: int, bits: int) -> None:
        self.bits = bits
        self.rows = size - round(size * BAR_SHARE)
        across = (np.arange(size) + 0.5) * (WINDOW_W / size) - CAR_X
        up = WINDOW_H - CAR_Y - (np.arange(size) + 0.5) * (WINDOW_H / size)
        # Four lines of coordinates, turned by cos, sin, -sin and cos: x and y from the column, x and y from the row.
        self._lines = np.stack([across, across, up, up]) * (1 << FRACTION)
        self._x = np.empty((self.rows, size), np.int32)
        self._y = np.empty_like(self._x)
        self._index = np.empty(self._x.shape, np.intp)

    def find(self, view: View, texel: float, shift: float) -> np.ndarray:
        """Flat indices, intp [rows, size], of the texels nearest to the pixels' centres.

        `texel` is a texel's side in world units; the centre of texel 0 lies `shift` texels from the world's origin.
        The array is overwritten by the next call.
        """
        scale = 1 / (view.zoom * texel)
        cos, sin = math.cos(view.angle) * scale, math.sin(view.angle) * scale
        unit = float(1 << FRACTION)
        nearest = 0.5 - shift
        turns = np.array(
            ((cos, sin, -sin, cos), ((view.x / texel + nearest) * unit, (view.y / texel + nearest) * unit, 0, 0))
        )
        lines = self._lines * turns[0, :, None]
        lines += turns[1, :, None]
        whole = lines.astype(np.int32)
        columns = whole[2:, : self.rows, None]
        x, y, bits = self._x, self._y, self.bits
        mask = (1 << bits) - 1
        np.add(whole[0], columns[0], out=x)
        np.add(whole[1], columns[1], out=y)
        np.right_shift(x, FRACTION, out=x)
        np.bitwise_and(x, mask, out=x)
        if bits > FRACTION:
            np.left_shift(y, bits - FRACTION, out=y)
        else:
            np.right_shift(y, FRACTION - bits, out=y)
        np.bitwise_and(y, mask << bits, out=y)
        np.bitwise_or(x, y, out=self._index)
        return self._index
