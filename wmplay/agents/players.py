"""The players that make data: random, persistent random, a walker for GridWorld, a balancer for CartPole.

All follow `wmplay.agents.protocol.Agent` and act for N environments in one numpy call. They are built as
`Player(game, action, noise=None, seed=None)`; what `noise` means is said at each, None takes its default.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wmplay.core.catalog import Game
from wmplay.core.spaces import ActionSpec

_Floats = NDArray[np.float64]


class _Player:
    """What all players share: the game, its actions, and one seeded generator.

    plays: part of the ids of the games it can play; empty for any game.
    """

    plays: ClassVar[str] = ""
    default_noise = 0.0

    def __init__(self, game: Game, action: ActionSpec, noise: float | None = None, seed: int | None = None) -> None:
        self.game, self.action = game, action
        self.noise = self.default_noise if noise is None else noise
        self.count = 0
        self._random = np.random.default_rng(seed)

    def reset(self, count: int, seed: int | None = None) -> None:
        """Forget everything and get ready for `count` environments; without a seed the random numbers go on."""
        self.count = count
        if seed is not None:
            self._random = np.random.default_rng(seed)

    def _any(self, count: int) -> NDArray[Any]:
        """Uniform random actions: int64 [count], int64 [count, A] or float32 [count, A]. Open bounds count as ±1."""
        if self.action.kind == "discrete":
            return self._random.integers(self.action.n, size=count)
        if self.action.kind == "multi":
            return self._random.integers(self.action.counts, size=(count, len(self.action.counts)))
        low, high = box_bounds(self.action)
        return self._random.uniform(low, high, size=(count, len(low))).astype(np.float32)

    def _disturb(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Replace each action, with probability `noise`, by a random one."""
        hit = self._random.random(len(actions)) < self.noise
        if hit.any():
            actions[hit] = self._any(int(hit.sum()))
        return actions


def box_bounds(action: ActionSpec) -> tuple[_Floats, _Floats]:
    """A Box's bounds as arrays [A], with −1 and 1 where a bound is infinite."""
    low, high = np.array(action.low, dtype=np.float64), np.array(action.high, dtype=np.float64)
    return np.where(np.isfinite(low), low, -1.0), np.where(np.isfinite(high), high, 1.0)


def _boards(game: Game, observation: NDArray[Any], info: dict[str, Any]) -> NDArray[np.int8]:
    """GridWorld boards int8 [N, size, size], from the game's info or read off the frames."""
    from envs.grid_tiles import decode_board

    return np.asarray(info["board"]) if "board" in info else decode_board(observation, int(game.params.get("size", 8)))


class RandomPlayer(_Player):
    """Every action uniformly at random; `noise` has no meaning."""

    def act(self, observation: NDArray[Any], info: dict[str, Any], first: NDArray[np.bool_]) -> NDArray[Any]:
        return self._any(len(first))


class PersistentPlayer(_Player):
    """Random, but lasting: white noise goes nowhere in a game with inertia.

    Discrete and multi: holds an action and changes it with probability `noise` (0.2) a step. Box: drifts as an
    Ornstein-Uhlenbeck process of deviation 0.5 (in units of half the range) that forgets at the rate `noise` (0.1). In
    CarRacing the drift is biased towards gas and away from the brake, so that the car gets somewhere.
    """

    default_noise = 0.2
    # CarRacing's five discrete actions: nothing, steer, steer, gas, brake.
    _CAR_WEIGHTS = (0.1, 0.225, 0.225, 0.4, 0.05)
    # Mean and deviation of steering, gas and brake; below −1 a pedal is untouched. Chosen by trying: two thirds of the
    # frames show road, where twice the gas leaves the track for good in the first bend.
    _CAR_DRIFT = ((0.0, -0.8, -1.6), (0.5, 0.4, 0.5))

    def __init__(self, game: Game, action: ActionSpec, noise: float | None = None, seed: int | None = None) -> None:
        super().__init__(game, action, 0.1 if noise is None and action.kind == "box" else noise, seed)

    def reset(self, count: int, seed: int | None = None) -> None:
        super().reset(count, seed)
        self._held = self._choose(count)

    def _choose(self, count: int) -> NDArray[Any]:
        if self.action.kind == "box":
            mean, deviation = self._drift()
            return self._random.normal(mean, deviation, size=(count, len(self.action.low)))
        if self._is_car and self.action.n == len(self._CAR_WEIGHTS):
            return self._random.choice(self.action.n, size=count, p=self._CAR_WEIGHTS)
        return self._any(count)

    @property
    def _is_car(self) -> bool:
        return "CarRacing" in self.game.id

    def _drift(self) -> tuple[_Floats, _Floats]:
        """Mean and deviation [A] of the drift, −1 and 1 being the ends of the range."""
        size = len(self.action.low)
        if self._is_car and size == 3:
            mean, deviation = self._CAR_DRIFT
            return np.array(mean), np.array(deviation)
        return np.zeros(size), np.full(size, 0.5)

    def act(self, observation: NDArray[Any], info: dict[str, Any], first: NDArray[np.bool_]) -> NDArray[Any]:
        if self.count != len(first):
            self.reset(len(first))
        if first.any():
            self._held[first] = self._choose(int(first.sum()))
        if self.action.kind != "box":
            change = (self._random.random(self.count) < self.noise) & ~first
            if change.any():
                self._held[change] = self._choose(int(change.sum()))
            return self._held.copy()
        mean, deviation = self._drift()
        kick = self._random.normal(0.0, deviation, size=self._held.shape)
        # Exact for any rate: the deviation stays what it is, whatever the memory.
        keep = 1.0 - self.noise
        self._held = mean + keep * (self._held - mean) + np.sqrt(max(0.0, 1.0 - keep * keep)) * kick
        low, high = box_bounds(self.action)
        return np.clip(low + (self._held + 1) / 2 * (high - low), low, high).astype(np.float32)


class GridWalker(_Player):
    """GridWorld's shortest way to the goal around all hazards; takes a random move with probability `noise` (0.1).

    Reads `info["board"]` where the game gives it, else the frames (as in a dream). Where there is no way: at random.
    """

    plays: ClassVar[str] = "wmplay/GridWorld"
    default_noise = 0.1
    _known: NDArray[np.int8] | None = None

    def reset(self, count: int, seed: int | None = None) -> None:
        super().reset(count, seed)
        self._known = None

    def act(self, observation: NDArray[Any], info: dict[str, Any], first: NDArray[np.bool_]) -> NDArray[Any]:
        from envs.grid_board import AGENT, FLOOR, best_moves

        boards = _boards(self.game, observation, info)
        count, size = len(boards), boards.shape[-1]
        agents = (boards == AGENT).reshape(count, -1)
        # The way only depends on what stands still, so it is worked out once for every board and looked up after that.
        still = np.where(boards == AGENT, np.int8(FLOOR), boards)
        if self._known is None or self._known.shape != still.shape:
            self._known, self._moves = np.full_like(still, -1), np.zeros_like(still)
        new = (still != self._known).any(axis=(1, 2))
        if new.any():
            self._known[new] = still[new]
            self._moves[new] = best_moves(still[new])
        moves = self._moves.reshape(count, size * size)[np.arange(count), agents.argmax(axis=1)].astype(np.int64)
        lost = (moves < 0) | ~agents.any(axis=1)
        if lost.any():
            moves[lost] = self._any(int(lost.sum()))
        return self._disturb(moves)


class GridWanderer(_Player):
    """Roams a GridWorld: random moves, but never onto the goal or a hazard (unless it slips).

    For long recordings: an episode ends by its time limit only. `noise` has no meaning.
    """

    plays: ClassVar[str] = "wmplay/GridWorld"

    def act(self, observation: NDArray[Any], info: dict[str, Any], first: NDArray[np.bool_]) -> NDArray[Any]:
        from envs.grid_board import AGENT, GOAL, HAZARD, MOVES

        boards = _boards(self.game, observation, info)
        count, size = len(boards), boards.shape[-1]
        place = (boards == AGENT).reshape(count, -1).argmax(axis=1)
        around = np.stack((place // size, place % size), axis=1)[:, None] + MOVES[None]
        inside = ((around >= 0) & (around < size)).all(axis=-1)
        around = around.clip(0, size - 1)
        kinds = boards[np.arange(count)[:, None], around[..., 0], around[..., 1]]
        ends = inside & ((kinds == GOAL) | (kinds == HAZARD))
        # A random number for each direction; those that would end the episode lose. Boxed in on all sides, any will do.
        return (self._random.random((count, 4)) - 2.0 * ends).argmax(axis=1)


class CartBalancer(_Player):
    """Balances CartPole by linear feedback on its state; pushes at random with probability `noise` (0.2).

    Where the game shows pictures it reads `info["state"]`, and where there is none (in a dream), the pictures: the
    speeds are then what has changed since the one before. A pole that cannot be found is taken to be where it was.
    """

    plays: ClassVar[str] = "CartPole"
    default_noise = 0.2
    # Weights of x, its speed, the pole's angle and its speed: push to where the pole falls, lean gently to the middle.
    _GAINS = np.array([0.1, 0.2, 1.0, 0.3])
    _SECONDS = 0.02  # from one step to the next, as in CartPole-v1

    def reset(self, count: int, seed: int | None = None) -> None:
        super().reset(count, seed)
        self._before: NDArray[Any] = np.zeros((count, 2))

    def act(self, observation: NDArray[Any], info: dict[str, Any], first: NDArray[np.bool_]) -> NDArray[Any]:
        states = observation
        if observation.ndim == 4:
            states = info["state"] if "state" in info else self._read(observation, first)
        return self._disturb((states @ self._GAINS > 0).astype(np.int64))

    def _read(self, frames: NDArray[np.uint8], first: NDArray[np.bool_]) -> _Floats:
        """States [N, 4] by sight."""
        from envs.cartpole import read_pose

        if self.count != len(frames):
            self.reset(len(frames))
        read, found = read_pose(frames)
        poses = np.where(found[:, None], read, self._before)
        speeds = np.where(first[:, None], 0.0, (poses - self._before) / self._SECONDS)
        self._before = poses
        return np.stack([poses[:, 0], speeds[:, 0], poses[:, 1], speeds[:, 1]], axis=1)
