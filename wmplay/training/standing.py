"""Where a run stands: its counters, what a checkpoint keeps of them beside the phase's own state, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from wmplay.core.errors import WmplayError
from wmplay.dreams.load import brief
from wmplay.training import checkpoint as checkpoints
from wmplay.training.checkpoint import Checkpoint
from wmplay.training.phases import Phase, PhaseState
from wmplay.training.runlog import RunLog
from wmplay.training.workshop import Workshop

# What a checkpoint calls the slot's other files (an agent's weights) among its tensors.
_FILE = "file/"


@dataclass
class Standing:
    """base_steps: the world model's before this round; steps: in it. active: seconds worked, pauses left out.

    number: of the newest checkpoint.
    """

    base_steps: int
    steps: int = 0
    active: float = 0.0
    number: int = 0


class Entry(NamedTuple):
    """Where a recipe is entered: which phase, its state (None: from its beginning), its time used and granted."""

    phase: int = 0
    state: PhaseState | None = None
    used: float = 0.0
    budget: float | None = None


def save(shop: Workshop, standing: Standing, phase: Phase | None, phases: int) -> None:
    """Write everything to go on from here; phase None: all of the `phases` are done. Raises WmplayError."""
    state = phase.state() if phase is not None else PhaseState()
    standing.number += 1
    numbers = {
        "index": shop.phase_index if phase is not None else phases,
        "used": phase.used if phase is not None else 0.0,
        "budget": phase.budget if phase is not None else None,
        "phase": state.numbers,
        "round": shop.settings.round,
        "steps": standing.steps,
        "base_steps": standing.base_steps,
        "active": standing.active,
        "data": list(shop.data),
        "held_out": list(shop.held_out),
        "metrics": shop.metrics,
        "extra": shop.extra,
    }
    files = {f"{_FILE}{k}": torch.frombuffer(bytearray(v), dtype=torch.uint8) for k, v in shop.files.items()}
    tensors = {**state.tensors, **files}
    checkpoints.write(shop.path / "train", Checkpoint(standing.number, shop.world.state_dict(), tensors, numbers))


def take_up(shop: Workshop, standing: Standing, log: RunLog) -> Entry:
    """Put world, counters and the shop's notes back to the newest checkpoint, and say where to enter the recipe.

    Without one, begin with the slot's weights if it has any. Raises WmplayError for weights that do not fit.
    """
    found = checkpoints.latest(shop.path / "train")
    if found is None:
        _begin_with_weights(shop, standing, log)
        return Entry()
    numbers = found.numbers
    try:
        shop.world.load_state_dict(found.model)
    except RuntimeError as why:
        raise WmplayError(f"The checkpoint does not fit this version of the family: {str(why)[:300]}") from why
    standing.number = found.number
    shop.data, shop.held_out = tuple(numbers["data"]), tuple(numbers["held_out"])
    shop.metrics, shop.extra = dict(numbers["metrics"]), dict(numbers["extra"])
    shop.files = {k.removeprefix(_FILE): v.numpy().tobytes() for k, v in found.tensors.items() if k.startswith(_FILE)}
    if numbers["round"] != shop.settings.round:
        # A finished training is continued: the same weights, a new recipe.
        standing.base_steps = numbers["base_steps"] + numbers["steps"]
        return Entry()
    standing.base_steps, standing.steps, standing.active = numbers["base_steps"], numbers["steps"], numbers["active"]
    log.event("info", f"going on from checkpoint {found.number}")
    tensors = {k: v for k, v in found.tensors.items() if not k.startswith(_FILE)}
    return Entry(numbers["index"], PhaseState(tensors, numbers["phase"]), numbers["used"], numbers["budget"])


def _begin_with_weights(shop: Workshop, standing: Standing, log: RunLog) -> None:
    """Of a slot that came without its checkpoints: a copy, or an import."""
    file = shop.path / "world.safetensors"
    if file.exists():
        try:
            shop.world.load_state_dict(load_file(file))
        except (RuntimeError, SafetensorError) as why:
            raise WmplayError(f"The slot's weights do not fit this version of the family: {brief(why)}") from why
        log.event("info", f"going on from the slot's weights after {standing.base_steps:,} steps")
