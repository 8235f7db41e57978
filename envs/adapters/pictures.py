"""Pictures out of observations: which observation spaces are pictures, and how they become uint8 [size, size, 3]."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from PIL import Image

# Smaller than this a [H, W, C] array is a symbolic map (MiniGrid 7×7×3, MinAtar 10×10×6), not a picture.
SMALLEST = 16
_CHANNELS = (1, 3, 4)


def resize(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] as [size, size, 3]: by area where it shrinks, so that thin things stay; cubic where it grows."""
    height, width = picture.shape[:2]
    if (height, width) == (size, size):
        return picture
    grows = height < size or width < size
    method = Image.Resampling.BICUBIC if grows else Image.Resampling.BOX
    if grows and size % height == 0 and size % width == 0:
        method = Image.Resampling.NEAREST
    # A copy: what Pillow hands out cannot be written to, and torch warns of that.
    return np.array(Image.fromarray(np.ascontiguousarray(picture)).resize((size, size), method))


def picture_reader(space: spaces.Space[Any]) -> Callable[[Any], NDArray[np.uint8]] | None:
    """A function from observations of this space to uint8 [H, W, 3]; None if the space does not hold pictures.

    Understood: [H, W], [H, W, C] and [C, H, W] with 1, 3 or 4 channels (alpha is dropped), and stacks of such frames,
    of which the last is the newest. Values from 0 to 255, 0 to 1 or −1 to 1, as the space's bounds say.
    """
    if not isinstance(space, spaces.Box) or len(space.shape) not in (2, 3):
        return None
    to_hwc = _arrange(space.shape)
    low, high = float(space.low.min()), float(space.high.max())
    if to_hwc is None or not np.isfinite([low, high]).all() or high <= 0:
        return None
    if low >= 0 and high == 255 and space.dtype == np.uint8:
        return to_hwc
    if low >= 0 and high <= 1:
        offset, scale = 0.0, 255.0 / high
    elif low >= -1 and high <= 1:
        offset, scale = 1.0, 127.5
    elif low >= 0 and high <= 255:
        offset, scale = 0.0, 1.0
    else:
        return None
    return lambda observation: np.rint(np.clip((to_hwc(observation) + offset) * scale, 0, 255)).astype(np.uint8)


def _arrange(shape: tuple[int, ...]) -> Callable[[Any], NDArray[Any]] | None:
    """A function that brings arrays of this shape to [H, W, 3], dtype kept; None if the shape is no picture's."""
    if len(shape) == 2:
        return (lambda a: _three(np.asarray(a)[..., None])) if min(shape) >= SMALLEST else None
    height, width, last = shape
    first = shape[0]
    if last <= 16 and min(height, width) >= SMALLEST:
        pick = _newest(last)
        return None if pick is None else lambda a: _three(np.asarray(a)[..., pick])
    if first <= 16 and min(width, last) >= SMALLEST:
        pick = _newest(first)
        return None if pick is None else lambda a: _three(np.asarray(a)[pick].transpose(1, 2, 0))
    return None


def _newest(channels: int) -> slice | None:
    """The channels of the newest frame: all of 1, 3 or 4; the last 3 of 6, 9, 12; the last of any other stack."""
    if channels in _CHANNELS:
        return slice(0, min(channels, 3)) if channels != 4 else slice(0, 3)
    return slice(channels - 3, channels) if channels % 3 == 0 else slice(channels - 1, channels)


def _three(array: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(array, 3, axis=-1) if array.shape[-1] == 1 else array
