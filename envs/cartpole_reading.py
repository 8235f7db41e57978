"""Reads pictures of CartPole back: where the cart is and how the pole leans, by their colours alone."""

import numpy as np
from numpy.typing import NDArray

from envs.cartpole_drawing import CART, CART_HALF, CART_Y, PIVOT_Y, POLE, POLE_LENGTH, POLE_RADIUS, SKY, UNIT

Floats = NDArray[np.float32]
_POLE_ROWS = slice(0, int(PIVOT_Y) - 2)  # nothing but sky and pole, as long as the pole stands
_CART_ROWS = slice(int(CART_Y), int(CART_Y) + 2)  # nothing but sky and cart: below the pole's foot, above the wheels
# A pixel is clearly the pole or the cart where at least so much of its colour is; a picture shows them where between
# half and one and a half times as many pixels as in the drawing are. Blurred by 1.5 pixels a pole still is there; what
# a model paints that hedges between two places is not.
_CLEAR, _FEWEST, _MOST = 0.4, 0.5, 1.6
_CART_AREA = 2 * CART_HALF[0] * (_CART_ROWS.stop - _CART_ROWS.start)
_POLE_AREA = 2 * POLE_RADIUS * (POLE_LENGTH - 2)
_REACH = 5.0  # pixels beside the pole's axis that count as its own


def _share(frames: NDArray[np.uint8], rows: slice, of: int) -> Floats:
    """How much of the cart (of=0) or the pole (1) each pixel of these rows is made of beside sky, 0 to 1, [N, h, W]."""
    sky = np.array(SKY, np.float32)
    colours = np.stack([np.array(CART) - sky, np.array(POLE) - sky], axis=1)
    weights = np.linalg.pinv(colours)[of].astype(np.float32)
    shares = frames[:, rows].astype(np.float32) @ weights
    shares -= sky @ weights
    return np.clip(shares, 0, 1, out=shares)


def _middle(weights: Floats, places: Floats) -> Floats:
    """Weighted mean over the last axis; the middle of the picture where there is no weight."""
    total = weights.sum(axis=-1)
    return np.where(total > 1e-6, (weights * places).sum(axis=-1) / np.maximum(total, 1e-6), 32.0)


def read_pose(frames: NDArray[np.uint8]) -> tuple[Floats, NDArray[np.bool_]]:
    """Position and pole angle (radians) that frames uint8 [N, 64, 64, 3] show, float32 [N, 2], and bool [N]: whether
    cart and standing pole can be found at all; where not, the pose means nothing."""
    columns = np.arange(frames.shape[2], dtype=np.float32) + np.float32(0.5)
    cart = _share(frames, _CART_ROWS, 0)
    # First roughly, from what is clear; then from all there is around it, in which antialiased edges count exactly.
    rough = _middle((cart * (cart >= _CLEAR)).sum(axis=1), columns)
    near = abs(columns - rough[:, None]) < CART_HALF[0] + 3
    middle = _middle(cart.sum(axis=1) * near, columns)
    pole = _share(frames, _POLE_ROWS, 1)
    clear = pole * (pole >= _CLEAR)
    heights = np.float32(PIVOT_Y - 0.5) - np.arange(pole.shape[1], dtype=np.float32)  # of the rows above the pivot
    line = _line(clear, columns, heights)
    for _ in range(2):
        axis = line[:, :1] + line[:, 1:] * heights
        # Without the tip: its round end is cut askew by the rows.
        body = heights < (POLE_LENGTH - POLE_RADIUS - 1) / np.hypot(1, line[:, 1:])
        line = _line(pole * (abs(columns - axis[..., None]) < _REACH) * body[..., None], columns, heights)
    lean = np.arctan(line[:, 1])
    there = np.stack([(cart >= _CLEAR).sum(axis=(1, 2)) / _CART_AREA, (clear > 0).sum(axis=(1, 2)) / _POLE_AREA])
    found = np.logical_and(there > _FEWEST, there < _MOST)
    return np.stack([(middle - 32) / UNIT, lean], axis=1), found[0] & found[1]


def _line(weights: Floats, columns: Floats, heights: Floats) -> Floats:
    """Foot (at the pivot's height) and slope of the straight line through weights [N, h, W], [N, 2]: least squares."""
    mass, moment = (weights @ np.stack([np.ones_like(columns), columns], axis=1)).transpose(2, 0, 1)
    total = np.maximum(mass.sum(axis=1), 1e-6)
    mean_x, mean_y = moment.sum(axis=1) / total, (mass @ heights) / total
    away = heights - mean_y[:, None]
    slope = (moment * away).sum(axis=1) / np.maximum((mass * away**2).sum(axis=1), 1e-6)
    return np.stack([mean_x - slope * mean_y, slope], axis=1)
