"""Pieces every family needs: frames to floats and back, actions as networks read them, running scales, seeded noise.

Shapes: N any leading axes, H W C frame, A action, S state vector, Z latent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import ConfigDict
from torch import Tensor, nn

from wmplay.core.spaces import ActionSpec

# Every family's Config refuses fields it does not know.
STRICT = ConfigDict(extra="forbid")


def to_float(frames: Tensor) -> Tensor:
    """uint8 frames [..., H, W, C] to float32 [..., C, H, W] in [0, 1], in channels-last memory."""
    return frames.movedim(-1, -3).float().mul(1.0 / 255.0)


def to_uint8(images: Tensor) -> Tensor:
    """Float images [..., C, H, W] in [0, 1] to uint8 frames [..., H, W, C], rounded, values outside clipped."""
    return images.float().mul(255.0).round_().clamp_(0.0, 255.0).to(torch.uint8).movedim(-3, -1).contiguous()


class ActionEncoder(nn.Module):
    """Actions as a network reads them: one-hot for `discrete` and `multi`, scaled to [-1, 1] for `box`."""

    low: Tensor
    scale: Tensor

    def __init__(self, spec: ActionSpec) -> None:
        super().__init__()
        self.spec = spec
        self.width = spec.width
        # An unbounded entry has no scale: it passes as it is.
        bounds = [(lo, hi) if math.isfinite(lo) and math.isfinite(hi) and hi > lo else (-1.0, 1.0)
                  for lo, hi in zip(spec.low, spec.high, strict=True)]  # fmt: skip
        self.register_buffer("low", torch.tensor([lo for lo, _ in bounds]), persistent=False)
        self.register_buffer("scale", torch.tensor([2.0 / (hi - lo) for lo, hi in bounds]), persistent=False)

    def forward(self, action: Tensor) -> Tensor:
        """int64 [N] or float32/int64 [N, A] -> float32 [N, width]."""
        if self.spec.kind == "discrete":
            return F.one_hot(action.long(), self.spec.n).float()
        if self.spec.kind == "multi":
            parts = [F.one_hot(action[..., i].long(), n) for i, n in enumerate(self.spec.counts)]
            return torch.cat(parts, dim=-1).float()
        return (action.float() - self.low) * self.scale - 1.0


def gru_inputs(cell: nn.GRUCell, *parts: Tensor) -> Tensor:
    """What a cell makes of its inputs, side by side [N, D], before it looks at its memory: float32 [N, 3H], for
    `gru_step`. What needs no memory is worked out for all rows of a segment at once."""
    return F.linear(torch.cat(parts, dim=-1), cell.weight_ih, cell.bias_ih).float()


def gru_step(cell: nn.GRUCell, inputs: Tensor, hidden: Tensor) -> Tensor:
    """The hidden float32 [B, H] after a step, from `gru_inputs` [B, 3H] and the one before (Cho et al. 2014)."""
    size = hidden.shape[1]
    before = F.linear(hidden, cell.weight_hh, cell.bias_hh).float()
    reset, update = torch.sigmoid(inputs[:, : 2 * size] + before[:, : 2 * size]).chunk(2, dim=-1)
    new = torch.tanh(torch.addcmul(inputs[:, 2 * size :], reset, before[:, 2 * size :]))
    return torch.lerp(new, hidden, update)


class RunningScale(nn.Module):
    """Mean and standard deviation of vectors [N, S], learned from the first `limit` rows seen in training, then fixed.

    Fixed, because a model cannot become exact while the units it predicts in keep moving.
    """

    mean: Tensor
    square: Tensor
    count: Tensor

    def __init__(self, size: int, limit: int = 200_000) -> None:
        super().__init__()
        self.limit = limit
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("square", torch.ones(size))  # variance
        self.register_buffer("count", torch.zeros(()))

    @torch.no_grad()
    def learn(self, rows: Tensor) -> None:
        """Merge rows [N, S] into the statistics (Chan et al. 1979, parallel variance)."""
        n = rows.shape[0]
        if n < 2 or float(self.count) >= self.limit:
            return
        rows = rows.float()
        total = self.count + n
        shift = rows.mean(0) - self.mean
        old = self.square * self.count
        new = rows.var(0, unbiased=False) * n
        self.square.copy_((old + new + shift.square() * self.count * n / total) / total)
        self.mean.add_(shift * n / total)
        self.count.copy_(total)

    @property
    def deviation(self) -> Tensor:
        """Standard deviation [S], never so small that a constant entry explodes."""
        return self.square.sqrt().clamp_min(1e-6)

    def normalise(self, rows: Tensor) -> Tensor:
        return (rows - self.mean) / self.deviation

    def restore(self, rows: Tensor) -> Tensor:
        return rows * self.deviation + self.mean


def full_precision(like: Tensor) -> torch.autocast:
    """A context without autocast on the device of `like`, for the few products in which eight bits are too few."""
    return torch.autocast(like.device.type, enabled=False)


def computed_in(like: Tensor) -> torch.dtype:
    """The type in which a layer with a weight `like` computes here: autocast's where that is on."""
    kind = like.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else like.dtype


def noise_like(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal float32 noise in the shape of `like`, from `generator`."""
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=torch.float32)


def sample_normal(
    mean: Tensor, log_variance: Tensor, generator: torch.Generator | None, temperature: float = 1.0
) -> Tensor:
    """mean + temperature · σ · ε; exactly the mean, without touching the generator, at temperature 0."""
    if temperature == 0.0:
        return mean
    return mean + temperature * torch.exp(0.5 * log_variance) * noise_like(mean, generator)


def kl_to_standard(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) summed over the last axis, in nats [N] (Kingma and Welling 2014)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(-1)


def sample_index(logits: Tensor, generator: torch.Generator | None, temperature: float = 1.0) -> Tensor:
    """Category indices int64 [N] drawn from softmax(logits [N, K] / temperature); the most likely at 0."""
    if temperature == 0.0:
        return logits.argmax(-1)
    waited = torch.empty(logits.shape, device=logits.device, dtype=torch.float32).exponential_(generator=generator)
    # The logarithm is Gumbel's noise, less (Maddison et al. 2014). It is scaled, not the logits: a visit fewer.
    return torch.sub(logits.float(), waited.clamp_min_(1e-20).log_(), alpha=temperature).argmax(-1)


def masked_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of values [N] where weight [N] (bool or float) counts; 0 where nothing counts."""
    weight = weight.to(values.dtype)
    return (values * weight).sum() / weight.sum().clamp_min(1.0)


def mlp(sizes: Sequence[int], activation: type[nn.Module] = nn.SiLU) -> nn.Sequential:
    """Linear layers with an activation between them, none after the last."""
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(a, b))
        if i < len(sizes) - 2:
            layers.append(activation())
    return nn.Sequential(*layers)


class ConvBlock(nn.Module):
    """Residual block on [N, C, H, W]: 3×3, then 1×1, which starts at zero, so that a deep stack starts as identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.second.weight)
        assert self.second.bias is not None
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


class Transitions(NamedTuple):
    """Which rows of a segment are predictions to be learned, and what to forget before them."""

    valid: Tensor  # bool [B, T]: row t follows row t-1 in one episode
    keep: Tensor  # float32 [B, T]: 0 where memory must be empty before row t is read


def transitions(first: Tensor, mask: Tensor) -> Transitions:
    """Of `first` and `mask` bool [B, T]. Row 0 has no predecessor inside the segment, so it is never a target."""
    start = first.clone()
    start[:, 0] = True
    return Transitions(valid=~start & mask, keep=(~start).float())


def expand_like(flag: Tensor, like: Tensor) -> Tensor:
    """A flag [B] with trailing axes of 1, to select among tensors [B, ...]."""
    return flag.reshape(flag.shape + (1,) * (like.ndim - flag.ndim))


def detached(**values: Any) -> dict[str, Tensor]:
    """Metrics ready for logging: detached float32 scalars."""
    return {name: torch.as_tensor(value).detach().float() for name, value in values.items()}
