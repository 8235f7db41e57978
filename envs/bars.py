"""Numbers as a picture, for games that show numbers and draw nothing: one bar each, up from the middle or down."""

import numpy as np
from numpy.typing import NDArray

_BACK, _LINE, _UP, _DOWN = (24, 28, 36), (86, 96, 112), (86, 190, 140), (226, 112, 92)


def draw_bars(states: NDArray[np.floating], size: int = 64) -> NDArray[np.uint8]:
    """States [B, S] as uint8 [B, size, size, 3], whatever their bounds: a bar of x is as long as x / (1 + |x|) says.

    More numbers than half the pixels of a row cannot be told apart: then the first ones are shown.
    """
    shown = np.nan_to_num(np.asarray(states, dtype=np.float64)[:, : size // 2], posinf=1e9, neginf=-1e9)
    count = shown.shape[1]
    middle = size // 2
    height = np.rint(shown / (1 + np.abs(shown)) * (middle - 2)).astype(int)
    frames = np.empty((len(shown), size, size, 3), np.uint8)
    frames[:] = _BACK
    edges = np.linspace(0, size, count + 1).astype(int)
    bar = np.full(size, -1)  # which number a column of pixels belongs to, with a gap before the next
    for number in range(count):
        bar[edges[number] : max(edges[number] + 1, edges[number + 1] - 1)] = number
    above = (middle - 1 - np.arange(size))[None, :, None]
    lengths = np.where(bar >= 0, height[:, np.maximum(bar, 0)], 0)[:, None, :]
    frames[(above >= 0) & (above < lengths)] = _UP
    frames[(above < 0) & (above >= lengths)] = _DOWN
    frames[:, middle - 1][lengths[:, 0] == 0] = _LINE
    return frames
