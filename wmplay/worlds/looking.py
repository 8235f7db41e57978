"""What a camera of a canvas sees of the world: the map where it is known, elsewhere what the painter makes of it.

Shapes: B batch, W way, H W frame, N side of the map.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wmplay.worlds.camera import Vision
from wmplay.worlds.geometry import Map, crisp
from wmplay.worlds.painter import BLEND, WAY, Painter, blocks, whole

# Share of the frame that must be new before it is laid down in the map, in one stroke. Until then it is painted afresh
# in each picture. Laid down as it came, roads were made of strips of a pixel or two, whose edges did not quite meet. Of
# the steps of 32 dreams 99.3 % showed a car on a road, 98.7 % where all was laid down at once, and 96.8 % where it was
# painted ten pixels ahead.
STROKE = 0.08
# How much of what decides the way is left after a stroke. A way is that of all that lies ahead, so it is kept for a
# while, and does not change while one stands still.
HELD = 0.87
# How much of the softness that sampling brought is taken from what was read of the map. Of neighbouring pixels of
# CarRacing 1.25 % differ by more than a tenth in brightness; read two steps later 1.18 % do, and 0.54 % without it.
CRISP = 0.8


def look_around(
    vision: Vision,
    painter: Painter,
    paper: Map,
    canvas: Tensor,
    pose: Tensor,
    guide: Tensor,
    wide: Tensor,
    chance: Tensor,
    fresh: Tensor,
    temperature: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The world [B, 3, H, W] from a pose, the map with what was painted, and the `chance` to go on with.

    Above temperature 0 a way is drawn in which it goes on, and its likeliest colours are chosen, at edges a little of
    both sides; it goes on from what it chose before. At 0 it shows what is to be expected of a place, all colours mixed
    by their probability, given only what was really seen; nothing of that is kept.

    paper: how maps are read and written; canvas uint8 [B, 5, N, N]: the maps themselves. pose [B, 3]; guide and wide:
    what the painter goes by. chance [B, W + 1]: standard normal noise that decides the way; it becomes `fresh` with
    each stroke, and where all is known, but not while what it decided is seen and not yet laid down.
    """
    stretch, loose = vision.stretch(), vision.loose()
    colour, known, real = paper.read(canvas, pose, stretch)
    if temperature == 0.0:
        known = real
    new = (loose * ~known).flatten(1).mean(1)
    chance = torch.where((new == 0.0)[:, None], fresh, chance)
    sure = known.float() * loose
    fixed = (1.0 - loose).expand(len(pose), -1, -1, -1)
    sight = painter.sight(colour * sure, sure, fixed, wide)
    if temperature > 0.0:
        # For why there is no guide, see `painting`.
        guide, way, blend = torch.zeros_like(guide), painter.drawn(sight, chance, temperature), BLEND
    else:
        way, blend = torch.zeros_like(chance[:, :WAY]), 1.0
    features = painter(sight, guide, way)
    asked = blocks(~known.squeeze(1)).any(-1)  # only what nobody knows is worth a choice
    # Picture by picture: a batch's logits are larger than a processor's cache.
    found = features[asked].split(asked.flatten(1).sum(1).tolist())
    tiles = torch.zeros(*asked.shape, 4, 3, device=pose.device)
    tiles[asked] = torch.cat([vision.palette.shown(painter.colours_of(part), blend) for part in found])
    painted = whole(tiles)
    world = torch.where(known, colour, painted)
    laid = (new >= STROKE) & (temperature > 0.0)
    if laid.any():
        canvas = paper.write(canvas, pose, stretch, world, loose * laid[:, None, None, None], real=False)
    else:
        canvas = paper.forget(canvas, pose)
    chance = torch.where(laid[:, None], fresh, chance)
    return torch.where(known, crisp(world, CRISP), world), canvas, chance
