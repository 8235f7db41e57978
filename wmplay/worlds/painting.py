"""How a painter learns: what lay ahead of a camera, known from where it was later.

Shapes: B batch, T time, H W frame.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wmplay.worlds.blocks import detached, full_precision, to_float, transitions
from wmplay.worlds.camera import Vision
from wmplay.worlds.geometry import between, journey
from wmplay.worlds.glances import GLANCE_SIZE
from wmplay.worlds.painter import EXPECTED, MODES, Painter, blocks
from wmplay.worlds.protocol import Segment

# Share of pictures in which the painter is not led by where the camera went and by the keys. Whoever played knew where
# the road would go, some of it beyond the frame: where they went straight on, so did the road. Whoever plays a dream
# waits to see where its road goes, and a painter that took that for an answer would paint straight roads alone (what an
# agent does itself is no evidence of the world: Ortega et al. 2021, arXiv 2110.10819). So dreams are painted unled, and
# what is to be expected, for dreams that are to be as near to the game as can be, is learned from the others alone.
UNLED = 0.4
# How much every mode learns from every picture, so that none is left behind.
FAIR = 0.03
# The answer of a pixel that is not asked.
UNASKED = -1


def painting_loss(
    vision: Vision, painter: Painter, segment: Segment, action: Tensor, generator: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """How unlikely the colours in a segment's last frame are that could not be seen from an earlier one.

    How much earlier is drawn by lot, squared: near edges are what a dream paints most of the time. In every tenth
    nothing at all is known. segment: frames, with what was encoded beside; action [B, T, A]: encoded.
    """
    assert segment.encoded is not None
    batch, rows = segment.reward.shape
    valid, keep = transitions(segment.first, segment.mask)
    motion = segment.encoded[..., :3] * valid[..., None]
    lot = torch.rand(batch, 5, generator=generator, device=motion.device)
    since = (lot[:, 0].square() * (rows - 1)).long() + 1
    # Only what lies in the last frame's own episode.
    back = torch.minimum(since, valid[:, 1:].flip(1).cumprod(1).sum(1))
    everyone = torch.arange(batch, device=motion.device)
    poses = journey(motion)
    pose = between(poses[everyone, rows - 1 - back], poses[:, -1])
    seen = to_float(segment.observation[everyone, rows - 1 - back]).contiguous()
    picture = to_float(segment.observation[:, -1]).contiguous()
    fixed = (vision.fixed() > 0.5).float().expand(batch, -1, -1, -1).contiguous()
    with full_precision(picture), torch.no_grad():
        colour, known = vision.glimpse(seen, pose, lot[:, 1:3] - 0.5)
        known = known * (lot[:, 3] > 0.1)[:, None, None, None]
    steps = vision.told(motion, action * valid[..., None])
    glances = segment.encoded[..., -GLANCE_SIZE:].float()
    real = (torch.arange(rows, device=motion.device) < (rows - back)[:, None]).float()
    looks = painter.seen(glances, real[..., None])
    led = lot[:, 4] > UNLED
    guide = painter.follow_segment(steps, looks, keep) * led[:, None]
    wide = vision.wide(glances[everyone, rows - 1 - back], pose)
    features, modes = painter(colour * known, known, fixed, guide, wide)
    unknown = ((known + fixed) == 0.0).squeeze(1)
    # Only blocks in which something is asked are worth a softmax and an answer: they would cost more than all layers.
    asked = blocks(unknown)
    some = asked.any(-1)
    found, of = features[some], everyone[:, None, None].expand_as(some)[some]
    pixels = torch.stack([blocks(channel) for channel in picture.unbind(1)], dim=-1)[some]
    answer = vision.palette.nearest(pixels).masked_fill(~asked[some], UNASKED).flatten()
    costs = []
    for head in (*range(MODES), EXPECTED):
        logits = painter.colours_of(found, head).flatten(0, 1).float()
        cost = F.cross_entropy(logits, answer, reduction="none", ignore_index=UNASKED).view(-1, 4).sum(1)
        costs.append(cost.new_zeros(batch).index_add(0, of, cost))
    fit, count = -torch.stack(costs[:MODES], 1), asked.flatten(1).sum(1)
    mixture, nll = mixture_loss(fit, modes, count)
    if painter.training:
        painter.foretells.fill_(True)
    expected = (costs[EXPECTED] * led).sum() / (count * led).sum().clamp_min(1)
    share = (modes.log_softmax(1) + fit.detach()).softmax(1)
    used = torch.exp(-(share.mean(0) * (share.mean(0) + 1e-9).log()).sum())
    loss = mixture + expected
    return loss, detached(loss=loss, nll=nll, expected=expected, modes=used, unknown=unknown.float().mean())


def mixture_loss(fit: Tensor, modes: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood under a mixture (Jacobs et al. 1991) of pictures whose log-likelihood is `fit` [B, M] in
    each mode, of modes' logits [B, M]; count [B]: pixels in each.

    Chosen pixel by pixel, colours would not fit together; each mode is a whole picture. Large pictures count more than
    small ones, but no more than by the root of their size: a dream paints strips. Returns what is to be made small, and
    nats per pixel.
    """
    chances = modes.log_softmax(1)
    best = -torch.logsumexp(chances + fit, 1)
    every = -fit.mean(1)
    weight = count.clamp_min(1.0).rsqrt()
    nll = best.sum() / count.sum().clamp_min(1.0)
    loss = (((1.0 - FAIR) * best + FAIR * every) * weight).sum() / (count * weight).sum().clamp_min(1.0)
    return loss, nll
