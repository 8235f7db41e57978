"""What a phase of a recipe is: small units of work, a progress figure, a state to save. The loop knows no more."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from wmplay.training.workshop import Workshop


@dataclass
class PhaseState:
    """tensors go to safetensors, numbers to JSON."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)


class Phase(ABC):
    """One stage of a recipe.

    name: shown to people. used: active seconds spent in it, kept by the loop. budget: seconds it may use, or None when
    it counts its own work. frames: rows or steps that all `step`s so far went through, for the speed shown.
    teaches: it trains the world model. share: its part of the time that world models get, at most `longest` seconds.
    """

    name: str
    used: float = 0.0
    budget: float | None = None
    frames: int = 0
    teaches: bool = False
    share: float = 0.0
    longest: float = math.inf

    @property
    def parts(self) -> tuple[Phase, ...]:
        """The phases that run at once in this one; most are one phase."""
        return (self,)

    def metrics(self, latest: Mapping[str, Tensor | float]) -> Mapping[str, Mapping[str, Tensor | float]]:
        """What the latest `step` returned, by the part that it belongs to."""
        return {self.name: latest}

    def start(self, shop: Workshop) -> None:  # noqa: B027 - most phases need no preparation
        """Get ready: load data, make optimisers. Called once, before `load_state` and `step`."""

    def begin(self) -> None:
        """Called after `start` and before the first `step`, unless the phase is resumed. What getting ready took,
        minutes on a slow machine, is taken off the budget: schedules that run over it begin with the first step."""
        if self.budget:
            self.budget, self.used = max(1.0, self.budget - self.used), 0.0

    @abstractmethod
    def step(self) -> dict[str, Tensor | float]:
        """One small unit of work, well under a second where possible. Returns metrics, perhaps none."""

    @property
    @abstractmethod
    def progress(self) -> float:
        """0 to 1; the phase is over at 1."""

    @property
    def count(self) -> int:
        """Units of work done: the x axis of this phase's metrics."""
        return 0

    def rest(self) -> None:  # noqa: B027 - most phases work in `step` alone
        """Let nothing go on until the next `step`: others are about to look at the world, or to wait."""

    def state(self) -> PhaseState:
        """Everything that going on exactly from here depends on."""
        return PhaseState()

    def load_state(self, state: PhaseState) -> None:  # noqa: B027 - a phase without state has nothing to load
        """Go on from what `state` returned."""

    def finish(self) -> None:  # noqa: B027 - nor anything to close
        """Let go of files and processes; called when the phase is over, and when it is left early."""
