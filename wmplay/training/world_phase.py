"""Teaching a world model: the optimiser, schedule and precision that serve every phase of every family."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from wmplay import compiling
from wmplay.core.errors import WmplayError
from wmplay.devices import Precision, set_layout
from wmplay.training.guard import Guard
from wmplay.training.muon import Muon
from wmplay.training.phases import Phase, PhaseState
from wmplay.training.source import Source, encode_all
from wmplay.worlds.protocol import PhaseSpec, Segment, World

if TYPE_CHECKING:
    from wmplay.training.workshop import Workshop

# Where the cosine ends, as a part of the learning rate: late steps should still move a little.
FLOOR = 0.02
# Seconds that a phase must last for it to be worth a minute or two of compiling.
WORTH_COMPILING = 600.0
# Seconds of trial for each precision, after its first step; and how many times the quickest a first step may take on a
# CPU before the others are not worth waiting for: bfloat16, where it is only imitated, can be that slow.
TRIAL, HOPELESS = 0.5, 5.0
# Streams that are left of a batch at the least, on a slow machine.
FEWEST_STREAMS = 8
# Steps with a loss that is no number, in a row, before training gives up.
PATIENCE = 20


class WorldPhase(Phase):
    """One PhaseSpec of a world model, trained for a number of steps or for a budget of seconds.

    number: of the phase in its recipe; its random numbers depend on it.
    """

    teaches = True

    def __init__(self, spec: PhaseSpec, steps: int | None, number: int = 1) -> None:
        self.spec = spec
        self.name = spec.name
        self.share, self.longest = spec.share, spec.longest
        self.steps = steps
        self._number = number
        self._done = 0
        self._spoilt = 0
        self._compiled = False  # whether this process has
        self._excused = False  # whether it was said why it has not
        self._brief = False  # whether the last step was on brief segments
        self._quickest = math.inf  # seconds of a step, of all precisions that were tried
        self._streams = spec.batch  # of each batch, as many are used

    def start(self, shop: Workshop, threads: int = 0) -> None:
        """threads: as many and no others; 0 for whatever is fastest."""
        self._world, self._device, self._say, self._leaving = shop.world, shop.device, shop.say, shop.leaving
        self._world.requires_grad_(False)
        self._modules = [shop.world.get_submodule(name) for name in self.spec.modules]
        self._parameters = [p for module in self._modules for p in module.parameters()]
        self.thaw()
        # Each phase has random numbers of its own, so that what a phase does never depends on how long another took.
        seed = shop.settings.seed * 1000 + shop.settings.round * 100 + self._number
        self._generator = shop.device.generator(seed)
        arrays = encode_all(shop) if self.spec.encoded else None
        self._source = Source(shop.datasets(), self.spec, seed, shop.device, arrays)
        config = sorted(shop.info.config.items())
        self._precision = shop.precision_for(
            sum(p.numel() for p in self._parameters),
            f"{self.spec.like or self.name} {self.spec.batch}x{self.spec.length} {config}",
            self._trial,
            threads,
            self.spec.compiled and (self.budget or 0.0) >= WORTH_COMPILING,
        )
        self._compile()
        self._apply()
        self._guard = Guard(self._parameters)

    def begin(self) -> None:
        super().begin()
        self._streams = self._affordable()
        self._world.prepare(self.name)

    def thaw(self) -> None:
        """Let the phase's own parameters learn."""
        for parameter in self._parameters:
            parameter.requires_grad_(True)

    def _trial(self, precision: Precision) -> float:
        """Seconds of the fastest of a few training steps on a copy of the world, infinity if they cannot be compiled as
        the precision wants, or if nobody wants to wait for it; nothing of the run is touched."""
        if precision.compiled and self._cannot_compile():
            return math.inf  # what could not be compiled once, or was asked to stop, is not begun again
        keep, took = self._source.state(), math.inf
        try:
            with compiling.unless(self._leaving) if precision.compiled else nullcontext():
                took = self._few_steps(precision, copy.deepcopy(self._world))
        except compiling.Abandoned:
            compiling.give_up("the run is asked to stop")
        except Exception as why:
            if not precision.compiled:
                raise
            compiling.give_up(why)  # a gradient that cannot be compiled shows only when it is taken
        self._source.load_state(keep)
        if precision.compiled and self._cannot_compile():
            return math.inf
        self._compiled |= precision.compiled
        return took

    def _cannot_compile(self) -> bool:
        """Whether nothing can be compiled in this process any more; why is said once."""
        if compiling.failed() and not self._excused:
            self._excused = True
            self._say(f"the model is not compiled: {compiling.why_failed()}")
        return compiling.failed()

    def _compile(self) -> None:
        """Compile what the precision wants compiled before the first step, since here a stop is heard meanwhile."""
        if self._precision.compiled and not self._compiled and not compiling.failed():
            self._say("compiling parts of the model; this takes a minute or two")
            self._trial(self._precision)

    def _few_steps(self, precision: Precision, world: World) -> float:
        """Seconds of the fastest of a few steps of this world, which they teach next to nothing."""
        generator = torch.Generator(self._device.torch).manual_seed(0)
        parameters = [p for name in self.spec.modules for p in world.get_submodule(name).parameters()]
        precision.apply()
        if precision.channels_last:
            set_layout(world, torch.channels_last)
        world.train()
        optimiser = self._stepper(precision, parameters, lr=1e-8, fused=True)
        segment, best, started = self._source.next(), math.inf, math.inf
        for repeat in range(6):
            begin = time.perf_counter()
            if repeat == 1:  # the first step also makes what the others find made
                started = begin
            with precision.autocast(self._device):
                loss, _ = world.loss(segment, self.name, generator)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            float(loss.detach())  # waits for a device that works on its own
            took = time.perf_counter() - begin
            if repeat:
                best = min(best, took)
                if time.perf_counter() - started > TRIAL:
                    break
            elif self._device.name == "cpu" and not precision.compiled and took > HOPELESS * self._quickest:
                return took
        self._quickest = min(self._quickest, best)
        return best

    def _stepper(self, precision: Precision, parameters: Sequence[Tensor], **settings: Any) -> torch.optim.AdamW:
        """The optimiser that the phase asks for, computing as the precision says."""
        if self.spec.muon:
            return Muon(parameters, rounded=precision.bf16, **settings)
        return torch.optim.AdamW(parameters, **settings)

    def _apply(self) -> None:
        self._precision.apply()
        layout = torch.channels_last if self._precision.channels_last else torch.contiguous_format
        set_layout(self._world, layout)
        self._optimiser = self._stepper(
            self._precision,
            self._parameters,
            lr=self.spec.learning_rate,
            weight_decay=self.spec.weight_decay,
            fused=self._device.name in ("cpu", "cuda"),
        )

    @property
    def progress(self) -> float:
        if self._world.learned(self.name):
            return 1.0
        if self.steps is not None:
            return min(1.0, self._done / max(1, self.steps))
        return min(1.0, self.used / self.budget) if self.budget else 1.0

    @property
    def count(self) -> int:
        return self._done

    @property
    def precision(self) -> Precision:
        return self._precision

    def _rate(self) -> float:
        """Learning rate of the coming step: linear warm-up, then a cosine over the phase's budget."""
        warmup = min(self.spec.warmup, self.steps // 5) if self.steps is not None else self.spec.warmup
        warm = (self._done + 1) / max(1, warmup)
        if self.steps is None:
            # On a slow machine a minute is but a few steps: warming up may not use up more than a twentieth of it.
            warm = max(warm, self.progress / 0.05)
        rate = self.spec.learning_rate * min(1.0, warm) * self._guard.rate
        if self.spec.decay:
            rate *= FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * self.progress))
        return rate

    def step(self) -> dict[str, Tensor | float]:
        for module in self._modules:
            module.train()
        world: World = self._world
        world.training = True  # only the flag: frozen sub-modules stay as they are in use
        rate = self._rate()
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        # Drawn whole and used in part, so that the order of the data is the same whatever the machine can afford.
        segment = self._cut(self._source.next().streams(self._streams))
        with self._precision.autocast(self._device):
            loss, metrics = world.loss(segment, self.name, self._generator)
        if self._precision.compiled and compiling.failed():
            # Resumed where there is no compiler: what follows, checkpoints too, says how it is really computed.
            self._precision = dataclasses.replace(self._precision, compiled=False)
            self._say("parts of the model were compiled before and cannot be here: going on with them as they are")
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = self._clip()
        if self._sound(norm):
            self._optimiser.step()
            if self._guard.fell_apart(loss, norm):
                self._begin_anew()
        self._done += 1
        self.frames += self._streams * self.spec.length
        return {**metrics, "gradient": norm.detach(), "learning_rate": rate}

    def _clip(self) -> Tensor:
        """The gradient's norm, before it was made no longer than the phase allows."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients, foreach=True)
        # A visit to every gradient is spared where it would change none. Elsewhere asking would stall the device.
        if self._device.name != "cpu" or not bool(norm <= self.spec.clip):
            torch.nn.utils.clip_grads_with_norm_(self._parameters, self.spec.clip, norm, foreach=True)
        return norm

    def _affordable(self) -> int:
        """Streams of a batch with which the phase's least number of steps fits into its time."""
        whole = self.spec.batch
        seconds = self.budget if self.steps is None else None
        if not self.spec.least or not seconds or whole <= FEWEST_STREAMS or self._device.name != "cpu":
            return whole
        took = self._quickest if math.isfinite(self._quickest) else self._trial(self._precision)
        fitting = whole * seconds / (self.spec.least * took)
        streams = min(whole, max(FEWEST_STREAMS, round(fitting / FEWEST_STREAMS) * FEWEST_STREAMS))
        if streams < whole:
            self._say(f"{self.name}: {streams} of {whole} in a batch, so that this machine has time for enough steps")
        return streams

    def _cut(self, segment: Segment) -> Segment:
        """The segment, in pieces where the phase begins with such."""
        before, self._brief = self._brief, self.spec.brief > 0 and self.progress < self.spec.brief_part
        if before and not self._brief:
            self._say(f"{self.name}: whole segments from now on, so its loss begins again higher up")
            self._guard.another_task()
        return segment.pieces(self.spec.brief) if self._brief else segment

    def _sound(self, norm: Tensor) -> bool:
        """Whether the gradient may be applied. Looked at in every step on the CPU; elsewhere that would stall it."""
        if self._device.name != "cpu" and self._done % 50:
            return True
        if bool(torch.isfinite(norm)):
            self._spoilt = 0
            return True
        self._spoilt += 1
        if self._spoilt >= (PATIENCE if self._device.name == "cpu" else 2):
            raise self._broke_down("the loss is no number any more")
        return False

    def _begin_anew(self) -> None:
        """The guard brought the best weights back: what the optimiser knows is of the others."""
        if self._guard.gives_up:
            raise self._broke_down("however small the steps, gradients grow without end")
        self._optimiser.state.clear()
        self._say(
            f"{self.name}: training fell apart, its gradients a hundred times as large as before; going on from the "
            f"best weights so far, with {self._guard.rate:g} times the learning rate"
        )

    def _broke_down(self, why: str) -> WmplayError:
        return WmplayError(
            f"Training broke down in phase {self.name}: {why}; try a smaller learning_rate or --precision float32."
        )

    def state(self) -> PhaseState:
        tensors = {"generator": self._generator.get_state(), **dict(self._guard.tensors())}
        for index, parameter in enumerate(self._parameters):
            for name, value in self._optimiser.state.get(parameter, {}).items():
                tensors[f"{index}.{name}"] = value
        numbers: dict[str, Any] = {
            "done": self._done,
            "frames": self.frames,
            "spoilt": self._spoilt,
            "streams": self._streams,
            "source": self._source.state(),
            "guard": self._guard.numbers(),
            "precision": self._precision.to_json(),
        }
        return PhaseState(tensors, numbers)

    def load_state(self, state: PhaseState) -> None:
        numbers = state.numbers
        self._precision = Precision.from_json(numbers["precision"])
        self._compile()
        self._apply()
        self._done, self.frames, self._spoilt = numbers["done"], numbers["frames"], numbers["spoilt"]
        self._streams = numbers.get("streams", self.spec.batch)
        self._source.load_state(numbers["source"])
        self._generator.set_state(state.tensors["generator"])
        if not self._fits(state.tensors):
            self._say(f"{self.name}: an older wmplay began this; its weights go on, what its optimiser knew does not")
            return
        if "guard" in numbers:  # checkpoints of older versions have none
            self._guard.load(state.tensors, numbers["guard"])
        for name, value in state.tensors.items():
            index, dot, field = name.partition(".")
            if not dot:
                continue
            parameter = self._parameters[int(index)]
            if value.shape == parameter.shape:
                # Laid out in memory as the parameter is, or the fused kernel would take another path than before.
                here = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
            else:
                here = value.to(self._device.torch)
            self._optimiser.state[parameter][field] = here

    def _fits(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether a state's tensors are about these parameters, each and no others: those of an older version may have
        had other shapes, or been fewer."""
        told = [(name.removeprefix("guard ").partition(".")[0], value.shape) for name, value in tensors.items()]
        shapes = {str(index): parameter.shape for index, parameter in enumerate(self._parameters)}
        guarded = {index for name in tensors if (index := name.removeprefix("guard ")).isdigit()}
        # Numbers of no dimension are an optimiser's count of steps, whatever the parameter. States without a guard are
        # older still.
        return guarded in (set(), set(shapes)) and all(
            shapes.get(index) == shape for index, shape in told if index.isdigit() and shape
        )

    def finish(self) -> None:
        self._world.eval().requires_grad_(False)
        for parameter in self._parameters:
            parameter.grad = None
