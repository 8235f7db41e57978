"""The other side of every training ratio: the same model as one would first write it in torch."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from wmplay.devices import Device, Precision, set_layout
from wmplay.training.source import Source
from wmplay.worlds.protocol import PhaseSpec, World
from wmplay.worlds.vae import Vae


class FirstDeconvolution(nn.Module):
    """The VAE's linear layer onto a 5×5 picture as the paper has it: a transposed convolution of a 1×1 picture."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        width = linear.out_features // 25
        self.layer = nn.ConvTranspose2d(linear.in_features, width, 5, stride=2)
        with torch.no_grad():
            # Ours gives H W C, so its rows are (5, 5, C); a transposed convolution's weight is [in, C, 5, 5].
            self.layer.weight.copy_(linear.weight.view(5, 5, width, -1).permute(3, 2, 0, 1))
            assert self.layer.bias is not None
            self.layer.bias.copy_(linear.bias.view(25, width)[0])

    def forward(self, x: Tensor) -> Tensor:
        """[N, I] -> [N, 25·C], as the linear layer that it stands for."""
        return self.layer(x[:, :, None, None]).permute(0, 2, 3, 1).flatten(1)


def plain_world(world: World) -> World:
    """A copy in contiguous float32, without what wmplay rewrote for speed."""
    other = set_layout(copy.deepcopy(world), torch.contiguous_format)
    for module in other.modules():
        if isinstance(module, Vae):
            module.seed = FirstDeconvolution(module.seed).to(module.seed.weight.device)  # type: ignore[assignment]
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
