"""Rewards as a network predicts them: in units of their own deviation, so that a game's scale does not weigh.

LunarLander pays −100 for a crash and CarRacing 3 for a tile; a squared error of raw rewards would drown all else that a
memory learns in the one game, and be drowned in another.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from wmplay.worlds.blocks import RunningScale

# Below this a reward has not varied yet, and is measured in its own units.
STILL = 1e-4


class RewardScale(RunningScale):
    """The mean and deviation of rewards, and the squared error in that unit.

    Weights that were saved before there was a scale load as they are: they predict raw rewards, and go on doing so.
    """

    def __init__(self) -> None:
        super().__init__(1)

    @property
    def deviation(self) -> Tensor:
        """Standard deviation [1]; 1 while all rewards are the same."""
        deviation = self.square.sqrt()
        return deviation.where(deviation > STILL, deviation.new_ones(()))

    def learn(self, rows: Tensor) -> None:
        """Merge rewards float32 [N] into the statistics."""
        super().learn(rows[:, None])

    def error(self, told: Tensor, reward: Tensor) -> Tensor:
        """Squared error [...] of what a head says, in deviations; reward [...] is raw."""
        return (told - self.normalise(reward)).square()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        if f"{prefix}count" not in state_dict:
            fixed = {"mean": 0.0, "square": 1.0, "count": float(self.limit)}
            state_dict.update({f"{prefix}{name}": self.get_buffer(name).new_full(self.get_buffer(name).shape, value)
                               for name, value in fixed.items()})  # fmt: skip
        super()._load_from_state_dict(state_dict, prefix, *more)
