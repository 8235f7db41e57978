"""CarRacing, fast: Gymnasium's own physics under a drawing that makes only the pixels that are asked for."""

from envs.car_racing.env import CarRacing
from envs.car_racing.lap import AHEAD
from envs.car_racing.pictures import car_visible, road_mask
from envs.car_racing.vector import CarRacingVector

__all__ = ["AHEAD", "CarRacing", "CarRacingVector", "car_visible", "road_mask"]
