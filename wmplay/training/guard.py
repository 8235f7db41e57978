"""Notices that a training has fallen apart, and knows which weights to go back to.

Steps that are made equally long (Adam, Muon) can throw a network so far that no later step brings it back: the memory
of `canvas` once had gradients of 0.5 and then, from one minute to the next and for good, of 500 to 100,000.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

# Steps whose mean loss and gradient are looked at together. A look waits for a device that works on its own.
WINDOW = 50
# Windows in a row that must be ruins before they are believed to be.
BELIEVED = 2
# How many times the smallest gradient of all windows theirs must be. In 40 minutes of `canvas` learning soundly it was
# 16 at the most.
RUIN = 100.0
# Returns before giving up: by then the steps are 64 times as small.
RETURNS = 6


class Guard:
    """Watches the steps of one phase. `rate` is what the phase's learning rate must be multiplied by."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._parameters = parameters
        self._best = [parameter.detach().clone() for parameter in parameters]
        device = parameters[0].device
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)  # of the window's losses and log gradients
        self._count = 0
        self._ruins = 0
        self._calmest = math.inf  # mean log gradient
        self._returns = 0
        self.another_task()

    @property
    def rate(self) -> float:
        return 0.5**self._returns

    @property
    def gives_up(self) -> bool:
        return self._returns > RETURNS

    def another_task(self) -> None:
        """Losses from here on are not to be held against those before."""
        self._start: float | None = None
        self._least = math.inf

    def fell_apart(self, loss: Tensor, gradient: Tensor) -> bool:
        """Tell of a step taken: its loss and the norm of its gradient. True once gradients are a hundred times what
        they were and the loss is worse than in the beginning: the best weights so far are back then, the rate halved.
        """
        self._sums += torch.stack((loss.detach().double(), gradient.detach().double().clamp(min=1e-12).log()))
        self._count += 1
        if self._count < WINDOW:
            return False
        mean, norm = (self._sums / WINDOW).tolist()
        self._sums.zero_()
        self._count = 0
        if self._start is None:
            self._start = mean
        ruin = mean > self._start and norm > self._calmest + math.log(RUIN)
        self._ruins = self._ruins + 1 if ruin else 0
        self._calmest = min(self._calmest, norm)
        if mean < self._least:
            self._least = mean
            self._keep(self._parameters)
        if self._ruins < BELIEVED:
            return False
        self._ruins = 0
        self._returns += 1
        with torch.no_grad():
            for parameter, best in zip(self._parameters, self._best, strict=True):
                parameter.copy_(best)
        return True

    def _keep(self, weights: Sequence[Tensor]) -> None:
        for best, weight in zip(self._best, weights, strict=True):
            best.copy_(weight.detach())

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        yield "guard sums", self._sums
        for index, best in enumerate(self._best):
            yield f"guard {index}", best

    def numbers(self) -> dict[str, Any]:
        return {
            "count": self._count,
            "ruins": self._ruins,
            "returns": self._returns,
            "start": self._start,
            # JSON knows no infinity
            "calmest": self._calmest if math.isfinite(self._calmest) else None,
            "least": self._least if math.isfinite(self._least) else None,
        }

    def load(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Go on from what `tensors` and `numbers` gave."""
        self._sums.copy_(tensors["guard sums"])
        self._keep([tensors[f"guard {index}"] for index in range(len(self._best))])
        self._count, self._ruins, self._returns = numbers["count"], numbers["ruins"], numbers["returns"]
        self._start = numbers["start"]
        self._calmest = math.inf if numbers["calmest"] is None else numbers["calmest"]
        self._least = math.inf if numbers["least"] is None else numbers["least"]
