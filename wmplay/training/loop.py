"""The one loop that runs every recipe: commands, metrics, checkpoints, publishing, previews, and an honest resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from wmplay.core import atomic
from wmplay.core.errors import WmplayError
from wmplay.core.runs import PHASE_BEGINS
from wmplay.dreams.load import brief
from wmplay.training import checkpoint as checkpoints
from wmplay.training import preview
from wmplay.training.checkpoint import Checkpoint
from wmplay.training.phases import Phase, PhaseState
from wmplay.training.publish import publish
from wmplay.training.runlog import RunLog
from wmplay.training.settings import AGENT_SHARE
from wmplay.training.workshop import Workshop

# Seconds of work between two of each; for checkpoints see Settings.
PUBLISH, FIRST_PUBLISH, PREVIEW, METRICS, COMMANDS = 30.0, 15.0, 10.0, 0.5, 0.25

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
        self._base_steps = shop.info.steps
        self._steps = 0  # of world models, in this round
        self._active = 0.0
        self._number = 0
        self._stop = False
        self._published = False
        now = clock()
        self._last = {"checkpoint": now, "publish": now, "preview": -1e9, "metrics": -1e9, "commands": -1e9}
        self._speed = _Speed()

    def stop(self) -> None:
        """Ask for a clean end after the current step; safe to call from a signal handler."""
        self._stop = True

    def run(self) -> End:
        """Work until the recipe is done or somebody stops it. Raises WmplayError for what a user can put right."""
        try:
            return self._run()
        finally:
            self.shop.plain()

    def _run(self) -> End:
        index, state, used, budget = self._resume()
        for number, phase in enumerate(self.phases):
            if number < index:
                continue
            self.shop.phase_index = number
            resumed, state = state, None
            self.log.pulse(state="running", phase=phase.name, phase_index=self.shop.phase_index, message="")
            self._tick = self._clock()
            phase.budget = budget if resumed is not None else self._budget()
            phase.used = used if resumed is not None else 0.0
            phase.start(self.shop)
            try:
                if resumed is not None:
                    phase.load_state(resumed)
                else:
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
        while phase.progress < 1 and not self._stop:
            self._obey(phase)
            if self._stop:
                break
            before = phase.count
            metrics = phase.step()
            if phase.teaches:
                self._steps += phase.count - before
            self._spend(phase)
            over = phase.progress >= 1
            if over or self._due("metrics", METRICS):
                self._report(phase, metrics)
            if self._due("preview", PREVIEW) and phase.teaches:
                self._preview()
            if self._due("checkpoint", self.shop.settings.checkpoint_every):
                self._checkpoint(phase)
            if self._due("publish", PUBLISH if self._published else FIRST_PUBLISH) and self._steps:
                self._publish()
            self._spend(phase)
        if self._stop:
            self._checkpoint(phase)
            if self._steps:
                self._publish()

    def _spend(self, phase: Phase) -> None:
        """Book the time since the last booking; pauses never are."""
        now = self._clock()
        phase.used += now - self._tick
        self._active += now - self._tick
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
        commands = self.log.commands()
        while commands:
            command = commands.pop(0)
            if command == "stop":
                self._stop = True
                return
            if command == "save":
                self._checkpoint(phase)
                if self._steps:
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
        own = self._steps if phase.teaches else phase.count
        for name, found in phase.metrics(metrics).items():
            values = {key: float(value) for key, value in found.items()}
            shown = {k: v for k, v in values.items() if np.isfinite(v)}
            self.shop.metrics.update(
                {f"{name}/{k}": v for k, v in shown.items() if k not in ("learning_rate", "gradient")}
            )
            self.log.metrics(self._base_steps + own, name, shown)
        speed = self._speed.of(phase.frames, self._active)
        self.log.pulse(progress=self._progress(phase), seconds_left=self._seconds_left(phase), frames_per_second=speed)

    def _shares(self) -> list[float]:
        """How the budget is split over the phases: collecting takes what it takes, the rest as its share says."""
        agent = AGENT_SHARE if self.shop.settings.agent != "none" else 0.0
        return [p.share * (1 - agent) if p.teaches else (agent if p.name == "agent" else 0.0) for p in self.phases]

    def _budget(self) -> float | None:
        """Seconds of the coming phase: its part of what is left of the minutes asked for, or None if steps count."""
        seconds = self.shop.settings.seconds
        if seconds is None:
            return None
        shares, index = self._shares(), self.shop.phase_index
        rest = sum(shares[index:])
        return max(1.0, seconds - self._active) * shares[index] / rest if rest else None

    def _progress(self, phase: Phase) -> float:
        """Of the whole recipe, 0 to 1; collecting counts as a twentieth."""
        weights = [share * 0.95 if share else 0.05 for share in self._shares()]
        done = sum(weights[: self.shop.phase_index]) + weights[self.shop.phase_index] * phase.progress
        return min(1.0, done / sum(weights))

    def _seconds_left(self, phase: Phase) -> float | None:
        if self.shop.settings.seconds is not None and phase.name != "collect":
            return max(0.0, self.shop.settings.seconds - self._active)
        progress = self._progress(phase)
        return self._active / progress * (1 - progress) if progress > 0.01 else None

    def _checkpoint(self, phase: Phase | None) -> None:
        """Everything to go on from here; None: the recipe is done."""
        state = phase.state() if phase is not None else PhaseState()
        index = self.shop.phase_index if phase is not None else len(self.phases)
        self._number += 1
        numbers = {
            "index": index,
            "used": phase.used if phase is not None else 0.0,
            "budget": phase.budget if phase is not None else None,
            "phase": state.numbers,
            "round": self.shop.settings.round,
            "steps": self._steps,
            "base_steps": self._base_steps,
            "active": self._active,
            "data": list(self.shop.data),
            "held_out": list(self.shop.held_out),
            "metrics": self.shop.metrics,
            "extra": self.shop.extra,
        }
        files = {f"file/{k}": torch.frombuffer(bytearray(v), dtype=torch.uint8) for k, v in self.shop.files.items()}
        tensors = {**state.tensors, **files}
        checkpoints.write(self._root, Checkpoint(self._number, self.shop.world.state_dict(), tensors, numbers))
        self._last["checkpoint"] = self._clock()

    def _resume(self) -> tuple[int, PhaseState | None, float, float | None]:
        """Where to start: phase index, its state (None: from its beginning), and its time used and granted."""
        found = checkpoints.latest(self._root)
        if found is None:
            self._take_up()
            return 0, None, 0.0, None
        numbers = found.numbers
        try:
            self.shop.world.load_state_dict(found.model)
        except RuntimeError as why:
            raise WmplayError(f"The checkpoint does not fit this version of the family: {str(why)[:300]}") from why
        self._number = found.number
        self.shop.data, self.shop.held_out = tuple(numbers["data"]), tuple(numbers["held_out"])
        self.shop.metrics, self.shop.extra = dict(numbers["metrics"]), dict(numbers["extra"])
        files = {k[5:]: v.numpy().tobytes() for k, v in found.tensors.items() if k.startswith("file/")}
        self.shop.files = files
        if numbers["round"] != self.shop.settings.round:
            # A finished training is continued: the same weights, a new recipe.
            self._base_steps = numbers["base_steps"] + numbers["steps"]
            return 0, None, 0.0, None
        self._base_steps, self._steps, self._active = numbers["base_steps"], numbers["steps"], numbers["active"]
        self._published = self._steps > 0
        self.log.event("info", f"going on from checkpoint {found.number}")
        tensors = {k: v for k, v in found.tensors.items() if not k.startswith("file/")}
        return numbers["index"], PhaseState(tensors, numbers["phase"]), numbers["used"], numbers["budget"]

    def _take_up(self) -> None:
        """Begin with the weights of a slot that came without its checkpoints: a copy, or an import."""
        file = self.shop.path / "world.safetensors"
        if file.exists():
            try:
                self.shop.world.load_state_dict(load_file(file))
            except (RuntimeError, SafetensorError) as why:
                raise WmplayError(f"The slot's weights do not fit this version of the family: {brief(why)}") from why
            self.log.event("info", f"going on from the slot's weights after {self._base_steps:,} steps")

    def _publish(self, final: bool = False) -> None:
        publish(self.shop, self._base_steps + self._steps, pictures=final or not self._published)
        self._published = True
        self._last["publish"] = self._clock()

    def _preview(self) -> None:
        """The strip for the dashboard: while the last phase is yet to come, what the model sees; then dreams."""
        worlds = [i for i, p in enumerate(self.phases) if p.teaches]
        closed = self.shop.phase_index < worlds[-1]
        picture = preview.strip(self.shop.world, self.shop.contexts(), closed=closed)
        atomic.write_bytes(self._root / "preview.npz", preview.as_npz(picture, closed=np.array(closed)))


class _Speed:
    """Frames a second over the last few seconds."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def of(self, frames: int, seconds: float) -> float:
        self._marks = [*self._marks[-10:], (seconds, frames)]
        (t0, f0), (t1, f1) = self._marks[0], self._marks[-1]
        return (f1 - f0) / (t1 - t0) if t1 > t0 else 0.0
