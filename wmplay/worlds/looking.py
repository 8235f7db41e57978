"""What a camera of a canvas sees of the world: the map where it is known, elsewhere what the painter makes of it.

Shapes: B batch, M modes, H W frame, N side of the map.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wmplay.worlds.blocks import expand_like
from wmplay.worlds.camera import Vision
from wmplay.worlds.geometry import Map
from wmplay.worlds.painter import EXPECTED, MODES, Painter, blocks, whole
from wmplay.worlds.pattern import Tile

# Share of the frame that must be new before it is laid down in the map, in one stroke. Until then it is painted afresh
# in each picture. Laid down as it came, roads were made of strips of a pixel or two, whose edges did not quite meet. Of
# the steps of 32 dreams 99.3 % showed a car on a road, 98.7 % where all was laid down at once, and 96.8 % where it was
# painted ten pixels ahead.
STROKE = 0.08
# How much of what decides the mode is left after a stroke. A mode is a way in which all that lies ahead goes on, so it
# is kept for a while, and does not change while one stands still.
HELD = 0.87
# Pictures for which a mode is drawn at once, since it is held for about as many strokes: one that would come up in one
# of them counts as if it did. A bend begins with odds of a few percent in a picture, and held straight roads would go
# on for ever: a driver turned 30 degrees in 100 units of dreamed roads where modes were drawn by their own odds, 38
# where for all pictures that they were held for.
PICTURES_AHEAD = 1.0 / (1.0 - HELD)
# Modes less likely than this part of the likeliest are not drawn (min-p: Nguyen et al. 2024, arXiv 2407.01082). What is
# that rare was hardly ever taught: the black beyond the field's edge came up anywhere and spread. Of a slot of 15
# minutes 81 % of 32 dreams showed a car on a road after 500 steps with 0, 97 % with 0.02, all with 0.05 and 0.1. Bends
# are rare, too: roads of another such slot, where one mode came five times of six, bent by 34 degrees in 100 units with
# 0.01, 28 with 0.02, 19 with 0.03, 14 with 0.05 and 10 with 0.1 (the game's by 65). But of the shipped slot, whose
# roads bend as much with either, judges were right on 74 % [68, 79] of clips with 0.03, on 70 % [64, 76] with 0.1.
FLOOR = 0.1
# How near two colours must be in the choice of a pixel for it to show something of both. At 0 the edges of dreamed
# roads were ragged; at 0.7, in maps that were softer than they are now, there were smears on the grass. Of the pixels
# where new road meets the grass 4.2 % were half way between the two at 0.3, 4.6 % at 0.4 and 5.3 % at 0.5, of the
# game's 5.3 %.
BLEND = 0.5
# Below this, how a pattern lies is better read off what is in sight.
TRUSTED = 0.3
# The logit of what is not drawn: no noise lifts it above the others.
NEVER = -1e4


def look_around(
    vision: Vision,
    painter: Painter,
    paper: Map,
    canvas: Tensor,
    pose: Tensor,
    guide: Tensor,
    wide: Tensor,
    tile: Tile,
    chance: Tensor,
    fresh: Tensor,
    temperature: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The world [B, 3, H, W] from a pose, the map with what was painted, and the `chance` to go on with.

    Above temperature 0 one of the painter's modes is drawn, by its `odds`, and its likeliest colours are chosen, at
    edges a little of both sides; it goes on from what it chose before. At 0 it shows what is to be expected of a place,
    all colours mixed by their probability, given only what was really seen; nothing of that is kept. A painter that was
    never taught what is to be expected mixes the colours of its modes.

    paper: how maps are read and written; canvas uint8 [B, 8, N, N]: the maps themselves. pose [B, 3]; guide and wide:
    what the painter goes by; tile: the pattern on the ground, as it was really seen. Who did not see it well looks for
    it in what is painted. chance [B, M]: standard normal noise that decides the mode; it becomes `fresh` [B, M] with
    each stroke, and where all is known, but not while what it decided is seen and not yet laid down.
    """
    stretch, loose = vision.stretch(), vision.loose()
    colour, known = paper.read(canvas, pose, stretch, real=temperature == 0.0)
    new = (loose * ~known).flatten(1).mean(1)
    chance = torch.where((new == 0.0)[:, None], fresh, chance)
    sure = known.float() * loose
    fixed = (1.0 - loose).expand(len(pose), -1, -1, -1)
    if temperature > 0.0:
        guide = torch.zeros_like(guide)  # see `painting.UNLED`
    seen = colour * sure
    doubtful = (tile.trust < TRUSTED) & (painter.pattern.lessons > 0)
    if doubtful.any():
        found = painter.pattern.found(seen, sure, pose, vision.palette, stretch)
        tile = Tile(*(torch.where(expand_like(doubtful, a), a, b) for a, b in zip(found, tile, strict=True)))
    hint = painter.pattern.foretold(tile, seen, pose, stretch)
    features, modes = painter(seen, sure, fixed, hint, guide, wide)
    asked = blocks(~known.squeeze(1)).any(-1)  # only what nobody knows is worth a choice
    # Picture by picture: a batch's logits are larger than a processor's cache.
    found = features[asked].split(asked.flatten(1).sum(1).tolist())
    if temperature == 0.0 and not painter.foretells:
        everything = torch.arange(MODES, device=pose.device)
        choice = [
            (painter.colours_of(part.expand(MODES, -1, -1), everything).float().softmax(-1) * share).sum(0)
            for part, share in zip(found, modes.softmax(1)[..., None, None, None], strict=True)
        ]
    else:
        if temperature == 0.0:
            drawn, blend = torch.full((len(pose),), EXPECTED, device=pose.device), 1.0
        else:
            # Gumbel noise, so that each mode is drawn by its odds (Maddison et al. 2014).
            uniform = torch.special.ndtr(chance).clamp(1e-4, 1.0 - 1e-4)
            drawn, blend = (odds(modes) - temperature * torch.log(-torch.log(uniform))).argmax(1), BLEND
        choice = [
            (painter.colours_of(part, mode).float() / blend).softmax(-1)
            for part, mode in zip(found, drawn, strict=True)
        ]
    painted = whole(torch.cat([part @ vision.palette.colours for part in choice]), asked)
    world = torch.where(known, colour, painted)
    laid = (new >= STROKE) & (temperature > 0.0)
    if laid.any():
        canvas = paper.write(canvas, pose, stretch, world, loose * laid[:, None, None, None], real=False)
    else:
        canvas = paper.forget(canvas, pose)
    chance = torch.where(laid[:, None], fresh, chance)
    return world, canvas, chance


def odds(modes: Tensor) -> Tensor:
    """Logits [B, M] of each mode coming up in one of PICTURES_AHEAD pictures at the least, from those of one; next to
    nothing for those under the FLOOR."""
    share = modes.softmax(1).clamp_max(1.0 - 1e-6)
    found = torch.log(-torch.expm1(PICTURES_AHEAD * torch.log1p(-share)).clamp_max(-1e-30))
    return found.masked_fill(share < FLOOR * share.amax(1, keepdim=True), NEVER)
