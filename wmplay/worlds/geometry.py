"""A map that wraps around, and a camera that moves over it: poses, and reading and writing pictures through them.

Shapes: B batch, H W view, N side of the map in texels. A pose is (x, y, angle) [B, 3] in view widths of one pixel and
radians; a motion is the same for one step, seen from the camera. Pixels and texels have their centres at i + 0.5.
"""

from __future__ import annotations

import math
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

# Texels at the rim of the map that are forgotten before the other side of the wrap could be mistaken for them.
RIM = 6
# Texels per unit of length: how finely a map remembers. Of a straight road seen again 58 pixels were half road, half
# grass, of the real one 59; with half as many texels 77.
DETAIL = 2.5
# How much steeper edges are laid down in a map than they were seen. Interpolation softens them, as they are laid down
# and as they are seen again. Of the pixels where CarRacing's road meets the grass 5.2 % are of shades half way between
# the two; seen again within 16 steps, 12.2 % with 1, 6.8 % with 1.4, 5.3 % with 1.7 and 3.8 % with 2.5. What was laid
# down soft and sharpened when it was seen was a quarter farther off (squared error) and had 6.4 %, and judges of clips
# that showed real land so (`evaluate.tell`) were right on 75 % [69, 80]; with 1.7 on 65 % [58, 70].
STEEP = 1.7
# How much a new sight of a place counts beside earlier ones in what all sights together tell of it, as far as those fit
# to what is seen around it now (Karis 2014, "High-quality temporal supersampling"). Where edges jump from pixel to
# pixel, many sights tell where they are: of the road's pixels 0.7 and 1.0 % were wrong at its rims after 5 steps of
# CarRacing (cameras of a driver and of random keys, moved as they truly were) where the last sight alone counted, 0.5
# and 0.8 % with 0.3; the squared error of known land fell from 50e-6 and 60e-6 to 40e-6. But such rims glide: judges of
# 640 clips were right on 70.2 % [66.5, 73.6] where dreams at temperature 1 showed them, on 66.1 % [62.3, 69.7] where
# they showed the last sight.
FRESH = 0.3


def rotate(vectors: Tensor, angle: Tensor) -> Tensor:
    """Vectors [B, ..., 2] turned by angle [B]."""
    shape = (-1,) + (1,) * (vectors.dim() - 2)
    cosine, sine = angle.cos().view(shape), angle.sin().view(shape)
    x, y = vectors[..., 0], vectors[..., 1]
    return torch.stack((cosine * x - sine * y, sine * x + cosine * y), dim=-1)


def compose(pose: Tensor, motion: Tensor) -> Tensor:
    """The pose [B, 3] after a motion [B, 3] that is given in the camera's own directions."""
    shift = rotate(motion[:, None, :2], pose[:, 2]).squeeze(1)
    return torch.cat((pose[:, :2] + shift, pose[:, 2:] + motion[:, 2:]), dim=-1)


def between(pose: Tensor, after: Tensor) -> Tensor:
    """The motion [B, 3] that leads from one pose [B, 3] to the other: `compose`'s second argument."""
    shift = rotate((after - pose)[:, None, :2], -pose[:, 2]).squeeze(1)
    return torch.cat((shift, after[:, 2:] - pose[:, 2:]), dim=-1)


def journey(motions: Tensor) -> Tensor:
    """Poses [B, T, 3] after each of motions [B, T, 3]: `compose` from the origin on, all at once."""
    angle = motions[..., 2].cumsum(1)
    shift = rotate(motions[..., :2].flatten(0, 1), (angle - motions[..., 2]).flatten()).view_as(motions[..., :2])
    return torch.cat((shift.cumsum(1), angle[..., None]), dim=-1)


def pixel_centres(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Pixel centres [H, W, 2] as (x, y), measured from the middle of the picture."""
    y = torch.arange(height, device=device) + 0.5 - height / 2
    x = torch.arange(width, device=device) + 0.5 - width / 2
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def seen_from(motion: Tensor, stretch: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel after a motion [B, 3] lay in the picture before it: [B, H, W, 2], from the middle.

    stretch [2]: pixels per unit of length along x and y. A game that squeezes its picture turns in squeezed circles.
    """
    rays = (pixel_centres(height, width, motion.device) / stretch).expand(motion.shape[0], -1, -1, -1)
    return (rotate(rays, motion[:, 2]) + motion[:, None, None, :2]) * stretch


def sample(pictures: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples [B, C, h, w] of pictures [B, C, H, W] at points [B, h, w, 2] from the middle; 0 outside."""
    height, width = pictures.shape[-2:]
    scale = torch.tensor([2.0 / width, 2.0 / height], device=points.device)
    return F.grid_sample(pictures, points * scale, align_corners=False)


def inside(points: Tensor, height: int, width: int) -> Tensor:
    """Which points [..., 2] lie on the picture, so that all four neighbours are real: bool [...]."""
    return (points[..., 0].abs() <= width / 2 - 0.5) & (points[..., 1].abs() <= height / 2 - 0.5)


def _slopes(picture: Tensor, skip: int) -> tuple[Tensor, Tensor]:
    """Derivatives along x and y at every `skip`-th row and column of [B, C, H, W], by central differences; 0 at the
    rim."""
    rows, columns = picture[..., ::skip, :], picture[..., ::skip]
    along_x = F.pad((rows[..., 2:] - rows[..., :-2]) / 2, (1, 1))[..., ::skip]
    along_y = F.pad((columns[..., 2:, :] - columns[..., :-2, :]) / 2, (0, 0, 1, 1))[..., ::skip, :]
    return along_x, along_y


def softened(picture: Tensor) -> Tensor:
    """Mean of each pixel [B, C, H, W] and its neighbours.

    Rows first, then columns: on a CPU a fifth of the time of torch's own pooling.
    """
    for side in (-2, -1):
        last = picture.shape[side] - 1
        around = F.pad(picture, (0, 0, 1, 1) if side == -2 else (1, 1))
        counted = torch.full((last + 1,), 3.0, device=picture.device)
        counted[0] = counted[last] = 2.0
        parts = [around.narrow(side, start, last + 1) for start in range(3)]
        picture = (parts[0] + parts[1] + parts[2]) / (counted[:, None] if side == -2 else counted)
    return picture


def shrunk(picture: Tensor, side: int) -> Tensor:
    """Means of squares of so many pixels of [B, C, H, W], H and W multiples of `side`: [B, C, H/side, W/side].

    On a CPU a fifth to a half of the time of torch's own pooling.
    """
    rows = reduce(torch.add, (picture[..., start::side, :] for start in range(side)))
    return reduce(torch.add, (rows[..., start::side] for start in range(side))) / side**2


@torch.no_grad()
def most_around(picture: Tensor) -> Tensor:
    """The most that each pixel and its eight neighbours have of each channel, of [B, H, W, C].

    Rows first, then columns: on a CPU a tenth of the time of torch's own pooling.
    """
    for side in (1, 2):
        length = picture.shape[side] - 1
        most = picture.clone()
        for here, there in ((0, 1), (1, 0)):
            part = most.narrow(side, here, length)
            torch.maximum(part, picture.narrow(side, there, length), out=part)
        picture = most
    return picture


def extremes(picture: Tensor, valid: Tensor) -> Tensor:
    """Of each pixel and its neighbours, as far as they are valid [B, 1, H, W]: the most that they show of each channel
    of [B, C, H, W] in [0, 1], and one less the least: [B, H, W, 2C], where what is wanted of a pixel lies together."""
    both = torch.cat((picture * valid, (1.0 - picture) * valid), dim=1)
    return most_around(both.movedim(1, -1).contiguous())


def steepened(colour: Tensor, bounds: Tensor, steep: float) -> Tensor:
    """Colours [..., C] in [0, 1] between the `extremes` [..., 2C] of where they lie, so many times as far from the
    middle of the two, and never beyond them.

    What overshoots is a colour that no place has: grey roads under green grass had a purple rim.
    """
    highest, dark = bounds.chunk(2, dim=-1)
    lowest = 1.0 - dark
    return torch.lerp((lowest + highest) / 2, colour, steep).clamp_(lowest, highest)


# Rounds in which pictures are laid over each other: at which part of their size, by every so manieth pixel, and from
# what difference on a pixel is let go of. The last one costs as much as the others together.
_ROUNDS = ((4, 1, 0.15), (2, 1, 0.15), (1, 2, 0.15))
_LAST_ROUND = (1, 1, 0.03)


@torch.no_grad()
def align(before: Tensor, after: Tensor, motion: Tensor, stretch: Tensor, loose: Tensor, last: bool = True) -> Tensor:
    """Motions [B, 3] made exact to a fraction of a pixel by laying one picture over the other.

    Gauss-Newton on the difference of the pictures from small to full size, with the second picture's slopes (Lucas and
    Kanade 1981; Baker and Matthews 2004, inverse compositional), and weights that let go of what does not fit. loose
    [1, 1, H, W]: 1 where a pixel may move; last: whether there is to be a last round, by all pixels. Where there is
    nothing to hold on to, the first guess stays.

    At full size the pictures are softened: edges that jump from pixel to pixel, as a game draws them, say where they
    are only together with their neighbours. Of CarRacing's camera a motion was 0.048 and 0.074 units and 0.0022 radians
    off without that (x, y, turn; root of the mean square of 960 steps), 0.013, 0.017 and 0.0006 with it; and the sum of
    15 motions 0.33, 0.44 and 0.009, and 0.07, 0.09 and 0.003.
    """
    height, width = before.shape[-2:]
    held = 2e-2 * torch.diag(torch.tensor([1.0, 1.0, 100.0], device=before.device))
    shown = loose.expand(len(before), -1, -1, -1)
    around = softened(loose).clamp_min(1e-3)
    sharp = torch.cat((before, shown), dim=1), after
    soft = torch.cat((softened(before * loose) / around, shown), dim=1), softened(after * loose) / around
    for shrink, skip, doubt in (*_ROUNDS, _LAST_ROUND) if last else _ROUNDS:
        old, new, may = (*soft, loose) if shrink == 1 else (shrunk(x, shrink) for x in (*sharp, loose))
        slope_x, slope_y = (slope / shrink for slope in _slopes(new, skip))
        new, may = new[..., ::skip, ::skip], may[..., ::skip, ::skip]
        centres = pixel_centres(height // shrink, width // shrink, before.device)[::skip, ::skip] * shrink
        x, y = centres.unbind(-1)
        turn = slope_y * (stretch[1] * x / stretch[0]) - slope_x * (stretch[0] * y / stretch[1])
        jacobian = torch.stack((slope_x * stretch[0], slope_y * stretch[1], turn), dim=1).flatten(2)
        rays = (centres / stretch).expand(len(motion), -1, -1, -1)
        points = (rotate(rays, motion[:, 2]) + motion[:, None, None, :2]) * stretch
        moved = sample(old, points / shrink)
        wrong = new - moved[:, :3]
        free = (moved[:, 3:] > 0.9) & (may > 0.9) & inside(points, height, width)[:, None]
        weighted = jacobian * (free / (1.0 + (wrong / doubt).square())).flatten(1)[:, None]
        hold = held / shrink**2  # fewer pixels at a smaller size
        change = torch.linalg.solve(weighted @ jacobian.mT + hold, weighted @ wrong.flatten(1)[..., None]).squeeze(-1)
        # A step further than this was not read off the pictures but off a mistake.
        change = torch.cat((change[:, :2].clamp(-2.0, 2.0), change[:, 2:].clamp(-0.08, 0.08)), dim=-1)
        motion = compose(motion, change)
    return motion


def _bytes(colour: Tensor) -> Tensor:
    """Colours in [0, 1] as a map keeps them."""
    return (colour * 255.0).round().clamp(0, 255).to(torch.uint8)


class Map:
    """Reads and writes maps uint8 [B, 8, N, N] through a camera, two layers of a colour and where it is known (0, 255).

    The first layer shows what was last seen or imagined of a place, the second what all sights together tell of it, see
    FRESH, and is known only where it was really seen. The map has no edge: texel (i, j) stands for the place nearest
    the camera that is congruent to it modulo N.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        # Half as wide again as the frame: its corners may not see the other side of the world, however it is turned.
        self.size = math.ceil(1.5 * max(height, width) * DETAIL)

    def empty(self, batch: int, device: torch.device) -> Tensor:
        """Maps of places nobody has seen."""
        return torch.zeros(batch, 8, self.size, self.size, dtype=torch.uint8, device=device)

    def read(self, maps: Tensor, pose: Tensor, stretch: Tensor, real: bool = False) -> tuple[Tensor, Tensor]:
        """What the camera sees: colour [B, 3, H, W] in [0, 1] (0 where unknown) and known, bool [B, 1, H, W].

        real: of the second layer.
        """
        rays = (pixel_centres(self.height, self.width, maps.device) / stretch).expand(len(maps), -1, -1, -1)
        places = (rotate(rays, pose[:, 2]) + pose[:, None, None, :2]).flatten(1, 2) * DETAIL - 0.5
        corner = places.floor()
        right, below = (places - corner).unbind(-1)
        x, y = (corner.long() % self.size).unbind(-1)
        next_x, next_y = (x + 1) % self.size, (y + 1) % self.size
        layer = maps[:, 4:] if real else maps[:, :4]
        flat, seen = layer.flatten(2), torch.zeros((), device=maps.device)
        # Bilinear, by hand: of all that a map knows, four texels are wanted for each pixel.
        for column, row, weight in (
            (x, y, (1 - right) * (1 - below)),
            (next_x, y, right * (1 - below)),
            (x, next_y, (1 - right) * below),
            (next_x, next_y, right * below),
        ):
            texels = flat.gather(2, (row * self.size + column)[:, None].expand(-1, flat.shape[1], -1))
            seen = seen + texels * (weight / 255.0)[:, None]
        seen = seen.unflatten(2, (self.height, self.width))
        weight = seen[:, 3:4]
        known = weight > 0.6
        return seen[:, :3] / weight.clamp_min(0.6) * known, known

    def _offsets(self, maps: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Of every column and every row of texels [B, N] from the camera, in texels along x and y."""
        centres = torch.arange(self.size, device=maps.device) + 0.5
        offset_x = (centres - pose[:, :1] * DETAIL + self.size / 2) % self.size - self.size / 2
        offset_y = (centres - pose[:, 1:2] * DETAIL + self.size / 2) % self.size - self.size / 2
        return offset_x, offset_y

    def _near(self, offset_x: Tensor, offset_y: Tensor) -> Tensor:
        """Which texels are near enough to be remembered, bool [B, 1, N, N]."""
        far = self.size / 2 - RIM
        return ((offset_x.abs() <= far)[:, None, :] & (offset_y.abs() <= far)[:, :, None])[:, None]

    def forget(self, maps: Tensor, pose: Tensor) -> Tensor:
        """Maps without what is far from the camera: all that `write` does where nothing is valid."""
        return maps * self._near(*self._offsets(maps, pose))

    def write(self, maps: Tensor, pose: Tensor, stretch: Tensor, picture: Tensor, valid: Tensor, real: bool) -> Tensor:
        """Maps with the picture [B, 3, H, W] in [0, 1] laid down where `valid` [B or 1, 1, H, W] is 1.

        real: the picture was seen, replaces what was there, and counts in the second layer; an imagined one only fills
        what nobody knew. Its edges become steeper, see STEEP.
        """
        offset_x, offset_y = self._offsets(maps, pose)
        cosine, sine = pose[:, 2:].cos(), pose[:, 2:].sin()
        # From texels to halves of the picture, as `grid_sample` counts.
        wide, high = stretch[0] * 2.0 / (DETAIL * self.width), stretch[1] * 2.0 / (DETAIL * self.height)
        across = (offset_x * cosine * wide)[:, None, :] + (offset_y * sine * wide)[:, :, None]
        down = (offset_y * cosine * high)[:, :, None] - (offset_x * sine * high)[:, None, :]
        valid = valid.expand(len(maps), -1, -1, -1)
        both = torch.cat((picture, valid), dim=1)
        found = F.grid_sample(both, torch.stack((across, down), dim=-1), align_corners=False)
        fresh = found[:, 3:] > 0.99  # where all four neighbours are valid and none lies outside
        kept = maps * self._near(offset_x, offset_y)
        if not real:
            fresh = fresh & (kept[:, 3:4] == 0)
        where, row, column = torch.nonzero(fresh.squeeze(1), as_tuple=True)
        # Of the pixel that a texel lies in: the least and the most that it and its valid neighbours show.
        pixel_x, pixel_y = (
            ((part[where, row, column] + 1.0) * (size / 2)).long().clamp(0, size - 1)
            for part, size in ((across, self.width), (down, self.height))
        )
        bounds = extremes(picture, valid)[where, pixel_y, pixel_x]
        colour = steepened(found[where, :3, row, column], bounds, STEEP)
        kept[where, :3, row, column] = _bytes(colour)
        kept[:, 3:4].masked_fill_(fresh, 255)
        if real:
            highest, dark = bounds.chunk(2, dim=-1)
            before = (kept[where, 4:7, row, column] / 255.0).clamp(1.0 - dark, highest)
            seen = kept[where, 7, row, column] > 0
            fused = torch.where(seen[:, None], torch.lerp(before, colour, FRESH), colour)
            kept[where, 4:7, row, column] = _bytes(fused)
            kept[:, 7:].masked_fill_(fresh, 255)
        return kept
