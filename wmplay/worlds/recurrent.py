"""The recurrent heart of DreamerV3: a GRU in blocks, categorical latents with a uniform part, and their divergence.

Hafner et al. 2023, "Mastering Diverse Domains through World Models", arXiv 2301.04104; equations cited from there.

Shapes: N rows, D deterministic units, U hidden units, S latents of K classes each.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.norms import norm_silu

# Share of a uniform distribution mixed into every categorical (arXiv 2301.04104, "World model learning").
UNIFORM = 0.01


class Dense(nn.Module):
    """Linear, RMS norm, SiLU: the layer DreamerV3 is made of (Zhang and Sennrich 2019 for the norm)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.norm = nn.RMSNorm(outputs, eps=1e-4)

    def forward(self, x: Tensor) -> Tensor:
        return self.finish(self.linear(x))

    def finish(self, x: Tensor) -> Tensor:
        """What follows the product, for callers that add up several products."""
        return norm_silu(x, self.norm.weight)


def head(inputs: int, units: int, layers: int, outputs: int) -> nn.Sequential:
    """An MLP of `layers` Dense layers whose last linear starts at zero, so that nothing is claimed before training."""
    parts: list[nn.Module] = [Dense(inputs if i == 0 else units, units) for i in range(layers)]
    last = nn.Linear(units if layers else inputs, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*parts, last)


class BlockLinear(nn.Module):
    """A linear layer whose matrix is block-diagonal: G blocks, 1/G of the parameters."""

    def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.weight = nn.Parameter(torch.empty(blocks, inputs // blocks, outputs // blocks))
        self.bias = nn.Parameter(torch.zeros(outputs))
        bound = 1.0 / math.sqrt(inputs // blocks)
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """[N, I] -> [N, O]"""
        parts = x.unflatten(-1, (self.blocks, -1)).transpose(0, 1)
        return torch.bmm(parts, self.weight.to(parts.dtype)).transpose(0, 1).flatten(1) + self.bias


class BlockGru(nn.Module):
    """h' = f(h, z, a): DreamerV3's recurrent model (equation 1), each block of h seeing itself and all of (h, z, a).

    The part of the action needs no memory: `project` does it for a whole segment at once.
    """

    def __init__(self, deterministic: int, latent: int, actions: int, units: int, blocks: int) -> None:
        super().__init__()
        self.deterministic, self.blocks = deterministic, blocks
        self.memory, self.latent = Dense(deterministic, units), Dense(latent, units)
        self.action = Dense(actions, units)
        self.mix = BlockLinear(deterministic + blocks * 3 * units, deterministic, blocks)
        self.norm = nn.RMSNorm(deterministic, eps=1e-4)
        self.gates = BlockLinear(deterministic, 3 * deterministic, blocks)

    def project(self, action: Tensor) -> Tensor:
        """Encoded actions [..., A] -> [..., U]"""
        return self.action(action)

    def settle(self, x: Tensor) -> Tensor:
        """RMS norm and SiLU of [N, D]."""
        return norm_silu(x, self.norm.weight)

    def forward(self, hidden: Tensor, latent: Tensor, projected: Tensor) -> Tensor:
        """One step: h [N, D], z [N, S·K], projected action [N, U] -> h' float32 [N, D]."""
        shared = torch.cat((self.memory(hidden), self.latent(latent), projected), dim=-1)
        own = hidden.to(shared.dtype).unflatten(-1, (self.blocks, -1))
        both = torch.cat((own, shared[:, None].expand(-1, self.blocks, -1)), dim=-1).flatten(1)
        mixed = self.settle(self.mix(both))
        # Each block holds its own three gates.
        parts = self.gates(mixed).float().unflatten(-1, (self.blocks, 3, -1))
        reset, candidate, update = (part.flatten(1) for part in parts.unbind(2))
        candidate = torch.tanh(torch.sigmoid(reset) * candidate)
        update = torch.sigmoid(update - 1.0)  # to keep what is known is the rule at first
        return update * candidate + (1.0 - update) * hidden


def log_probabilities(logits: Tensor, classes: int) -> Tensor:
    """Logits [N, S·K] -> log-probabilities float32 [N, S, K], 1 % uniform, so that no divergence is infinite."""
    share = torch.softmax(logits.float().unflatten(-1, (-1, classes)), dim=-1)
    return torch.log((1.0 - UNIFORM) * share + UNIFORM / classes)


def draw(log_share: Tensor, chance: Tensor | None, temperature: float = 1.0) -> Tensor:
    """One-hot float32 [N, S·K] drawn from log-probabilities [N, S, K] by as many numbers drawn evenly from 0 to 1;
    without them the most likely classes.

    temperature: more than 0. With straight-through gradients (Bengio et al. 2013), as the likelihood's own.
    """
    scores = log_share
    if chance is not None:
        scores = log_share / temperature - torch.log(-torch.log(chance.clamp(1e-20, 1.0 - 1e-7)))
    hard = F.one_hot(scores.argmax(-1), log_share.shape[-1]).float()
    if log_share.requires_grad:
        share = log_share.exp()
        hard = hard + share - share.detach()
    return hard.flatten(-2)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) in nats [N], summed over the S latents of [N, S, K]."""
    return (log_p.exp() * (log_p - log_q)).sum((-1, -2))
