"""Teaching what is left after Adam: a phase of Gauss-Newton steps, for networks small enough to become exact."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from wmplay.devices import Precision
from wmplay.training.gauss_newton import GaussNewton
from wmplay.training.phases import PhaseState
from wmplay.training.world_phase import WorldPhase

# The part of a step that is taken at the end; at the start it is the whole. What one batch undoes of another's work
# is less where steps are smaller.
LAST = 0.3


class PolishPhase(WorldPhase):
    """A PhaseSpec with `polish`: `World.residuals` of batch after batch are put right by the layers of its modules."""

    def _apply(self) -> None:
        # Eight bits of mantissa, in a matrix that is to be inverted, are noise.
        self._precision = dataclasses.replace(self._precision, bf16=False, matmul="highest")
        self._precision.apply()
        layers = [part for module in self._modules for part in module.modules() if isinstance(part, nn.Linear)]
        self._newton = GaussNewton(layers)

    def step(self) -> dict[str, Tensor | float]:
        for module in self._modules:
            module.train()
        self._world.training = (
            True  # only the flag: what it learns of its own accord, as `Chance` does, it learns here too
        )
        segment, rate = self._source.next(), 1.0 - (1.0 - LAST) * self.progress
        with torch.no_grad():
            _, metrics = self._world.loss(segment, self.name, self._generator)
        self._newton.step(lambda: self._world.residuals(segment, self.name), rate)
        self._done += 1
        self.frames += self.spec.batch * self.spec.length
        return {**metrics, "damping": self._newton.damping, "learning_rate": rate}

    def state(self) -> PhaseState:
        numbers = {
            "done": self._done, "frames": self.frames, "source": self._source.state(),
            "damping": self._newton.damping, "precision": self._precision.to_json(),
        }  # fmt: skip
        return PhaseState({"generator": self._generator.get_state()}, numbers)

    def load_state(self, state: PhaseState) -> None:
        numbers = state.numbers
        self._precision = Precision.from_json(numbers["precision"])
        self._apply()
        self._done, self.frames = numbers["done"], numbers["frames"]
        self._source.load_state(numbers["source"])
        self._generator.set_state(state.tensors["generator"])
        self._newton.damping = numbers["damping"]
