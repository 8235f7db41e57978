"""Paints what nobody has seen yet: a small U-Net that chooses, pixel by pixel, among the colours of the game.

Choosing instead of averaging keeps edges sharp however often its own work is painted on (compare PixelCNN, van den
Oord et al. 2016); the U-Net is Ronneberger et al. 2015 with the convolutions of ConvNets for small pictures.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import full_precision, gru_inputs, gru_step, mlp
from wmplay.worlds.kept import Kept
from wmplay.worlds.pattern import Pattern
from wmplay.worlds.strided import doubled_weight

# Size of the guide, the painter's memory of where it was led.
GUIDE = 128
# Ways in which a picture may go on, of which a dream draws one at each step.
MODES = 8
# Read like a mode, the last of a painter's heads: what is to be expected of each pixel, whichever of them it will be.
EXPECTED = -1
# What a painter is shown of a pixel: its colour, whether it is known and of the screen, and what a pattern says of it.
SHOWN = 7


class _Down(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.shrink = nn.Conv2d(before, after, 4, 2, 1)
        self.mix = nn.Conv2d(after, after, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.shrink(x))
        return x + F.silu(self.mix(x))


class Up(nn.Module):
    """A 3 × 3 convolution of a picture at twice its size, every pixel shown four times, and of a `skip` beside it.

    The picture of twice the size is never made: a transposed convolution does the same in four of nine products. The
    finest layer takes 0.5 to 0.7 of the time so, for batches on one thread, shown or taught (float32 and bfloat16, AMX,
    channels last); one picture alone gains nothing that shows.
    """

    def __init__(self, before: int, skip: int, after: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(before + skip, after, 3, 1, 1)
        self.split = (before, skip)
        self.kept = Kept()

    def forward(self, x: Tensor, skip: Tensor, bend: bool = True) -> Tensor:
        """[B, before, H, W] and [B, skip, 2H, 2W] -> [B, after, 2H, 2W]"""
        parts = self.kept.of((self.mix.weight,), self._parts) if self.kept.usable() else self._parts()
        mixed = F.conv_transpose2d(x, parts.doubled, None, 2, 1) + F.conv2d(skip, parts.beside, self.mix.bias, 1, 1)
        return F.silu(mixed) if bend else mixed

    def _parts(self) -> _Parts:
        small, beside = self.mix.weight.split(self.split, dim=1)
        return _Parts(doubled_weight(small), beside)


class _Parts(NamedTuple):
    """Weights of an `Up`: of a transposed convolution [before, after, 4, 4], and of the skip's [after, skip, 3, 3]."""

    doubled: Tensor
    beside: Tensor


class Painter(nn.Module):
    """(colour, known, screen-fixed, pattern, guide) → logits over the palette for every pixel.

    The lead says what the picture in front of it cannot, in two ways. A GRU, the guide, looks while there is something
    real to look at and then follows the camera's motions and the keys: where no road is in sight, a driver who steers
    left has one that bends left. And a wide view shows what was last really seen from where the camera is now, also
    beyond the picture's edge. The lead enters where the picture is 1/16 of its size.
    It works on 2 × 2 pixels at a time: at full size the finest layers would cost more than all others together.

    ways: how many modes it has. With 0 it knows what is to be expected and no more.
    """

    foretells: Tensor

    def __init__(
        self, colours: int, width: int, glance: int, steps: int, height: int, frame_width: int, ways: int = MODES
    ) -> None:
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
        self.pattern = Pattern()
        self.enter = nn.Conv2d(4 * SHOWN, a, 3, 1, 1)
        self.down = nn.ModuleList((_Down(a, b), _Down(b, b), _Down(b, b)))
        self.up = nn.ModuleList((Up(b, b, b), Up(b, b, b), Up(b, a, a)))
        # Of each mode, and EXPECTED: what it adds to the last layer's features before they bend, and how it reads
        # colours off them.
        self.lean = nn.Parameter(torch.randn(ways + 1, a))
        self.leave = nn.Parameter(torch.randn(ways + 1, a, 4 * colours) / math.sqrt(a))
        self.leave_bias = nn.Parameter(torch.zeros(ways + 1, 4 * colours))
        self.mode = mlp((2 * b, 128, ways)) if ways else None
        # Whether EXPECTED was ever taught.
        self.register_buffer("foretells", torch.tensor(False))

    @torch.no_grad()
    def take_over(self, other: Painter) -> None:
        """Go on from what a painter of the same size with at least as many modes knows."""
        theirs, heads = other.state_dict(), ("lean", "leave", "leave_bias")
        for name, value in self.state_dict().items():
            value.copy_(theirs[name][-len(value) :] if name in heads else theirs[name])

    def follow(self, guide: Tensor, step: Tensor, look: Tensor | None = None) -> Tensor:
        """The guide [B, 128] after a step: how it moved [B, S]. look [B, 65]: what `seen` says of where that ended;
        without one, nothing real was in sight."""
        if look is None:
            look = guide.new_zeros(len(guide), GUIDE // 2 + 1)
        return gru_step(self.guide, gru_inputs(self.guide, look, step), guide)

    def follow_segment(self, steps: Tensor, looks: Tensor, keep: Tensor) -> Tensor:
        """The guide [B, 128] after all rows of a segment: `follow` from an empty one through steps [B, T, S] and looks
        [B, T, 65], emptied before a row where keep [B, T] is 0.

        What needs no memory is one product; the rest is too small to gain by rounded numbers, and loses by rounding.
        """
        inputs = gru_inputs(self.guide, looks, steps)
        guide = inputs.new_zeros(len(inputs), GUIDE)
        with full_precision(guide):
            for now, kept in zip(inputs.unbind(1), keep.unbind(1), strict=True):
                guide = gru_step(self.guide, now, guide * kept[:, None])
        return guide

    def seen(self, glance: Tensor, real: Tensor) -> Tensor:
        """Glances [..., G], where they are real [..., 1], as the guide reads them [..., 65]."""
        return torch.cat((self.look(glance) * real, real), dim=-1)

    def forward(
        self, colour: Tensor, known: Tensor, fixed: Tensor, hint: Tensor, guide: Tensor, wide: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What every mode reads its colours from, in blocks of 2 × 2 pixels, and the modes' logits [B, M].

        colour [B, 3, H, W] (0 where unknown); known and fixed [B, 1, H, W]; hint [B, 2, H, W]: what the `pattern` says;
        guide [B, 128]; wide [B, 4, 32, 32], see `glances.wide_view`. Returns features [B, H/2, W/2, a], for
        `colours_of`.
        """
        x = F.pixel_unshuffle(torch.cat((colour - 0.4 * known, known, fixed, hint), dim=1), 2)
        x = F.silu(self.enter(x))
        kept = [x]
        for layer in self.down:
            kept.append(layer(kept[-1]))
        lead = self.lead(torch.cat((guide, self.wide(wide)), dim=-1))
        x = kept.pop() + lead.unflatten(1, self.coarse)
        modes = [x.mean((2, 3))]
        for layer in self.up[:-1]:
            x = layer(x, kept.pop())
        modes.append(x.mean((2, 3)))
        x = self.up[-1](x, kept.pop(), bend=False)
        found = x.new_zeros(len(x), 0) if self.mode is None else self.mode(torch.cat(modes, dim=-1))
        return x.movedim(1, -1), found.float()

    def colours_of(self, features: Tensor, mode: Tensor | int) -> Tensor:
        """Logits over the palette [N, 4, K] of features [N, a] in a mode, or EXPECTED; or [B, N, 4, K] of [B, N, a] in
        one each [B].

        `whole` makes a picture of blocks, `blocks` the reverse.
        """
        lean, leave, bias = (part[mode] for part in (self.lean, self.leave, self.leave_bias))
        if lean.ndim > 1:
            lean, bias = lean[:, None], bias[:, None]
        # In the type the features have: sums of two types are slow, and their results wide.
        logits = F.silu(features + lean.to(features.dtype)) @ leave
        return (logits + bias.to(logits.dtype)).unflatten(-1, (4, -1))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        # Weights from before patterns were looked for.
        enter = state_dict.get(f"{prefix}enter.weight", self.enter.weight)
        state_dict[f"{prefix}enter.weight"] = F.pad(enter, (0, 0, 0, 0, 0, 4 * SHOWN - enter.shape[1]))
        for name, value in Pattern().state_dict(prefix=f"{prefix}pattern.").items():
            state_dict.setdefault(name, value)
        # Weights from before there were modes: all modes are as the one there was.
        if self.mode is not None and f"{prefix}leave.weight" in state_dict:
            weight, bias = (state_dict.pop(f"{prefix}leave.{name}") for name in ("weight", "bias"))
            state_dict[f"{prefix}leave"] = weight.flatten(1).t().expand_as(self.leave[:MODES])
            state_dict[f"{prefix}leave_bias"] = bias.expand_as(self.leave_bias[:MODES])
            state_dict[f"{prefix}lean"] = torch.zeros_like(self.lean[:MODES])
            for name, value in self.mode.state_dict(prefix=f"{prefix}mode.").items():
                state_dict.setdefault(name, value)
        # Weights from before there was a head for what is to be expected: it begins as the mean of all modes.
        taught = len(state_dict.get(f"{prefix}lean", self.lean)) == len(self.lean)
        state_dict.setdefault(f"{prefix}foretells", torch.tensor(taught))
        if not taught:
            for name in ("lean", "leave", "leave_bias"):
                value = state_dict[f"{prefix}{name}"]
                state_dict[f"{prefix}{name}"] = torch.cat((value, value.mean(0, keepdim=True)))
        super()._load_from_state_dict(state_dict, prefix, *more)


def blocks(picture: Tensor) -> Tensor:
    """A value for each pixel [B, H, W] in blocks of 2 × 2: [B, H/2, W/2, 4]."""
    return picture.unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).movedim(2, 3).flatten(3)


def whole(parts: Tensor, which: Tensor) -> Tensor:
    """Channels [N, 4, K] of blocks of 2 × 2 pixels as pictures [B, K, H, W]; which, bool [B, H/2, W/2]: the N blocks
    they are of. 0 elsewhere."""
    tiles = parts.new_zeros(*which.shape, *parts.shape[1:])
    tiles[which] = parts
    return tiles.unflatten(3, (2, 2)).permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
