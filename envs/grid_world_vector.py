"""Thousands of GridWorlds in one numpy batch, each equal to the single one of its seed; only changes are drawn."""

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.autoreset import as_mode, final_infos, generators, reset_mask
from envs.grid_board import (
    AGENT,
    FLOOR,
    GOAL,
    HAZARD,
    MOVES,
    WALL,
    check_rules,
    count_cells,
    make_boards,
    slipped,
)
from envs.grid_tiles import draw_board, tile_view, tiles
from envs.grid_world import GOAL_REWARD, HAZARD_REWARD, STEP_REWARD

_REWARDS = np.array([STEP_REWARD, STEP_REWARD, HAZARD_REWARD, GOAL_REWARD, STEP_REWARD])


class GridWorldVector(VectorEnv[NDArray[np.uint8], NDArray[np.int64], NDArray[Any]]):
    """`num_envs` GridWorlds; parameters and rules as in `GridWorld`, seeds as in Gymnasium's SyncVectorEnv.

    autoreset_mode: NEXT_STEP, SAME_STEP or DISABLED (then `reset(options={"reset_mask": bool [N]})`).
    copy: False hands out the one frame buffer that the next step changes, which saves a copy of all frames.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["rgb_array"],
        "render_fps": 8,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        size: int = 8,
        walls: float = 0.2,
        hazards: float = 0.06,
        slip: float = 0.0,
        frame: int = 64,
        max_episode_steps: int = 100,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        copy: bool = True,
    ) -> None:
        self.num_envs, self.size, self.slip, self.frame = num_envs, size, slip, frame
        self.max_episode_steps, self.render_mode, self.copy = max_episode_steps, render_mode, copy
        self.mode = as_mode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.mode}  # type: ignore[misc]
        self._counts = count_cells(size, walls, hazards)
        check_rules(slip, frame)
        self.single_action_space = spaces.Discrete(4)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.single_observation_space = spaces.Box(0, 255, (frame, frame, 3), np.uint8)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._tiles = tiles(frame // size)
        self._frames = np.zeros((num_envs, frame, frame, 3), dtype=np.uint8)
        self._drawn = tile_view(self._frames, size)
        self._boards = np.zeros((num_envs, size, size), dtype=np.int8)
        self._places = np.zeros((num_envs, 2), dtype=np.int64)
        self._keys = np.zeros(num_envs, dtype=np.uint64)
        self._steps = np.zeros(num_envs, dtype=np.uint64)
        self._done = np.zeros(num_envs, dtype=np.bool_)
        self._generators: list[np.random.Generator] = []

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        mask = reset_mask(options, self.num_envs)
        self._generators = generators(self, self._generators, seed, mask)
        self._start(np.flatnonzero(mask))
        return self._observation(), {"board": self._boards.copy(), "_board": mask}

    def _start(self, which: NDArray[np.int64]) -> None:
        """New boards for the environments with these indices."""
        self._keys[which] = [self._generators[i].integers(2**63) for i in which]
        boards = make_boards(self._keys[which], self.size, *self._counts)
        self._boards[which] = boards
        self._places[which] = np.argwhere(boards == AGENT)[:, 1:]  # exactly one each, in order
        self._frames[which] = draw_board(boards, self.frame)
        self._steps[which] = 0
        self._done[which] = False

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint8], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        actions = np.asarray(actions, dtype=np.int64)
        if actions.shape != (self.num_envs,) or actions.min() < 0 or actions.max() > 3:
            raise ValueError(f"actions must be {self.num_envs} numbers from 0 to 3")
        waiting = self._done.copy()
        if self.mode is AutoresetMode.DISABLED and waiting.any():
            raise ValueError("an environment that has ended was stepped; reset it with options={'reset_mask': ...}")
        directions = slipped(actions, self._keys, self._steps, self.slip) if self.slip else actions
        targets = self._places + MOVES[directions]
        inside = ((targets >= 0) & (targets < self.size)).all(axis=1)
        every = np.arange(self.num_envs)
        bounded = targets.clip(0, self.size - 1)
        kinds = np.where(inside, self._boards[every, bounded[:, 0], bounded[:, 1]], WALL)
        self._move(np.flatnonzero((kinds != WALL) & ~waiting), targets)
        self._steps += 1
        rewards = _REWARDS[kinds]
        rewards[waiting] = 0.0
        terminated = ((kinds == GOAL) | (kinds == HAZARD)) & ~waiting
        truncated = (self._steps >= self.max_episode_steps) & ~waiting
        self._done = terminated | truncated
        infos: dict[str, Any] = {}
        if self.mode is AutoresetMode.NEXT_STEP:
            ended = np.flatnonzero(waiting)
        else:
            ended = np.flatnonzero(self._done) if self.mode is AutoresetMode.SAME_STEP else np.empty(0, np.int64)
        if len(ended):
            if self.mode is AutoresetMode.SAME_STEP:
                infos = final_infos(self._done, self._frames, {"board": self._boards})
            self._start(ended)
        infos["board"], infos["_board"] = self._boards.copy(), np.ones(self.num_envs, dtype=np.bool_)
        return self._observation(), rewards, terminated, truncated, infos

    def _move(self, which: NDArray[np.int64], targets: NDArray[np.int64]) -> None:
        """Put the agents of these environments on their targets, on the boards and in the frames."""
        rows, columns = self._places[which].T
        self._boards[which, rows, columns] = FLOOR
        self._drawn[which, rows, :, columns] = self._tiles[FLOOR]
        rows, columns = targets[which].T
        self._boards[which, rows, columns] = AGENT
        self._drawn[which, rows, :, columns] = self._tiles[AGENT]
        self._places[which] = targets[which]

    def _observation(self) -> NDArray[np.uint8]:
        return self._frames.copy() if self.copy else self._frames

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Every board drawn large, as a tuple of uint8 [512, 512, 3], if made with render_mode="rgb_array"."""
        if self.render_mode is None:
            return None
        return tuple(draw_board(self._boards, 512))
