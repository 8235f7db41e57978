"""How a camera moved between two frames, what stays on the screen whatever it does, and what it could see before.

Learned from pairs of frames alone, by making the second from the first (Zhou et al. 2017, arXiv 1704.07813).

Shapes: B batch, H W frame, Z sprite code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import detached, full_precision, noise_like, to_float
from wmplay.worlds.geometry import align, extremes, inside, sample, seen_from, shrunk, softened, steepened
from wmplay.worlds.glances import wide_view
from wmplay.worlds.palette import Palette
from wmplay.worlds.protocol import Segment
from wmplay.worlds.screen import Screen

# Typical motion in one step: pixels along x and y, radians. Only sets the scale of the first guesses.
MOTION_SCALE = (3.0, 3.0, 0.15)
# How much its neighbours say of a pixel that may as well be of the screen as of the world.
UNDECIDED = 24.0
# How sure of a pixel the mask may get, in logits, so that what a camera that was not yet understood made of it can be
# unlearned.
SURE = 12.0
# Logits in one of the mask's parameters: one learning rate serves weights and mask, which has a long way to go.
MASK_GAIN = 120.0
# How much steeper edges are made that were sampled once, to be like those that are laid down in a map and seen again
# (`geometry.STEEP`): after 8 steps of CarRacing the two differ by 8.8e-6 (squared), by 9.3e-6 with 1.4 and 10.4e-6 with
# 1.6; sampled twice, which was the likeness of maps that made nothing steeper, by 142e-6. (Of the last sight of a
# place, a map's first layer.)
AS_STEEP = 1.5


class _Halved(nn.Module):
    """[B, C, H, W] at half its size."""

    def forward(self, picture: Tensor) -> Tensor:
        return shrunk(picture, 2)


class Vision(nn.Module):
    """How the camera moved, what stays on the screen, and the game's colours."""

    scale: Tensor

    def __init__(self, sprite_size: int, colours: int, height: int, width: int) -> None:
        super().__init__()
        self.pair = nn.Sequential(
            _Halved(), nn.Conv2d(6, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(64, 64, 4, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(64 * (height // 16) * (width // 16), 128), nn.ReLU(), nn.Linear(128, 3),
        )  # fmt: skip
        # With gains, so that one learning rate serves weights and these.
        self.fixed_logit = nn.Parameter(torch.zeros(1, 1, height, width))
        self.log_stretch = nn.Parameter(torch.zeros(()))
        pixels = 3 * height * width
        self.read_sprite = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 96), nn.SiLU(), nn.Linear(96, sprite_size))
        self.draw_sprite = nn.Sequential(nn.Linear(sprite_size, 96), nn.SiLU(), nn.Linear(96, pixels))
        self.palette = Palette(colours)
        self.screen = Screen(height, width)
        self.register_buffer("scale", torch.tensor(MOTION_SCALE), persistent=False)
        self.shape = (3, height, width)

    def fixed(self) -> Tensor:
        """How much each pixel belongs to the screen and not to the world: [1, 1, H, W] in (0, 1).

        A pixel of which little was learned, as of one in a corner, is what those around it are.
        """
        logit = MASK_GAIN * self.fixed_logit
        own = torch.sigmoid(logit)
        return torch.sigmoid(logit + UNDECIDED * own * (1.0 - own) * (2.0 * softened(own) - 1.0))

    def stretch(self) -> Tensor:
        """Pixels per unit of length along x and y [2]; along x it is 1 by definition."""
        return torch.stack((torch.ones_like(self.log_stretch), torch.exp(3.0 * self.log_stretch)))

    def motion(self, before: Tensor, after: Tensor) -> Tensor:
        """Camera motion [B, 3] between pictures [B, 3, H, W]: length and radians, in the camera's directions."""
        return self.pair(torch.cat((before, after), dim=1) - 0.4).float() * self.scale

    def exact_motion(self, before: Tensor, after: Tensor) -> Tensor:
        """`motion`, and then the pictures laid over each other as well as they can be. No gradient."""
        with torch.no_grad():
            rough = self.motion(before, after)
            with full_precision(before):
                return align(before.float(), after.float(), rough, self.stretch(), self.loose())

    def loose(self) -> Tensor:
        """1 where a pixel shows the world and 0 where it belongs to the screen, [1, 1, H, W]."""
        return (self.fixed() < 0.5).float()

    def sprite(self, picture: Tensor) -> Tensor:
        """Code [B, Z] of what stays on the screen."""
        return self.read_sprite((picture - 0.4) * self.fixed().detach()).float()

    def screen_codes(self, picture: Tensor) -> Tensor:
        """Which of its pictures each part of the screen shows, int64 [B, P]."""
        return self.screen.encode(picture, self.fixed().detach())

    def in_front(self, world: Tensor, sprite: Tensor, screen: Tensor | None) -> Tensor:
        """The world [B, 3, H, W] behind the screen, drawn from its code [B, Z]; and, where its parts [B, P] are known,
        by these. A soft mask blends the rim of what is fixed into the world."""
        soft = self.fixed()
        front = self.show_sprite(sprite) * soft
        return world * (1.0 - soft) + (front if screen is None else self.screen.lay(screen, front))

    def show_sprite(self, code: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] of it; only the fixed pixels mean anything."""
        return torch.sigmoid(self.draw_sprite(code).float()).view(-1, *self.shape)

    def loss(self, segment: Segment, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Make the second frame from the first, by moving the world and keeping the screen; and code the screen.

        Moving pictures onto each other has many wrong answers that look locally right, so the motion is learned from
        frames that were moved by a known amount, and from its own guesses after alignment; the match itself teaches
        only which pixels are fixed and how the picture is stretched.
        """
        with torch.no_grad():
            self.fixed_logit.clamp_(-SURE / MASK_GAIN, SURE / MASK_GAIN)
        both = to_float(segment.observation)
        pair = ~segment.first[:, 1] & segment.mask[:, 1]
        before, after = both[:, 0].contiguous(), both[:, 1].contiguous()
        motion = self.motion(before, after)
        with full_precision(both):
            exact = align(before, after, motion, self.stretch(), self.loose(), last=False)
            match, fixed_area = self._match(before, after, exact, pair.float())
            known, asked = self._moved(before, after, generator)
        guessed = self.motion(before, known)
        scale = self.scale
        practice = F.smooth_l1_loss(guessed / scale, asked / scale, beta=0.1)
        distil = F.smooth_l1_loss(motion[pair] / scale, exact[pair] / scale, beta=0.1)
        code = self.sprite(after)
        fixed = self.fixed().detach()
        drawn = ((self.show_sprite(code) - after).square() * fixed).sum((1, 2, 3)).mean() / (3 * fixed.sum() + 1)
        if self.training:
            self._mix_colours(after, generator)
            self.screen.learn(after, fixed, generator)
        loss = 30.0 * match + practice + distil + 10.0 * drawn + 1e-4 * code.square().mean()
        return loss, detached(
            loss=loss, match=match, practice=practice, distil=distil, reconstruction=drawn, fixed=fixed_area
        )

    def _match(self, before: Tensor, after: Tensor, motion: Tensor, pair: Tensor) -> tuple[Tensor, Tensor]:
        """Mean absolute error of the better of two explanations, pixel by pixel: it moved, or it stayed.

        What moved is sampled from the world's pixels alone. Were those of the screen mixed in, no neighbour of the
        screen could be explained by a motion, and the screen would grow by a pixel all around; so soft pictures, which
        mix wherever one looks, have no say in what is fixed. But they help to find the stretch: CarRacing's, 1.25, was
        found as 1.249 with them and as 1.238 without (two minutes of training). Returns the error, sharp and soft added
        up, and the share of the frame that is fixed.
        """
        points = seen_from(motion, self.stretch(), self.shape[1], self.shape[2])
        # What is learned of a pixel counts however sure the mask is of it: by the sigmoid's own slope a row above
        # CarRacing's bar, taken for the screen's at first, stayed so for 15 minutes.
        logit = self.fixed_logit
        fixed = self.fixed().detach() + (logit - logit.detach())
        here = softened(1.0 - fixed.detach())
        loose = (1.0 - fixed.detach()).expand(len(before), -1, -1, -1)
        there = sample(loose, points)
        valid = inside(points, self.shape[1], self.shape[2])[:, None] * there * pair[:, None, None, None]

        def moved(old: Tensor, new: Tensor) -> Tensor:
            found = sample(old * loose, points) / there.clamp_min(1e-3)
            return (found - new).abs().mean(1, keepdim=True)

        stayed = (before - after).abs().mean(1, keepdim=True)
        sharp = (1.0 - fixed) * moved(before, after) + fixed * stayed
        soft = loose * moved(*(softened(x * loose) / here.clamp_min(1e-3) for x in (before, after)))
        return (valid * (sharp + soft)).mean(), fixed.detach().mean()

    @torch.no_grad()
    def _moved(self, picture: Tensor, filler: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Frames as they would look after random known motions, and those motions [B, 3]."""
        size = torch.rand(len(picture), 1, generator=generator, device=picture.device) * 1.3
        motion = noise_like(picture[:, 0, 0, :3], generator) * self.scale * size
        points = seen_from(motion, self.stretch(), self.shape[1], self.shape[2])
        fixed = (self.fixed() > 0.5).float()
        loose = sample((1.0 - fixed).expand(len(picture), -1, -1, -1).contiguous(), points)
        moved = sample(picture, points) * loose + filler.roll(1, 0) * (1.0 - loose)
        return moved * (1.0 - fixed) + picture * fixed + 0.01 * noise_like(moved, generator), motion

    @torch.no_grad()
    def _mix_colours(self, picture: Tensor, generator: torch.Generator) -> None:
        """Teach the palette with some pixels of the world."""
        world = torch.nonzero(self.fixed().view(-1) < 0.5).squeeze(-1)
        if len(world):
            some = torch.randint(len(world), (64,), generator=generator, device=picture.device)
            self.palette.learn(picture.flatten(2)[:, :, world[some]].movedim(1, -1).reshape(-1, 3), generator)

    def glimpse(self, picture: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
        """What a camera that has moved by `motion` [B, 3] still knows from a picture [B, 3, H, W]: colour [B, 3, H, W]
        (0 where unknown) and known [B, 1, H, W]; very nearly what a map shows in which the picture was laid down."""
        _, height, width = self.shape
        fixed = (self.fixed() > 0.5).float()
        points = seen_from(motion, self.stretch(), height, width)
        both = torch.cat((picture, fixed.expand(len(picture), -1, -1, -1)), dim=1)
        seen = sample(both, points)
        # A pixel less at the rim, where a map may not know it.
        known = inside(points, height - 2, width - 2)[:, None] & (seen[:, 3:] < 0.01) & (fixed < 0.5)
        x, y = ((points + points.new_tensor((width, height)) / 2).long()).unbind(-1)
        everyone = torch.arange(len(picture), device=picture.device)[:, None, None]
        bounds = extremes(picture, 1.0 - fixed)[everyone, y.clamp(0, height - 1), x.clamp(0, width - 1)]
        colour = steepened(seen[:, :3].movedim(1, -1), bounds, AS_STEEP).movedim(-1, 1)
        return (colour * known).contiguous(), known.float()

    def wide(self, glances: Tensor, since: Tensor) -> Tensor:
        """What a painter is shown of a real frame's glance [B, 768] when the camera has moved by `since` [B, 3]."""
        return wide_view(glances, self.loose(), since, self.stretch(), self.shape[2])

    def told(self, motion: Tensor, action: Tensor) -> Tensor:
        """Motion [..., 3] and encoded action [..., A] as a painter is told of them, side by side."""
        return torch.cat((motion / self.scale, action), dim=-1)
