"""Teaching what is left after Adam: a phase that takes second-order steps on all the data at once."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from wmplay.devices import Precision
from wmplay.training.phases import PhaseState
from wmplay.training.quasi_newton import QuasiNewton
from wmplay.training.workshop import Workshop
from wmplay.training.world_phase import WorldPhase
from wmplay.worlds.protocol import PhaseSpec, Segment


class PolishPhase(WorldPhase):
    """A PhaseSpec with `polish`: L-BFGS on one batch, which is drawn once and is all of the data where that fits in.

    The batch follows from the seed and the weights from the batch, so that a resumed run only has to draw it again.
    """

    def start(self, shop: Workshop, threads: int = 0) -> None:
        self.spec = _whole(self.spec, sum(data.rows for data in shop.datasets()))
        self._over = False
        self._segment: Segment | None = None
        super().start(shop, threads)
        self._origin = self._source.state()

    def _apply(self) -> None:
        # Line searches compare losses that differ in their last digits.
        self._precision = dataclasses.replace(self._precision, bf16=False, matmul="highest")
        self._precision.apply()
        self._newton = QuasiNewton(self._parameters)

    @property
    def progress(self) -> float:
        return 1.0 if self._over else super().progress

    def step(self) -> dict[str, Tensor | float]:
        """One line search, mostly of one look at the data."""
        if self._segment is None:
            self._segment = self._source.next()
        segment, metrics = self._segment, dict[str, Tensor]()
        for module in self._modules:
            module.train()

        def evaluate() -> Tensor:
            self.frames += self.spec.batch * self.spec.length
            loss, found = self._world.loss(segment, self.name, self._generator)
            metrics.update(found)
            return loss

        with torch.enable_grad():
            self._over = not self._newton.step(evaluate)
        self._done += 1
        return {**metrics}

    def state(self) -> PhaseState:
        tensors, loss = self._newton.state()
        numbers = {
            "done": self._done, "frames": self.frames, "over": self._over, "loss": loss, "source": self._origin,
            "precision": self._precision.to_json(),
        }  # fmt: skip
        return PhaseState(tensors, numbers)

    def load_state(self, state: PhaseState) -> None:
        numbers = state.numbers
        self._precision = Precision.from_json(numbers["precision"])
        self._apply()
        self._done, self.frames, self._over = numbers["done"], numbers["frames"], numbers["over"]
        self._source.load_state(numbers["source"])
        self._newton.load_state(state.tensors, numbers["loss"])


def _whole(spec: PhaseSpec, rows: int) -> PhaseSpec:
    """With the batch that holds every row once, if there are no more of them than its own has."""
    return dataclasses.replace(spec, batch=1, length=rows) if rows <= spec.batch * spec.length else spec
