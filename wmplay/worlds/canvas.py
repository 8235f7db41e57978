"""A world model for games seen by a moving camera: it remembers the world as a map and drives the camera over it.

Four things are learned from frames and actions alone. *Vision*: how far the camera moved between two frames, and which
pixels stay on the screen (a car, an instrument bar), in which pictures. *Painter*: in which ways the world may go on
where nobody has looked yet, and how long the pattern on its ground is, which goes on as it was seen. *Foreteller*: what
is to be expected there, whichever way it goes on. *Memory*: a GRU that, from the keys, moves the camera and the
instruments. A dream is then: move, look at the map, paint what is new, write it into the map. What was seen stays where
it was (generative memory of space: Fraccaro et al. 2018, arXiv 1804.09401; learning motion by making the second picture
from the first: Zhou et al. 2017, arXiv 1704.07813).

Shapes: B batch, T time, H W frame, N side of the map, Z sprite code, P parts of the screen, M modes, D hidden.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from wmplay.core.errors import UsageError
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.worlds.blocks import ActionEncoder, expand_like, noise_like, to_float
from wmplay.worlds.camera import Vision
from wmplay.worlds.canvas_config import CanvasConfig
from wmplay.worlds.canvas_memory import LOOK, CanvasMemory
from wmplay.worlds.geometry import Map, compose
from wmplay.worlds.glances import GLANCE_SIZE, glance, turned
from wmplay.worlds.looking import HELD, look_around
from wmplay.worlds.painter import GUIDE, MODES, Painter
from wmplay.worlds.painting import BOTH, EXPECTED_ALONE, MODES_ALONE, painting_loss
from wmplay.worlds.pattern import TILE_SIZE, Tile
from wmplay.worlds.protocol import PhaseSpec, Segment, World
from wmplay.worlds.screen import PARTS

# Steps that vision and painter should have: in 300 s, the painter's loss was 1.10 by 630 small ones and 1.13 by 410,
# most of them three times as large.
ENOUGH = 1500
# Step size of the memory, in those of the others. In 150 s the squared error of the motion was 0.030 with batches of
# 64, 0.019 with 32, and with 64 and twice the step size 0.015.
MEMORY_RATE = 2.0
# Its weight decay. Without, Muon's steps let the weights grow for as long as they last: after 31 minutes of them the
# memory no longer held together over 24 steps, and never learned to again. In 600 s the drift was 0.031 and 0.092 with
# it (driver and persistent player, held-out play), 0.038 and 0.117 without. With 0.03 it was as good after 400 s, and
# fell apart after 21 minutes, when whole segments began.
MEMORY_DECAY = 0.1
# Seconds after which vision and memory learn little more, so that the rest of a long training is the painters'. Of 160
# starts the pose was, in root mean square, 0.88 and 1.27 units off after 15 steps (a player's and an expert's) when a
# memory had 17 minutes of a core, 0.88 and 1.32 when it had two hours' share of them, 1.32 and 2.02 when it had 5½.
# Encoding 400,000 frames takes 6 minutes more.
VISION_LONGEST, MEMORY_LONGEST = 720.0, 1500.0
# How much of the trust in where a pattern lies is left after a step at temperature 0, which is held against the game:
# the camera goes astray, and squares at the wrong places are worse than none. A dream of its own keeps its squares.
LOST = 0.96
# What the phases of painter and foreteller teach. Beside the memory the painter learns both, then each learns its own:
# of what is to be expected the overlap of 160 starts was 0.894 and 0.761 (player, 5 and 15 steps), 0.965 and 0.875
# (expert) after 250 s of both and 170 s apart, and 0.890, 0.756, 0.965 and 0.872 after 420 s of both.
LESSONS = {"painter": BOTH, "modes": MODES_ALONE, "expected": EXPECTED_ALONE}


class CanvasState(NamedTuple):
    """A batch of dreams.

    canvas: the map, uint8 [B, 8, N, N] (see `geometry.Map`); pose float32 [B, 3]: where the camera is on it
    frame uint8 [B, 3, H, W]: what is on the screen
    motion float32 [B, 3], sprite float32 [B, Z], look float32 [B, 32]: the last step's, as the memory reads them
    hidden float32 [B, D]: the memory; guide float32 [B, 128]: the `teller`'s
    real float32 [B, 768]: the glance of the last real frame; since float32 [B, 3]: how the camera has moved since
    screen int64 [B, P]: what the parts of the screen show
    tile float32 [B, 1154]: the pattern on the ground, `pattern.Tile.flat`
    chance float32 [B, M]: noise that changes a little with each stroke of the painter and decides in which of its modes
    it goes on
    """

    canvas: Tensor
    pose: Tensor
    frame: Tensor
    motion: Tensor
    sprite: Tensor
    look: Tensor
    hidden: Tensor
    guide: Tensor
    real: Tensor
    since: Tensor
    screen: Tensor
    tile: Tensor
    chance: Tensor


class Canvas(World):
    """Vision, painter, foreteller and memory around a map."""

    family: ClassVar[str] = "canvas"
    halved: ClassVar[tuple[str, ...]] = ("painter", "foreteller")
    Config: ClassVar[type] = CanvasConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {
            "colours": 8, "painter_width": 8, "sprite_size": 8, "hidden_size": 32,
            "vision_batch": 8, "painter_batch": 8, "reach": 10, "batch": 8, "length": 8, "open_loop": 6,
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
        self.vision = Vision(config.sprite_size, config.colours, self.height, self.width)
        self.actions = ActionEncoder(action)
        self.painter = self._painter(ways=MODES)
        self.memory = CanvasMemory(config.sprite_size, config.hidden_size, self.actions.width)
        self.foreteller = self._painter(ways=0)
        self.map = Map(self.height, self.width)

    def _painter(self, ways: int) -> Painter:
        c, told = self.config, 3 + self.actions.width
        return Painter(c.colours, c.painter_width, GLANCE_SIZE, told, self.height, self.width, ways)

    @property
    def phases(self) -> tuple[PhaseSpec, ...]:
        c = self.config
        painting: dict[str, Any] = {
            "batch": c.painter_batch, "length": c.reach, "learning_rate": c.learning_rate,
            "encoded": True, "beside": True, "muon": True, "least": ENOUGH // 2, "clip": 1.0,
        }  # fmt: skip
        apart: dict[str, Any] = {**painting, "like": "painter"}
        return (
            PhaseSpec(
                "vision", ("vision",), 0.17, c.vision_batch, 2, c.learning_rate, least=ENOUGH, longest=VISION_LONGEST
            ),
            PhaseSpec("painter", ("painter",), 0.26, decay=False, **painting),
            PhaseSpec(
                "memory", ("memory",), 0.26, c.batch, c.length, MEMORY_RATE * c.learning_rate,
                encoded=True, independent=True, muon=True, clip=1.0, weight_decay=MEMORY_DECAY,
                brief=self._brief, brief_part=c.brief, longest=MEMORY_LONGEST,
            ),
            PhaseSpec("modes", ("painter",), 0.16, **apart),
            PhaseSpec("expected", ("foreteller",), 0.15, independent=True, **apart),
        )  # fmt: skip

    @property
    def _read(self) -> int:
        """Rows that the memory reads in training before it is on its own."""
        return self.config.length - self.config.open_loop

    @property
    def _brief(self) -> int:
        """Rows of segments that are on their own for as long as they are read; 0 where that is no part of a segment."""
        brief = 2 * self._read
        return brief if brief < self.config.length and self.config.length % brief == 0 else 0

    @property
    def features_size(self) -> int:
        return self.config.hidden_size + self.config.sprite_size + 3 + LOOK

    @property
    def teller(self) -> Painter:
        """Who says what is to be expected: until the foreteller is taught, the painter."""
        return self.foreteller if self.foreteller.foretells else self.painter

    def prepare(self, phase: str) -> None:
        if phase == "expected" and not self.foreteller.foretells:
            self.foreteller.take_over(self.painter)

    def loss(self, segment: Segment, phase: str, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        if phase == "vision":
            return self.vision.loss(segment, generator)
        vision, action = self.vision, self.actions(segment.action)
        if phase in LESSONS:
            painter = self.foreteller if phase == "expected" else self.painter
            return painting_loss(vision, painter, segment, action, generator, LESSONS[phase])
        stretch = vision.stretch().detach()
        return self.memory.loss(segment, action, self._read, vision.scale, stretch, self.width, generator)

    @torch.no_grad()
    def encode_after(self, previous: Tensor, observation: Tensor) -> Tensor:
        """Frames uint8 [N, H, W, 3] and those before them -> motion, sprite, screen and glance, side by side: float32
        [N, 3 + Z + P + 768]."""
        now = to_float(observation).contiguous()
        return self._row(self.vision.exact_motion(to_float(previous).contiguous(), now), now)

    def _row(self, motion: Tensor, picture: Tensor) -> Tensor:
        vision = self.vision
        code, screen = vision.sprite(picture), vision.screen_codes(picture).float()
        return torch.cat((motion, code, screen, glance(picture, vision.loose())), dim=-1)

    def begin(self, context: Segment, generator: torch.Generator | None = None) -> CanvasState:
        batch, rows = context.reward.shape
        device = context.observation.device
        blank = to_float(context.observation[:, 0])
        chance = torch.zeros(batch, MODES, device=device)
        state = CanvasState(
            self.map.empty(batch, device),
            torch.zeros(batch, 3, device=device),
            (blank * 255.0).round().to(torch.uint8),
            torch.zeros(batch, 3, device=device),
            torch.zeros(batch, self.config.sprite_size, device=device),
            torch.zeros(batch, LOOK, device=device),
            torch.zeros(batch, self.config.hidden_size, device=device),
            torch.zeros(batch, GUIDE, device=device),
            torch.zeros(batch, GLANCE_SIZE, device=device),
            torch.zeros(batch, 3, device=device),
            torch.zeros(batch, PARTS, dtype=torch.int64, device=device),
            torch.zeros(batch, TILE_SIZE, device=device),
            chance if generator is None else noise_like(chance, generator),
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
        keys, last = self.actions(action), torch.cat((state.motion, state.sprite), -1)
        hidden, _ = self.memory.advance(state.hidden, last, state.look, keys)
        pose = compose(state.pose, motion) * keep
        canvas = torch.where(expand_like(first, state.canvas), torch.zeros((), dtype=torch.uint8), state.canvas)
        loose = self.vision.loose()
        canvas = self.map.write(canvas, pose, self.vision.stretch(), now, loose, real=True)
        frame = (now * 255.0).round().to(torch.uint8)
        seen = glance(now, loose)
        look = self.memory.look(seen).float()
        looked = self.teller.seen(seen, torch.ones_like(keep))
        guide = self.teller.follow(state.guide * keep, self.vision.told(motion, keys * keep), looked)
        sprite = self.vision.sprite(now)
        here = torch.zeros_like(pose)
        screen = self.vision.screen_codes(now)
        tile = self.painter.pattern.found(
            now,
            loose.expand(len(now), -1, -1, -1),
            pose,
            self.vision.palette,
            self.vision.stretch(),
            Tile.of(state.tile * keep),
        ).flat()
        return CanvasState(
            canvas, pose, frame, motion, sprite, look, hidden * keep, guide, seen, here, screen, tile, state.chance
        )

    def step(
        self, state: CanvasState, action: Tensor, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[CanvasState, Tensor, Tensor]:
        keys, last = self.actions(action), torch.cat((state.motion, state.sprite), -1)
        hidden, moved = self.memory.advance(state.hidden, last, state.look, keys)
        motion, sprite = moved[:, :3], moved[:, 3:]
        painter = self.painter if temperature > 0.0 else self.teller
        guide = self.teller.follow(state.guide, self.vision.told(motion, keys))
        pose, since = compose(state.pose, motion), compose(state.since, motion)
        wide = self.vision.wide(state.real, since)
        fresh = state.chance
        if temperature > 0.0:
            fresh = HELD * fresh + (1.0 - HELD**2) ** 0.5 * noise_like(fresh, generator)
        tile = Tile.of(state.tile)
        world, canvas, chance = look_around(
            self.vision, painter, self.map, state.canvas, pose, guide, wide, tile, state.chance, fresh, temperature
        )
        if temperature == 0.0:
            tile = tile._replace(trust=LOST * tile.trust)
        loose = self.vision.loose()
        seen = glance(world, loose)
        everything = self.memory.look(seen).float()
        # At temperature 0 the screen, too, is what is to be expected of it, all at once.
        screen = state.screen
        if temperature > 0.0:
            units = self.memory.scale.normalise(moved)
            screen = self.memory.screen.draw(hidden, units, screen, seen, temperature, generator)
        picture = self.vision.in_front(world, sprite, screen if temperature > 0.0 else None)
        reward, end = self.memory.outcome(torch.cat((hidden, state.look, everything), dim=-1))
        frame = (picture * 255.0).round().clamp(0, 255).to(torch.uint8)
        look = everything
        if temperature == 0.0:
            # What is merely to be expected is no ground to drive on. What was really seen is, in the way in which the
            # memory learned to know it: after 15 steps the pose was, in root mean square, 0.97 and 2.02 units off (keys
            # of a player and an expert), where it was shown all that the map holds 1.35 and 2.29.
            look = self.memory.look(turned(state.real, since, self.vision.stretch(), self.width)).float()
        pattern = tile.flat()
        after = CanvasState(
            canvas, pose, frame, motion, sprite, look, hidden, guide, state.real, since, screen, pattern, chance
        )
        return after, reward, torch.sigmoid(end)

    def observe(self, state: CanvasState) -> Tensor:
        return state.frame.movedim(1, -1).contiguous()

    def features(self, state: CanvasState) -> Tensor:
        """Hidden, sprite, motion and what the memory sees of the frame, float32 [B, D + Z + 35]."""
        return torch.cat((state.hidden, state.sprite, state.motion, state.look), dim=-1)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        # Weights from before what is to be expected had a net of its own.
        for name, value in self.foreteller.state_dict(prefix=f"{prefix}foreteller.").items():
            state_dict.setdefault(name, value)
        super()._load_from_state_dict(state_dict, prefix, *more)
