"""A pattern on the ground that repeats itself: where it goes on, it can be foretold to the pixel.

Ground is what shows the game's two commonest colours, as a meadow and the squares that are mown in it. How long the
pattern's period is, is learned once; how it lies under a camera is found in a picture, by laying what is known over
itself (autocorrelation by Fourier transform). All that is known is then folded into one period, a tile, and unfolded
again.

Shapes: B batch, H W frame, L periods, A angles.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import full_precision
from wmplay.worlds.geometry import pixel_centres, rotate, shrunk
from wmplay.worlds.palette import Palette

# Periods that a pattern may have, in parts of the frame's width, and the ways in which it may lie, in a quarter turn.
SHORTEST, LONGEST, PERIODS, ANGLES = 0.2, 0.7, 65, 60
# Numbers in one period's picture, along each side.
CELL = 24
TILE_SIZE = 2 * CELL * CELL + 2
# How far from the mixtures of its two colours ground may be, and how far beyond either of them, in parts of their
# difference.
BESIDE, BEYOND = 0.04, 0.3
# Variance of the ground, from 0 to 1 between its colours, from which on there is a pattern to be seen.
PLAIN = 0.02
# Batches from which the period is learned.
ENOUGH = 200
# How much of what was seen of a tile is left with each further look.
FADED = 0.8
# What little evidence costs: the misfit of so many pixels has this root of its variance, at half the frame's size.
DOUBT = 2.4


class Ground(NamedTuple):
    """shade [B, H, W]: from 0 to 1 between the two commonest colours, 0 where it is none; shown [B, H, W]: 1 where it
    is."""

    shade: Tensor
    shown: Tensor


class Tile(NamedTuple):
    """One period of a pattern that lies in a world: where everything is in it, seen or not.

    cell [B, 2, C * C]: the shade there, times how much was seen of it; and how much. angle [B]: of its sides; trust
    [B]: how sure that is, from 0 to 1.
    """

    cell: Tensor
    angle: Tensor
    trust: Tensor

    def flat(self) -> Tensor:
        """All of it side by side, [B, 1154]."""
        return torch.cat((self.cell.flatten(1), self.angle[:, None], self.trust[:, None]), dim=1)

    @classmethod
    def of(cls, flat: Tensor) -> Tile:
        """The tile of `flat` [B, 1154]."""
        return cls(flat[:, :-2].unflatten(1, (2, CELL * CELL)), flat[:, -2], flat[:, -1])


class Pattern(nn.Module):
    """How long the pattern's period is: `misfit` [L] of each, a mean over so many `lessons`."""

    misfit: Tensor
    lessons: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("misfit", torch.zeros(PERIODS))
        self.register_buffer("lessons", torch.tensor(0))

    @torch.no_grad()
    def learn(self, picture: Tensor, known: Tensor, palette: Palette, stretch: Tensor) -> None:
        """Learn the period from pictures [B, 3, H, W] where they are known [B, 1, H, W], while there is need."""
        need = self.lessons < ENOUGH
        if need.device.type == "cpu" and not need:  # elsewhere asking would stall the device
            return
        with full_precision(picture):
            ground = ground_of(picture, known, palette)
            found, _, variance = _laid_over(ground, self._periods(picture), stretch)
            fit = (found.amin(2) - 1.0) * (variance / (variance + PLAIN))[:, None]
            self.lessons += need
            self.misfit += need * (fit.mean(0) - self.misfit) / self.lessons

    @torch.no_grad()
    def found(
        self,
        picture: Tensor,
        known: Tensor,
        pose: Tensor,
        palette: Palette,
        stretch: Tensor,
        kept: Tile | None = None,
    ) -> Tile:
        """The pattern in pictures [B, 3, H, W], as far as they are known [B, 1, H, W], which a camera sees that is at
        `pose` [B, 3]. No trust in it before the first lesson. kept: what was found in the same worlds before; it only
        becomes fuller, unless one is surer now of how the pattern lies."""
        with full_precision(picture):
            ground = ground_of(picture, known, palette)
            misfits, angles, variance = _laid_over(ground, self._period(picture)[None], stretch)
            misfit, best = misfits[:, 0].min(1)
            trust = (1.0 - misfit).clamp(0.0, 1.0) * variance / (variance + PLAIN) * (self.lessons > 0)
            angle = angles[best] + pose[:, 2]
            values = torch.stack((ground.shade, ground.shown), dim=1).flatten(2)
            cell = values.new_zeros(len(values), 2, CELL * CELL)
            if kept is not None:
                surer = trust > kept.trust
                angle, trust = torch.where(surer, angle, kept.angle), torch.maximum(trust, kept.trust)
                cell = kept.cell * FADED * ~surer[:, None, None]
            for entry, share in _corners(self._places(picture, angle, pose, stretch).flatten(1, 2), CELL, CELL):
                cell.scatter_add_(2, entry[:, None].expand(-1, 2, -1), values * share[:, None])
            return Tile(cell, angle, trust)

    @torch.no_grad()
    def foretold(self, tile: Tile, like: Tensor, pose: Tensor, stretch: Tensor) -> Tensor:
        """What a tile says of all pixels [B, 2, H, W] of pictures like [B, 3, H, W], for a camera at `pose` [B, 3]: how
        sure it is, from 0 to 1, and as much of the shade, from -0.5 to 0.5."""
        with full_precision(like):
            # Rows and columns that follow the last are the first again.
            around = F.pad(tile.cell.unflatten(2, (CELL, CELL)), (0, 1, 0, 1), mode="circular")
            places = self._places(like, tile.angle, pose, stretch).remainder(CELL) * (2.0 / CELL) - 1.0
            shade, weight = F.grid_sample(around, places, align_corners=True).unbind(1)
            sure = weight.clamp_max(1.0) * tile.trust[:, None, None]
            return torch.stack((sure, (shade / weight.clamp_min(0.05) - 0.5) * sure), dim=1)

    def _places(self, like: Tensor, angle: Tensor, pose: Tensor, stretch: Tensor) -> Tensor:
        """Where pixels lie in the pattern, in entries of a cell from the world's origin on, [B, H, W, 2] as (x, y)."""
        height, width = like.shape[2:]
        rays = (pixel_centres(height, width, like.device) / stretch).expand(len(pose), -1, -1, -1)
        return rotate(rotate(rays, pose[:, 2]) + pose[:, None, None, :2], -angle) * (CELL / self._period(like))

    def _period(self, picture: Tensor) -> Tensor:
        """The likeliest, between those that were tried where a parabola through the best and its neighbours is lowest.

        CarRacing's, 34.6 pixels, lies between two that were; with 34.3 squares 30 steps ahead were 0.25 of what a guess
        is off (squared), with 34.6 0.23.
        """
        best = self.misfit.argmin().clamp(1, PERIODS - 2)
        before, here, after = self.misfit[best - 1], self.misfit[best], self.misfit[best + 1]
        shift = ((before - after) / (2.0 * (before + after - 2.0 * here)).clamp_min(1e-6)).clamp(-0.5, 0.5)
        return (SHORTEST + (LONGEST - SHORTEST) / (PERIODS - 1) * (best + shift)) * picture.shape[-1]

    def _periods(self, picture: Tensor) -> Tensor:
        """In units of length, which are pixels along x."""
        return torch.linspace(SHORTEST, LONGEST, PERIODS, device=picture.device) * picture.shape[-1]


def ground_of(picture: Tensor, known: Tensor, palette: Palette) -> Ground:
    """What is ground in pictures [B, 3, H, W], of what is known [B, 1, H, W]."""
    low, high = palette.colours[palette.mass.topk(2).indices]
    along = high - low
    x = picture.movedim(1, -1) - low
    shade = (x @ along) / along.square().sum().clamp_min(1e-6)
    beside = (x - shade[..., None] * along).abs().amax(-1)
    shown = (beside < BESIDE) & ((shade - 0.5).abs() < 0.5 + BEYOND) & (known.squeeze(1) > 0.5)
    return Ground(shade.clamp(0.0, 1.0) * shown, shown.float())


def _laid_over(ground: Ground, periods: Tensor, stretch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How badly ground fits on itself, moved by each of periods [L] in each of A directions and a quarter turn from
    there: [B, L, A], 0 for a perfect fit and 1 for what has nothing to do with each other. With the angles [A], and the
    variance [B] of the ground's shade."""
    height, width = ground.shown.shape[1:]
    weight = shrunk(ground.shown, 2)
    shade = shrunk(ground.shade, 2) / weight.clamp_min(0.25)
    shown = (weight > 0.5).float()
    count = shown.sum((1, 2)).clamp_min(1.0)
    mean = ((shade * shown).sum((1, 2)) / count)[:, None, None]
    shade = (shade - mean) * shown
    variance = shade.square().sum((1, 2)) / count
    # At half size, in a field of full size: what is moved by less than half the field does not meet its other end.
    spectra = torch.fft.rfft2(torch.stack((shown, shade, shade.square()), dim=1), s=(height, width))
    one, first, second = spectra.unbind(1)
    pairs = one.conj() * one
    wrong = second.conj() * one + one.conj() * second - 2.0 * first.conj() * first
    fields = torch.fft.irfft2(torch.stack((pairs, wrong), dim=1), s=(height, width)).flatten(2)
    angles = torch.arange(ANGLES, device=periods.device) * (math.pi / 2 / ANGLES)
    both, half = fields.new_zeros(()), stretch.new_tensor((width / 2, height / 2))
    for turn in (angles, angles + math.pi / 2):
        way = torch.stack((turn.cos(), turn.sin()), dim=-1) * stretch / 2.0
        moved = periods[:, None, None] * way
        overlaps = (moved.abs() < half).all(-1)
        both = both + sum(fields[..., entry] * share for entry, share in _corners(moved, height, width)) * overlaps
    pairs, wrong = both.unbind(1)
    misfit = wrong / pairs.clamp_min(1.0) / (2.0 * variance + 1e-4)[:, None, None] + DOUBT / pairs.clamp_min(1.0).sqrt()
    return misfit, angles, variance


def _corners(points: Tensor, height: int, width: int) -> list[tuple[Tensor, Tensor]]:
    """The four entries of a flat field [H * W] that wraps around which points [..., 2], (x, y), lie between, int64
    [...], and the share of each [...]."""
    corner = points.floor()
    right, below = (points - corner).unbind(-1)
    x, y = corner.long().unbind(-1)
    return [
        ((row % height) * width + column % width, across * down)
        for column, across in ((x, 1.0 - right), (x + 1, right))
        for row, down in ((y, 1.0 - below), (y + 1, below))
    ]
