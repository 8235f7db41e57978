"""Paints what nobody has seen yet: a small U-Net that chooses, pixel by pixel, among the colours of the game.

Choosing instead of averaging keeps edges sharp however often its own work is painted on (compare PixelCNN, van den
Oord et al. 2016); the U-Net is Ronneberger et al. 2015 with the convolutions of ConvNets for small pictures. Which of
all that may lie ahead it is, is drawn as one: a conditional variational autoencoder (Sohn et al. 2015) with a
distribution of its own for the ways in which pictures go on (a second stage: Dai and Wipf 2019, arXiv 1903.05789).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import mlp

# Size of the guide, the painter's memory of where it was led.
GUIDE = 128
# Numbers that say in which way a picture goes on.
WAY = 16
# Kinds of ways, each normally distributed: bends begin seldom, and one kind would make them all a little bent. What a
# way is drawn by: a number for each of its own, and one for its kind.
KINDS, CHANCE = 8, WAY + 1
# The farthest that a way is from the middle, and by how many nepers it is told more precisely than not at all. Without
# a bound, Muon's first steps sent ways to the millions.
FAR, PRECISE = 3.0, 3.0
# How far from the middle of its kind a way is drawn at most, in deviations, all its numbers together: four is common.
# Beyond it lay roads out of nowhere and the black around the field: 80 minutes of training, 360 steps, 32 dreams on a
# road in 89 % without a bound, bending by 53 degrees in 100 units of the way; 96 % and 37 with 3; 99 % and 20 with 2.
USUAL = 3.0
# Radians for a unit of colour: shades that are next to the same otherwise are as far apart as colours are. CarRacing's
# road is tiled in three shades, 100, 102 and 105 of 255, in turn; unseen, each pixel's was a guess among three. After
# 360 s on one thread new land, a sixth of the frame, cost 0.46 nats a pixel with them and 0.62 without.
FINE = 100.0
# How near two colours must be in the choice of a pixel for it to show something of both. At 0 the edges of dreamed
# roads were ragged; at 0.7 there were smears on the grass.
BLEND = 0.3
# What the painter is shown of a pixel: its colour, and twice that finely; whether it is known, and of the screen.
SHOWN = 11


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


class Sight(NamedTuple):
    """What a painter makes of all that is known.

    layers: of the U-Net's way down, float [B, C, H/n, W/n]; hint [B, 128]: what lies beyond the frame; all: float
    [B, S], the deepest layer and the hint, flat.
    """

    layers: list[Tensor]
    hint: Tensor
    all: Tensor

    def first(self, count: int) -> Sight:
        """Of the first pictures alone."""
        return Sight([layer[:count] for layer in self.layers], self.hint[:count], self.all[:count])

    def replaced(self, few: Sight) -> Sight:
        """With the first pictures seen as `few` are."""
        count = len(few.hint)
        layers = [torch.cat((new, old[count:])) for new, old in zip(few.layers, self.layers, strict=True)]
        return Sight(layers, torch.cat((few.hint, self.hint[count:])), torch.cat((few.all, self.all[count:])))


class Painter(nn.Module):
    """What is known, and a lead or a way → logits over the palette for every pixel.

    The lead says what the picture in front of it cannot, in two ways. A GRU, the guide, looks while there is something
    real to look at and then follows the camera's motions and the keys: where no road is in sight, a driver who steers
    left has one that bends left. And a wide view shows what was last really seen from where the camera is now, also
    beyond the picture's edge. Without a guide, a *way* says which of the pictures that may come it is; in lessons it is
    read off the one that came (`taught`), in dreams it is drawn (`drawn`). Both enter where the picture is 1/16 of its
    size. It works on 2 × 2 pixels at a time: at full size the finest layers would cost more than all others together.
    """

    triangle: Tensor

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
        self.lead = mlp((2 * GUIDE + WAY, 192, math.prod(self.coarse)))
        self.enter = nn.Conv2d(4 * SHOWN, a, 3, 1, 1)
        self.down = nn.ModuleList((_Down(a, b), _Down(b, b), _Down(b, b)))
        self.up = nn.ModuleList((_Up(b, b, b), _Up(b, b, b), _Up(b, a, a)))
        self.leave = nn.Linear(a, 4 * colours)
        deepest = math.prod(self.coarse)
        self.way = mlp((2 * deepest + GUIDE, 128, 2 * WAY))
        self.foresee = mlp((deepest + GUIDE, 128, KINDS * (1 + WAY + WAY * (WAY + 1) // 2)))
        self.register_buffer("triangle", torch.tril_indices(WAY, WAY), persistent=False)

    def follow(self, guide: Tensor, step: Tensor, look: Tensor | None = None) -> Tensor:
        """The guide [B, 128] after a step: how it moved [B, S]. look [B, 65]: what `seen` says of where that ended;
        without one, nothing real was in sight."""
        if look is None:
            look = guide.new_zeros(len(guide), GUIDE // 2 + 1)
        return self.guide(torch.cat((look, step), dim=-1), guide).float()

    def seen(self, glance: Tensor, real: Tensor) -> Tensor:
        """Glances [..., G], where they are real [..., 1], as the guide reads them [..., 65]."""
        return torch.cat((self.look(glance) * real, real), dim=-1)

    def sight(self, colour: Tensor, known: Tensor, fixed: Tensor, wide: Tensor) -> Sight:
        """What there is to go by.

        colour [B, 3, H, W] (0 where unknown); known and fixed [B, 1, H, W]; wide [B, 4, 32, 32], see
        `glances.wide_view`.
        """
        layers = self._descend(colour, known, fixed)
        hint = self.wide(wide)
        return Sight(layers, hint, torch.cat((layers[-1].flatten(1), hint), dim=-1))

    def _descend(self, colour: Tensor, known: Tensor, fixed: Tensor) -> list[Tensor]:
        fine = FINE * colour
        seen = torch.cat((colour - 0.4, torch.sin(fine), torch.cos(fine)), dim=1) * known
        layers = [F.silu(self.enter(F.pixel_unshuffle(torch.cat((seen, known, fixed), dim=1), 2)))]
        for layer in self.down:
            layers.append(layer(layers[-1]))
        return layers

    def taught(self, sight: Sight, picture: Tensor, fixed: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        """The way [B, W] in which it went on, as far as it can be told by the picture [B, 3, H, W] that came; and how
        many nats [B] that tells. fixed [B, 1, H, W]; a standard normal `chance` [B, W] says which of what cannot be
        told apart."""
        new = (self._descend(picture, 1.0 - fixed, fixed)[-1] - sight.layers[-1]).flatten(1)
        both = torch.cat([F.layer_norm(part, part.shape[-1:]) for part in (sight.all, new)], dim=-1)
        mean, log_deviation = self.way(both).float().chunk(2, dim=-1)
        mean, log_deviation = FAR * torch.tanh(mean / FAR), -PRECISE * torch.sigmoid(log_deviation)
        nats = 0.5 * (mean.square() + (2.0 * log_deviation).exp() - 1.0) - log_deviation
        return mean + log_deviation.exp() * chance, nats.sum(-1)

    def unlikely(self, sight: Sight, way: Tensor) -> Tensor:
        """Nats [B] of a way [B, W], by what `drawn` makes of the same sight. Teaches nothing else."""
        kinds, mean, whiten = self._foreseen(sight)
        # No product that bfloat16 would round.
        off = (whiten * (way.detach()[:, None] - mean)[..., None, :]).sum(-1)
        each = whiten.diagonal(dim1=-2, dim2=-1).log().sum(-1) - 0.5 * off.square().sum(-1)
        return -torch.logsumexp(kinds.log_softmax(-1) + each, -1)

    def drawn(self, sight: Sight, chance: Tensor, temperature: float) -> Tensor:
        """A way [B, W] in which it may go on, the likelier the more often, but for what hardly ever happens; which one,
        a standard normal chance [B, W + 1] says, its first number the kind of way."""
        kinds, mean, whiten = self._foreseen(sight)
        below = torch.special.ndtr(chance[:, :1]).clamp(1e-6, 1.0 - 1e-6)
        kind = (kinds.softmax(-1).cumsum(-1) < below).sum(-1).clamp_max(KINDS - 1)
        everyone = torch.arange(len(kind), device=kind.device)
        away = temperature * chance[:, 1:]
        away = away * (USUAL / away.norm(dim=1, keepdim=True).clamp_min(USUAL))
        off = torch.linalg.solve_triangular(whiten[everyone, kind], away[..., None], upper=False)
        return mean[everyone, kind] + off.squeeze(-1)

    def _foreseen(self, sight: Sight) -> tuple[Tensor, Tensor, Tensor]:
        """A mixture of normal distributions (Bishop 1994): the kinds' logits [B, K], their means [B, K, W], and what
        makes what is off them white, lower triangles [B, K, W, W]."""
        known = F.layer_norm(sight.all.detach(), sight.all.shape[-1:])
        numbers = self.foresee(known).float().unflatten(-1, (KINDS, -1))
        kinds, mean, entries = numbers.split((1, WAY, len(self.triangle[0])), dim=-1)
        whiten = entries.new_zeros(*entries.shape[:-1], WAY, WAY)
        whiten[..., self.triangle[0], self.triangle[1]] = entries
        diagonal = torch.diag_embed(whiten.diagonal(dim1=-2, dim2=-1).clamp(-4.0, 4.0).exp())
        return kinds.squeeze(-1), mean, whiten.tril(-1) + diagonal

    def forward(self, sight: Sight, guide: Tensor, way: Tensor) -> Tensor:
        """What colours are read from, in blocks of 2 × 2 pixels: features [B, H/2, W/2, a], for `colours_of`.

        guide [B, 128] and way [B, W]: of each picture one or the other, the rest is 0.
        """
        *skips, x = sight.layers
        x = x + self.lead(torch.cat((guide, sight.hint, way), dim=-1)).unflatten(1, self.coarse)
        for layer in self.up[:-1]:
            x = layer(x, skips.pop())
        return self.up[-1](x, skips.pop()).movedim(1, -1)

    def colours_of(self, features: Tensor) -> Tensor:
        """Logits over the palette [..., 4, K] of features [..., a].

        `whole` makes a picture of blocks, `blocks` the reverse.
        """
        return self.leave(features).unflatten(-1, (4, -1))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        # Weights from before there were ways chose among modes, or knew one picture alone: they paint what is to be
        # expected, in every way.
        own = self.state_dict(prefix=prefix)
        entry = f"{prefix}enter.weight"
        if state_dict[entry].shape[1] < 4 * SHOWN:
            colour, rest = state_dict[entry].split((12, 8), dim=1)
            state_dict[entry] = torch.cat((colour, torch.zeros_like(own[entry][:, :24]), rest), dim=1)
        entry = f"{prefix}lead.0.weight"
        missing = own[entry].shape[1] - state_dict[entry].shape[1]
        state_dict[entry] = F.pad(state_dict[entry], (0, missing))
        if f"{prefix}lean" in state_dict:
            lean, leave, bias = (state_dict.pop(f"{prefix}{name}") for name in ("lean", "leave", "leave_bias"))
            # Of nine heads the last was taught what is to be expected; eight are modes of it.
            of = slice(8, 9) if len(lean) > 8 else slice(0, 8)
            state_dict[f"{prefix}up.2.mix.bias"] = state_dict[f"{prefix}up.2.mix.bias"] + lean[of].mean(0)
            state_dict[f"{prefix}leave.weight"] = leave[of].mean(0).t().contiguous()
            state_dict[f"{prefix}leave.bias"] = bias[of].mean(0)
        weight = f"{prefix}leave.weight"
        state_dict[weight] = state_dict[weight].flatten(1)
        for name in [name for name in state_dict if name.startswith((f"{prefix}mode.", f"{prefix}foretells"))]:
            del state_dict[name]
        for name, value in own.items():
            if name.startswith((f"{prefix}way.", f"{prefix}foresee.")):
                state_dict.setdefault(name, value)
        super()._load_from_state_dict(state_dict, prefix, *more)


def blocks(picture: Tensor) -> Tensor:
    """A value for each pixel [B, H, W] in blocks of 2 × 2: [B, H/2, W/2, 4]."""
    return picture.unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).movedim(2, 3).flatten(3)


def whole(parts: Tensor) -> Tensor:
    """Channels in blocks of 2 × 2 pixels [B, H/2, W/2, 4, K] as a picture [B, K, H, W]."""
    return parts.unflatten(3, (2, 2)).permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
