"""Mixtures of Gaussians over a latent: the density network's head, its likelihood and its samples.

Shapes: N any leading axes, K components, Z latent entries.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wmplay.worlds.blocks import noise_like, sample_index

# Below this a component is a spike: its likelihood would reward fitting the noise of the encoder.
LOG_DEVIATION = (-5.0, 2.0)


class Mixture(NamedTuple):
    """A density over the latent that follows `present` [N, Z]. One choice of component for the whole latent.

    weight [N, K]: logits; change [N, K, Z]: a component's mean, less the present; log_deviation [N, K, Z], unclipped.
    """

    present: Tensor
    weight: Tensor
    change: Tensor
    log_deviation: Tensor

    def nll(self, target: Tensor) -> Tensor:
        """−log p(target) in nats [N] for targets [N, Z] (Bishop 1994, eq. 23)."""
        log_deviation = self.log_deviation.clamp(*LOG_DEVIATION)
        scaled = ((target - self.present).unsqueeze(-2) - self.change) * torch.exp(-log_deviation)
        log_density = -0.5 * scaled.square() - log_deviation - 0.5 * math.log(2.0 * math.pi)
        return -torch.logsumexp(torch.log_softmax(self.weight, dim=-1) + log_density.sum(-1), dim=-1)

    def average(self) -> Tensor:
        """The mixture's mean [N, Z]."""
        return self.present + (torch.softmax(self.weight, dim=-1).unsqueeze(-1) * self.change).sum(-2)

    def sample(self, generator: torch.Generator | None, temperature: float) -> Tensor:
        """One draw [N, Z]; weights sharpened and deviations shrunk as in Ha and Schmidhuber 2018 (√τ on σ).

        Temperature 0 gives the mean, which lies nearest to the truth in square error.
        """
        if temperature == 0.0:
            return self.average()
        chosen = sample_index(self.weight, generator, temperature)
        index = chosen[..., None, None].expand(*chosen.shape, 1, self.present.shape[-1])
        mean = self.present + self.change.gather(-2, index).squeeze(-2)
        deviation = self.log_deviation.gather(-2, index).squeeze(-2).clamp(*LOG_DEVIATION).exp()
        return torch.addcmul(mean, deviation, noise_like(mean, generator), value=math.sqrt(temperature))


class MixtureHead(nn.Module):
    """A linear layer from a memory [N, H] to a mixture over the next latent, centred on the present one."""

    def __init__(self, inputs: int, mixtures: int, latent_size: int) -> None:
        super().__init__()
        self.mixtures, self.latent_size = mixtures, latent_size
        self.linear = nn.Linear(inputs, mixtures * (1 + 2 * latent_size))

    def forward(self, memory: Tensor, present: Tensor) -> Mixture:
        """memory [N, H], present [N, Z] -> Mixture of float32."""
        return self.read(self.linear(memory).float(), present)

    def read(self, said: Tensor, present: Tensor) -> Mixture:
        """The same of what the layer said, [N, K·(1 + 2Z)]."""
        k, z = self.mixtures, self.latent_size
        weight, change, log_deviation = said.split((k, k * z, k * z), dim=-1)
        return Mixture(present, weight, change.unflatten(-1, (k, z)), log_deviation.unflatten(-1, (k, z)))
