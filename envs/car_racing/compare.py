"""Holds CarRacing against Gymnasium's CarRacing-v3: equal physics, and frames that differ by how much.

`python -m envs.car_racing.compare` prints both; `--tracks 100 --steps 1000` is the whole comparison, which is also
`wmplay bench games --tracks 100`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pygame
from gymnasium.envs.box2d import car_racing as original

from envs.car_racing.env import CarRacing
from envs.car_racing.gauges import area_weights
from envs.car_racing.pictures import road_mask


class Undrawn(original.CarRacing):
    """CarRacing-v3, every line of it, but without its drawing, which the physics do not depend on."""

    def _render(self, mode: str) -> Any:  # noqa: ARG002 (Gymnasium's signature)
        return None


class Differences(NamedTuple):
    """How far frames are from CarRacing-v3's: means over frames, and over the frame's levels of 0 to 255."""

    frames: int
    mean_absolute: float
    smallest_of_a_frame: float
    largest_of_a_frame: float
    bar_mean_absolute: float
    road_iou: float


def held_actions(rng: np.random.Generator, steps: int, continuous: bool, hold: int = 12) -> list[Any]:
    """Random actions, each held for `hold` steps, so that the car gets somewhere, off the road, and into spins."""
    if not continuous:
        return [
            int(action) for action in np.repeat(rng.choice(5, steps // hold + 1, p=[0.1, 0.2, 0.2, 0.4, 0.1]), hold)
        ]
    gas = rng.uniform([-0.6, 0, 0], [0.6, 0.9, 0.8], (steps // hold + 1, 3))
    gas[rng.random(len(gas)) < 0.7, 2] = 0
    return list(np.repeat(gas, hold, axis=0).astype(np.float32))


def first_unequal_step(
    seed: int, steps: int, continuous: bool, theirs: original.CarRacing, ours: CarRacing
) -> int | None:
    """Drive both with the same actions; the first step whose reward, end or pose is not exactly equal, or None.

    Goes on past the end of the lap, up to `steps`: the physics know no end.
    """
    theirs.reset(seed=seed)
    ours.reset(seed=seed)
    actions = held_actions(np.random.default_rng(seed), steps, continuous)
    for step, action in enumerate(actions[:steps]):
        _, reward, terminated, _, ended = theirs.step(action)
        _, our_reward, our_terminated, _, our_info = ours.step(action)
        hulls = [game.car.hull for game in (theirs, ours.physics)]  # type: ignore[union-attr]
        poses = [(*hull.position, hull.angle, *hull.linearVelocity, hull.angularVelocity) for hull in hulls]
        same_end = ended.get("lap_finished") == our_info.get("lap_finished")
        if (reward, terminated) != (our_reward, our_terminated) or not same_end or poses[0] != poses[1]:
            return step
    return None


def unequal_tracks(tracks: int, steps: int, continuous: bool, tell: Callable[[int, list[int]], None]) -> list[int]:
    """Drive both on the tracks of seeds 0 to `tracks`; the seeds of those that were not equal at every step.

    tell: hears after each track how many are done, and which of them were unequal.
    """
    theirs, ours = Undrawn(continuous=continuous), CarRacing(continuous=continuous)
    unequal: list[int] = []
    for seed in range(tracks):
        if first_unequal_step(seed, steps, continuous, theirs, ours) is not None:
            unequal.append(seed)
        tell(seed + 1, unequal)
    return unequal


def differences(seeds: list[int], steps: int, size: int = 64, every: int = 17, through_96: bool = False) -> Differences:
    """Compare frames on the way with CarRacing-v3's 1000 x 800 window resized by area to `size`.

    With `through_96` the window goes through CarRacing-v3's own 96 x 96 pixels first, which blurs it a little.
    """
    weights = area_weights(96, size)
    gaps, bars, common, either = [], [], 0, 0
    env = CarRacing(size=size)
    for seed in seeds:
        env.reset(seed=seed)
        for step, action in enumerate(held_actions(np.random.default_rng(seed), steps, True)[:steps]):
            frame, _, _, _, _ = env.step(action)
            if step % every:
                continue
            side = 96 if through_96 else size
            window = pygame.transform.smoothscale(env.physics.original_surface(), (side, side))
            wanted = pygame.surfarray.array3d(window).swapaxes(0, 1)
            if through_96:
                wanted = np.rint(np.einsum("ij,jkc,lk->ilc", weights, wanted, weights, optimize=True)).astype(np.uint8)
            gap = np.abs(frame.astype(int) - wanted)
            gaps.append(gap.mean())
            bars.append(gap[size * 7 // 8 :].mean())
            ours, theirs = road_mask(frame), road_mask(wanted)
            common += int((ours & theirs).sum())
            either += int((ours | theirs).sum())
    mean, least, most = float(np.mean(gaps)), float(np.min(gaps)), float(np.max(gaps))
    return Differences(len(gaps), mean, least, most, float(np.mean(bars)), common / either if either else 1.0)


def _tell(done: int, unequal: list[int]) -> None:
    """Progress for a person, in one line that is written over."""
    if sys.stderr.isatty():
        print(f"\r{done} tracks, unequal: {unequal or 'none'}\033[K\r", end="", file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """Print both comparisons; exit status 1 if any step was unequal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    wrong = 0
    for continuous in (True, False):
        unequal = unequal_tracks(options.tracks, options.steps, continuous, _tell)
        wrong += len(unequal)
        form = "continuous" if continuous else "discrete"
        print(f"{form}: {options.tracks} tracks of {options.steps} steps, unequal: {unequal or 'none'}")  # noqa: T201
    for size, through_96 in ((64, False), (64, True), (96, False)):
        found = differences(list(range(min(options.tracks, 10))), options.steps, size, through_96=through_96)
        print(f"frames of {size}{' through 96' if through_96 else ''}: {found}")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
