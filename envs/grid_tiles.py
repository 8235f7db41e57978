"""How a GridWorld board looks: five tiles, drawing boards with them, and reading boards back from (noisy) frames."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from envs.grid_board import AGENT, FLOOR, GOAL, HAZARD, WALL, Board

Frames = NDArray[np.uint8]
# Colours were chosen to lie far apart both in hue and in brightness, so that a blurry reconstruction still reads right.
_EDGE = (24, 28, 38)
_FLOOR, _FLOOR_LINE = (44, 51, 68), (34, 40, 54)
_WALL, _WALL_LIGHT, _WALL_DARK = (137, 147, 166), (180, 189, 205), (86, 95, 114)
_HAZARD, _HAZARD_CORE, _HAZARD_DARK = (214, 56, 42), (255, 158, 60), (120, 24, 28)
_GOAL, _GOAL_STAR = (30, 132, 84), (255, 222, 92)
_AGENT, _AGENT_LIGHT, _AGENT_EYE = (64, 158, 255), (156, 208, 255), (255, 255, 255)
_OVERSAMPLE = 8


def _paint(image: NDArray[np.float64], where: NDArray[np.bool_], colour: tuple[int, int, int]) -> None:
    image[where] = colour


def _tile(kind: int, side: int) -> Frames:
    """One tile uint8 [side, side, 3], drawn larger and averaged down, so that its edges are smooth."""
    n = side * _OVERSAMPLE
    y, x = np.mgrid[0:n, 0:n] / n + 0.5 / n  # 0..1 from the top left
    u, v = x - 0.5, y - 0.5
    radius = np.hypot(u, v)
    inset = np.maximum(abs(u), abs(v))
    image = np.empty((n, n, 3))
    image[:] = _FLOOR
    _paint(image, inset > 0.5 - 1 / 16, _FLOOR_LINE)
    if kind == WALL:
        image[:] = _WALL
        _paint(image, (u + v > 0) & (inset > 0.36), _WALL_DARK)
        _paint(image, (u + v <= 0) & (inset > 0.36), _WALL_LIGHT)
    elif kind == HAZARD:
        image[:] = _HAZARD_DARK
        _paint(image, abs(u) + abs(v) < 0.52, _HAZARD)
        _paint(image, abs(u) + abs(v) < 0.24, _HAZARD_CORE)
    elif kind == GOAL:
        image[:] = _GOAL
        # A five-pointed star: the outline's radius swings between its outer and inner corners.
        turn = np.arctan2(u, -v) / (2 * np.pi) * 5
        ripple = abs(turn - np.round(turn)) * 2
        outer, inner = 0.46, 0.2
        _paint(image, radius < outer * inner / (inner + (outer - inner) * ripple), _GOAL_STAR)
    elif kind == AGENT:
        _paint(image, radius < 0.44, _AGENT)
        _paint(image, (radius < 0.44) & (np.hypot(u + 0.12, v + 0.2) < 0.2), _AGENT_LIGHT)
        _paint(image, np.hypot(abs(u) - 0.16, v - 0.02) < 0.105, _AGENT_EYE)
        _paint(image, np.hypot(abs(u) - 0.16, v - 0.04) < 0.055, _EDGE)
    small = image.reshape(side, _OVERSAMPLE, side, _OVERSAMPLE, 3).mean(axis=(1, 3))
    return np.rint(small).astype(np.uint8)


@lru_cache(maxsize=32)
def tiles(side: int) -> Frames:
    """All tiles at this side length, uint8 [5, side, side, 3], read-only, indexed by cell value."""
    drawn = np.stack([_tile(kind, side) for kind in (FLOOR, WALL, HAZARD, GOAL, AGENT)])
    drawn.setflags(write=False)
    return drawn


def layout(size: int, frame: int = 64) -> tuple[int, int]:
    """Tile side and margin in pixels of a size×size board centred in a square frame."""
    side = frame // size
    if side < 1:
        raise ValueError(f"a {size}×{size} board does not fit into a frame of {frame} pixels")
    return side, (frame - side * size) // 2


def tile_view(frames: Frames, size: int) -> Frames:
    """View of frames [..., F, F, 3] as [..., size, side, size, side, 3] without the margin; writing to it draws."""
    frame = frames.shape[-2]
    side, margin = layout(size, frame)
    span = size * side
    inner = frames[..., margin : margin + span, margin : margin + span, :]
    # Splitting an axis of a strided view never copies, so assigning to the result reaches `frames`.
    shape, strides = inner.shape[:-3], inner.strides[:-3]
    row, column, channel = inner.strides[-3:]
    return np.lib.stride_tricks.as_strided(
        inner, (*shape, size, side, size, side, 3), (*strides, row * side, row, column * side, column, channel)
    )


def draw_board(board: Board, frame: int = 64) -> Frames:
    """Draw boards int8 [..., size, size] as uint8 [..., frame, frame, 3]."""
    size = board.shape[-1]
    side, margin = layout(size, frame)
    # A tile's row of pixels is one item, so that all rows of all tiles are gathered at once, already in their places.
    rows = tiles(side).reshape(5, side, side * 3).view(f"V{side * 3}")[..., 0]
    drawn = rows[board[..., :, None, :], np.arange(side)[:, None]].view(np.uint8)
    drawn = drawn.reshape(*board.shape[:-2], size * side, size * side, 3)
    if size * side == frame:
        return drawn
    frames = np.empty((*board.shape[:-2], frame, frame, 3), dtype=np.uint8)
    frames[:] = _EDGE
    frames[..., margin : margin + size * side, margin : margin + size * side, :] = drawn
    return frames


def decode_board(frames: NDArray[np.generic], size: int) -> Board:
    """The boards int8 [..., size, size] that frames [..., F, F, 3] (0 to 255) show: each cell is its nearest tile.

    Nearest in squared distance over the tile's pixels, so it is the exact inverse of `draw_board` and stays right
    under a good deal of reconstruction noise.
    """
    frames = np.asarray(frames)
    side, margin = layout(size, frames.shape[-2])
    span = size * side
    known = tiles(side).reshape(5, -1).astype(np.float32)
    offset = (known**2).sum(axis=1)
    flat = frames.reshape(-1, *frames.shape[-3:])
    boards = np.empty((len(flat), size, size), dtype=np.int8)
    for start in range(0, len(flat), 512):  # in pieces, to keep the float copy small
        part = flat[start : start + 512, margin : margin + span, margin : margin + span]
        cells = part.reshape(len(part), size, side, size, side, 3).swapaxes(2, 3)
        pixels = cells.reshape(len(part), size, size, -1).astype(np.float32)
        boards[start : start + 512] = (offset - 2 * (pixels @ known.T)).argmin(axis=-1)
    return boards.reshape(*frames.shape[:-3], size, size)
