"""Lays the track of CarRacing-v3 with the same arithmetic and the same random draws, in a fraction of the time.

Gymnasium's own routine spends most of a reset in numpy calls on single numbers and in Box2D keyword handling. What
decides the physics, the walk between random checkpoints and the corners of the tiles, is computed here with the same
operations in the same order on Python floats, so that every value is equal to the last bit (tested against Gymnasium).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from gymnasium.envs.box2d import car_racing as original

CHECKPOINTS = 12
MAX_STEPS = 2500
"""The walk gives up after this many steps of 3.5 units (CarRacing-v3's `no_freeze`)."""

Point = tuple[float, float]
Quad = list[Point]


class Track(NamedTuple):
    """A closed track of N tiles in world units (a road is 13.3 units wide).

    `points` N x (angle seen from the origin, heading, x, y); `tiles` N x 4 corners; `kerbs` pairs (tile, 4 corners).
    """

    points: list[tuple[float, float, float, float]]
    tiles: list[Quad]
    kerbs: list[tuple[int, Quad]]


def lay_track(rng: np.random.Generator) -> Track | None:
    """Draw one track from `rng` as CarRacing-v3 does, or None where the ends do not meet (the caller tries again)."""
    points = _closed_lap(_walk(_checkpoints(rng)))
    if points is None:
        return None
    return _tile(points)


def start_alpha() -> float:
    """The angle, seen from the origin, at which a lap begins."""
    return 2 * math.pi * (-0.5) / CHECKPOINTS


def _checkpoints(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Twelve points (angle, x, y) round the origin; the first and the last lie at fixed places."""
    radius = original.TRACK_RAD
    found = []
    for number in range(CHECKPOINTS):
        noise = rng.uniform(0, 2 * math.pi * 1 / CHECKPOINTS)
        angle = 2 * math.pi * number / CHECKPOINTS + noise
        distance = rng.uniform(radius / 3, radius)
        if number == 0:
            angle, distance = 0.0, 1.5 * radius
        if number == CHECKPOINTS - 1:
            angle, distance = 2 * math.pi * number / CHECKPOINTS, 1.5 * radius
        found.append((angle, distance * math.cos(angle), distance * math.sin(angle)))
    return found


def _walk(checkpoints: list[tuple[float, float, float]]) -> tuple[list[float], ...]:
    """Walk round the checkpoints for five laps, turning gently towards the next one: angles, headings, xs, ys."""
    full, limit, scale = 2 * math.pi, 1.5 * math.pi, original.SCALE
    turn, stride = original.TRACK_TURN_RATE, original.TRACK_DETAIL_STEP
    atan2, cos, sin = math.atan2, math.cos, math.sin
    x, y, beta = 1.5 * original.TRACK_RAD, 0.0, 0.0
    target, laps, far_side = 0, 0, False
    target_angle, target_x, target_y = checkpoints[0]
    # Four lists of floats: thousands of tuples would set the garbage collector off again and again.
    alphas: list[float] = []
    headings: list[float] = []
    xs: list[float] = []
    ys: list[float] = []
    for _ in range(MAX_STEPS):
        alpha = atan2(y, x)
        if far_side and alpha > 0:
            laps += 1
            far_side = False
        if alpha < 0:
            far_side = True
            alpha += full
        while alpha > target_angle:
            target += 1
            if target == CHECKPOINTS:
                target = 0
                alpha -= full
            target_angle, target_x, target_y = checkpoints[target]
        right_x, right_y = cos(beta), sin(beta)
        aside = right_x * (target_x - x) + right_y * (target_y - y)
        while beta - alpha > limit:
            beta -= full
        while beta - alpha < -limit:
            beta += full
        before = beta
        aside *= scale
        if aside > 0.3:
            beta -= min(turn, abs(0.001 * aside))
        elif aside < -0.3:
            beta += min(turn, abs(0.001 * aside))
        x += -right_y * stride
        y += right_x * stride
        alphas.append(alpha)
        headings.append(before * 0.5 + beta * 0.5)
        xs.append(x)
        ys.append(y)
        if laps > 4:
            break
    return alphas, headings, xs, ys


def _closed_lap(walk: tuple[list[float], ...]) -> list[tuple[float, float, float, float]] | None:
    """Cut the last whole lap out of the walk; None where there is none, or where its ends lie apart."""
    start = start_alpha()
    end = -1
    angles = walk[0]
    for i in range(len(angles) - 1, 0, -1):
        if angles[i] > start and angles[i - 1] <= start:
            if end != -1:
                lap = list(zip(*[part[i : end - 1] for part in walk], strict=True))
                break
            end = i
    else:
        return None
    heading = lap[0][1]
    gap_x = math.cos(heading) * (lap[0][2] - lap[-1][2])
    gap_y = math.sin(heading) * (lap[0][3] - lap[-1][3])
    if math.sqrt(gap_x * gap_x + gap_y * gap_y) > original.TRACK_DETAIL_STEP:
        return None
    return lap


def _kerbed(points: list[tuple[float, float, float, float]]) -> list[bool]:
    """Which tiles carry a red and white kerb: four hard turns in a row to the same side, and the tiles before them."""
    count, hard = original.BORDER_MIN_COUNT, original.TRACK_TURN_RATE * 0.2
    kerbed, before, row = [], 0, 0
    # One way round twice over the start: the turns before index 0 are the last ones.
    for i in range(-count, len(points)):
        bend = points[i][1] - points[i - 1][1]
        side = (bend > hard) - (bend < -hard)
        row = row + 1 if side and side == before else abs(side)
        before = side
        if i >= 0:
            kerbed.append(row >= count)
    # In place and in this order, as in CarRacing-v3: what index 0 hands back to the end of the list is handed on there.
    for i in range(len(points)):
        if kerbed[i]:
            for back in range(count):
                kerbed[i - back] = True
    return kerbed


def _tile(points: list[tuple[float, float, float, float]]) -> Track:
    """Corners of the road tiles and of the kerbs, each between a point and the one before it."""
    width, outer = original.TRACK_WIDTH, original.TRACK_WIDTH + original.BORDER
    across = [(math.cos(heading), math.sin(heading)) for _, heading, _, _ in points]
    edges = [
        ((x - width * c, y - width * s), (x + width * c, y + width * s))
        for (_, _, x, y), (c, s) in zip(points, across, strict=True)
    ]
    tiles = [[edges[i][0], edges[i][1], edges[i - 1][1], edges[i - 1][0]] for i in range(len(points))]
    kerbs = []
    for i, kerbed in enumerate(_kerbed(points)):
        if kerbed:
            bend = points[i - 1][1] - points[i][1]
            side = math.copysign(1.0, bend) if bend else 0.0
            corners: Quad = []
            for j, near_first in ((i, True), (i - 1, False)):
                (_, _, x, y), (c, s) = points[j], across[j]
                near = (x + side * width * c, y + side * width * s)
                far = (x + side * outer * c, y + side * outer * s)
                corners += [near, far] if near_first else [far, near]
            kerbs.append((i, corners))
    return Track(points, tiles, kerbs)


def build_tiles(world: Any, track: Track, road_color: np.ndarray) -> tuple[list[Any], np.ndarray]:
    """Put the tiles into the Box2D `world` as CarRacing-v3 does: one static sensor body each, in track order.

    Returns the bodies and their colours, float64 [N, 3]. Each body's `color` is a row of that array: where a wheel
    touches a tile, CarRacing-v3 repaints it in the plain road colour, and the array shows it.
    """
    from Box2D import b2BodyDef, b2FixtureDef, b2PolygonShape

    shades = np.array([[0.01 * (i % 3) * 255] for i in range(len(track.points))])
    colors = road_color + shades
    shape = b2PolygonShape(vertices=[(0, 0), (1, 0), (1, -1), (0, -1)])
    fixture = b2FixtureDef(shape=shape, isSensor=True)
    place = b2BodyDef()
    set_vertex = shape.set_vertex
    # What `shape.vertices = ...` does, less its checks of every number, which take a fifth of a reset.
    finish = getattr(shape, "_b2PolygonShape__set_vertices_internal", None)
    bodies = []
    for index, corners in enumerate(track.tiles):
        if finish is None:
            shape.vertices = corners
        else:
            for number, (x, y) in enumerate(corners):
                set_vertex(number, x, y)
            finish()
        body = world.CreateBody(place)
        body.CreateFixture(fixture)
        body.userData = body
        body.color = colors[index]
        body.road_visited = False
        body.road_friction = 1.0
        body.idx = index
        bodies.append(body)
    return bodies, colors
