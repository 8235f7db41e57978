"""Any steerable action space as Discrete from 0, flat MultiDiscrete or a flat bounded float32 Box."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from envs.errors import GameError

# A MultiDiscrete of at most so many combinations becomes one Discrete: simpler to learn and to give keys to.
MOST_COMBINATIONS = 64
# Some games write an open bound as the largest number there is; no action that is meant lies out here.
OPEN = 1e6
Convert = Callable[[Any], Any]


def adapt_actions(space: spaces.Space[Any], name: str) -> tuple[spaces.Space[Any], Convert]:
    """The simple space, and the function from its actions to the game's own. Raises GameError for any other space."""
    if isinstance(space, spaces.Discrete):
        first = int(space.start)
        return spaces.Discrete(int(space.n)), lambda action: int(action) + first
    if isinstance(space, (spaces.MultiDiscrete, spaces.MultiBinary)):
        shape = space.shape
        counts = np.full(shape, 2) if isinstance(space, spaces.MultiBinary) else space.nvec
        start = np.asarray(getattr(space, "start", 0), dtype=np.int64)
        flat = counts.ravel()
        dtype = space.dtype

        def combined(action: Any) -> Any:
            return (np.array(np.unravel_index(int(action), flat)).reshape(shape) + start).astype(dtype)

        def separate(action: Any) -> Any:
            return (np.asarray(action).reshape(shape) + start).astype(dtype)

        if np.prod(flat, dtype=np.float64) <= MOST_COMBINATIONS:
            return spaces.Discrete(int(np.prod(flat))), combined
        return spaces.MultiDiscrete(flat), separate
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype or np.float32, np.floating):
        # An open bound becomes ±1, or ±1 beyond the other bound: something that keys and random players can reach.
        low = space.low.ravel().astype(np.float32)
        high = space.high.ravel().astype(np.float32)
        low_given, high_given = np.abs(low) < OPEN, np.abs(high) < OPEN
        low = np.where(low_given, low, np.where(high_given, np.minimum(high - 1, -1), -1))
        high = np.where(high_given, high, np.maximum(low + 1, 1))
        box_shape, box_dtype = space.shape, space.dtype
        return (
            spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32),
            lambda action: np.clip(action, low, high).reshape(box_shape).astype(box_dtype),
        )
    raise GameError(f"{name} is steered by {space}; wmplay plays Discrete, MultiDiscrete, MultiBinary and float Box.")
