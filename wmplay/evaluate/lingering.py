"""GridWorld play that does not end: a player about to step on the goal or a hazard is sent on an errand instead.

A shortest-path walker is done after seven steps, and a random one dies soon: without this there would be no long
episodes that a dream of 200 steps could be compared with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Errands:
    """Keeps N players alive. Whoever would end the episode walks to a cell drawn at random first, around all ends."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._errand: dict[int, tuple[int, int]] = {}

    def instead(self, boards: NDArray[np.int8], actions: NDArray[Any]) -> NDArray[Any]:
        """Actions int64 [N] for boards int8 [N, size, size] that show what the players see, none of which ends an
        episode (unless the agent slips, or is boxed in by ends)."""
        return np.array([self._one(i, board, int(actions[i])) for i, board in enumerate(boards)], dtype=np.int64)

    def _one(self, i: int, board: NDArray[np.int8], action: int) -> int:
        from envs.grid_board import AGENT, FLOOR, GOAL, HAZARD, MOVES, shortest_path_action

        places = np.argwhere(board == AGENT)
        if len(places) != 1:
            return action
        target = np.clip(places[0] + MOVES, 0, board.shape[0] - 1)
        ends = np.isin(board[target[:, 0], target[:, 1]], (GOAL, HAZARD))
        if i not in self._errand:
            if not ends[action]:
                return action
            free = np.argwhere(board == FLOOR)
            if len(free):
                row, column = free[self._random.integers(len(free))]
                self._errand[i] = int(row), int(column)
        if i in self._errand:
            errand = board.copy()
            errand[board == GOAL] = HAZARD
            errand[self._errand[i]] = GOAL
            step = None if board[self._errand[i]] == AGENT else shortest_path_action(errand)
            if step is not None:
                return step
            del self._errand[i]  # there, or no way: back to the player
        safe = np.flatnonzero(~ends)
        return action if not ends[action] or not len(safe) else int(self._random.choice(safe))
