"""Frames to a vector and back, for recurrent worlds: no layer at full size, which is where a CPU's time goes.

Shapes: N frames, H W C frame, E embedding, F features. Between layers pictures are [N, H, W, C].
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.compiling import compilable
from wmplay.worlds.blocks import computed_in
from wmplay.worlds.kept import Kept
from wmplay.worlds.norms import norm_silu
from wmplay.worlds.strided import PaintError, patched, unpatched

# The first layer reads, and the last one paints, patches of this side; between them the grid is halved twice.
PATCH, HALVINGS = 4, 2
# A frame's side is a multiple of this.
UNIT = PATCH * 2**HALVINGS


class ChannelNorm(nn.Module):
    """The weight of an RMS norm over channels; the nets below compute it together with the SiLU that follows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))


class FrameEncoder(nn.Module):
    """uint8 frames [N, H, W, 3] -> [N, E]"""

    def __init__(self, image_size: int, depth: int) -> None:
        super().__init__()
        side = image_size // UNIT
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

    @compilable
    def forward(self, frames: Tensor) -> Tensor:
        first = cast(nn.Conv2d, self.layers[0])
        weight = first.weight.permute(0, 2, 3, 1).flatten(1) * (1.0 / 255.0)
        # Pixels as they are, less 128, are exact in bfloat16; the layer reads them as p / 255 − 1/2.
        bias = cast(Tensor, first.bias) + 0.5 * weight.sum(1)
        x = patched(frames, PATCH).to(computed_in(weight)).sub_(128.0)
        x = self._normed(1, F.linear(x, weight, bias))
        for index in (3, 6):
            x = self._normed(index + 1, self.layers[index](x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        return x.permute(0, 3, 1, 2).flatten(1)

    def _normed(self, index: int, x: Tensor) -> Tensor:
        return norm_silu(x, cast(ChannelNorm, self.layers[index]).weight.flatten())


class DecoderWeights(NamedTuple):
    """The decoder's layers that paint, as they are used: two that grow by two, and the last."""

    first: Tensor  # [4·d, 4·d, 4, 4]
    first_bias: Tensor
    second: Tensor  # [4·d, 2·d, 4, 4]
    second_bias: Tensor
    last: Tensor  # [P·P·3, 2·d, 3, 3]
    last_bias: Tensor


class FrameDecoder(nn.Module):
    """Features [N, F] -> float32 images [N, 3, H, W], about 0 to 1. Its first layer is a linear one: a deconvolution of
    a 1×1 input is just that, and many times slower."""

    def __init__(self, image_size: int, depth: int, features: int) -> None:
        super().__init__()
        self.side = image_size // UNIT
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
        self.kept = Kept()

    def forward(self, features: Tensor) -> Tensor:
        return unpatched(self._paint(features).float(), PATCH).permute(0, 3, 1, 2)

    def error(self, features: Tensor, frames: Tensor, weights: Tensor | None = None) -> Tensor:
        """Squared error summed over each picture, float32 [N], of features [N, F] and uint8 frames [N, H, W, 3]; each
        value by its weight, uint8 [N, H, W, 3], if there are any."""
        heavy = None if weights is None else patched(weights, PATCH)
        return PaintError.apply(self._paint(features), patched(frames, PATCH), False, heavy)  # type: ignore[no-any-return]

    @compilable
    def _paint(self, features: Tensor) -> Tensor:
        """[N, F] -> patches [N, H/P, W/P, P·P·3]."""
        x = self.enter(features).unflatten(-1, (4 * self.depth, self.side, self.side)).permute(0, 2, 3, 1)
        x = self._normed(0, x)
        taught = (self.layers[2], self.layers[5], self.layers[8])
        weights = [cast(Tensor, part) for layer in taught for part in (layer.weight, layer.bias)]
        painter = self.kept.of(weights, self._painter) if self.kept.usable() else self._painter()
        for index, weight, bias in ((3, painter.first, painter.first_bias), (6, painter.second, painter.second_bias)):
            # The bias apart: inside, oneDNN takes a slower path.
            grown = F.conv_transpose2d(x.permute(0, 3, 1, 2), weight, stride=2, padding=1).permute(0, 2, 3, 1)
            x = self._normed(index, grown + bias.to(grown.dtype))
        return F.conv2d(x.permute(0, 3, 1, 2), painter.last, painter.last_bias, padding=1).permute(0, 2, 3, 1)

    def _painter(self) -> DecoderWeights:
        first, second, last = (cast(nn.Conv2d, self.layers[index]) for index in (2, 5, 8))
        # Colours last in a patch, as frames have them; pixel shuffling would want them first.
        weight = last.weight.unflatten(0, (3, -1)).transpose(0, 1).flatten(0, 1)
        bias = cast(Tensor, last.bias).view(3, -1).t().flatten() + 0.5
        return DecoderWeights(
            first.weight, cast(Tensor, first.bias), second.weight, cast(Tensor, second.bias), weight, bias
        )

    def _normed(self, index: int, x: Tensor) -> Tensor:
        return norm_silu(x, cast(ChannelNorm, self.layers[index]).weight.flatten())
