"""The vision model of World Models (Ha and Schmidhuber 2018): a VAE between 64×64 frames and a small latent."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import computed_in, kl_to_standard, sample_normal
from wmplay.worlds.kept import Kept
from wmplay.worlds.strided import (
    Grown,
    PaintError,
    Windows,
    WindowsTaught,
    down_weight,
    grown,
    patched,
    unpatched,
    up_patched_weight,
    up_weight,
)

# Latents that are decoded in one go on a CPU.
DECODED_AT_ONCE = 128


class Painter(NamedTuple):
    """The decoder's weights as its layers use them: of the joined linear layer, and of the three that paint."""

    joined: Tensor  # [100·c, Z]
    joined_bias: Tensor
    first: Tensor  # [4·c, 2·c, 5, 5]
    first_bias: Tensor
    middle: Tensor  # [4·c, 2·c, 3, 3]
    middle_bias: Tensor
    last: Tensor  # [48, 4·c, 2, 2]
    last_bias: Tensor


class Vae(nn.Module):
    """Frames uint8 [N, 64, 64, 3] to a Gaussian latent [N, Z] and back.

    Four convolutions (kernel 4, stride 2) down to 2×2, four transposed ones (5, 5, 6, 6) up again: the paper's weights
    in the paper's shapes, computed in the forms that a CPU is quick at (see `strided`). The first transposed one sees a
    1×1 image and is a linear layer; nothing stands between that and the layer before it, so the two are used as one, of
    a thirtieth of the weights.

    channels: width of the first layer, 32 in the paper; the deepest has 8 times as many.
    """

    def __init__(self, latent_size: int = 32, channels: int = 32) -> None:
        super().__init__()
        c = channels
        self.latent_size = latent_size
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2) for a, b in ((3, c), (c, 2 * c), (2 * c, 4 * c), (4 * c, 8 * c))
        )
        self.to_latent = nn.Linear(4 * 8 * c, 2 * latent_size)
        self.from_latent = nn.Linear(latent_size, 32 * c)
        self.seed = nn.Linear(32 * c, 25 * 4 * c)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, k, stride=2) for a, b, k in ((4 * c, 2 * c, 5), (2 * c, c, 6), (c, 3, 6))
        )
        self.kept = Kept()

    def encode(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [N, 64, 64, 3] -> mean and log-variance, float32 [N, Z]."""
        first, second, third, last = (cast(nn.Conv2d, layer) for layer in self.down)
        weight = down_weight(first.weight) * (1.0 / 255.0)
        pixels = patched(frames, 2).permute(0, 3, 1, 2)
        # Whole numbers up to 255 are exact in bfloat16.
        pixels = pixels.to(computed_in(weight))
        x = F.relu_(F.conv2d(pixels, weight, first.bias))
        x = F.relu_(second(x))
        if _rounded(third.weight) and torch.is_grad_enabled():
            x = F.relu_(WindowsTaught.apply(x, third.weight.to(x.dtype), cast(Tensor, third.bias).to(x.dtype), 2))
        else:
            x = F.relu_(third(x))
        windows = Windows.apply(x.permute(0, 2, 3, 1), 4, 2)
        x = F.relu_(F.linear(windows, last.weight.permute(0, 2, 3, 1).flatten(1), last.bias))
        mean, log_variance = self.to_latent(x.permute(0, 3, 1, 2).flatten(1)).float().chunk(2, dim=-1)
        return mean, log_variance.clamp(-12.0, 6.0)

    def decode(self, latent: Tensor) -> Tensor:
        """[N, Z] -> float32 images [N, 3, 64, 64] in [0, 1]."""
        painted = torch.sigmoid(self._paint(latent).float())
        return unpatched(painted, 4).permute(0, 3, 1, 2)

    @torch.no_grad()
    def frames(self, latent: Tensor) -> Tensor:
        """[N, Z] -> uint8 frames [N, 64, 64, 3], the images of `decode` rounded."""
        # On a CPU a few at a time, so that what is between the layers stays in its cache.
        step = DECODED_AT_ONCE if latent.device.type == "cpu" else max(1, len(latent))
        patches = [
            self._paint(part).float().sigmoid_().mul_(255.0).round_().to(torch.uint8) for part in latent.split(step)
        ]
        return unpatched(torch.cat(patches), 4)

    def _paint(self, latent: Tensor) -> Tensor:
        """[N, Z] -> what becomes a picture by the sigmoid, as patches [N, 16, 16, 48]."""
        teaching = torch.is_grad_enabled()
        painter = self.kept.of(self._taught(), self._painter) if self.kept.usable() else self._painter()
        x = F.relu_(F.linear(latent, painter.joined, painter.joined_bias))
        # Laid out as H W C, so that the next layer finds channels-last memory.
        x = x.reshape(x.shape[0], 5, 5, -1).permute(0, 3, 1, 2)
        # The biases apart: inside, oneDNN takes a path that is five times as slow; of the second, where it is taught.
        if not _rounded(self.seed.weight):
            x = F.conv_transpose2d(x, painter.first, stride=2)
        else:
            first = painter.first.to(x.dtype)
            x = Grown.apply(x, first) if teaching else grown(x, first)
        x = _biased(x, painter.first_bias)
        if teaching:
            x = _biased(F.conv2d(x, painter.middle, padding=2), painter.middle_bias)
        else:
            x = F.relu_(F.conv2d(x, painter.middle, painter.middle_bias, padding=2))
        return F.conv2d(x, painter.last, painter.last_bias, padding=1).permute(0, 2, 3, 1)

    def _painter(self) -> Painter:
        seed, start = self.seed, self.from_latent
        first, middle, last = (cast(nn.ConvTranspose2d, layer) for layer in self.up)
        both = seed.weight @ torch.cat((start.weight, start.bias[:, None]), dim=1)
        return Painter(
            both[:, :-1], both[:, -1] + seed.bias, first.weight, cast(Tensor, first.bias),
            up_weight(middle.weight), cast(Tensor, middle.bias).repeat(4),
            up_patched_weight(last.weight), cast(Tensor, last.bias).repeat(16),
        )  # fmt: skip

    def _taught(self) -> list[Tensor]:
        """The weights that the painter's come from."""
        return [part for module in (self.seed, self.from_latent, self.up) for part in module.parameters()]

    def loss(
        self, frames: Tensor, tolerance: float, generator: torch.Generator, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Squared error summed over pixels plus KL above a tolerance of `tolerance` nats per latent entry.

        weights: of the frames' values, uint8 [N, 64, 64, 3], if they are not alike. Returns the loss, the (weighted)
        squared error per pixel and channel, and the KL in nats, all scalars.
        """
        mean, log_variance = self.encode(frames)
        painted = self._paint(sample_normal(mean, log_variance, generator))
        heavy = None if weights is None else patched(weights, 4)
        error = PaintError.apply(painted, patched(frames, 4), True, heavy).mean()
        kl = kl_to_standard(mean, log_variance).mean()
        floor = tolerance * self.latent_size
        return error + kl.clamp_min(floor), error / frames[0].numel(), kl


def _rounded(weight: Tensor) -> bool:
    """Whether a CPU computes a layer of this weight in bfloat16, in which some forms of a layer are slow there."""
    return weight.device.type == "cpu" and computed_in(weight) == torch.bfloat16


def _biased(x: Tensor, bias: Tensor) -> Tensor:
    """relu(x + bias) of [N, C, H, W] and [C], in place and in the type of x."""
    return F.relu_(x.add_(bias.to(x.dtype)[:, None, None]))
