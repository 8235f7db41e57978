"""How a painter learns: what lay ahead of a camera, known from where it was later.

Shapes: B batch, T time, H W frame.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from wmplay.worlds.blocks import detached, full_precision, to_float, transitions
from wmplay.worlds.camera import Vision
from wmplay.worlds.geometry import between, journey
from wmplay.worlds.glances import GLANCE_SIZE
from wmplay.worlds.looking import BLEND
from wmplay.worlds.painter import EXPECTED, GUIDE, MODES, Painter, blocks, whole
from wmplay.worlds.protocol import Segment

# Share of pictures in which the painter is not led by where the camera went and by the keys. Whoever played knew where
# the road would go, some of it beyond the frame: where they went straight on, so did the road. Whoever plays a dream
# waits to see where its road goes, and a painter that took that for an answer would paint straight roads alone (what an
# agent does itself is no evidence of the world: Ortega et al. 2021, arXiv 2110.10819). So dreams are painted unled.
# Those that are to be as near to the game as can be are led, but what is to be expected is learned from both kinds, as
# far as all that is known was seen, two pictures of three. After 420 s of a painter alone the squared error of 160
# starts was 4.4 and 13.2e-4 (player, 5 and 15 steps) and 4.0 and 13.8e-4 (expert); where it was learned from the led
# alone, two pictures of five, 4.7, 13.6, 4.1 and 14.3e-4.
UNLED = 0.4
# How much every mode learns from every picture, so that none is left behind.
FAIR = 0.03
# Share of pictures that go on from a stroke in the painter's own hand, beside what is known and at most this wide in
# pixels, as dreams do (scheduled sampling: Bengio et al. 2015, arXiv 1506.03099).
OWN, WIDEST = 1 / 3, 9
# The answer of a pixel that is not asked.
UNASKED = -1


class Lesson(NamedTuple):
    """What a painter is taught: the modes in which a picture may go on, what is to be expected of it, or both.

    unled: the share of pictures in which it is not led; as a dream will be that shows the one or the other.
    near: how much earlier a picture was seen from which it goes on is drawn by lot, to this power.
    """

    modes: bool
    expected: bool
    unled: float
    near: float


# Modes are learned from further away: in a strip at the edge a bend is a pixel, and what was worth telling apart were
# squares on the grass. After 210 s of modes from the painter of a slot of 15 minutes roads bent by 16 degrees in 100
# units where nearness was squared, by 42 with 1 and by 40 with 0.5 (the game's by 65). What is to be expected loses by
# it: after 170 s the squared error of 160 starts was 4.4 and 13.4e-4 (player) and 4.0 and 14.0e-4 (expert) with 1, with
# 2 it was 4.2, 13.0, 4.0 and 14.4e-4.
BOTH = Lesson(True, True, UNLED, near=2.0)
MODES_ALONE = Lesson(True, False, unled=1.0, near=1.0)
EXPECTED_ALONE = Lesson(False, True, unled=0.0, near=2.0)


def painting_loss(
    vision: Vision,
    painter: Painter,
    segment: Segment,
    action: Tensor,
    generator: torch.Generator,
    lesson: Lesson = BOTH,
) -> tuple[Tensor, dict[str, Tensor]]:
    """How unlikely the colours in a segment's last frame are that could not be seen from an earlier one.

    How much earlier is drawn by lot; in every tenth nothing at all is known. segment: frames, with what was encoded
    beside; action [B, T, A]: encoded.
    """
    assert segment.encoded is not None
    batch, rows = segment.reward.shape
    valid, keep = transitions(segment.first, segment.mask)
    stretch = vision.stretch().detach()
    motion = segment.encoded[..., :3] * valid[..., None]
    lot = torch.rand(batch, 3, generator=generator, device=motion.device)
    since = (lot[:, 0].pow(lesson.near) * (rows - 1)).long() + 1
    # Only what lies in the last frame's own episode.
    back = torch.minimum(since, valid[:, 1:].flip(1).cumprod(1).sum(1))
    everyone = torch.arange(batch, device=motion.device)
    poses = journey(motion)
    pose = between(poses[everyone, rows - 1 - back], poses[:, -1])
    seen = to_float(segment.observation[everyone, rows - 1 - back]).contiguous()
    picture = to_float(segment.observation[:, -1]).contiguous()
    fixed = (vision.fixed() > 0.5).float().expand(batch, -1, -1, -1).contiguous()
    with full_precision(picture), torch.no_grad():
        colour, known = vision.glimpse(seen, pose)
        known = known * (lot[:, 1] > 0.1)[:, None, None, None]
    glances = segment.encoded[..., -GLANCE_SIZE:].float()
    own = int(OWN * batch) if lesson.modes else 0
    only_seen = everyone >= own
    guide = motion.new_zeros(batch, GUIDE)
    if lesson.unled < 1.0:
        steps = vision.told(motion, action * valid[..., None])
        real = (torch.arange(rows, device=motion.device) < (rows - back)[:, None]).float()
        led = (lot[:, 2] >= lesson.unled) & only_seen
        guide = painter.follow_segment(steps, painter.seen(glances, real[..., None]), keep) * led[:, None]
    wide = vision.wide(glances[everyone, rows - 1 - back], pose)
    here, loose = torch.zeros_like(pose), vision.loose().expand(batch, -1, -1, -1)
    if painter.training and lesson == BOTH:  # later, others have learned by the pattern as it is
        painter.pattern.learn(seen, loose, vision.palette, stretch)
    tile = painter.pattern.found(seen, loose, here, vision.palette, stretch)
    hint = painter.pattern.foretold(tile, picture, pose, stretch)
    if own:
        more = stroke(vision, painter, generator, *(part[:own] for part in (colour, known, fixed, hint, wide, picture)))
        colour, known = (torch.cat((new, old[own:])) for new, old in zip(more, (colour, known), strict=True))
    features, modes = painter(colour, known, fixed, hint, guide, wide)
    unknown = (known + fixed) == 0.0
    asked = _Asked(vision, features, picture, unknown)
    count, loss, metrics = asked.count, features.new_zeros((), dtype=torch.float32), {}
    if lesson.modes:
        fit = -torch.stack([asked.cost(painter.colours_of(asked.features, mode)) for mode in range(MODES)], 1)
        mixture, metrics["nll"] = mixture_loss(fit, modes, count)
        share = (modes.log_softmax(1) + fit.detach()).softmax(1).mean(0)
        metrics["modes"] = torch.exp(-(share * (share + 1e-9).log()).sum())
        loss = loss + mixture
    if lesson.expected:
        if painter.training:
            painter.foretells.fill_(True)
        cost = asked.cost(painter.colours_of(asked.features, EXPECTED))
        metrics["expected"] = (cost * only_seen).sum() / (count * only_seen).sum().clamp_min(1)
        loss = loss + metrics["expected"]
    return loss, detached(loss=loss, **metrics, unknown=unknown.float().mean())


class _Asked:
    """The pixels of pictures [B, 3, H, W] where `which` [B, 1, H, W] is true, in blocks of 2 × 2.

    Only blocks in which something is asked are worth a softmax and an answer: they would cost more than all layers.

    some: bool [B, H/2, W/2], where N of them are; features [N, a]: a painter's there; of [N]: whose they are;
    count [B]: pixels asked.
    """

    def __init__(self, vision: Vision, features: Tensor, picture: Tensor, which: Tensor) -> None:
        asked = blocks(which.squeeze(1))
        self.some, self.count = asked.any(-1), asked.flatten(1).sum(1)
        self.features = features[self.some]
        self.of = torch.arange(len(picture), device=picture.device)[:, None, None].expand_as(self.some)[self.some]
        pixels = torch.stack([blocks(channel) for channel in picture.unbind(1)], dim=-1)[self.some]
        self._answer = vision.palette.nearest(pixels).masked_fill(~asked[self.some], UNASKED).flatten()

    def cost(self, logits: Tensor) -> Tensor:
        """Nats [B] of the pictures, given logits [N, 4, K]."""
        each = F.cross_entropy(logits.flatten(0, 1).float(), self._answer, reduction="none", ignore_index=UNASKED)
        return each.new_zeros(len(self.count)).index_add(0, self.of, each.view(-1, 4).sum(1))


@torch.no_grad()
def stroke(
    vision: Vision,
    painter: Painter,
    generator: torch.Generator,
    colour: Tensor,
    known: Tensor,
    fixed: Tensor,
    hint: Tensor,
    wide: Tensor,
    picture: Tensor,
) -> tuple[Tensor, Tensor]:
    """Colour and known after a stroke in the painter's own hand, unled, in the mode that is nearest what came.

    colour [B, 3, H, W], known, fixed, hint and wide: what a painter reads; picture [B, 3, H, W]: what came.
    """
    features, _ = painter(colour, known, fixed, hint, colour.new_zeros(len(colour), GUIDE), wide)
    reach = int(torch.randint(2, WIDEST + 1, (), generator=generator, device=known.device))
    near = (F.max_pool2d(known, 2 * reach + 1, 1, reach) > 0.5) & ((known + fixed) == 0.0)
    asked = _Asked(vision, features, picture, near)
    logits = torch.stack([painter.colours_of(asked.features, mode) for mode in range(MODES)])
    mode = torch.stack([asked.cost(each) for each in logits]).argmin(0)[asked.of]
    with full_precision(picture):
        choice = (logits[mode, torch.arange(len(mode), device=mode.device)].float() / BLEND).softmax(-1)
        painted = whole(choice @ vision.palette.colours, asked.some)
    return torch.where(near, painted, colour), torch.where(near, 1.0, known)


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
