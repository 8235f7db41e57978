"""Two phases of a world model at the same time, where neither needs what the other learns.

Small networks gain little from a second thread, and steps that follow one another gain nothing: on a CPU each phase
gets half of the cores. Random numbers, data and optimisers are each one's own, so that what one learns never depends on
how fast the other is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from wmplay.training.phases import Phase, PhaseState
from wmplay.training.world_phase import WorldPhase

if TYPE_CHECKING:
    from wmplay.training.workshop import Workshop

# Seconds of one unit of work, after which the two wait for one another.
UNIT = 0.5

Metrics = dict[str, Tensor | float]
Work = Callable[[], Metrics | None]


class SideBySide(Phase):
    """One unit of work: some steps of the first phase, and of the second as many as fit beside them.

    Where steps are counted, the second keeps in proportion to the first, so that a run can be repeated.
    """

    teaches = True

    def __init__(self, first: WorldPhase, second: WorldPhase) -> None:
        self.first, self.second = first, second
        self.name = f"{first.name} and {second.name}"
        self.share, self.longest = first.share + second.share, min(first.longest, second.longest)
        self._latest: dict[str, Metrics] = {}
        self._helper: ThreadPoolExecutor | None = None

    @property
    def parts(self) -> tuple[Phase, ...]:
        return self.first, self.second

    def start(self, shop: Workshop) -> None:
        self._together = shop.device.name == "cpu" and shop.threads > 1
        for phase in self._order:
            phase.start(shop, threads=shop.threads // 2 if self._together else 0)
        for phase in self._order:
            phase.thaw()

    def begin(self) -> None:
        super().begin()
        self._share_time()
        for phase in self._order:
            phase.begin()

    @property
    def _order(self) -> tuple[WorldPhase, WorldPhase]:
        """In which they set what is global in torch: this thread works for the first one, so it comes last."""
        return self.second, self.first

    @property
    def progress(self) -> float:
        self._share_time()
        return min(self.first.progress, self.second.progress)

    @property
    def count(self) -> int:
        return self.first.count + self.second.count

    def _share_time(self) -> None:
        for phase in (self.first, self.second):
            phase.used, phase.budget = self.used, self.budget

    def step(self) -> Metrics:
        self._share_time()
        if self.first.steps is not None and self.second.steps is not None:
            self._counted(self.first.steps, self.second.steps)
        else:
            self._timed()
        self.frames = self.first.frames + self.second.frames
        return self._latest[self.first.name]

    def metrics(self, latest: Mapping[str, Tensor | float]) -> dict[str, Metrics]:  # noqa: ARG002 - it is among them
        return self._latest

    def _counted(self, firsts: int, seconds: int) -> None:
        """One step of the first, and those of the second that are due with it; the last ones at the end."""
        due = -(-(self.first.count + 1) * seconds // firsts) - self.second.count

        def steps() -> Metrics | None:
            last = None
            for _ in range(due):
                last = self.second.step()
            return last

        self._run(steps, lambda: self.first.step() if self.first.count < firsts else None)

    def _timed(self) -> None:
        """The first until the unit's time is over, the second until the first is done with its last step."""
        over = Event()

        def others() -> Metrics:
            end = time.monotonic() + UNIT
            while True:
                last = self.second.step()
                if over.is_set() or (not self._together and time.monotonic() >= end):
                    return last

        def own() -> Metrics:
            end = time.monotonic() + UNIT
            try:
                while True:
                    last = self.first.step()
                    if time.monotonic() >= end:
                        return last
            finally:
                over.set()  # also when a step fails, or the other would go on for ever

        self._run(others, own)

    def _run(self, second: Work, first: Work) -> None:
        """Both at once, or one after the other where they share a device."""
        future = self._start(second)
        try:
            self._keep(self.first, first())
        finally:
            found = future.result()
        self._keep(self.second, found)

    def _start(self, work: Work) -> Future[Metrics | None]:
        if self._together:
            if self._helper is None:
                threads = self.second.precision.threads or 1
                self._helper = ThreadPoolExecutor(1, "second-phase", torch.set_num_threads, (threads,))
            return self._helper.submit(work)
        future: Future[Metrics | None] = Future()
        future.set_result(work())
        return future

    def _keep(self, phase: Phase, metrics: Metrics | None) -> None:
        if metrics is not None:
            self._latest[phase.name] = metrics

    def state(self) -> PhaseState:
        tensors: dict[str, Tensor] = {}
        numbers: dict[str, Any] = {}
        for phase in (self.first, self.second):
            state = phase.state()
            tensors |= {f"{phase.name}.{key}": value for key, value in state.tensors.items()}
            numbers[phase.name] = state.numbers
        return PhaseState(tensors, numbers)

    def load_state(self, state: PhaseState) -> None:
        for phase in self._order:
            mark = f"{phase.name}."
            tensors = {k.removeprefix(mark): v for k, v in state.tensors.items() if k.startswith(mark)}
            phase.load_state(PhaseState(tensors, state.numbers[phase.name]))

    def finish(self) -> None:
        if self._helper is not None:
            self._helper.shutdown()
        for phase in (self.first, self.second):
            phase.finish()
