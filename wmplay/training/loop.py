"""The one loop that runs every recipe: commands, metrics, checkpoints, publishing, previews, and an honest resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import torch

from wmplay.core import atomic
from wmplay.core.runs import PHASE_BEGINS
from wmplay.training import preview
from wmplay.training.budget import Budget
from wmplay.training.phases import Phase
from wmplay.training.publish import publish
from wmplay.training.runlog import RunLog
from wmplay.training.standing import Entry, Standing, save, take_up
from wmplay.training.workshop import Workshop

# Seconds of work between two of each; for checkpoints see Settings.
PUBLISH, FIRST_PUBLISH, PREVIEW, METRICS, COMMANDS = 30.0, 15.0, 10.0, 0.5, 0.25
# Share of the time that previews may take, in which nothing is learned: one of `canvas` takes almost a second on two
# cores.
SHOWING = 0.02

End = Literal["done", "stopped"]


class Loop:
    """Runs the phases of a recipe one after the other, from wherever the newest checkpoint says.

    clock: seconds; given by tests that count time instead of spending it.
    """

    def __init__(
        self, shop: Workshop, phases: Sequence[Phase], log: RunLog, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.shop, self.phases, self.log, self._clock = shop, list(phases), log, clock
        self._root = shop.path / "train"
        self.standing = Standing(shop.info.steps)
        self.budget = Budget(shop.settings, self.phases)
        self._stop = False
        self._heard: list[str] = []  # commands that came at a bad moment
        self._published = False
        shop.leaving = self._leaving
        now = clock()
        self._last = {"checkpoint": now, "publish": now, "preview": -1e9, "metrics": -1e9, "commands": -1e9}
        self._preview_took = 0.0
        self._speed = _Speed()

    def stop(self) -> None:
        """Ask for a clean end after the current step; safe to call from a signal handler."""
        self._stop = True

    def _leaving(self) -> bool:
        """Whether a clean end is asked for; other commands wait until there is something to do them to."""
        self._heard += self.log.commands()
        return self._stop or "stop" in self._heard

    def run(self) -> End:
        """Work until the recipe is done or somebody stops it. Raises WmplayError for what a user can put right."""
        try:
            return self._run()
        finally:
            self.shop.plain()

    def _run(self) -> End:
        index, state, used, granted = self._resume()
        for number, phase in enumerate(self.phases):
            if number < index:
                continue
            self.shop.phase_index = number
            resumed, state = state, None
            self.log.pulse(state="running", phase=phase.name, phase_index=number, message="")
            self._tick = self._clock()
            phase.budget = granted if resumed is not None else self.budget.grant(number, self.standing.active)
            phase.used = used if resumed is not None else 0.0
            # Getting ready may take a minute, in which the last phase's figure would stand there.
            left = self.budget.seconds_left(number, self.standing.active) if phase.budget is not None else None
            self.log.pulse(seconds_left=left)
            phase.start(self.shop)
            self._spend(phase)
            try:
                if resumed is not None:
                    phase.load_state(resumed)
                else:
                    phase.begin()
                    for part in phase.parts:
                        self.log.event("info", PHASE_BEGINS.format(part.name))
                    self._checkpoint(phase)
                self._work(phase)
            finally:
                phase.finish()
            if self._stop:
                return "stopped"
            self.log.event("info", f"phase {phase.name} is done")
            if number + 1 < len(self.phases) and self.phases[number + 1].name == "agent":
                self._publish()  # whoever practises in processes of their own reads the world from the slot
        self._publish(final=True)
        self._preview()
        self._checkpoint(None)
        return "done"

    def _work(self, phase: Phase) -> None:
        self._speed = _Speed()
        self.log.pulse(message="")  # what was said while it got ready is over
        counted = phase.count
        while phase.progress < 1 and not self._stop:
            self._obey(phase)
            if self._stop:
                break
            metrics = phase.step()
            if phase.teaches:
                before, counted = counted, phase.count  # a part of it may work between steps, too
                self.standing.steps += counted - before
            self._spend(phase)
            over = phase.progress >= 1
            if over or self._due("metrics", METRICS):
                self._report(phase, metrics)
            if self._due("preview", max(PREVIEW, self._preview_took / SHOWING)) and phase.teaches:
                self._preview()
            if self._due("checkpoint", self.shop.settings.checkpoint_every):
                self._checkpoint(phase)
            if self._due("publish", PUBLISH if self._published else FIRST_PUBLISH) and self.standing.steps:
                self._publish()
            self._spend(phase)
        phase.rest()
        if self._stop:
            self._checkpoint(phase)
            if self.standing.steps:
                self._publish()

    def _spend(self, phase: Phase) -> None:
        """Book the time since the last booking; pauses never are."""
        now = self._clock()
        phase.used += now - self._tick
        self.standing.active += now - self._tick
        self._tick = now

    def _due(self, what: str, seconds: float) -> bool:
        now = self._clock()
        if now - self._last[what] < seconds:
            return False
        self._last[what] = now
        return True

    def _obey(self, phase: Phase) -> None:
        """Carry out what somebody wrote into the control table; a pause waits here and costs nothing."""
        if not self._due("commands", COMMANDS):
            return
        commands, self._heard = self._heard + self.log.commands(), []
        while commands:
            command = commands.pop(0)
            if command == "stop":
                self._stop = True
                return
            if command == "save":
                self._checkpoint(phase)
                if self.standing.steps:
                    self._publish()
                self.log.event("info", "saved")
            elif command == "pause":
                self._spend(phase)
                self._checkpoint(phase)
                commands += self._pause()
                self._tick = self._clock()

    def _pause(self) -> list[str]:
        """Sleep until something other than `pause` and `save` is asked for; returns what is still to be carried out."""
        self.log.pulse(state="paused", message="paused")
        self.log.event("info", "paused")
        rest: list[str] = []
        while not self._stop and not rest:
            self.log.wait(COMMANDS)
            rest = [c for c in self.log.commands() if c not in ("pause", "save")]
        self.log.pulse(state="running", message="")
        self.log.event("info", "going on")
        return [c for c in rest if c != "resume"]

    def _report(self, phase: Phase, metrics: Mapping[str, torch.Tensor | float]) -> None:
        own = self.standing.steps if phase.teaches else phase.count
        for name, found in phase.metrics(metrics).items():
            values = {key: float(value) for key, value in found.items()}
            shown = {k: v for k, v in values.items() if np.isfinite(v)}
            self.shop.metrics.update(
                {f"{name}/{k}": v for k, v in shown.items() if k not in ("learning_rate", "gradient")}
            )
            self.log.metrics(self.standing.base_steps + own, name, shown)
        speed = self._speed.of(phase.frames, self.standing.active)
        index, active = self.shop.phase_index, self.standing.active
        self.log.pulse(
            progress=self.budget.progress(index),
            seconds_left=self.budget.seconds_left(index, active),
            frames_per_second=speed,
        )

    def _checkpoint(self, phase: Phase | None) -> None:
        """Everything to go on from here; None: the recipe is done."""
        save(self.shop, self.standing, phase, len(self.phases))
        self._last["checkpoint"] = self._clock()

    def _resume(self) -> Entry:
        entry = take_up(self.shop, self.standing, self.log)
        self._published = self.standing.steps > 0
        return entry

    def _publish(self, final: bool = False) -> None:
        self.phases[self.shop.phase_index].rest()
        publish(self.shop, self.standing.base_steps + self.standing.steps, pictures=final or not self._published)
        self._published = True
        self._last["publish"] = self._clock()

    def _preview(self) -> None:
        """The strip for the dashboard: while the last phase is yet to come, what the model sees; then dreams."""
        begun = self._clock()
        self.phases[self.shop.phase_index].rest()
        worlds = [i for i, p in enumerate(self.phases) if p.teaches]
        closed = self.shop.phase_index < worlds[-1]
        picture = preview.strip(self.shop.world, self.shop.contexts(), closed=closed)
        atomic.write_bytes(self._root / "preview.npz", preview.as_npz(picture, closed=np.array(closed)))
        self._preview_took = self._clock() - begun


class _Speed:
    """Frames a second over the last few seconds."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def of(self, frames: int, seconds: float) -> float:
        self._marks = [*self._marks[-10:], (seconds, frames)]
        (t0, f0), (t1, f1) = self._marks[0], self._marks[-1]
        return (f1 - f0) / (t1 - t0) if t1 > t0 else 0.0
