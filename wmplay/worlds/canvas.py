"""A world model for games seen by a moving camera: it remembers the world as a map and drives the camera over it.

Three things are learned from frames and actions alone. *Vision*: how far the camera moved between two frames, and which
pixels stay on the screen (a car, an instrument bar). *Painter*: what probably lies where nobody has looked yet.
*Memory*: a GRU that, from the keys, moves the camera and the instruments. A dream is then: move, look at the map, paint
what is new, write it into the map. What was seen stays where it was (generative memory of space: Fraccaro et al. 2018,
arXiv 1804.09401; learning motion by making the second picture from the first: Zhou et al. 2017, arXiv 1704.07813).

Shapes: B batch, T time, H W frame, N side of the map, Z sprite code, D hidden.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from wmplay.core.errors import UsageError
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.worlds.blocks import (
    STRICT,
    ActionEncoder,
    RunningScale,
    detached,
    expand_like,
    full_precision,
    masked_mean,
    mlp,
    noise_like,
    to_float,
    transitions,
)
from wmplay.worlds.geometry import Map, align, compose, inside, rotate, sample, seen_from, softened
from wmplay.worlds.painter import Painter, Palette
from wmplay.worlds.protocol import PhaseSpec, Segment, World

# Typical motion in one step: pixels along x and y, radians. Only sets the scale of the first guesses.
MOTION_SCALE = (3.0, 3.0, 0.15)
# Motions kept from training, from which the painter draws what the edge of knowledge looks like.
REMEMBERED = 1024
# The longest journey, in steps, over which the painter learns to guess what lies ahead.
REACH = 50
# The picture that the memory reads is this many pixels wide.
GLANCE = 16


@dataclass(frozen=True, config=STRICT)
class CanvasConfig:
    """Sizes and training of the map-making world model. Defaults were chosen on CarRacing, 15 minutes on two cores."""

    colours: int = Field(32, ge=2, le=1024, description="colours the painter chooses from")
    painter_width: int = Field(32, ge=4, le=512, description="channels of the painter's finest layer")
    sprite_size: int = Field(24, ge=1, le=512, description="entries of the code for what stays on the screen")
    hidden_size: int = Field(256, ge=4, le=8192, description="hidden size of the GRU")
    map_size: int = Field(128, ge=32, le=1024, description="texels along a side of the map; must cover the view")
    map_detail: float = Field(1.25, gt=0.2, le=8.0, description="texels per pixel of the frame")
    vision_batch: int = Field(48, ge=1, le=8192, description="pairs of frames in a batch of the vision phase")
    painter_batch: int = Field(48, ge=1, le=8192, description="frames in a batch of the painter phase")
    batch: int = Field(64, ge=1, le=8192, description="segments in a batch of the memory phase")
    length: int = Field(32, ge=2, le=4096, description="rows in a segment of the memory phase")
    open_loop: int = Field(24, ge=0, le=4096, description="rows at a segment's end where it reads its own predictions")
    learning_rate: float = Field(2e-3, gt=0.0, le=1.0, description="step size of Adam, all phases")

    @model_validator(mode="after")
    def _together(self) -> CanvasConfig:
        if self.open_loop >= self.length:
            raise ValueError(f"open_loop ({self.open_loop}) must be smaller than length ({self.length})")
        if self.map_size < 96 * self.map_detail:
            raise ValueError(
                f"map_size ({self.map_size}) must be at least 96 × map_detail ({96 * self.map_detail:.0f}), "
                "or the corners of the view see the other side of the world"
            )
        return self


class CanvasState(NamedTuple):
    """canvas: the map, uint8 [B, 5, N, N] (colour, known, real); pose float32 [B, 3]: where the camera is on it.

    frame uint8 [B, 3, H, W]: what is on the screen. motion float32 [B, 3], sprite float32 [B, Z]: the last step's, as
    the memory reads them. hidden float32 [B, D]. chance float32 [B, K, 12, 12]: slowly changing noise that decides what
    the painter chooses where it is free to choose.
    """

    canvas: Tensor
    pose: Tensor
    frame: Tensor
    motion: Tensor
    sprite: Tensor
    hidden: Tensor
    chance: Tensor


class Vision(nn.Module):
    """How the camera moved, what stays on the screen, and the game's colours."""

    motions: Tensor
    scale: Tensor

    def __init__(self, config: CanvasConfig, height: int, width: int) -> None:
        super().__init__()
        self.pair = nn.Sequential(
            nn.AvgPool2d(2), nn.Conv2d(6, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(64, 64, 4, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(64 * (height // 16) * (width // 16), 128), nn.ReLU(), nn.Linear(128, 3),
        )  # fmt: skip
        # Gains, so that one learning rate serves weights and these: a mask has to travel far, a stretch a little.
        self.fixed_logit = nn.Parameter(torch.zeros(1, 1, height, width))
        self.log_stretch = nn.Parameter(torch.zeros(()))
        pixels = 3 * height * width
        self.read_sprite = nn.Sequential(
            nn.Flatten(), nn.Linear(pixels, 96), nn.SiLU(), nn.Linear(96, config.sprite_size)
        )
        self.draw_sprite = nn.Sequential(nn.Linear(config.sprite_size, 96), nn.SiLU(), nn.Linear(96, pixels))
        self.palette = Palette(config.colours)
        self.register_buffer("motions", torch.zeros(REMEMBERED, 3))
        self.register_buffer("scale", torch.tensor(MOTION_SCALE), persistent=False)
        self.shape = (3, height, width)

    def fixed(self) -> Tensor:
        """How much each pixel belongs to the screen and not to the world: [1, 1, H, W] in (0, 1)."""
        return torch.sigmoid(120.0 * self.fixed_logit)

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

    def show_sprite(self, code: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] of it; only the fixed pixels mean anything."""
        return torch.sigmoid(self.draw_sprite(code).float()).view(-1, *self.shape)


class CanvasMemory(nn.Module):
    """The GRU that drives camera and instruments, and the heads for reward and end."""

    def __init__(self, config: CanvasConfig, actions: int) -> None:
        super().__init__()
        moved = 3 + config.sprite_size
        self.scale = RunningScale(moved)
        self.look = mlp((3 * GLANCE * GLANCE, 128, 32))
        self.cell = nn.GRUCell(moved + 32 + actions, config.hidden_size)
        self.change = mlp((config.hidden_size, 128, moved))
        self.reward = mlp((config.hidden_size + 64, 128, 1))
        self.end = mlp((config.hidden_size + 64, 128, 1))
        last = self.change[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)


class Canvas(World):
    """Vision, painter and memory around a map."""

    family: ClassVar[str] = "canvas"
    Config: ClassVar[type] = CanvasConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {
            "colours": 8, "painter_width": 8, "sprite_size": 8, "hidden_size": 32,
            "vision_batch": 8, "painter_batch": 8, "batch": 8, "length": 8, "open_loop": 4,
        },
        "small": {},
        "base": {
            "colours": 64, "painter_width": 96, "sprite_size": 48, "hidden_size": 512,
            "vision_batch": 256, "painter_batch": 256, "batch": 256, "length": 64, "open_loop": 56,
        },
    }  # fmt: skip

    def __init__(self, config: CanvasConfig, observation: ObservationSpec, action: ActionSpec) -> None:
        super().__init__(config, observation, action)
        if observation.kind != "frame" or any(side % 16 for side in observation.shape[:2]):
            raise UsageError(
                "canvas reads frames with sides divisible by 16; "
                f"this game shows {observation.kind} {observation.shape}."
            )
        self.height, self.width = observation.shape[:2]
        self.vision = Vision(config, self.height, self.width)
        self.painter = Painter(config.colours, config.painter_width)
        self.actions = ActionEncoder(action)
        self.memory = CanvasMemory(config, self.actions.width)
        self.map = Map(config.map_size, self.height, self.width, config.map_detail)

    @property
    def phases(self) -> tuple[PhaseSpec, ...]:
        c = self.config
        return (
            PhaseSpec("vision", ("vision",), 0.25, c.vision_batch, 2, c.learning_rate),
            PhaseSpec("painter", ("painter",), 0.45, c.painter_batch, 1, c.learning_rate, clip=1.0),
            PhaseSpec("memory", ("memory",), 0.3, c.batch, c.length, c.learning_rate, encoded=True, clip=1.0),
        )

    @property
    def features_size(self) -> int:
        return self.config.hidden_size + self.config.sprite_size + 3 + 32

    def loss(self, segment: Segment, phase: str, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        if phase == "vision":
            return self._vision_loss(segment, generator)
        return self._painter_loss(segment, generator) if phase == "painter" else self._memory_loss(segment, generator)

    # Vision

    def _vision_loss(self, segment: Segment, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Make the second frame from the first, by moving the world and keeping the screen; and code the screen.

        Moving pictures onto each other has many wrong answers that look locally right, so the motion is learned from
        frames that were moved by a known amount, and from its own guesses after alignment; the match itself teaches
        only which pixels are fixed and how the picture is stretched.
        """
        both = to_float(segment.observation)
        pair = ~segment.first[:, 1] & segment.mask[:, 1]
        before, after = both[:, 0], both[:, 1]
        motion = self.vision.motion(before, after)
        with full_precision(both):
            exact = align(before, after, motion, self.vision.stretch(), self.vision.loose())
            match, fixed_area = self._match(before, after, exact, pair.float())
            known, asked = self._moved(before, after, generator)
        guessed = self.vision.motion(before, known)
        scale = self.vision.scale
        practice = F.smooth_l1_loss(guessed / scale, asked / scale, beta=0.1)
        distil = F.smooth_l1_loss(motion[pair] / scale, exact[pair] / scale, beta=0.1)
        code = self.vision.sprite(after)
        fixed = self.vision.fixed().detach()
        drawn = ((self.vision.show_sprite(code) - after).square() * fixed).sum((1, 2, 3)).mean() / (3 * fixed.sum() + 1)
        self._remember(exact, pair, after, generator)
        loss = 30.0 * match + practice + distil + 10.0 * drawn + 1e-4 * code.square().mean()
        return loss, detached(
            loss=loss, match=match, practice=practice, distil=distil, reconstruction=drawn, fixed=fixed_area
        )

    def _match(self, before: Tensor, after: Tensor, motion: Tensor, pair: Tensor) -> tuple[Tensor, Tensor]:
        """Mean absolute error of the better of two explanations, pixel by pixel, at two sharpnesses."""
        points = seen_from(motion, self.vision.stretch(), self.height, self.width)
        fixed = self.vision.fixed()
        hidden = sample(fixed.detach().expand(len(before), -1, -1, -1), points)
        valid = inside(points, self.height, self.width)[:, None] * (1.0 - hidden) * pair[:, None, None, None]
        total = before.new_zeros(())
        for radius in (0, 1):
            old, new = (softened(x, radius) for x in (before, after))
            moved = (sample(old, points) - new).abs().mean(1, keepdim=True)
            stayed = (old - new).abs().mean(1, keepdim=True)
            total = total + (valid * ((1.0 - fixed) * moved + fixed * stayed)).mean()
        return total / 2, fixed.detach().mean()

    @torch.no_grad()
    def _moved(self, picture: Tensor, filler: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Frames as they would look after random known motions, and those motions [B, 3]."""
        size = torch.rand(len(picture), 1, generator=generator, device=picture.device) * 1.3
        motion = noise_like(picture[:, 0, 0, :3], generator) * self.vision.scale * size
        points = seen_from(motion, self.vision.stretch(), self.height, self.width)
        fixed = (self.vision.fixed() > 0.5).float()
        loose = sample((1.0 - fixed).expand(len(picture), -1, -1, -1).contiguous(), points)
        moved = sample(picture, points) * loose + filler.roll(1, 0) * (1.0 - loose)
        return moved * (1.0 - fixed) + picture * fixed + 0.01 * noise_like(moved, generator), motion

    @torch.no_grad()
    def _remember(self, motion: Tensor, pair: Tensor, picture: Tensor, generator: torch.Generator) -> None:
        """Keep some motions for the painter, and teach the palette with pixels of the world."""
        places = torch.randint(REMEMBERED, (len(motion),), generator=generator, device=motion.device)
        self.vision.motions[places[pair]] = motion[pair]
        world = torch.nonzero(self.vision.fixed().view(-1) < 0.5).squeeze(-1)
        if len(world):
            some = torch.randint(len(world), (64,), generator=generator, device=motion.device)
            self.vision.palette.learn(picture.flatten(2)[:, :, world[some]].movedim(1, -1).reshape(-1, 3), generator)

    # Painter

    def _painter_loss(self, segment: Segment, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of the colours of what could not be seen from where the camera was some steps before."""
        picture = to_float(segment.observation[:, 0])
        fixed = (self.vision.fixed() > 0.5).float().expand(len(picture), -1, -1, -1).contiguous()
        with full_precision(picture), torch.no_grad():
            colour, known = self._glimpse(picture, self._journey(len(picture), generator), fixed)
            target = self.vision.palette.code(picture)
        logits = self.painter(colour, known, fixed).float()
        unknown = ((1.0 - known) * (1.0 - fixed)).squeeze(1)
        loss = masked_mean(F.cross_entropy(logits, target, reduction="none"), unknown)
        right = masked_mean((logits.detach().argmax(1) == target).float(), unknown)
        return loss, detached(loss=loss, nll=loss, accuracy=right, unknown=unknown.mean())

    def _journey(self, batch: int, generator: torch.Generator) -> Tensor:
        """Motions [B, 3] of 1 to `REACH` steps, each a remembered step repeated."""
        device = self.vision.motions.device
        chosen = torch.randint(REMEMBERED, (batch,), generator=generator, device=device)
        step = self.vision.motions[chosen]
        # Cubed: near edges are what a dream paints most of the time.
        count = 1 + (torch.rand(batch, generator=generator, device=device).pow(3) * REACH).long()
        total = torch.zeros_like(step)
        for i in range(REACH):
            total = torch.where((i < count)[:, None], compose(total, step), total)
        return total

    def _glimpse(self, picture: Tensor, motion: Tensor, fixed: Tensor) -> tuple[Tensor, Tensor]:
        """What is left of a picture [B, 3, H, W] for who saw only the view `motion` before it: colour and known.

        It goes there and back, so that it is as soft as a map that was written and read.
        """
        stretch = self.vision.stretch()
        shift = rotate(-motion[:, None, :2], -motion[:, 2]).squeeze(1)
        there = sample(picture, seen_from(torch.cat((shift, -motion[:, 2:]), -1), stretch, self.height, self.width))
        points = seen_from(motion, stretch, self.height, self.width)
        hidden = sample(fixed, points) > 0.01
        known = (inside(points, self.height, self.width)[:, None] & ~hidden & (fixed < 0.5)).float()
        return sample(there, points) * known, known

    # Memory

    @torch.no_grad()
    def encode_after(self, previous: Tensor, observation: Tensor) -> Tensor:
        """Frames uint8 [N, H, W, 3] and those before them -> motion, sprite, glance: float32 [N, 3 + Z + 768]."""
        now = to_float(observation)
        return self._row(self.vision.exact_motion(to_float(previous), now), now)

    def _row(self, motion: Tensor, picture: Tensor) -> Tensor:
        return torch.cat((motion, self.vision.sprite(picture), _glance(picture)), dim=-1)

    def _advance(self, hidden: Tensor, moved: Tensor, look: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """The memory's step: hidden and the next `moved` [B, 3 + Z], motion and sprite. `action` is encoded."""
        memory = self.memory
        hidden = memory.cell(torch.cat((memory.scale.normalise(moved), look, action), dim=-1), hidden).float()
        return hidden, moved + memory.change(hidden).float() * memory.scale.deviation

    def _memory_loss(self, segment: Segment, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        """Squared error of motion and sprite, and of the pose they add up to while the memory is on its own."""
        memory, size = self.memory, 3 + self.config.sprite_size
        rows = segment.observation.float()
        moved, glance = rows[..., :size], rows[..., size:]
        valid, keep = transitions(segment.first, segment.mask)
        # The first row of an episode has no frame before it: there is no motion to learn from.
        moved = torch.cat((moved[..., :3] * valid[..., None], moved[..., 3:]), dim=-1)
        memory.scale.learn(moved[valid])
        look, action = memory.look(glance).float(), self.actions(segment.action)
        batch, length = segment.reward.shape
        alone = length - self.config.open_loop
        hidden = rows.new_zeros(batch, self.config.hidden_size)
        last, guesses, hiddens = moved[:, 0], [], []
        pose, true_pose, drift = rows.new_zeros(batch, 3), rows.new_zeros(batch, 3), []
        together = torch.ones(batch, 1)  # no new episode since the memory was left alone
        for t in range(1, length):
            hidden, guess = self._advance(hidden, last, look[:, t - 1], action[:, t])
            guesses.append(guess)
            hiddens.append(hidden)
            follows = valid[:, t, None]
            if t >= alone:
                together = together.to(keep.device) * keep[:, t, None]
                pose, true_pose = compose(pose, guess[:, :3]), compose(true_pose, moved[:, t, :3])
                drift.append((pose - true_pose) / self.vision.scale * together)
            last = torch.where(follows, guess, moved[:, t]) if t >= alone else moved[:, t]
            hidden = hidden * keep[:, t, None]
        ok, held = valid[:, 1:], torch.stack(hiddens, 1)
        wrong = ((torch.stack(guesses, 1) - moved[:, 1:]) / memory.scale.deviation).square()
        motion_loss, sprite_loss = masked_mean(wrong[..., :3].mean(-1), ok), masked_mean(wrong[..., 3:].mean(-1), ok)
        drift_loss = _huber(torch.stack(drift, 1)) if drift else rows.new_zeros(())
        seen = torch.cat((held, look[:, :-1], look[:, 1:]), dim=-1)
        reward = memory.reward(seen).squeeze(-1).float()
        reward_loss = masked_mean((reward - segment.reward[:, 1:]).square(), ok)
        end = memory.end(seen).squeeze(-1).float()
        ended = segment.terminated[:, 1:].float()
        end_loss = masked_mean(F.binary_cross_entropy_with_logits(end, ended, reduction="none"), ok)
        loss = motion_loss + sprite_loss + drift_loss + 0.1 * reward_loss + end_loss
        return loss, detached(
            loss=loss, motion=motion_loss, sprite=sprite_loss, drift=drift_loss, reward=reward_loss, end=end_loss
        )

    # Dreaming

    def begin(self, context: Segment, generator: torch.Generator | None = None) -> CanvasState:
        batch, rows = context.reward.shape
        device = context.observation.device
        blank = to_float(context.observation[:, 0])
        state = CanvasState(
            self.map.empty(batch, device),
            torch.zeros(batch, 3, device=device),
            (blank * 255.0).round().to(torch.uint8),
            torch.zeros(batch, 3, device=device),
            torch.zeros(batch, self.config.sprite_size, device=device),
            torch.zeros(batch, self.config.hidden_size, device=device),
            noise_like(torch.zeros(batch, self.config.colours, 12, 12, device=device), generator),
        )
        start = context.first.clone()
        start[:, 0] = True
        for t in range(rows):
            after = self.update(state, context.action[:, t], context.observation[:, t], start[:, t])
            real = context.mask[:, t]
            state = CanvasState(*(torch.where(expand_like(real, a), a, b) for a, b in zip(after, state, strict=True)))
        return state

    def update(self, state: CanvasState, action: Tensor, observation: Tensor, first: Tensor) -> CanvasState:
        now = to_float(observation).contiguous()
        before = state.frame.float() / 255.0
        keep = (~first).float()[:, None]
        motion = self.vision.exact_motion(before, now) * keep
        look = self.memory.look(_glance(before)).float()
        hidden, _ = self._advance(state.hidden, torch.cat((state.motion, state.sprite), -1), look, self.actions(action))
        pose = compose(state.pose, motion) * keep
        canvas = torch.where(expand_like(first, state.canvas), torch.zeros((), dtype=torch.uint8), state.canvas)
        canvas = self.map.write(canvas, pose, self.vision.stretch(), now, self.vision.loose(), real=True)
        frame = (now * 255.0).round().to(torch.uint8)
        return CanvasState(canvas, pose, frame, motion, self.vision.sprite(now), hidden * keep, state.chance)

    def step(
        self, state: CanvasState, action: Tensor, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[CanvasState, Tensor, Tensor]:
        look = self.memory.look(_glance(state.frame.float() / 255.0)).float()
        last = torch.cat((state.motion, state.sprite), -1)
        hidden, moved = self._advance(state.hidden, last, look, self.actions(action))
        motion, sprite = moved[:, :3], moved[:, 3:]
        pose = compose(state.pose, motion)
        chance = state.chance
        if temperature > 0.0:
            chance = 0.9 * chance + (1.0 - 0.9**2) ** 0.5 * noise_like(chance, generator)
        picture, canvas = self._look_around(state.canvas, pose, sprite, chance, temperature)
        after = self.memory.look(_glance(picture)).float()
        seen = torch.cat((hidden, look, after), dim=-1)
        reward = self.memory.reward(seen).squeeze(-1).float()
        end = torch.sigmoid(self.memory.end(seen).squeeze(-1).float())
        frame = (picture * 255.0).round().clamp(0, 255).to(torch.uint8)
        return CanvasState(canvas, pose, frame, motion, sprite, hidden, chance), reward, end

    def _look_around(
        self, canvas: Tensor, pose: Tensor, sprite: Tensor, chance: Tensor, temperature: float
    ) -> tuple[Tensor, Tensor]:
        """The frame [B, 3, H, W] from a pose, and the map with what had to be painted for it.

        Above temperature 0 the painter chooses, and goes on from what it chose before. At 0 it shows what is to be
        expected of a place, colours mixed by their probability, given only what was really seen.
        """
        stretch, loose = self.vision.stretch(), self.vision.loose()
        colour, known, real = self.map.read(canvas, pose, stretch)
        if temperature == 0.0:
            known = real
        sure = known.float() * loose
        logits = self.painter(colour * sure, sure, (1.0 - loose).expand(len(pose), -1, -1, -1)).float()
        if temperature == 0.0:
            painted = self.vision.palette.mix(logits.softmax(1))
        else:
            field = F.interpolate(chance, logits.shape[-2:], mode="bilinear", align_corners=False)
            # Gumbel noise that changes slowly from pixel to pixel: neighbours that are free to choose choose alike.
            # Between its nodes the field varies less than at them: 1.5 makes its deviation 1 on the whole.
            uniform = torch.special.ndtr(1.5 * field).clamp(1e-4, 1.0 - 1e-4)
            painted = self.vision.palette.paint((logits - temperature * torch.log(-torch.log(uniform))).argmax(1))
        world = torch.where(known, colour, painted)
        canvas = self.map.write(canvas, pose, stretch, world, loose, real=False)
        # A soft screen mask blends the rim of what is fixed into the world behind it.
        soft = self.vision.fixed()
        return world * (1.0 - soft) + self.vision.show_sprite(sprite) * soft, canvas

    def observe(self, state: CanvasState) -> Tensor:
        return state.frame.movedim(1, -1).contiguous()

    def features(self, state: CanvasState) -> Tensor:
        """Hidden, sprite, motion and what the memory sees of the frame, float32 [B, D + Z + 35]."""
        look = self.memory.look(_glance(state.frame.float() / 255.0)).float()
        return torch.cat((state.hidden, state.sprite, state.motion, look), dim=-1)


def _huber(error: Tensor) -> Tensor:
    """Mean Huber loss of errors with knee 1."""
    return F.smooth_l1_loss(error, torch.zeros_like(error))


def _glance(picture: Tensor) -> Tensor:
    """The picture [B, 3, H, W] at 16 × 16, flat [B, 768]."""
    return F.adaptive_avg_pool2d(picture - 0.4, GLANCE).flatten(1).float()
