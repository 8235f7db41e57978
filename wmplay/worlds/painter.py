"""Paints what nobody has seen yet: a small U-Net that chooses, pixel by pixel, among the colours of the game.

Choosing instead of averaging keeps edges sharp however often its own work is painted on (compare PixelCNN, van den
Oord et al. 2016); the U-Net is Ronneberger et al. 2015 with the convolutions of ConvNets for small pictures.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import full_precision, mlp

# Size of the guide, the painter's memory of where it was led.
GUIDE = 128


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
        # |p − c|² is least where p·c − |c|²/2 is largest.
        with full_precision(pixels):
            return torch.addmm(-0.5 * self.colours.square().sum(-1), pixels.float(), self.colours.t()).argmax(-1)

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
    """(colour, known, screen-fixed, guide) → logits over the palette for every pixel.

    The lead says what the picture in front of it cannot, in two ways. A GRU, the guide, looks while there is something
    real to look at and then follows the camera's motions and the keys: where no road is in sight, a driver who steers
    left has one that bends left. And a wide view shows what was last really seen from where the camera is now, also
    beyond the picture's edge. The lead enters where the picture is 1/16 of its size.
    It works on 2 × 2 pixels at a time: at full size the finest layers would cost more than all others together.
    """

    def __init__(self, colours: int, width: int, glance: int, steps: int, height: int, frame_width: int) -> None:
        super().__init__()
        a, b = width * 3 // 2, width * 2
        self.coarse = (b, height // 16, frame_width // 16)
        self.look = mlp((glance, 128, GUIDE // 2))
        self.guide = nn.GRUCell(GUIDE // 2 + steps + 1, GUIDE)
        self.wide = nn.Sequential(
            nn.Conv2d(4, 32, 4, 2, 1), nn.SiLU(), nn.Conv2d(32, 32, 4, 2, 1), nn.SiLU(), nn.Conv2d(32, 32, 4, 2, 1),
            nn.Flatten(), nn.SiLU(), nn.Linear(512, GUIDE),
        )  # fmt: skip
        self.lead = mlp((2 * GUIDE, 192, math.prod(self.coarse)))
        self.enter = nn.Conv2d(20, a, 3, 1, 1)
        self.down = nn.ModuleList((_Down(a, b), _Down(b, b), _Down(b, b)))
        self.up = nn.ModuleList((_Up(b, b, b), _Up(b, b, b), _Up(b, a, a)))
        self.leave = nn.Conv2d(a, 4 * colours, 1)

    def follow(self, guide: Tensor, step: Tensor, look: Tensor | None = None) -> Tensor:
        """The guide [B, 128] after a step: how it moved [B, S]. look [B, 65]: what `seen` says of where that ended;
        without one, nothing real was in sight."""
        if look is None:
            look = guide.new_zeros(len(guide), GUIDE // 2 + 1)
        return self.guide(torch.cat((look, step), dim=-1), guide).float()

    def seen(self, glance: Tensor, real: Tensor) -> Tensor:
        """Glances [..., G], where they are real [..., 1], as the guide reads them [..., 65]."""
        return torch.cat((self.look(glance) * real, real), dim=-1)

    def forward(self, colour: Tensor, known: Tensor, fixed: Tensor, guide: Tensor, wide: Tensor) -> Tensor:
        """Logits over the palette, in blocks of 2 × 2 pixels.

        colour [B, 3, H, W] (0 where unknown); known and fixed [B, 1, H, W]; guide [B, 128]; wide [B, 4, 32, 32], see
        `glances.wide_view`. Returns [B, H/2, W/2, 4, K]: `whole` makes a picture of it, `blocks` the reverse.
        """
        x = F.pixel_unshuffle(torch.cat((colour - 0.4 * known, known, fixed), dim=1), 2)
        x = F.silu(self.enter(x))
        kept = [x]
        for layer in self.down:
            kept.append(layer(kept[-1]))
        lead = self.lead(torch.cat((guide, self.wide(wide)), dim=-1))
        x = kept.pop() + lead.unflatten(1, self.coarse)
        for layer in self.up:
            x = layer(x, kept.pop())
        return self.leave(x).movedim(1, -1).unflatten(-1, (4, -1))


def blocks(picture: Tensor) -> Tensor:
    """A value for each pixel [B, H, W] in blocks of 2 × 2: [B, H/2, W/2, 4]."""
    return picture.unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).movedim(2, 3).flatten(3)


def whole(parts: Tensor) -> Tensor:
    """Channels in blocks of 2 × 2 pixels [B, H/2, W/2, 4, K] as a picture [B, K, H, W]."""
    return parts.unflatten(3, (2, 2)).permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
