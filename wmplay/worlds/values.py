"""Rewards as categories: the very values a game gives where they are few, two-hot bins on a symlog scale elsewhere.

Shapes: N rows, K categories.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Reach of the bins, on the symlog scale: returns up to e^10, far beyond one step's reward (DreamerV3 uses 20).
REACH = 10.0
# Probability from which the likeliest value is meant, and not the mean of several.
SURE = 0.75


def symlog(x: Tensor) -> Tensor:
    """sign(x)·ln(|x| + 1) (Hafner et al. 2023, arXiv 2301.04104, equation 9)."""
    return torch.sign(x) * torch.log1p(x.abs())


def symexp(x: Tensor) -> Tensor:
    """sign(x)·(exp(|x|) − 1), the inverse of symlog."""
    return torch.sign(x) * torch.expm1(x.abs())


def two_hot(x: Tensor, bins: Tensor) -> Tensor:
    """Weights [N, K] on the two bins [K] beside each x [N], whose mean is x (arXiv 2301.04104, equation 10)."""
    x = x.clamp(bins[0], bins[-1])
    above = torch.searchsorted(bins, x.contiguous()).clamp(1, len(bins) - 1)
    low, high = bins[above - 1], bins[above]
    share = (x - low) / (high - low)
    weights = torch.zeros(*x.shape, len(bins), device=x.device)
    weights.scatter_(-1, (above - 1)[..., None], (1.0 - share)[..., None])
    return weights.scatter_(-1, above[..., None], share[..., None])


class ValueBook(nn.Module):
    """Up to K different values told apart exactly; from the first value too many on, K two-hot bins instead."""

    values: Tensor
    bins: Tensor
    count: Tensor
    full: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("values", torch.zeros(size))
        self.register_buffer("bins", torch.linspace(-symlog_reach(size), symlog_reach(size), size), persistent=False)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("full", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def learn(self, values: Tensor) -> None:
        """Add values float32 [N] that are not known yet."""
        if bool(self.full):
            return
        start = int(self.count)
        fresh = values.unique()
        fresh = fresh[~torch.isin(fresh, self.values[:start])]
        if start + len(fresh) > len(self.values):
            self.full.fill_(True)
        else:
            self.values[start : start + len(fresh)] = fresh
            self.count.add_(len(fresh))

    def loss(self, logits: Tensor, values: Tensor) -> Tensor:
        """Cross-entropy of logits [N, K] against values float32 [N]."""
        if bool(self.full):
            target = two_hot(symlog(values), self.bins)
            return F.cross_entropy(logits, target)
        known = self.values[: max(1, int(self.count))]
        index = (values[:, None] - known).abs().argmin(-1)
        return F.cross_entropy(logits[:, : len(known)], index)

    def value(self, logits: Tensor) -> Tensor:
        """What logits [N, K] say, float32 [N]: the likeliest value where it is clear, else the mean."""
        if bool(self.full):
            # The mean is taken between bins, on the symlog scale, as the targets were made.
            return symexp((torch.softmax(logits, dim=-1) * self.bins).sum(-1))
        known = self.values[: max(1, int(self.count))]
        share = torch.softmax(logits[:, : len(known)], dim=-1)
        best = share.max(-1)
        return torch.where(best.values > SURE, known[best.indices], (share * known).sum(-1))


def symlog_reach(size: int) -> float:
    """How far `size` bins reach on the symlog scale: at most REACH, and never so far that bins lie wide apart."""
    return min(REACH, 0.1 * (size - 1) / 2)
