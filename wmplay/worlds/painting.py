"""How a painter learns: what lay ahead of a camera, known from where it was later.

Each picture is painted twice. Once the painter is led by where the camera went and by the keys, and learns what is to
be expected, for dreams that are to be as near to the game as can be. Whoever played knew where the road would go, some
of it beyond the frame: where they went straight on, so did the road. But whoever plays a dream waits to see where its
road goes, and a painter that took that for an answer would paint straight roads alone (what an agent does itself is no
evidence of the world: Ortega et al. 2021, arXiv 2110.10819). So once it is not led, and learns in which ways the world
may go on. And a dream goes on from what it painted itself, so some lessons do (scheduled sampling: Bengio et al. 2015).

Shapes: B batch, T time, H W frame.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wmplay.worlds.blocks import detached, full_precision, noise_like, to_float, transitions
from wmplay.worlds.camera import Vision
from wmplay.worlds.geometry import compose
from wmplay.worlds.glances import GLANCE_SIZE
from wmplay.worlds.painter import BLEND, GUIDE, WAY, Painter, Sight, blocks, whole
from wmplay.worlds.protocol import Segment

# What the nats of a way's number count. A head of its own foresees it, so that matters to nothing else.
FORESEEN = 0.1
# Share of pictures that go on from what the painter itself made of the land next to what is known, in the way in which
# it came, as wide as this in pixels. Going on from its own work alone, roads were straight: after 330 s of the painter
# on one thread they bent by 18 degrees in 100 units of the way, and by 40 where half of the pictures were such.
OWN, WIDEST = 1 / 3, 9


def painting_loss(
    vision: Vision, painter: Painter, segment: Segment, action: Tensor, generator: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """How unlikely the colours in a segment's last frame are that could not be seen from an earlier one; led, and in
    the way in which they came.

    How much earlier is drawn by lot, squared where what is known is real: near edges are what a dream paints most of
    the time. In every tenth nothing at all is known. segment: frames, with what was encoded beside; action [B, T, A]:
    encoded.
    """
    assert segment.encoded is not None
    batch, rows = segment.reward.shape
    valid, keep = transitions(segment.first, segment.mask)
    motion = segment.encoded[..., :3] * valid[..., None]
    lot = torch.rand(batch, 4, generator=generator, device=motion.device)
    own = int(OWN * batch)
    since = (torch.cat((lot[:own, 0], lot[own:, 0].square())) * (rows - 1)).long() + 1
    pose = torch.zeros_like(motion[:, 0])
    back = torch.zeros_like(since)
    together = torch.ones_like(valid[:, 0])
    for i in range(rows - 1, 0, -1):
        together = together & valid[:, i] & (back < since)
        # One step earlier: that step comes before all that was added up.
        pose = torch.where(together[:, None], compose(motion[:, i], pose), pose)
        back = back + together
    everyone = torch.arange(batch, device=motion.device)
    seen = to_float(segment.observation[everyone, rows - 1 - back]).contiguous()
    picture = to_float(segment.observation[:, -1]).contiguous()
    fixed = (vision.fixed() > 0.5).float().expand(batch, -1, -1, -1).contiguous()
    pose = vision.exact_motion(seen, picture, pose)
    with full_precision(picture), torch.no_grad():
        colour, known = vision.glimpse(seen, pose, lot[:, 1:3] - 0.5)
        known = known * (lot[:, 3] > 0.1)[:, None, None, None]
    steps = vision.told(motion, action * valid[..., None])
    glances = segment.encoded[..., -GLANCE_SIZE:].float()
    guide = motion.new_zeros(batch, GUIDE)
    real = (torch.arange(rows, device=motion.device) < (rows - back)[:, None]).float()
    looks = painter.seen(glances, real[..., None])
    for i in range(rows):
        guide = painter.follow(guide * keep[:, i, None], steps[:, i], looks[:, i])
    wide = vision.wide(glances[everyone, rows - 1 - back], pose)
    colour, known = colour * known, known.float()
    sight = painter.sight(colour, known, fixed, wide)
    asked = blocks(((known + fixed) == 0.0).squeeze(1))
    pixels = torch.stack([blocks(channel) for channel in picture.unbind(1)], dim=-1)[asked]
    answer = torch.zeros(asked.shape, dtype=torch.int64, device=asked.device)
    answer[asked] = vision.palette.nearest(pixels)

    def cost(guide: Tensor, way: Tensor) -> Tensor:
        """Nats [B] of each picture."""
        # Only what is asked is worth a softmax and an answer: they would cost more than all layers.
        some = asked.any(-1)
        logits = painter.colours_of(painter(sight, guide, way)[some])[asked[some]].float()
        of = everyone[:, None, None, None].expand_as(asked)[asked]
        nats = F.cross_entropy(logits, answer[asked], reduction="none")
        return nats.new_zeros(batch).index_add(0, of, nats)

    nobody, anyway = torch.zeros_like(guide), guide.new_zeros(batch, WAY)
    expected = cost(guide, anyway).sum() / asked.sum().clamp_min(1)
    if own:
        few = _painted_on(vision, painter, sight.first(own), colour, known, fixed, picture, generator)
        sight = sight.replaced(painter.sight(*few, fixed[:own], wide[:own]))
        known = torch.cat((few[1], known[own:]))
        asked = blocks(((known + fixed) == 0.0).squeeze(1))
    way, told = painter.taught(sight, picture, fixed, noise_like(anyway, generator))
    found, count = cost(nobody, way) + told, asked.flatten(1).sum(1)
    # Large pictures count more than small ones, but no more than by the root of their size: a dream paints strips.
    weight = count.clamp_min(1).rsqrt()
    foreseen = painter.unlikely(sight, way).mean() / WAY
    loss = (found * weight).sum() / (count * weight).sum().clamp_min(1) + expected + FORESEEN * foreseen
    nll = found.sum() / count.sum().clamp_min(1)
    return loss, detached(
        loss=loss, nll=nll, expected=expected, told=told.mean(), foreseen=foreseen, unknown=asked.float().mean()
    )


@torch.no_grad()
def _painted_on(
    vision: Vision,
    painter: Painter,
    sight: Sight,
    colour: Tensor,
    known: Tensor,
    fixed: Tensor,
    picture: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Colour and known, where there is sight of them, after a stroke in the painter's own hand, in the way in which the
    picture came."""
    colour, known, fixed, picture = (part[: len(sight.hint)] for part in (colour, known, fixed, picture))
    nobody = torch.zeros_like(sight.hint)
    way, _ = painter.taught(sight, picture, fixed, noise_like(nobody[:, :WAY], generator))
    painted = whole(vision.palette.shown(painter.colours_of(painter(sight, nobody, way)), BLEND))
    reach = int(torch.randint(2, WIDEST + 1, (), generator=generator, device=known.device))
    near = F.max_pool2d(known, 2 * reach + 1, 1, reach).bool() & ~known.bool() & ~fixed.bool()
    return torch.where(near, painted, colour), torch.where(near, 1.0, known)
