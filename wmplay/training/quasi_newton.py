"""L-BFGS (Nocedal 1980): second-order steps for small networks on one fixed batch, where Adam stays coarse.

A smooth function without noise, such as a game's physics, is met by it several times as exactly in the same time. Its
whole memory can be taken out and put back, so that a resumed run goes on bit for bit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# Pairs of (step, change of the gradient) that stand for the curvature: more gained nothing on CartPole.
MEMORY = 50
# The weak Wolfe conditions (Nocedal and Wright 2006, §3.1): enough descent, and a slope that has flattened enough.
DESCENT, FLATTER = 1e-4, 0.9
# Tries of a line search; at the last one the step is a millionth of the first.
TRIES = 20


class QuasiNewton:
    """Minimises a deterministic function of `parameters` (N numbers in all), one line search a step."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._parameters = list(parameters)
        self._pairs: deque[tuple[Tensor, Tensor]] = deque(maxlen=MEMORY)
        self._gradient: Tensor | None = None
        self._loss = 0.0

    def step(self, evaluate: Callable[[], Tensor]) -> bool:
        """Go down once. False if there is no way down any more, in the precision that the function is computed in.

        evaluate: returns the loss, a scalar, at the parameters as they are.
        """
        if self._gradient is None:
            self._loss, self._gradient = self._look(evaluate)
        here, gradient = self._flat(), self._gradient
        direction = self._direction(gradient)
        slope = float(gradient.dot(direction))
        length = 1.0 if self._pairs else min(1.0, 1.0 / max(float(gradient.abs().sum()), 1e-30))
        if slope < 0 and self._search(evaluate, here, direction, slope, length):
            return True
        self._put(here)
        stuck = not self._pairs
        self._pairs.clear()  # the curvature remembered may be wrong: the next step is the steepest one
        return not stuck

    def _search(
        self, evaluate: Callable[[], Tensor], here: Tensor, direction: Tensor, slope: float, length: float
    ) -> bool:
        """Find and take a step that meets the weak Wolfe conditions, by bisection (Lewis and Overton 2013)."""
        low, high = 0.0, math.inf
        for _ in range(TRIES):
            self._put(here + length * direction)
            loss, gradient = self._look(evaluate)
            if not loss <= self._loss + DESCENT * length * slope:  # also where the loss is no number
                high = length
            elif float(gradient.dot(direction)) < FLATTER * slope:
                low = length
            else:
                assert self._gradient is not None
                self._pairs.append((length * direction, gradient - self._gradient))
                self._loss, self._gradient = loss, gradient
                return True
            length = (low + high) / 2 if high < math.inf else 2 * length
        return False

    def _direction(self, gradient: Tensor) -> Tensor:
        """Minus the inverse Hessian that the pairs suggest, times the gradient, by the two-loop recursion."""
        direction = -gradient
        weights = []
        for step, change in reversed(self._pairs):
            weight = step.dot(direction) / step.dot(change)
            weights.append(weight)
            direction = direction - weight * change
        if self._pairs:
            step, change = self._pairs[-1]
            direction = direction * (step.dot(change) / change.dot(change))
        for (step, change), weight in zip(self._pairs, reversed(weights), strict=True):
            direction = direction + (weight - change.dot(direction) / step.dot(change)) * step
        return direction

    def _look(self, evaluate: Callable[[], Tensor]) -> tuple[float, Tensor]:
        for parameter in self._parameters:
            parameter.grad = None
        loss = evaluate()
        loss.backward()
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        return float(loss.detach()), torch.cat([part.flatten() for part in parts])

    def _flat(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self._parameters])

    @torch.no_grad()
    def _put(self, flat: Tensor) -> None:
        done = 0
        for parameter in self._parameters:
            parameter.copy_(flat[done : done + parameter.numel()].view_as(parameter))
            done += parameter.numel()

    def state(self) -> tuple[dict[str, Tensor], float]:
        """The memory, `steps` and `changes` [M, N] and `gradient` [N] as far as there are any, and the loss here."""
        tensors = {} if self._gradient is None else {"gradient": self._gradient}
        if self._pairs:
            tensors["steps"] = torch.stack([step for step, _ in self._pairs])
            tensors["changes"] = torch.stack([change for _, change in self._pairs])
        return tensors, self._loss

    def load_state(self, tensors: dict[str, Tensor], loss: float) -> None:
        """Go on from what `state` returned, with the parameters as they were then."""
        device = self._parameters[0].device
        # Each a tensor of its own, as it was: sums over memory that is aligned otherwise round otherwise.
        own = {name: [row.to(device, copy=True) for row in rows] for name, rows in tensors.items() if rows.ndim == 2}
        self._pairs = deque(zip(own.get("steps", []), own.get("changes", []), strict=True), maxlen=MEMORY)
        found = tensors.get("gradient")
        self._gradient = None if found is None else found.to(device, copy=True)
        self._loss = loss
