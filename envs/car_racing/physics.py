"""CarRacing-v3 itself, without its drawing: the same tracks, car, Box2D step, rewards and ends, to the last bit."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.box2d import car_racing as original

from envs.car_racing.car import Car, CarParts
from envs.car_racing.tiles import LEAST_SHARE, Tiles, Touches
from envs.car_racing.track import Track, lay_track, start_alpha


class Physics(original.CarRacing):
    """Gymnasium's CarRacing whose `step` and `reset` draw nothing; `original_surface` draws when it is asked.

    Replaced are the drawing (by nothing), the laying of the track and the car's arithmetic (by equal, faster ones), and
    when the tiles come into the world (when the car comes near them); `road` lists those that are there.
    """

    track_shape: Track
    road: Any
    track: Any
    tile_colors: np.ndarray
    """float64 [N, 3], the present colours of the road tiles; a visited tile takes the plain road colour."""
    _tiles: Tiles
    _parts: CarParts | None = None

    @property
    def driven(self) -> Any:
        """The car (Gymnasium's `Car`); there is one from the first reset on."""
        return self.car

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As CarRacing-v3's, with None for the observation."""
        gymnasium.Env.reset(self, seed=seed)
        self._destroy()
        # The world does not keep its listener alive by itself.
        self.contactListener_keepref = Touches(self, self.lap_complete_percent)
        self.world.contactListener = self.contactListener_keepref
        self.reward = self.prev_reward = 0.0
        self.tile_visited_count, self.t, self.new_lap = 0, 0.0, False
        self.road_poly: list[Any] = []
        if self.domain_randomize:
            self._reinit_colors((options or {}).get("randomize", True))
        while not self._create_track():
            if self.verbose:
                print("CarRacing: the track's ends did not meet; another is tried")  # noqa: T201
        if self._parts is None:
            self._parts = CarParts()
        self.car = Car(self.world, self._parts, *self.track[0][1:])
        return self.step(None)[0], {}

    def step(self, action: Any) -> Any:
        """As CarRacing-v3's, with None for the observation."""
        self._tiles.follow(self.car)
        return super().step(action)

    def _render(self, mode: str) -> Any:  # noqa: ARG002 (Gymnasium's signature)
        """Draw nothing: `step` calls this each time, and what is shown is drawn elsewhere, when it is wanted."""
        return None

    def _create_track(self) -> bool:
        track = lay_track(self.np_random)
        self.start_alpha = start_alpha()
        if track is None:
            return False
        self._tiles = Tiles(self.world, track, self.road_color, at_once=self.lap_complete_percent < LEAST_SHARE)
        self.road, self.tile_colors = self._tiles.bodies, self._tiles.colors
        self.track_shape = track
        self.track = track.points
        return True

    def original_surface(self, mode: str = "state_pixels") -> Any:
        """Draw the present scene as CarRacing-v3 does and return its pygame surface of 1000 x 800 pixels."""
        if not self.road_poly:
            kerbs = dict(zip(self.track_shape.kerbed.tolist(), self.track_shape.kerbs.tolist(), strict=True))
            for index, corners in enumerate(self.track_shape.tiles.tolist()):
                self.road_poly.append((corners, self.tile_colors[index]))
                if index in kerbs:
                    self.road_poly.append((kerbs[index], (255, 255, 255) if index % 2 == 0 else (255, 0, 0)))
        super()._render(mode)
        return self.surf
