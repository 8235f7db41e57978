"""CarRacing, fast: Gymnasium's own physics under a drawing that makes only the pixels that are asked for."""

from envs.car_racing.env import CarRacing
from envs.car_racing.lap import AHEAD
from envs.car_racing.pictures import car_visible, road_mask

__all__ = ["AHEAD", "CarRacing", "car_visible", "road_mask"]
