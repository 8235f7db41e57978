"""Frames to a vector and back, for recurrent worlds: no layer at full size, which is where a CPU's time goes.

Shapes: N frames, H W C frame, E embedding, F features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import to_float

# The first layer reads, and the last one paints, patches of this side; between them the grid is halved twice.
PATCH, HALVINGS = 4, 2


class ChannelNorm(nn.Module):
    """RMS norm over the channels of [N, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-4)
        return x * (scale * self.weight).to(x.dtype)


class FrameEncoder(nn.Module):
    """uint8 frames [N, H, W, 3] -> [N, E]"""

    def __init__(self, image_size: int, depth: int) -> None:
        super().__init__()
        side = image_size // PATCH // 2**HALVINGS
        self.size = 4 * depth * side * side
        self.layers = nn.Sequential(
            nn.Conv2d(3, 2 * depth, PATCH, stride=PATCH),
            ChannelNorm(2 * depth),
            nn.SiLU(),
            nn.Conv2d(2 * depth, 4 * depth, 4, stride=2, padding=1),
            ChannelNorm(4 * depth),
            nn.SiLU(),
            nn.Conv2d(4 * depth, 4 * depth, 4, stride=2, padding=1),
            ChannelNorm(4 * depth),
            nn.SiLU(),
        )

    def forward(self, frames: Tensor) -> Tensor:
        return self.layers(to_float(frames) - 0.5).flatten(1)


class FrameDecoder(nn.Module):
    """Features [N, F] -> float32 images [N, 3, H, W], about 0 to 1. Its first layer is a linear one: a deconvolution of
    a 1×1 input is just that, and many times slower."""

    def __init__(self, image_size: int, depth: int, features: int) -> None:
        super().__init__()
        self.side = image_size // PATCH // 2**HALVINGS
        self.depth = depth
        self.enter = nn.Linear(features, 4 * depth * self.side**2)
        self.layers = nn.Sequential(
            ChannelNorm(4 * depth),
            nn.SiLU(),
            nn.ConvTranspose2d(4 * depth, 4 * depth, 4, stride=2, padding=1),
            ChannelNorm(4 * depth),
            nn.SiLU(),
            nn.ConvTranspose2d(4 * depth, 2 * depth, 4, stride=2, padding=1),
            ChannelNorm(2 * depth),
            nn.SiLU(),
            nn.Conv2d(2 * depth, 3 * PATCH**2, 3, padding=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        x = self.enter(features).unflatten(-1, (4 * self.depth, self.side, self.side))
        return F.pixel_shuffle(self.layers(x).float(), PATCH) + 0.5
