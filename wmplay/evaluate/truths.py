"""What can be read off a game's frames: boards of GridWorld, the road of CarRacing, CartPole's cart and pole."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# What counts as the whole range of CartPole's variables. Position and angle: between the two places where the game ends
# (±2.4, ±12°). The velocities have no bounds there: the 1st to the 99th percentile of 96,000 steps of random play.
CARTPOLE_RANGES = (4.8, 2.74, 2 * 12 * 2 * np.pi / 360, 4.03)
# What a picture of it shows: cart position and pole angle.
POSE = {"position": CARTPOLE_RANGES[0], "angle": CARTPOLE_RANGES[2]}
# CartPole ends outside of these: cart position, pole angle in radians (12°), as in Gymnasium's CartPole-v1.
CART_LIMIT, POLE_LIMIT = 2.4, 12 * 2 * np.pi / 360
# Fewer road pixels than this and the picture shows no road worth comparing (1 % of the 64×54 pixels above the bar).
ROAD_PIXELS = 32


def board_size(params: dict[str, Any]) -> int:
    """Cells a side of the GridWorld with these parameters."""
    return int(params.get("size", 8))


def boards(frames: NDArray[Any], size: int) -> NDArray[np.int8]:
    """Boards int8 [..., size, size] that frames uint8 [..., H, W, 3] show."""
    from envs.grid_world import decode_board

    return decode_board(frames, size)


def same_board(dream: NDArray[Any], real: NDArray[Any], size: int) -> NDArray[np.bool_]:
    """bool [N]: both frames of the pair show the same board."""
    return (boards(dream, size) == boards(real, size)).all(axis=(-1, -2))


def well_formed(frames: NDArray[Any], size: int) -> NDArray[np.bool_]:
    """bool [N]: the frames show a board with exactly one agent and at most one goal."""
    from envs.grid_world import well_formed as board_is_well_formed

    return np.array([board_is_well_formed(board) for board in boards(frames, size)])


def road(frames: NDArray[Any]) -> NDArray[np.bool_]:
    """Where CarRacing frames show road above the indicator bar, bool [N, h, W]."""
    from envs.car_racing import road_mask

    return np.asarray(road_mask(frames))


def road_overlap(dream: NDArray[Any], real: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Intersection over union of the two roads, float [N], and where the real frame shows road at all, bool [N]."""
    a, b = road(dream).reshape(len(dream), -1), road(real).reshape(len(real), -1)
    union = (a | b).sum(axis=1)
    return (a & b).sum(axis=1) / np.maximum(union, 1), b.sum(axis=1) >= ROAD_PIXELS


def car_on_road(frames: NDArray[Any]) -> NDArray[np.bool_]:
    """bool [N]: the frames show a car, and road at or around it."""
    from envs.car_racing import car_visible

    mask = road(frames)
    height, width = mask.shape[1:]
    # The camera holds the car at the middle, three quarters down the view; its surroundings are a fifth of the width.
    middle, low, reach = width // 2, round(height * 0.8), max(2, width // 10)
    around = mask[:, max(0, low - 2 * reach) : low + reach, middle - reach : middle + reach]
    return np.asarray(car_visible(frames)) & (around.mean(axis=(1, 2)) >= 0.1)


def pose_errors(dream: NDArray[Any], real: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How far cart and pole are from where they really are, shares of their ranges (see POSE), float [N, 2]; and bool
    [N]: whether both can be found in the dream at all. Where not, the errors mean nothing."""
    from envs.cartpole import read_pose

    (said, found), (true, _) = read_pose(dream), read_pose(real)
    return np.abs(said.astype(np.float64) - true) / np.array(list(POSE.values())), found


def pole_stands(frames: NDArray[Any]) -> NDArray[np.bool_]:
    """bool [N]: the frames show a cart and a pole, inside the limits at which the game ends."""
    from envs.cartpole import read_pose

    pose, found = read_pose(frames)
    return found & (np.abs(pose[:, 0]) < CART_LIMIT) & (np.abs(pose[:, 1]) < POLE_LIMIT)


def state_names(game_short: str, size: int) -> list[str]:
    """Names of a vector game's variables."""
    if game_short == "cartpole" and size == 4:
        return ["position", "velocity", "angle", "angular_velocity"]
    return [f"variable_{i}" for i in range(size)]


def state_ranges(game_short: str, size: int) -> NDArray[np.float32] | None:
    """Float32 [S], the range of each variable where the game is known; None where only play can tell."""
    return np.array(CARTPOLE_RANGES, np.float32) if game_short == "cartpole" and size == 4 else None
