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
    """log_weight [N, K], normalised; mean, log_deviation [N, K, Z]. One choice of component for the whole latent."""

    log_weight: Tensor
    mean: Tensor
    log_deviation: Tensor

    def nll(self, target: Tensor) -> Tensor:
        """−log p(target) in nats [N] for targets [N, Z] (Bishop 1994, eq. 23)."""
        scaled = (target.unsqueeze(-2) - self.mean) * torch.exp(-self.log_deviation)
        log_density = -0.5 * scaled.square() - self.log_deviation - 0.5 * math.log(2.0 * math.pi)
        return -torch.logsumexp(self.log_weight + log_density.sum(-1), dim=-1)

    def average(self) -> Tensor:
        """The mixture's mean [N, Z]."""
        return (self.log_weight.exp().unsqueeze(-1) * self.mean).sum(-2)

    def sample(self, generator: torch.Generator | None, temperature: float) -> Tensor:
        """One draw [N, Z]; weights sharpened and deviations shrunk as in Ha and Schmidhuber 2018 (√τ on σ).

        Temperature 0 gives the mean, which lies nearest to the truth in square error.
        """
        if temperature == 0.0:
            return self.average()
        chosen = sample_index(self.log_weight, generator, temperature)
        index = chosen[..., None, None].expand(*chosen.shape, 1, self.mean.shape[-1])
        mean = self.mean.gather(-2, index).squeeze(-2)
        deviation = torch.exp(self.log_deviation.gather(-2, index).squeeze(-2))
        return mean + math.sqrt(temperature) * deviation * noise_like(mean, generator)


class MixtureHead(nn.Module):
    """A linear layer from a memory [N, H] to a mixture over the next latent, centred on the present one."""

    def __init__(self, inputs: int, mixtures: int, latent_size: int) -> None:
        super().__init__()
        self.mixtures, self.latent_size = mixtures, latent_size
        self.linear = nn.Linear(inputs, mixtures * (1 + 2 * latent_size))

    def forward(self, memory: Tensor, present: Tensor) -> Mixture:
        """memory [N, H], present [N, Z] -> Mixture of float32."""
        k, z = self.mixtures, self.latent_size
        weight, change, deviation = self.linear(memory).float().split((k, k * z, k * z), dim=-1)
        shape = (*weight.shape[:-1], k, z)
        return Mixture(
            torch.log_softmax(weight, dim=-1),
            present.unsqueeze(-2) + change.reshape(shape),
            deviation.reshape(shape).clamp(*LOG_DEVIATION),
        )
