"""How much a game leaves to chance: how large the noise in its dreams should be."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Chance(nn.Module):
    """How large the latent's noise has to be, learned beside the polishing: 1 is as it comes.

    A latent keeps the noise that its KL allows, whether or not the game throws dice. Here what the noise does to a step
    is held against what the noiseless step misses, and made as large. Weights saved before this was known load with 1.
    """

    missed: Tensor
    shaken: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("missed", torch.ones(()))
        self.register_buffer("shaken", torch.ones(()))

    @property
    def scale(self) -> Tensor:
        """By what the noise's deviation is to be multiplied."""
        return (self.missed / self.shaken.clamp_min(1e-12)).sqrt().clamp(1e-6, 1e3)

    @torch.no_grad()
    def learn(self, missed: Tensor, shaken: Tensor) -> None:
        """Mean squared error of the noiseless step, and mean squared effect of the noise on it, scalars."""
        for kept, new in ((self.missed, missed), (self.shaken, shaken)):
            kept.lerp_(new, 0.05)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        for name in ("missed", "shaken"):
            state_dict.setdefault(f"{prefix}{name}", torch.ones(()))
        super()._load_from_state_dict(state_dict, prefix, *more)
