"""Parts of worlds as one first writes them in torch: the plain side of `frame_nets`, `memory`, `painter`,
`recurrent`.

Each holds the very layers of the part it stands for, so the weights are the same and so is the function.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.frame_nets import PATCH, ChannelNorm, FrameDecoder, FrameEncoder
from wmplay.worlds.memory import Memory
from wmplay.worlds.painter import Up
from wmplay.worlds.recurrent import BlockGru, Dense


class PlainChannelNorm(nn.Module):
    """RMS norm over the channels of [N, C, H, W]."""

    def __init__(self, norm: ChannelNorm) -> None:
        super().__init__()
        self.weight = norm.weight

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-4) * self.weight


class PlainEncoder(nn.Module):
    """uint8 frames [N, H, W, 3] -> [N, E], in N C H W."""

    def __init__(self, encoder: FrameEncoder) -> None:
        super().__init__()
        self.layers = _plain_layers(encoder.layers)

    def forward(self, frames: Tensor) -> Tensor:
        images = frames.permute(0, 3, 1, 2).contiguous().float() / 255.0
        return cast(Tensor, self.layers(images - 0.5)).flatten(1)


class PlainDecoder(nn.Module):
    """Features [N, F] -> float32 images [N, 3, H, W]."""

    def __init__(self, decoder: FrameDecoder) -> None:
        super().__init__()
        self.enter, self.layers = decoder.enter, _plain_layers(decoder.layers)
        self.first = (4 * decoder.depth, decoder.side, decoder.side)

    def forward(self, features: Tensor) -> Tensor:
        return F.pixel_shuffle(self.layers(self.enter(features).unflatten(-1, self.first)), PATCH) + 0.5

    def error(self, features: Tensor, frames: Tensor, weights: Tensor | None = None) -> Tensor:
        """Squared error summed over each picture, [N], each value by its weight."""
        images = frames.permute(0, 3, 1, 2).contiguous().float() / 255.0
        squares = (self.forward(features) - images).square()
        if weights is not None:
            squares = squares * weights.permute(0, 3, 1, 2)
        return squares.flatten(1).sum(-1)


class PlainDense(Dense):
    """Linear, RMS norm, SiLU, each by itself."""

    def finish(self, x: Tensor) -> Tensor:
        return F.silu(self.norm(x))


class PlainGru(BlockGru):
    """The GRU with its norm and SiLU each by themselves."""

    def settle(self, x: Tensor) -> Tensor:
        return F.silu(self.norm(x))


class PlainMemory(Memory):
    """The LSTM with torch's own gradient."""

    def advance(self, projected: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        enter, forget, candidate, leave = (projected + self.recurrent(hidden)).chunk(4, dim=-1)
        after = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
        return torch.sigmoid(leave) * torch.tanh(after), after


class PlainUp(Up):
    """The painter's way up with the picture at twice its size made and laid beside the skip."""

    def forward(self, x: Tensor, skip: Tensor, bend: bool = True) -> Tensor:
        wide = F.interpolate(x, scale_factor=2.0, mode="nearest")
        mixed = cast(Tensor, self.mix(torch.cat((wide, skip), dim=1)))
        return F.silu(mixed) if bend else mixed


def plain_part(module: nn.Module) -> nn.Module | None:
    """The plain version of a part, or None where the part is plain already."""
    if isinstance(module, FrameEncoder):
        return PlainEncoder(module)
    if isinstance(module, FrameDecoder):
        return PlainDecoder(module)
    for ours, plain in ((Dense, PlainDense), (BlockGru, PlainGru), (Memory, PlainMemory), (Up, PlainUp)):
        if type(module) is ours:
            other = plain.__new__(plain)
            other.__dict__.update(module.__dict__)
            return cast(nn.Module, other)
    return None


def _plain_layers(layers: nn.Sequential) -> nn.Sequential:
    return nn.Sequential(*(PlainChannelNorm(part) if isinstance(part, ChannelNorm) else part for part in layers))
