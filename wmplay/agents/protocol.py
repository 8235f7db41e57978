"""What an agent is: anything that picks actions for a batch of environments."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Agent(Protocol):
    """Acts in N environments at once; N = 1 for a single one.

    Agents own their randomness (seeded at construction or by `reset`) and may keep memory between calls.
    """

    def reset(self, count: int, seed: int | None = None) -> None:
        """Forget everything and get ready for `count` environments."""

    def act(self, observation: np.ndarray, info: dict[str, Any], first: np.ndarray) -> np.ndarray:
        """Actions for observations [N, ...] (uint8 frames or float32 vectors).

        info: Gymnasium's vector info, a dict of arrays with leading axis N. first: bool [N], True where the observation
        is the first of an episode. Returns int64 [N] or float32 [N, A], ready for the environment.
        """
