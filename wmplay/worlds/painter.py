"""Paints what nobody has seen yet: a small U-Net that chooses, pixel by pixel, among the colours of the game.

Choosing instead of averaging keeps edges sharp however often its own work is painted on (compare PixelCNN, van den
Oord et al. 2016); the U-Net is Ronneberger et al. 2015 with the convolutions of ConvNets for small pictures.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Palette(nn.Module):
    """K colours [K, 3] in [0, 1], found by online k-means (Sculley 2010) with unused ones moved to where they help."""

    colours: Tensor
    mass: Tensor
    ready: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("colours", torch.zeros(count, 3))
        self.register_buffer("mass", torch.zeros(count))
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    def nearest(self, pixels: Tensor) -> Tensor:
        """Index int64 [N] of the colour nearest each pixel [N, 3]."""
        return torch.cdist(pixels[None], self.colours[None]).squeeze(0).argmin(-1)

    def code(self, picture: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] as indices int64 [B, H, W]."""
        batch, _, height, width = picture.shape
        return self.nearest(picture.movedim(1, -1).reshape(-1, 3)).view(batch, height, width)

    def paint(self, index: Tensor) -> Tensor:
        """Indices [B, H, W] as colours [B, 3, H, W]."""
        return self.colours[index].movedim(-1, 1)

    def mix(self, share: Tensor) -> Tensor:
        """Shares [B, K, H, W] that add up to 1 as the mean colour [B, 3, H, W]."""
        return torch.einsum("bkhw,kc->bchw", share, self.colours)

    @torch.no_grad()
    def learn(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Move the colours towards pixels [N, 3]; returns their mean squared distance."""
        count = len(self.colours)
        if not bool(self.ready):
            # k-means++ (Arthur and Vassilvitskii 2007) on squared distance: rare colours get a place too.
            chosen = [pixels[0]]
            for _ in range(count - 1):
                gap = torch.cdist(pixels, torch.stack(chosen)).amin(-1).square() + 1e-9
                chosen.append(pixels[torch.multinomial(gap, 1, generator=generator)[0]])
            self.colours.copy_(torch.stack(chosen))
            self.ready.fill_(True)
        index = self.nearest(pixels)
        error = (pixels - self.colours[index]).square().sum(-1)
        hits = torch.zeros(count, device=pixels.device).index_add_(0, index, torch.ones_like(error))
        total = torch.zeros_like(self.colours).index_add_(0, index, pixels)
        self.mass.mul_(0.99).add_(hits)
        used = hits > 0
        step = (hits / self.mass.clamp_min(1.0))[used, None]
        self.colours[used] += step * (total[used] / hits[used, None] - self.colours[used])
        dead = torch.nonzero(self.mass < 0.05).squeeze(-1)
        if len(dead):
            fresh = torch.multinomial(error + 1e-12, len(dead), generator=generator)
            self.colours[dead] = pixels[fresh]
            self.mass[dead] = 1.0
        return error.mean()


class _Down(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.shrink = nn.Conv2d(before, after, 4, 2, 1)
        self.mix = nn.Conv2d(after, after, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.shrink(x))
        return x + F.silu(self.mix(x))


class _Up(nn.Module):
    def __init__(self, before: int, skip: int, after: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(before + skip, after, 3, 1, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        wide = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return F.silu(self.mix(torch.cat((wide, skip), dim=1)))


class Painter(nn.Module):
    """(colour, known, screen-fixed) → logits over the palette for every pixel.

    It works on 2 × 2 pixels at a time: at full size the finest layers would cost more than all others together.
    """

    def __init__(self, colours: int, width: int) -> None:
        super().__init__()
        a, b = width * 3 // 2, width * 2
        self.enter = nn.Conv2d(20, a, 3, 1, 1)
        self.down = nn.ModuleList((_Down(a, b), _Down(b, b), _Down(b, b)))
        self.up = nn.ModuleList((_Up(b, b, b), _Up(b, b, b), _Up(b, a, a)))
        self.leave = nn.Conv2d(a, 4 * colours, 1)

    def forward(self, colour: Tensor, known: Tensor, fixed: Tensor) -> Tensor:
        """colour [B, 3, H, W] (0 where unknown), known and fixed [B, 1, H, W] float → logits [B, K, H, W]."""
        x = F.pixel_unshuffle(torch.cat((colour - 0.4 * known, known, fixed), dim=1), 2)
        x = F.silu(self.enter(x))
        kept = [x]
        for layer in self.down:
            kept.append(layer(kept[-1]))
        x = kept.pop()
        for layer in self.up:
            x = layer(x, kept.pop())
        return F.pixel_shuffle(self.leave(x), 2)
