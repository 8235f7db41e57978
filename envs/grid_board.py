"""GridWorld's rules on boards of integers: making solvable boards from a key, moving, walking the shortest way.

A board is int8 [size, size] with 0 floor, 1 wall, 2 hazard, 3 goal, 4 agent. All randomness is a hash of a 64-bit key
and a counter, so that a batch of boards can be made in one go and equals the boards made one by one.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.settings import check_number

FLOOR, WALL, HAZARD, GOAL, AGENT = range(5)
# Row and column steps of the four actions: up, right, down, left.
MOVES = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]], dtype=np.int64)

Board = NDArray[np.int8]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def hash_bits(key: NDArray[np.uint64] | np.uint64, counter: Any) -> NDArray[np.uint64]:
    """Well-mixed 64-bit numbers from key and counter (broadcast): SplitMix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        z = key + (np.asarray(counter, dtype=np.uint64) + np.uint64(1)) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def hash_uniform(key: NDArray[np.uint64] | np.uint64, counter: Any) -> NDArray[np.float64]:
    """Numbers in [0, 1) from key and counter."""
    return (hash_bits(key, counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _column_masks(size: int) -> tuple[int, int]:
    """Bit masks (bit i is cell i of the flat board) of all cells but the first column, and of all but the last."""
    row = (1 << size) - 1
    first = sum(1 << (size * r) for r in range(size))
    whole = sum(row << (size * r) for r in range(size))
    return whole & ~first, whole & ~(first << (size - 1))


def _connected(open_cells: int, start: int, goal: int, size: int, not_first: int, not_last: int) -> bool:
    """Whether `goal` can be reached from `start` (single bits) through the set bits of `open_cells`."""
    reached = start
    while True:
        # Moving right lands in any column but the first, moving left in any but the last.
        grown = (
            reached | (reached << 1 & not_first) | (reached >> 1 & not_last) | reached << size | reached >> size
        ) & open_cells
        if grown & goal:
            return True
        if grown == reached:
            return False
        reached = grown


def make_boards(keys: NDArray[np.uint64], size: int, walls: int, hazards: int) -> Board:
    """Solvable boards int8 [N, size, size] from keys uint64 [N], with exact numbers of walls and hazards.

    Each try shuffles the cells; a board whose goal cannot be reached without touching a hazard is shuffled again.
    Raises ValueError if some board finds no solution in 1,000 tries (the board is too full).
    """
    cells = size * size
    boards = np.zeros((len(keys), cells), dtype=np.int8)
    kinds = np.zeros(cells, dtype=np.int8)
    kinds[0], kinds[1] = AGENT, GOAL
    kinds[2 : 2 + walls] = WALL
    kinds[2 + walls : 2 + walls + hazards] = HAZARD
    passable = np.isin(np.arange(5), (FLOOR, GOAL, AGENT))
    not_first, not_last = _column_masks(size)
    todo = np.arange(len(keys))
    for attempt in range(1000):
        numbers = hash_bits(keys[todo, None], np.arange(cells, dtype=np.uint64)[None] + np.uint64(attempt * cells))
        order = numbers.argsort(axis=1, kind="stable")
        tried = np.empty((len(todo), cells), dtype=np.int8)
        np.put_along_axis(tried, order, np.broadcast_to(kinds, tried.shape), axis=1)
        boards[todo] = tried
        packed = np.packbits(passable[tried], axis=1, bitorder="little")
        failed = [
            i
            for i, (row, start, goal) in enumerate(zip(packed, order[:, 0].tolist(), order[:, 1].tolist(), strict=True))
            if not _connected(int.from_bytes(row.tobytes(), "little"), 1 << start, 1 << goal, size, not_first, not_last)
        ]
        if not failed:
            return boards.reshape(-1, size, size)
        todo = todo[failed]
    raise ValueError(
        f"no solvable {size}×{size} board with {walls} walls and {hazards} hazards was found; ask for fewer of them"
    )


def count_cells(size: int, walls: float, hazards: float) -> tuple[int, int]:
    """Numbers of walls and hazards from their shares of all cells. Raises ValueError with what is wrong and allowed."""
    check_number("size", size, 3, 32, "a GridWorld has between 3 and 32 cells a side", whole=True)
    for name, share in (("walls", walls), ("hazards", hazards)):
        check_number(name, share, 0.0, 0.5, "it is a share of all cells between 0 and 0.5")
    if walls + hazards > 0.6:
        raise ValueError(f"walls and hazards together are {walls + hazards:g} of all cells; keep them within 0.6")
    cells = size * size
    return round(cells * walls), round(cells * hazards)


def check_rules(slip: float, frame: int) -> None:
    """Raises ValueError if a move cannot go astray so often, or no frame be so large."""
    check_number("slip", slip, 0.0, 1.0, "it is a probability between 0 and 1")
    check_number("frame", frame, 8, 1024, "a frame has between 8 and 1,024 pixels a side", whole=True)


def slipped(actions: NDArray[np.int64], keys: NDArray[np.uint64], steps: NDArray[np.uint64], slip: float) -> Any:
    """The directions really taken, int64 [N]: with probability `slip` one of the two sideways ones, evenly."""
    chance = hash_uniform(keys ^ np.uint64(0xA5A5A5A5A5A5A5A5), steps)
    side = np.where(chance < slip / 2, 1, np.where(chance < slip, 3, 0))
    return (actions + side) % 4


def distances(boards: Board) -> NDArray[np.int16]:
    """Moves from every cell to the goal on a way free of hazards, int16 like boards [..., size, size]; −1: no way.

    A wave from the goal through the whole batch at once.
    """
    size = boards.shape[-1]
    flat = boards.reshape(-1, size, size)
    # One closed cell all around, so that a wave that leaves on one side cannot come back on the other.
    open_cells = np.zeros((len(flat), size + 2, size + 2), dtype=np.bool_)
    open_cells[:, 1:-1, 1:-1] = (flat != WALL) & (flat != HAZARD)
    found = np.full(open_cells.shape, -1, dtype=np.int16)
    wave = np.zeros_like(open_cells)
    wave[:, 1:-1, 1:-1] = flat == GOAL
    step = 0
    while wave.any():
        found[wave] = step
        open_cells &= ~wave
        grown = np.zeros_like(wave)
        grown[:, 1:] |= wave[:, :-1]
        grown[:, :-1] |= wave[:, 1:]
        grown[:, :, 1:] |= wave[:, :, :-1]
        grown[:, :, :-1] |= wave[:, :, 1:]
        wave = grown & open_cells
        step += 1
    return found[:, 1:-1, 1:-1].reshape(boards.shape)


def best_moves(boards: Board) -> NDArray[np.int8]:
    """The first move of a shortest hazard-free way from every cell, int8 [..., size, size]; −1 where there is none."""
    steps = distances(boards)
    far = np.int16(np.iinfo(np.int16).max)
    padded = np.full((*boards.shape[:-2], boards.shape[-1] + 2, boards.shape[-1] + 2), far)
    padded[..., 1:-1, 1:-1] = np.where(steps < 0, far, steps)
    near = np.stack(
        [padded[..., :-2, 1:-1], padded[..., 1:-1, 2:], padded[..., 2:, 1:-1], padded[..., 1:-1, :-2]], axis=-1
    )
    moves = near.argmin(axis=-1).astype(np.int8)
    return np.where((steps > 0) & (near.min(axis=-1) < far), moves, np.int8(-1))


def shortest_path_action(board: Board) -> int | None:
    """The first move of a shortest hazard-free way to the goal; None if there is no agent or no way."""
    places = np.argwhere(board == AGENT)
    if len(places) != 1:
        return None
    move = int(best_moves(board)[tuple(places[0])])
    return None if move < 0 else move


def well_formed(board: Board) -> bool:
    """Whether a board [size, size] is one a game could show: exactly one agent and at most one goal."""
    return int((board == AGENT).sum()) == 1 and int((board == GOAL).sum()) <= 1
