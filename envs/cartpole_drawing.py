"""Draws any CartPole state, whole batches at a time: antialiased shapes from signed distances, in numpy alone."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
SKY, _GROUND, _TRACK, _LIMIT = (233, 238, 245), (206, 214, 224), (92, 104, 122), (214, 72, 60)
CART, _WHEEL, POLE, _PIVOT = (40, 60, 98), (20, 28, 44), (232, 120, 38), (250, 226, 188)
# Sizes in pixels of a 64×64 frame. The pole is drawn more than twice as long as it is and 3 pixels thick: at true
# scale a reconstruction loss barely notices it, and a world model learns the background only.
UNIT = 64 / 6.2  # pixels of one unit of x; the cart fits into the picture up to its limit of ±2.4
_TRACK_Y, CART_Y, PIVOT_Y = 54.0, 47.5, 45.0
CART_HALF, _WHEEL_OFFSET, _WHEEL_RADIUS = (6.0, 3.25), 3.6, 2.2
POLE_LENGTH, POLE_RADIUS, _PIVOT_RADIUS = 26.0, 1.7, 1.1
_FAR = 1e6  # units or radians, as far as a dream may run away: much beyond it squares of float32 overflow
_BATCH = 32  # frames drawn together: few enough for the work arrays to stay in the cache


@lru_cache(maxsize=8)
def _backdrop(size: int) -> Image:
    """Sky, ground, track and the two limits, float32 [size, size, 3]."""
    scale = size / 64
    centre = (np.arange(size, dtype=np.float32) + 0.5) / scale
    image = np.empty((size, size, 3), dtype=np.float32)
    image[:] = SKY
    below = np.clip((centre - _TRACK_Y) * scale + 0.5, 0, 1)[:, None, None]
    image += below * (np.array(_GROUND, np.float32) - image)
    line = np.clip((0.9 - abs(centre - _TRACK_Y)) * scale + 0.5, 0, 1)[:, None, None]
    image += line * (np.array(_TRACK, np.float32) - image)
    tall = np.clip((1.6 - abs(centre - _TRACK_Y - 2.4)) * scale + 0.5, 0, 1)[:, None]
    for side in (-1, 1):
        wide = np.clip((0.7 - abs(centre - 32 - side * 2.4 * UNIT)) * scale + 0.5, 0, 1)[None, :]
        image += (tall * wide)[..., None] * (np.array(_LIMIT, np.float32) - image)
    return image


def _blend(image: Image, cover: Image, colour: tuple[int, int, int]) -> None:
    """Paint `colour` over image [n, H, W, 3] where cover [n, H, W] (0 to 1) says so; both in place."""
    image += cover[..., None] * (np.array(colour, np.float32) - image)


def _capsule(dx: Image, dy: Image, theta: Image, length: float, radius: float, scale: float) -> Image:
    """Cover [n, H, W] of a rod from (0, 0) at angle theta from upright, for offsets dx [n, W] and dy [n, H]."""
    up_x, up_y = np.sin(theta), -np.cos(theta)
    along = (dx * up_x)[:, None, :] + (dy * up_y)[:, :, None]
    across = (dx * up_y)[:, None, :] - (dy * up_x)[:, :, None]
    along -= np.clip(along, 0, length)
    along *= along
    across *= across
    along += across
    np.sqrt(along, out=along)
    along *= -scale
    along += radius * scale + 0.5
    return np.clip(along, 0, 1, out=along)


def _paint(states: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    """Frames uint8 [n, size, size, 3] of states [n, 4]."""
    scale = size / 64
    image = np.repeat(_backdrop(size)[None], len(states), axis=0)
    centre = (np.arange(size, dtype=np.float32) + 0.5) / scale
    dx = centre[None] - (32 + states[:, :1] * np.float32(UNIT))
    theta = states[:, 2:3]

    def rows(top: float, bottom: float) -> slice:
        return slice(max(0, int(top * scale)), min(size, int(np.ceil(bottom * scale))))

    body = rows(CART_Y - CART_HALF[1] - 1, CART_Y + CART_HALF[1] + 1)
    wide = np.clip((CART_HALF[0] - abs(dx)) * scale + 0.5, 0, 1)
    tall = np.clip((CART_HALF[1] - abs(centre[body] - CART_Y)) * scale + 0.5, 0, 1)
    _blend(image[:, body], wide[:, None, :] * tall[None, :, None], CART)
    wheel_y = _TRACK_Y - _WHEEL_RADIUS - 0.4
    wheels = rows(wheel_y - _WHEEL_RADIUS - 1, wheel_y + _WHEEL_RADIUS + 1)
    away = np.hypot((abs(dx) - _WHEEL_OFFSET)[:, None, :], (centre[wheels] - wheel_y)[None, :, None])
    _blend(image[:, wheels], np.clip((_WHEEL_RADIUS - away) * scale + 0.5, 0, 1), _WHEEL)
    # Only the rows that the highest and the lowest tip of this batch reach are worked on.
    lift = np.cos(theta) * POLE_LENGTH
    reach = POLE_RADIUS + 1
    pole = rows(PIVOT_Y - max(float(lift.max()), 0.0) - reach, PIVOT_Y - min(float(lift.min()), 0.0) + reach)
    dy = np.broadcast_to(centre[pole] - np.float32(PIVOT_Y), (len(states), centre[pole].size))
    _blend(image[:, pole], _capsule(dx, dy, theta, POLE_LENGTH, POLE_RADIUS, scale), POLE)
    axle = rows(PIVOT_Y - _PIVOT_RADIUS - 1, PIVOT_Y + _PIVOT_RADIUS + 1)
    away = np.hypot(dx[:, None, :], (centre[axle] - np.float32(PIVOT_Y))[None, :, None])
    _blend(image[:, axle], np.clip((_PIVOT_RADIUS - away) * scale + 0.5, 0, 1), _PIVOT)
    image += 0.5
    return image.astype(np.uint8)


def draw_state(states: NDArray[np.floating], size: int = 64) -> NDArray[np.uint8]:
    """Draw states [..., 4] (x, its speed, pole angle in radians, its speed) as uint8 [..., size, size, 3].

    Any state can be drawn, also one the game would have ended at: a cart may leave the picture, a pole hang down.
    Values that are not finite are drawn as 0.
    """
    finite = np.nan_to_num(np.asarray(states, dtype=np.float64).reshape(-1, 4), posinf=0.0, neginf=0.0)
    flat = finite.clip(-_FAR, _FAR).astype(np.float32)
    frames = np.empty((len(flat), size, size, 3), dtype=np.uint8)
    for start in range(0, len(flat), _BATCH):
        frames[start : start + _BATCH] = _paint(flat[start : start + _BATCH], size)
    return frames.reshape(*np.shape(states)[:-1], size, size, 3)
