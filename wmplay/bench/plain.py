"""The other side of every training ratio: the same model as one would first write it in torch."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch

from wmplay.bench.plain_frames import plain_part
from wmplay.bench.plain_vae import PlainVae
from wmplay.devices import Device, Precision, set_layout
from wmplay.training.source import Source
from wmplay.worlds.protocol import PhaseSpec, World
from wmplay.worlds.vae import Vae


def plain_world(world: World) -> World:
    """A copy in contiguous float32, without what wmplay rewrote for speed."""
    other = set_layout(copy.deepcopy(world), torch.contiguous_format)
    for name, module in list(other.named_modules()):
        plain = PlainVae(module) if isinstance(module, Vae) else plain_part(module)
        if plain is not None:
            other.set_submodule(name, plain)
    return other


def plain_step(world: World, spec: PhaseSpec, source: Source, device: Device) -> Callable[[], int]:
    """A training step as in a tutorial: float32, eager, torch's own Adam as it comes; returns the frames it read."""
    other = plain_world(world).requires_grad_(False)
    modules = [other.get_submodule(name) for name in spec.modules]
    parameters = [p for module in modules for p in module.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    for module in modules:
        module.train()
    other.training = True
    optimiser = torch.optim.Adam(parameters, spec.learning_rate)
    generator = device.generator(0)
    precision = Precision(threads=torch.get_num_threads() if device.name == "cpu" else 0)

    def step() -> int:
        precision.apply()
        loss, _ = other.loss(source.next(), spec.name, generator)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, spec.clip)
        optimiser.step()
        return spec.batch * spec.length

    return step
