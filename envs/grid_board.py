"""GridWorld's rules on boards of integers: making solvable boards from a key, moving, walking the shortest way.

A board is int8 [size, size] with 0 floor, 1 wall, 2 hazard, 3 goal, 4 agent. All randomness is a hash of a 64-bit key
and a counter, so that a batch of boards can be made in one go and equals the boards made one by one.
"""

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    if not 3 <= size <= 32:
        raise ValueError(f"size is {size}; a GridWorld has between 3 and 32 cells a side")
    for name, share in (("walls", walls), ("hazards", hazards)):
        if not 0.0 <= share <= 0.5:
            raise ValueError(f"{name} is {share}; it is a share of all cells between 0 and 0.5")
    if walls + hazards > 0.6:
        raise ValueError(f"walls and hazards together are {walls + hazards:g} of all cells; keep them within 0.6")
    cells = size * size
    return round(cells * walls), round(cells * hazards)


def slipped(actions: NDArray[np.int64], keys: NDArray[np.uint64], steps: NDArray[np.uint64], slip: float) -> Any:
    """The directions really taken, int64 [N]: with probability `slip` one of the two sideways ones, evenly."""
    chance = hash_uniform(keys ^ np.uint64(0xA5A5A5A5A5A5A5A5), steps)
    side = np.where(chance < slip / 2, 1, np.where(chance < slip, 3, 0))
    return (actions + side) % 4


def distances(board: Board, avoid_hazards: bool = True) -> NDArray[np.int32]:
    """Moves from every cell to the goal, int32 [size, size], −1 where there is no way. Breadth first from the goal."""
    size = board.shape[0]
    flat = board.ravel().tolist()
    blocked = {WALL, HAZARD} if avoid_hazards else {WALL}
    found = [-1] * len(flat)
    if GOAL not in flat:
        return np.array(found, dtype=np.int32).reshape(size, size)
    goal = flat.index(GOAL)
    found[goal] = 0
    queue = deque([goal])
    while queue:
        cell = queue.popleft()
        row, column = divmod(cell, size)
        for d_row, d_column in ((-1, 0), (0, 1), (1, 0), (0, -1)):
            r, c = row + d_row, column + d_column
            if 0 <= r < size and 0 <= c < size:
                near = r * size + c
                if found[near] < 0 and flat[near] not in blocked:
                    found[near] = found[cell] + 1
                    queue.append(near)
    return np.array(found, dtype=np.int32).reshape(size, size)


def shortest_path_action(board: Board) -> int | None:
    """The first move of a shortest hazard-free way to the goal; None if there is no agent or no way."""
    places = np.argwhere(board == AGENT)
    if len(places) != 1:
        return None
    steps = distances(board)
    row, column = (int(v) for v in places[0])
    size = board.shape[0]
    here = steps[row, column]
    if here <= 0:
        return None
    for action, (d_row, d_column) in enumerate(((-1, 0), (0, 1), (1, 0), (0, -1))):
        r, c = row + d_row, column + d_column
        if 0 <= r < size and 0 <= c < size and steps[r, c] == here - 1:
            return action
    return None


def well_formed(board: Board) -> bool:
    """Whether a board [size, size] is one a game could show: exactly one agent and at most one goal."""
    return int((board == AGENT).sum()) == 1 and int((board == GOAL).sum()) <= 1
