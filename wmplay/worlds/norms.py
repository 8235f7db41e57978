"""RMS norm and SiLU as one step, forwards and backwards: apart, they make a dozen visits to memory each way.

Zhang and Sennrich 2019 for the norm. Shapes: M rows, C channels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# As the norms of DreamerV3 have it.
EPSILON = 1e-4
# Numbers worked on at a time on a CPU: they and what is made of them stay in its cache.
_AT_ONCE = 1 << 16


class NormSilu(torch.autograd.Function):
    """silu(x · w / rms(x)) of x [..., C] over its last axis and w [C]; computed in float32, given in the type of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        out = torch.empty_like(rows)
        scale = torch.empty(len(rows), 1, device=x.device)
        for here in _pieces(rows):
            part = rows[here].float()
            scale[here] = (part.square().mean(-1, keepdim=True) + EPSILON).rsqrt_()
            out[here] = torch.nn.functional.silu((part * scale[here]).mul_(weight), inplace=True)
        ctx.save_for_backward(rows, weight, scale)
        return out.view(x.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        rows, weight, scale = ctx.saved_tensors
        given = gradients[0].reshape(rows.shape)
        back, taught = torch.empty_like(rows), torch.zeros_like(weight)
        for here in _pieces(rows):
            normed = rows[here].float() * scale[here]
            slope = torch.ops.aten.silu_backward(given[here].float(), normed * weight)
            part = slope * normed
            taught += part.sum(0)
            slope.mul_(weight)
            # (w · slope · normed), averaged over the channels, is what the norm takes back.
            drawn = part.mul_(weight).mean(-1, keepdim=True)
            back[here] = slope.sub_(normed.mul_(drawn)).mul_(scale[here])
        return back.view(gradients[0].shape), taught


def norm_silu(x: Tensor, weight: Tensor) -> Tensor:
    """As `NormSilu`; without a gradient to keep, for wider floats, and for a compiler, in plain steps."""
    if torch.is_grad_enabled() and x.dtype != torch.float64 and not torch.compiler.is_compiling():
        return NormSilu.apply(x, weight)  # type: ignore[no-any-return]
    wide = x if x.dtype == torch.float64 else x.float()
    scale = (wide.square().mean(-1, keepdim=True) + EPSILON).rsqrt()
    return torch.nn.functional.silu(wide * scale * weight, inplace=True).to(x.dtype)


def _pieces(rows: Tensor) -> list[slice]:
    step = max(1, _AT_ONCE // rows.shape[1]) if rows.device.type == "cpu" else max(1, len(rows))
    return [slice(start, start + step) for start in range(0, len(rows), step)]
