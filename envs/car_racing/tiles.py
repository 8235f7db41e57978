"""The road's tiles in the Box2D world, made as the car comes near them: most of a track is far away for most of a lap.

A tile is a sensor. It takes no part in what moves the car, and says only which wheel touches it from when to when; one
that nothing can reach within the step is as good as none. So a reset makes two dozen bodies instead of three hundred.
What touches begin within one step reaches CarRacing-v3 in Box2D's own order, which is not that of making all tiles at
once. Rewards do not depend on it: each new tile pays the same. The end of a lap does, where tile 0 is touched for the
first time; the car stands on it at the start, so only a share that a few tiles fulfil could tell (see `LEAST_SHARE`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from Box2D import b2BodyDef, b2FixtureDef, b2PolygonShape
from gymnasium.envs.box2d import car_racing as original

from envs.car_racing.track import Track

REACH = 40.0
"""World units from the car within which tiles are made. A tile reaches 14 from its point, a wheel 3 from the car."""
STRIDE = 12.0
"""The car is looked for again after that many world units. Box2D moves nothing by more than 2 in a step."""
JUMP = 20.0
"""Whoever is farther away than this was put there by hand, perhaps without the wheels: then all tiles are made."""
LEAST_SHARE = 0.1
"""Where less than this share of the tiles finishes a lap, all are made at once, in CarRacing-v3's order. At the start
the car touches 5 tiles at the most, of 200 and more."""


class Touches(original.FrictionDetector):
    """CarRacing-v3's listener, which counts tiles and pays for them: the same effects, with fewer looks at Box2D."""

    def _contact(self, contact: Any, begin: bool) -> None:
        tile, other = contact.fixtureA.body.userData, contact.fixtureB.body.userData
        if tile is None or "road_friction" not in tile.__dict__:
            tile, other = other, tile
            if tile is None or "road_friction" not in tile.__dict__:
                return
        if not tile.painted:
            tile.painted = True
            tile.color[:] = self.env.road_color
        if other is None or "tiles" not in other.__dict__:
            return
        if not begin:
            other.tiles.remove(tile)
            return
        other.tiles.add(tile)
        if not tile.road_visited:
            env, tile.road_visited = self.env, True
            env.reward += 1000.0 / len(env.track)
            env.tile_visited_count += 1
            if tile.idx == 0 and env.tile_visited_count / len(env.track) > self.lap_complete_percent:
                env.new_lap = True


class Tiles:
    """The tiles of one `track` in `world`; at first only those near the start, or with `at_once` all in track order.

    `bodies` are those that were made, in that order; `colors`, float64 [N, 3], the present colours of all tiles. Each
    body's `color` is a row of that array: where a wheel touches a tile, CarRacing-v3 repaints it in the plain road
    colour, and the array shows it.
    """

    def __init__(self, world: Any, track: Track, road_color: np.ndarray, at_once: bool) -> None:
        count = len(track.points)
        self.bodies: list[Any] = []
        self.colors = road_color + (0.01 * (np.arange(count) % 3) * 255)[:, None]
        self._world = world
        self._corners = track.tiles
        self._places = track.places
        self._missing = np.ones(count, np.bool_)
        self._seen_x, self._seen_y = track.points[0][2:]
        self._shape = b2PolygonShape(vertices=[(0, 0), (1, 0), (1, -1), (0, -1)])
        # What `shape.vertices = ...` does, less its checks of every number.
        self._finish = getattr(self._shape, "_b2PolygonShape__set_vertices_internal", None)
        self._fixture = b2FixtureDef(shape=self._shape, isSensor=True)
        self._place = b2BodyDef()
        if at_once:
            self.make_all()
        else:
            self._make_near(self._seen_x, self._seen_y)

    def follow(self, car: Any) -> None:
        """Make what the `car` may touch before it is looked for again; call it before each step of the world."""
        place = car.hull.position
        x, y = place.x, place.y
        away = (x - self._seen_x) ** 2 + (y - self._seen_y) ** 2
        if away > STRIDE * STRIDE:
            if away > JUMP * JUMP:
                self.make_all()
            else:
                self._make_near(x, y)

    def make_all(self) -> None:
        """Make all tiles that are missing, in track order."""
        self._make(np.flatnonzero(self._missing))

    def _make_near(self, x: float, y: float) -> None:
        self._seen_x, self._seen_y = x, y
        away = self._places - (x, y)
        near = np.einsum("ij,ij->i", away, away) < REACH * REACH
        self._make(np.flatnonzero(near & self._missing))

    def _make(self, which: np.ndarray) -> None:
        """Put tiles into the world as CarRacing-v3 does: one static sensor body each."""
        world, shape, place, fixture, finish = self._world, self._shape, self._place, self._fixture, self._finish
        for index, corners in zip(which.tolist(), self._corners[which].tolist(), strict=True):
            if finish is None:
                shape.vertices = corners
            else:
                for number, (x, y) in enumerate(corners):
                    shape.set_vertex(number, x, y)
                finish()
            body = world.CreateBody(place)
            body.CreateFixture(fixture)
            body.userData = body
            body.color = self.colors[index]
            body.road_visited = body.painted = False
            body.road_friction = 1.0
            body.idx = index
            self.bodies.append(body)
        self._missing[which] = False
