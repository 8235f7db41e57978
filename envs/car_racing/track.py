"""Lays the track of CarRacing-v3 with the same arithmetic and the same random draws, in a fraction of the time.

Gymnasium's own routine spends most of a reset in numpy calls on single numbers. What decides the physics, the walk
between random checkpoints and the corners of the tiles, is computed here with the same operations in the same order,
so that every value is equal to the last bit (tested against Gymnasium). numpy adds and multiplies as Python does, but
its sines and cosines may differ in the last bit: those come from `math`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from gymnasium.envs.box2d import car_racing as original

CHECKPOINTS = 12
MAX_STEPS = 2500
"""The walk gives up after this many steps of 3.5 units (CarRacing-v3's `no_freeze`)."""
LAST_LAPS = 3
"""The last whole lap of the walk begins and ends, as a rule, after this many of its five laps."""

Checkpoint = tuple[float, float, float]
Walk = tuple[list[float], list[float], list[float], list[float]]
"""Angles seen from the origin, headings, xs and ys of a walk's points. Four lists of floats: thousands of tuples would
set the garbage collector off again and again."""


class Track(NamedTuple):
    """A closed track of N tiles in world units (a road is 13.3 units wide), K of them with a kerb.

    `points` N x (angle seen from the origin, heading, x, y); `places` float64 [N, 2], their x and y; `tiles` float64
    [N, 4, 2], the corners of each between its point and the one before; `kerbed` int64 [K], numbers of tiles; `kerbs`
    float64 [K, 4, 2], their kerbs' corners.
    """

    points: list[tuple[float, float, float, float]]
    places: np.ndarray
    tiles: np.ndarray
    kerbed: np.ndarray
    kerbs: np.ndarray


def lay_track(rng: np.random.Generator) -> Track | None:
    """Draw one track from `rng` as CarRacing-v3 does, or None where the ends do not meet (the caller tries again)."""
    checkpoints = _checkpoints(rng)
    # Storing the first laps would be for nothing, unless the walk turned back on its way.
    walk = _last_lap(_walk(checkpoints, LAST_LAPS)) or _last_lap(_walk(checkpoints, 0))
    if walk is None or not _closed(walk):
        return None
    return _tile(walk)


def start_alpha() -> float:
    """The angle, seen from the origin, at which a lap begins."""
    return 2 * math.pi * (-0.5) / CHECKPOINTS


def _checkpoints(rng: np.random.Generator) -> list[Checkpoint]:
    """Twelve points (angle, x, y) round the origin; the first and the last lie at fixed places."""
    radius = original.TRACK_RAD
    # One call draws what CarRacing-v3 draws number by number: an angle and a distance for each point.
    lows = np.array([0.0, radius / 3] * CHECKPOINTS)
    highs = np.array([2 * math.pi * 1 / CHECKPOINTS, radius] * CHECKPOINTS)
    drawn = rng.uniform(lows, highs).tolist()
    found = []
    for number in range(CHECKPOINTS):
        angle, distance = 2 * math.pi * number / CHECKPOINTS + drawn[2 * number], drawn[2 * number + 1]
        if number == 0:
            angle, distance = 0.0, 1.5 * radius
        if number == CHECKPOINTS - 1:
            angle, distance = 2 * math.pi * number / CHECKPOINTS, 1.5 * radius
        found.append((angle, distance * math.cos(angle), distance * math.sin(angle)))
    return found


def _walk(checkpoints: list[Checkpoint], keep_from: int) -> Walk:
    """Walk round the checkpoints for five laps, turning gently towards the next one; points from lap `keep_from` on."""
    full, limit, scale = 2 * math.pi, 1.5 * math.pi, original.SCALE
    turn, stride = original.TRACK_TURN_RATE, original.TRACK_DETAIL_STEP
    atan2, cos, sin = math.atan2, math.cos, math.sin
    x, y, beta = 1.5 * original.TRACK_RAD, 0.0, 0.0
    target, laps, far_side = 0, 0, False
    target_angle, target_x, target_y = checkpoints[0]
    last_angle = checkpoints[-1][0]
    walk: Walk = ([], [], [], [])
    keep_angle, keep_heading, keep_x, keep_y = (part.append for part in walk)
    for _ in range(MAX_STEPS):
        alpha = atan2(y, x)
        if alpha < 0:
            far_side = True
            alpha += full
        elif far_side and alpha > 0:
            laps += 1
            far_side = False
        if alpha > target_angle:
            if target == 0 and alpha > last_angle:
                # Past the last checkpoint, of which none has a greater angle: once round, back to the first.
                alpha -= full
            else:
                while alpha > target_angle:
                    target += 1
                    if target == CHECKPOINTS:
                        target = 0
                        alpha -= full
                    target_angle, target_x, target_y = checkpoints[target]
        right_x, right_y = cos(beta), sin(beta)
        aside = (right_x * (target_x - x) + right_y * (target_y - y)) * scale
        if not -limit <= beta - alpha <= limit:
            while beta - alpha > limit:
                beta -= full
            while beta - alpha < -limit:
                beta += full
        before = beta
        if aside > 0.3:
            bend = 0.001 * aside
            beta -= bend if bend < turn else turn
        elif aside < -0.3:
            bend = -0.001 * aside
            beta += bend if bend < turn else turn
        x -= right_y * stride
        y += right_x * stride
        if laps >= keep_from:
            keep_angle(alpha)
            keep_heading(before * 0.5 + beta * 0.5)
            keep_x(x)
            keep_y(y)
            if laps > 4:
                break
    return walk


def _last_lap(walk: Walk) -> Walk | None:
    """Cut the last whole lap out of the walk; None where it holds none."""
    start, end = start_alpha(), -1
    angles = walk[0]
    for i in range(len(angles) - 1, 0, -1):
        if angles[i - 1] <= start < angles[i]:
            if end != -1:
                angles, headings, xs, ys = (part[i : end - 1] for part in walk)
                return angles, headings, xs, ys
            end = i
    return None


def _closed(lap: Walk) -> bool:
    """Whether the lap's ends meet, to within a step, across the road."""
    _, headings, xs, ys = lap
    gap_x = math.cos(headings[0]) * (xs[0] - xs[-1])
    gap_y = math.sin(headings[0]) * (ys[0] - ys[-1])
    return math.sqrt(gap_x * gap_x + gap_y * gap_y) <= original.TRACK_DETAIL_STEP


def _kerbed(headings: np.ndarray) -> np.ndarray:
    """Which tiles, int64 [K], carry a kerb: four hard turns in a row to the same side, and the tiles before them."""
    count, hard = original.BORDER_MIN_COUNT, original.TRACK_TURN_RATE * 0.2
    bends = headings - _one_back(headings)
    sides = in_a_row = (bends > hard).astype(np.int64) - (bends < -hard)
    for _ in range(count - 1):
        sides = _one_back(sides)
        in_a_row = in_a_row + sides
    kerbed = (np.abs(in_a_row) == count).tolist()
    # In place and in this order, as in CarRacing-v3: what index 0 hands back to the end of the list is handed on there.
    for i in range(len(kerbed)):
        if kerbed[i]:
            for back in range(count):
                kerbed[i - back] = True
    return np.flatnonzero(kerbed)


def _tile(lap: Walk) -> Track:
    """Corners of the road tiles and of the kerbs, each between a point and the one before it."""
    width, outer = original.TRACK_WIDTH, original.TRACK_WIDTH + original.BORDER
    headings = np.array(lap[1])
    places = np.array(lap[2:]).T
    across = np.array([[math.cos(heading) for heading in lap[1]], [math.sin(heading) for heading in lap[1]]]).T
    left, right = places - width * across, places + width * across
    tiles = np.stack([left, right, _one_back(right), _one_back(left)], axis=1)
    kerbed = _kerbed(headings)
    side = np.sign(headings[kerbed - 1] - headings[kerbed])[:, None]
    here, before = (places[which] for which in (kerbed, kerbed - 1))
    near, far = side * width, side * outer
    here_across, before_across = across[kerbed], across[kerbed - 1]
    corners = [here + near * here_across, here + far * here_across]
    corners += [before + far * before_across, before + near * before_across]
    return Track(list(zip(*lap, strict=True)), places, tiles, kerbed, np.stack(corners, axis=1))


def _one_back(values: np.ndarray) -> np.ndarray:
    """For each point what the one before it has."""
    return np.concatenate([values[-1:], values[:-1]])
