"""A scripted driver for CarRacing: good play for the data, and the expert of the report card.

It sees no pixels: it drives by `info["ahead"]`, the centre points of the road before the car, and `info["speed"]`.
Steering is pure pursuit (Coulter 1992, CMU-RI-TR-92-01): aim at a point some way ahead. The speed is the highest from
which the car can still brake for every bend in sight.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wmplay.core.catalog import Game
from wmplay.core.spaces import ActionSpec

SPACING = 3.5
"""World units between the points of `info["ahead"]`."""
WHEELBASE = 3.24
"""World units between CarRacing's axles."""
LOCK = 0.4
"""The front wheels' largest angle, radians."""
LOST, CRAWL = 0.8, 10.0
"""More than so many radians off its aim, the car goes no faster than so many units/s."""
NOTHING, RIGHT, LEFT, GAS, BRAKE = range(5)
"""CarRacing's discrete actions."""

Floats = NDArray[np.float64]


class CarDriver:
    """Drives N cars at once, in the continuous and in the discrete form, at any action repeat.

    noise: deviation of a slow disturbance, where 1 is the steering's full lock and 20 units/s too fast or too slow;
    None for 0.2. With 0 it drives as well as it can; from 0.3 on it leaves the road and has to find back. With noise,
    drivers are in more or less of a hurry: each episode has a pace of its own, drawn between `leisure` and `hurry`.

    leisure, hurry: the slowest and the fastest driver with noise, as shares of the speed that the road allows. Set on a
    driver, they hold from its next episode; without noise every driver goes as fast as the road allows.
    """

    plays: ClassVar[str] = "wmplay/CarRacing"
    default_noise = 0.2
    # Found by trying on 20 tracks, to the nearest round figure: sideways and braking acceleration in units/s², and the
    # highest speed; faster is lost in the tightest bends now and then.
    sideways, braking, fastest = 170.0, 50.0, 80.0
    aim_seconds, aim_least = 0.3, 8.0
    leisure, hurry = 0.25, 1.0
    forget = 0.1
    gas_until, coast_until = 0.2, 0.1

    def __init__(self, game: Game, action: ActionSpec, noise: float | None = None, seed: int | None = None) -> None:
        self.game, self.action = game, action
        self.noise = self.default_noise if noise is None else noise
        self._random = np.random.default_rng(seed)
        self._drift, self._pace = np.zeros((0, 2)), np.zeros(0)

    def reset(self, count: int, seed: int | None = None) -> None:
        """Forget the disturbance and get ready for `count` cars; without a seed the random numbers go on."""
        if seed is not None:
            self._random = np.random.default_rng(seed)
        self._drift, self._pace = np.zeros((count, 2)), self._choose(count)

    def act(self, observation: NDArray[Any], info: dict[str, Any], first: NDArray[np.bool_]) -> NDArray[Any]:
        """Actions from `info` alone: `ahead` float [N, K, 2] (units to the right and forward) and `speed` [N]."""
        ahead = np.asarray(info["ahead"], dtype=np.float64)
        speed = np.asarray(info["speed"], dtype=np.float64)
        if len(self._drift) != len(speed):
            self.reset(len(speed))
        self._drift[first] = 0.0
        if first.any():
            self._pace[first] = self._choose(int(first.sum()))
        aim = self._aim(ahead, speed)
        steer = self._steer(aim, speed)
        # A car that looks elsewhere has spun. On spinning wheels it would circle for good: slow down, turn, go on.
        lost = np.abs(np.arctan2(aim[:, 0], aim[:, 1])) > LOST
        excess = speed - np.where(lost, CRAWL, self._pace * self._allowed(ahead))
        if self.noise:
            shock = np.sqrt(2 * self.forget) * self._random.normal(size=self._drift.shape)
            self._drift += -self.forget * self._drift + self.noise * shock
            steer = steer + LOCK * self._drift[:, 0]
            excess = excess + 20 * self._pace * self._drift[:, 1]
        if self.action.kind == "discrete":
            return self._discrete(steer, excess)
        # Gas and steering together break the rear wheels loose.
        gas = np.clip(-excess / 10, 0, np.where(lost, 0.2, 1)) * np.clip(1.2 - 2 * np.abs(steer), 0.1, 1)
        brake = np.clip(excess / 15, 0, 0.8)
        return np.stack([np.clip(steer, -1, 1), gas, brake], axis=1).astype(np.float32)

    def _choose(self, count: int) -> Floats:
        """The share of the possible speed that each of `count` drivers wants."""
        return self._random.uniform(self.leisure, self.hurry, count) if self.noise else np.ones(count)

    def _aim(self, ahead: Floats, speed: Floats) -> Floats:
        """The point of the road to drive at, to the right and forward: farther at speed. [N, 2]"""
        distance = np.maximum(self.aim_seconds * speed, self.aim_least)
        which = np.minimum((distance / SPACING).astype(int), ahead.shape[1] - 1)
        return ahead[np.arange(len(ahead)), which]

    def _steer(self, aim: Floats, speed: Floats) -> Floats:
        """The front wheels' angle that leads through the point aimed at, radians, right positive. [N]"""
        right, forward = aim.T
        bend = 2 * right / np.maximum(right**2 + forward**2, 1.0)
        angle = np.arctan(WHEELBASE * bend) * (1 + speed / 60)
        # A point behind the car: turn round to it.
        return np.where(forward < 0, np.copysign(LOCK, right), angle)

    def _allowed(self, ahead: Floats) -> Floats:
        """The highest speed from which every bend in sight can be reached at its own, units/s. [N]"""
        steps = np.diff(ahead, axis=1)
        heading = np.unwrap(np.arctan2(steps[..., 0], steps[..., 1]), axis=1)
        # Over three tiles: one tile's turn says little about the bend.
        bend = np.abs(heading[:, 3:] - heading[:, :-3]) / (3 * SPACING)
        speed = np.sqrt(self.sideways / np.maximum(bend, 1e-3))
        distance = np.arange(bend.shape[1]) * SPACING
        return np.minimum(np.sqrt(speed**2 + 2 * self.braking * distance).min(axis=1), self.fastest)

    def _discrete(self, steer: Floats, excess: Floats) -> NDArray[np.int64]:
        """One of five actions each: whichever of steering and pedals is needed more."""
        turn = np.where(steer > 0, RIGHT, LEFT)
        # One action turns the wheels by 0.06 radians a step, and the next one lets them come back.
        needed = np.abs(steer) > np.where(excess < 0, self.gas_until, self.coast_until)
        actions = np.where(needed, turn, np.where(excess > 0, np.where(excess > 4, BRAKE, NOTHING), GAS))
        return np.where(excess > 15, BRAKE, actions)
