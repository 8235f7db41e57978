"""How a painter learns: what lay ahead of a camera, known from where it was later.

Shapes: B batch, T time, H W frame.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wmplay.worlds.blocks import detached, full_precision, to_float, transitions
from wmplay.worlds.camera import Vision
from wmplay.worlds.geometry import compose
from wmplay.worlds.glances import GLANCE_SIZE
from wmplay.worlds.painter import GUIDE, Painter, blocks
from wmplay.worlds.protocol import Segment


def painting_loss(
    vision: Vision, painter: Painter, segment: Segment, action: Tensor, generator: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy of the colours in a segment's last frame that could not be seen from an earlier one.

    How much earlier is drawn by lot, squared: near edges are what a dream paints most of the time. In every tenth
    nothing at all is known. segment: frames, with what was encoded beside; action [B, T, A]: encoded.
    """
    assert segment.encoded is not None
    batch, rows = segment.reward.shape
    valid, keep = transitions(segment.first, segment.mask)
    motion = segment.encoded[..., :3] * valid[..., None]
    lot = torch.rand(batch, 4, generator=generator, device=motion.device)
    since = (lot[:, 0].square() * (rows - 1)).long() + 1
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
    choices = painter(colour * known, known, fixed, guide, wide)
    unknown = ((known + fixed) == 0.0).squeeze(1)
    # Only what is asked is worth a softmax and an answer: they would cost more than all layers.
    asked = blocks(unknown)
    pixels = torch.stack([blocks(channel) for channel in picture.unbind(1)], dim=-1)[asked]
    logits, answer = choices[asked].float(), vision.palette.nearest(pixels)
    loss = F.cross_entropy(logits, answer) if len(answer) else choices.sum() * 0.0
    right = (logits.detach().argmax(-1) == answer).float().sum() / max(1, len(answer))
    return loss, detached(loss=loss, nll=loss, accuracy=right, unknown=unknown.float().mean())
