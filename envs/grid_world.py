"""GridWorld: an agent, a goal, walls and hazards on a board that is new with every seed and always solvable."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.grid_board import (
    AGENT,
    FLOOR,
    GOAL,
    HAZARD,
    MOVES,
    WALL,
    Board,
    check_rules,
    count_cells,
    make_boards,
    shortest_path_action,
    slipped,
    well_formed,
)
from envs.grid_tiles import decode_board, draw_board, tile_view, tiles
from envs.screen import Screen

__all__ = [
    "GridWorld",
    "decode_board",
    "draw_board",
    "get_keys_to_action",
    "shortest_path_action",
    "well_formed",
]

# A step costs so much that wandering through all 100 steps of an episode is as bad as one hazard.
STEP_REWARD, GOAL_REWARD, HAZARD_REWARD = -0.01, 1.0, -1.0
# SDL's key codes of the arrow keys (pygame.K_UP and so on), written out so that no window library is imported.
_UP, _RIGHT, _DOWN, _LEFT = 1073741906, 1073741903, 1073741905, 1073741904


def get_keys_to_action() -> dict[tuple[str | int, ...], int]:
    """Keys to actions as `gymnasium.utils.play` reads them: WASD and the arrow keys."""
    return {("w",): 0, ("d",): 1, ("s",): 2, ("a",): 3, (_UP,): 0, (_RIGHT,): 1, (_DOWN,): 2, (_LEFT,): 3}


class GridWorld(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """Walk to the goal, around walls and hazards.

    Actions: Discrete(4): up, right, down, left; a move against a wall or the rim stays put. Observation: uint8
    [frame, frame, 3]. Reward: +1 for the goal and −1 for a hazard, both ending the episode; −0.01 for any other step.
    `info["board"]`: int8 [size, size] with 0 floor, 1 wall, 2 hazard, 3 goal, 4 agent.

    size: cells a side, 3 to 32. walls, hazards: shares of all cells. slip: probability that a move goes sideways
    (left or right of where it was meant to go, evenly). frame: pixels a side of the observation.
    `reset(options={"board": board})` starts from a given board. Raises ValueError for impossible parameters.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["human", "rgb_array"], "render_fps": 8}  # type: ignore[misc]

    def __init__(
        self,
        size: int = 8,
        walls: float = 0.2,
        hazards: float = 0.06,
        slip: float = 0.0,
        frame: int = 64,
        render_mode: str | None = None,
    ) -> None:
        self._counts = count_cells(size, walls, hazards)
        check_rules(slip, frame)
        self.size, self.slip, self.frame = size, slip, frame
        self.render_mode = render_mode
        self.action_space = spaces.Discrete(4)
        self.observation_space = spaces.Box(0, 255, (frame, frame, 3), np.uint8)
        self._tiles = tiles(frame // size)
        self._screen: Screen | None = None
        self._board: Board = np.zeros((size, size), dtype=np.int8)
        self._key = np.zeros(1, dtype=np.uint64)
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        super().reset(seed=seed)
        self._key = self.np_random.integers(2**63, size=1).astype(np.uint64)
        self._steps = 0
        if options and "board" in options:
            board = np.asarray(options["board"], dtype=np.int8)
            if board.shape != (self.size, self.size) or not well_formed(board):
                raise ValueError(f"the board must be [{self.size}, {self.size}] with exactly one agent and one goal")
            self._board = board.copy()
        else:
            self._board = make_boards(self._key, self.size, *self._counts)[0]
        self._row, self._column = (int(v) for v in np.argwhere(self._board == AGENT)[0])
        self._frame = draw_board(self._board, self.frame)
        self._drawn = tile_view(self._frame, self.size)
        if self.render_mode == "human":
            self.render()
        return self._frame.copy(), {"board": self._board.copy()}

    def step(self, action: Any) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        direction = int(action)
        if not 0 <= direction < 4:
            raise ValueError(f"action {action!r} is not one of 0 up, 1 right, 2 down, 3 left")
        if self.slip:
            direction = int(slipped(np.array([direction]), self._key, np.array([self._steps], np.uint64), self.slip)[0])
        self._steps += 1
        row, column = self._row + int(MOVES[direction, 0]), self._column + int(MOVES[direction, 1])
        inside = 0 <= row < self.size and 0 <= column < self.size
        kind = int(self._board[row, column]) if inside else WALL
        if kind != WALL:
            self._board[self._row, self._column] = FLOOR
            self._board[row, column] = AGENT
            self._drawn[self._row, :, self._column] = self._tiles[FLOOR]
            self._drawn[row, :, column] = self._tiles[AGENT]
            self._row, self._column = row, column
        reward = GOAL_REWARD if kind == GOAL else HAZARD_REWARD if kind == HAZARD else STEP_REWARD
        if self.render_mode == "human":
            self.render()
        return self._frame.copy(), reward, kind in (GOAL, HAZARD), False, {"board": self._board.copy()}

    def render(self) -> Any:
        """The board drawn large and crisp, uint8 [512, 512, 3], or shown in a window."""
        if self.render_mode is None:
            return None
        picture = draw_board(self._board, 512)
        if self.render_mode == "rgb_array":
            return picture
        if self._screen is None:
            self._screen = Screen("GridWorld", self.metadata["render_fps"])
        self._screen.show(picture)
        return None

    def get_keys_to_action(self) -> dict[tuple[str | int, ...], int]:
        """Keys to actions as `gymnasium.utils.play` reads them."""
        return get_keys_to_action()

    def close(self) -> None:
        if self._screen is not None:
            self._screen.close()
