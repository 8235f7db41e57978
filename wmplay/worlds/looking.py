"""What a camera of a canvas sees where it stands: the map where it is known, elsewhere what the painter makes of it.

Shapes: B batch, K colours, H W frame, N side of the map, Z sprite code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wmplay.worlds.camera import Vision
from wmplay.worlds.geometry import Map, crisp
from wmplay.worlds.painter import Painter, whole

# How strongly the painter's noise acts at temperature 1. Noise that neighbours share adds up: at 1 the grass of
# CarRacing grew holes. A slot's dreams, driven by sight, were on a road in 97 % of 1,000 steps at 0.35 and in 96 % at
# 0.4 (64 dreams); in 300 steps of 32 dreams, in 99 % at 0.25, but roads hardly bent, and in 94 % at 0.5, where
# they cross and end more often than the game's. Sharper painters need less.
CHANCE = 0.35
# How near two colours must be in the choice of a pixel for it to show something of both. At 0 the edges of dreamed
# roads were ragged; at 0.7 there were smears on the grass.
BLEND = 0.3
# How much of the softness that sampling brought is taken from what was read of the map. Of neighbouring pixels of
# CarRacing 1.25 % differ by more than a tenth in brightness; read two steps later 1.18 % do, and 0.54 % without it.
CRISP = 0.8


def look_around(
    vision: Vision,
    painter: Painter,
    paper: Map,
    canvas: Tensor,
    pose: Tensor,
    sprite: Tensor,
    guide: Tensor,
    wide: Tensor,
    chance: Tensor,
    temperature: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The frame [B, 3, H, W] from a pose, which pixels [B, 1, H, W] were known, and the map with what was painted.

    Above temperature 0 the painter chooses, at edges a little of both sides, and goes on from what it chose before. At
    0 it shows what is to be expected of a place, colours mixed by their probability, given only what was really seen;
    nothing of that is kept.

    paper: how maps are read and written; canvas uint8 [B, 5, N, N]: the maps themselves. pose [B, 3]; sprite [B, Z];
    guide and wide: what the painter goes by; chance [B, K, 12, 12]: standard normal noise.
    """
    stretch, loose = vision.stretch(), vision.loose()
    colour, known, real = paper.read(canvas, pose, stretch)
    if temperature == 0.0:
        known = real
    sure = known.float() * loose
    fixed = (1.0 - loose).expand(len(pose), -1, -1, -1)
    logits = whole(painter(colour * sure, sure, fixed, guide, wide)).float()
    if temperature == 0.0:
        painted = vision.palette.mix(logits.softmax(1))
    else:
        field = F.interpolate(chance, logits.shape[-2:], mode="bilinear", align_corners=False)
        # Gumbel noise that changes slowly from pixel to pixel: neighbours that are free to choose choose alike.
        # Between its nodes the field varies less than at them: 1.5 makes its deviation 1 on the whole.
        uniform = torch.special.ndtr(1.5 * field).clamp(1e-4, 1.0 - 1e-4)
        chosen = logits - CHANCE * temperature * torch.log(-torch.log(uniform))
        painted = vision.palette.mix((chosen / BLEND).softmax(1))
    world = torch.where(known, colour, painted)
    if temperature == 0.0:
        canvas = paper.forget(canvas, pose)
    else:
        canvas = paper.write(canvas, pose, stretch, world, loose, real=False)
    world = torch.where(known, crisp(world, CRISP), world)
    # A soft screen mask blends the rim of what is fixed into the world behind it.
    soft = vision.fixed()
    return world * (1.0 - soft) + vision.show_sprite(sprite) * soft, known, canvas
