"""From a slot on disk to a world model in memory: weights by safetensors, config as JSON, starting segments by npz."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from wmplay.core import catalog, config, slots
from wmplay.core.errors import WmplayError
from wmplay.core.slots import SlotInfo
from wmplay.devices import Device, resolve, set_layout
from wmplay.games import drawing, of_slot

if TYPE_CHECKING:
    from wmplay.dreams.dreamer import Dreamer
    from wmplay.worlds.protocol import World


def slot_info(slot: str | Path) -> SlotInfo:
    """The slot of this name or in this folder; NotFoundError or WmplayError in words if it cannot be used."""
    info = slots.find_slot(slot)
    if not info.ok:
        raise WmplayError(f"The slot {info.name} cannot be used: {(info.why or '').rstrip('.')}. {again(info.name)}")
    return info


def again(name: str) -> str:
    """What to do about a slot that cannot be used, as a sentence."""
    return f"Import it again or train another; `wmplay slots verify {name}` lists all that is wrong."


def build_world(info: SlotInfo, device: Device) -> World:
    """The slot's world model with fresh weights on this device, its drawing function set for vector games."""
    family = catalog.load(catalog.family(info.family).target)
    settings = config.from_json(family.Config, info.config)
    world: World = family(settings, info.observation_spec, info.action_spec)
    if world.observation.kind == "vector":
        world.draw = drawing(of_slot(info))
    return world.to(device.torch)


def load_world(slot: str | Path | SlotInfo, device: str = "auto") -> World:
    """The slot's trained world model in evaluation mode. Raises WmplayError if it has no (fitting) weights."""
    info = slot if isinstance(slot, SlotInfo) else slot_info(slot)
    place = resolve(device)
    file = info.path / "world.safetensors"
    if not file.exists():
        raise WmplayError(f"The slot {info.name} has no weights yet; it can be dreamt soon after its training starts.")
    world = build_world(info, place)
    try:
        world.load_state_dict(load_file(file, device=place.name))
    except (RuntimeError, SafetensorError, OSError) as why:
        raise WmplayError(f"The weights of the slot {info.name} do not fit its config: {brief(why)}") from why
    if place.name != "mps":
        # How CPUs and CUDA cards like pictures: dreams of the families made of convolutions are a tenth quicker.
        set_layout(world, torch.channels_last)
    return world.eval().requires_grad_(False)


def load_contexts(slot: str | Path | SlotInfo) -> dict[str, np.ndarray]:
    """The slot's held-out starting segments: arrays [N, C+H, ...] by the field names of `worlds.protocol.Segment`."""
    info = slot if isinstance(slot, SlotInfo) else slot_info(slot)
    file = info.path / "context.npz"
    try:
        with np.load(file, allow_pickle=False) as data:
            return {name: data[name] for name in ("observation", "action", "reward", "terminated", "first")}
    except (OSError, ValueError, KeyError) as why:
        raise WmplayError(f"The slot {info.name} has no starting segments to dream from ({file.name}: {why}).") from why


def load_dreamer(slot: str | Path, device: str = "auto") -> Dreamer:
    """The slot's world and contexts, ready to dream in batches."""
    from wmplay.dreams.dreamer import Dreamer

    info = slot_info(slot)
    return Dreamer(load_world(info, device), load_contexts(info), resolve(device))


def brief(why: Exception) -> str:
    """A library's long error as part of one sentence."""
    text = " ".join(str(why).split())
    return text if len(text) <= 200 else text[:200] + "…"
