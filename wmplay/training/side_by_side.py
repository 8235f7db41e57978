"""Two phases of a world model at the same time, where neither needs what the other learns.

Small networks gain little from a second thread, and steps that follow one another gain nothing: on a CPU each phase
gets half of the cores. Random numbers, data and optimisers are each one's own, so that what one learns never depends on
how fast the other is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from wmplay.training.phases import Phase, PhaseState
from wmplay.training.world_phase import WorldPhase

if TYPE_CHECKING:
    from wmplay.training.workshop import Workshop

# Seconds of one unit of work.
UNIT = 0.5

Metrics = dict[str, Tensor | float]


class SideBySide(Phase):
    """One unit of work: some steps of the first phase. On a core of its own the second goes on meanwhile, and between
    units, until somebody wants it to `rest`: where the two waited for one another after each unit, 22 % of two cores
    stood idle with steps of half a second. Where they share a device, as many steps of the second follow as fit.

    Where steps are counted, the second keeps in proportion to the first, so that a run can be repeated.
    """

    teaches = True

    def __init__(self, first: WorldPhase, second: WorldPhase) -> None:
        self.first, self.second = first, second
        self.name = f"{first.name} and {second.name}"
        self.share, self.longest = first.share + second.share, min(first.longest, second.longest)
        self._latest: dict[str, Metrics] = {}
        self._helper: ThreadPoolExecutor | None = None
        self._going: Future[None] | None = None  # the second phase's work, while it goes on by itself
        self._enough = Event()  # asks it to rest

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
        elif self._together:
            self._at_once()
        else:
            self._in_turn()
        self.frames = self.first.frames + self.second.frames
        return self._latest[self.first.name]

    def metrics(self, latest: Mapping[str, Tensor | float]) -> dict[str, Metrics]:  # noqa: ARG002 - it is among them
        return dict(self._latest)

    def _counted(self, firsts: int, seconds: int) -> None:
        """One step of the first, and those of the second that are due with it; the last ones at the end."""
        due = -(-(self.first.count + 1) * seconds // firsts) - self.second.count

        def steps() -> None:
            for _ in range(due):
                self._step(self.second)

        going = self._helping().submit(steps) if self._together else None
        try:
            if self.first.count < firsts:
                self._step(self.first)
        finally:
            if going is not None:
                going.result()
        if going is None:
            steps()

    def _at_once(self) -> None:
        """The first until the unit's time is over; the second goes on until it is to rest."""
        if self._going is None:
            self._enough.clear()
            self._going = self._helping().submit(self._go_on)
        self._until(time.monotonic() + UNIT, self.first)
        if self._going.done():  # it failed
            self.rest()

    def _in_turn(self) -> None:
        """Both for the unit's time, one after the other."""
        for phase in (self.second, self.first):
            self._until(time.monotonic() + UNIT, phase)

    def _go_on(self) -> None:
        while not self._enough.is_set():
            self._step(self.second)

    def _until(self, end: float, phase: WorldPhase) -> None:
        """At least one step."""
        self._step(phase)
        while time.monotonic() < end:
            self._step(phase)

    def _step(self, phase: WorldPhase) -> None:
        self._latest[phase.name] = phase.step()

    def _helping(self) -> ThreadPoolExecutor:
        """The thread of the second phase."""
        if self._helper is None:
            threads = self.second.precision.threads or 1
            self._helper = ThreadPoolExecutor(1, "second-phase", torch.set_num_threads, (threads,))
        return self._helper

    def rest(self) -> None:
        """Raises what the second phase failed with."""
        if self._going is not None:
            self._enough.set()
            going, self._going = self._going, None
            going.result()

    def state(self) -> PhaseState:
        self.rest()
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
        self._enough.set()
        if self._helper is not None:
            self._helper.shutdown()
        for phase in (self.first, self.second):
            phase.finish()
