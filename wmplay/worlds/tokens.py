"""Token world: frames as a grid of codes, all next codes predicted in parallel; exact where the game is exact."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from wmplay.core.errors import UsageError
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.worlds.blocks import (
    STRICT,
    ActionEncoder,
    detached,
    expand_like,
    full_precision,
    transitions,
)
from wmplay.worlds.code_predictor import CodePredictor
from wmplay.worlds.codes import Kind, Vision
from wmplay.worlds.protocol import PhaseSpec, Segment, World
from wmplay.worlds.sampling import doubtful, settle
from wmplay.worlds.settling import settling_loss
from wmplay.worlds.values import ValueBook


@dataclass(frozen=True, config=STRICT)
class TokensConfig:
    """Sizes and training of a token world. Values were chosen by trying on GridWorld, unless a source is named."""

    image_size: int = Field(64, ge=8, le=512, description="side of the square frames, pixels")
    vision: Kind = Field("auto", description="patches: exact tiles; vq: learned codes; auto: patches if they suffice")
    codes: int = Field(512, ge=2, le=32767, description="entries of the codebook")
    latent_size: int = Field(8, ge=1, le=64, description="side of the grid of learned codes (vq)")
    latent_dim: int = Field(32, ge=1, le=512, description="length of a learned code's vector (vq)")
    vision_channels: int = Field(64, ge=8, le=1024, description="width of the convolutions of the vq vision")
    commitment: float = Field(0.25, ge=0.0, le=10.0, description="weight of the vq encoder's commitment to its codes")
    recent: int = Field(2, ge=1, le=16, description="frames the predictor looks back at")
    embedding: int = Field(8, ge=2, le=1024, description="length of a code's embedding in the predictor")
    channels: int = Field(32, ge=8, le=1024, description="width of the predictor's convolutions")
    layers: int = Field(2, ge=0, le=32, description="residual blocks of the predictor")
    rewards: int = Field(
        31, ge=3, le=1025, description="reward values that are told apart exactly, or bins beyond that"
    )
    passes: int = Field(8, ge=1, le=256, description="predictions that settle what may go several ways")
    doubt: float = Field(0.01, ge=0.0, lt=0.5, description="chance below which another outcome counts as impossible")
    doubt_later: float = Field(0.05, ge=0.0, lt=0.5, description="the same, once some of a frame's cells are settled")
    vision_batch: int = Field(64, ge=1, le=8192, description="frames in a batch of the vision phase")
    vision_share: float = Field(0.3, gt=0.0, lt=1.0, description="part of the budget the vision phase gets at most")
    batch: int = Field(64, ge=1, le=65536, description="segments in a batch of the memory phase")
    length: int = Field(3, ge=2, le=4096, description="rows in a segment of the memory phase")
    learning_rate: float = Field(5e-3, gt=0.0, le=1.0, description="step size of Adam, both phases")
    weight_decay: float = Field(1e-3, ge=0.0, le=1.0, description="weight decay of the memory phase")

    @model_validator(mode="after")
    def _together(self) -> TokensConfig:
        patch, rest = divmod(self.image_size, self.latent_size)
        if rest or patch < 2:
            raise ValueError(
                f"latent_size ({self.latent_size}) must divide image_size ({self.image_size}) twice or more"
            )
        if self.length <= self.recent:
            raise ValueError(
                f"length ({self.length}) must be more than recent ({self.recent}): a segment's first rows are only read"
            )
        return self


class TokensState(NamedTuple):
    """codes int64 [B, R, P]: the frames of the last R steps, newest first."""

    codes: Tensor


class Tokens(World):
    """P(next codes | recent codes, action), settled jointly; reward and end are read off the codes that came."""

    family: ClassVar[str] = "tokens"
    Config: ClassVar[type] = TokensConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"codes": 64, "vision_channels": 16, "channels": 16, "layers": 1, "vision_batch": 16, "batch": 8},
        "small": {},
        "base": {
            "codes": 1024, "latent_size": 16, "vision_channels": 128, "recent": 4, "embedding": 64, "channels": 256,
            "layers": 6, "vision_batch": 256, "batch": 128, "length": 8,
        },
    }  # fmt: skip

    def __init__(self, config: TokensConfig, observation: ObservationSpec, action: ActionSpec) -> None:
        super().__init__(config, observation, action)
        c = config
        if observation.kind != "frame" or observation.shape != (c.image_size, c.image_size, 3):
            raise UsageError(
                f"tokens is set to {c.image_size}×{c.image_size} colour frames (image_size); "
                f"this game shows {observation.kind} {observation.shape}."
            )
        self.vision = Vision(
            c.vision, c.image_size, c.latent_size, c.latent_dim, c.codes, c.vision_channels, c.commitment
        )
        self.actions = ActionEncoder(action)
        self.rewards = ValueBook(c.rewards)
        self.predictor = CodePredictor(
            c.codes, c.recent, self.actions.width, c.embedding, c.channels, c.layers, c.rewards + 1
        )

    @property
    def phases(self) -> tuple[PhaseSpec, ...]:
        c = self.config
        return (
            PhaseSpec("vision", ("vision",), c.vision_share, c.vision_batch, 1, c.learning_rate),
            PhaseSpec(
                "memory", ("predictor",), 1.0 - c.vision_share, c.batch, c.length, c.learning_rate,
                encoded=True, clip=1.0, weight_decay=c.weight_decay,
            ),
        )  # fmt: skip

    @property
    def features_size(self) -> int:
        return self.config.embedding * self.config.latent_size**2

    @property
    def features_grid(self) -> tuple[int, int, int]:
        return self.config.latent_size, self.config.latent_size, self.config.embedding

    def learned(self, phase: str) -> bool:
        """A dictionary of patches is complete after a glance; a VQ-VAE never is."""
        return phase == "vision" and self.vision.complete

    def loss(self, segment: Segment, phase: str, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        if phase == "vision":
            if self.training:
                self.rewards.learn(segment.reward[segment.mask])
            frames = segment.observation.flatten(0, 1)[segment.mask.flatten()]
            loss, metrics = self.vision.loss(frames, generator)
            return loss, detached(loss=loss, **metrics)
        if self.vision.exact:
            with full_precision(segment.reward):  # exact for a thousand steps is not learned in 8 bits
                return self._memory_loss(segment, generator)
        return self._memory_loss(segment, generator)

    def _history(self, codes: Tensor, first: Tensor) -> Tensor:
        """codes [B, T, P] -> [B, T, R, P]: each row and those before it; an episode's first row stands still."""
        batch, length = first.shape
        at = torch.arange(length, device=codes.device).expand(batch, length)
        row = torch.arange(batch, device=codes.device)[:, None]
        start = first.clone()
        start[:, 0] = True
        found = [codes]
        for _ in range(self.config.recent - 1):
            at = at - (~start[row, at]).long()
            found.append(codes[row, at])
        return torch.stack(found, dim=2)

    def _memory_loss(self, segment: Segment, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of the next codes, with nothing known of them and with some of the open ones known."""
        codes = segment.observation.long()
        if self.training:
            self.rewards.learn(segment.reward[segment.mask])
        ok = transitions(segment.first, segment.mask).valid[:, 1:].clone()
        ok[:, : self.config.recent - 1] = False  # these rows do not know what was before them
        recent = self._history(codes, segment.first)[:, :-1][ok]
        following, action = codes[:, 1:][ok], self.actions(segment.action)[:, 1:][ok]
        live, hidden = self.vision.live(), self.predictor.hidden
        blank = torch.full_like(following, hidden)
        logits = self.predictor(recent, action, blank, live)
        error = F.cross_entropy(logits.transpose(1, 2), following, reduction="none")
        nll = error.sum(-1).mean()
        openness, unsure = doubtful(logits.detach(), self.config.doubt)
        settled = settling_loss(
            lambda shown, rows: self.predictor(recent[rows], action[rows], shown, live),
            following, hidden, openness, unsure, error.detach(), generator,
        )  # fmt: skip
        brought = self.predictor.outcome(recent, action, following)
        reward_loss = self.rewards.loss(brought[:, :-1], segment.reward[:, 1:][ok])
        end_loss = F.binary_cross_entropy_with_logits(brought[:, -1], segment.terminated[:, 1:][ok].float())
        loss = nll + settled + reward_loss + end_loss
        wrong = (logits.argmax(-1) != following).any(-1).float().mean()
        return loss, detached(
            loss=loss, nll=nll, settled=settled, reward=reward_loss, end=end_loss, wrong_frames=wrong,
            open_cells=unsure.float().sum(-1).mean(), openness=openness.mean(),
        )  # fmt: skip

    @torch.no_grad()
    def encode(self, observation: Tensor) -> Tensor:
        """uint8 frames [N, H, W, 3] -> codes int16 [N, P]."""
        return self.vision.encode(observation).to(torch.int16)

    def begin(self, context: Segment, generator: torch.Generator | None = None) -> TokensState:  # noqa: ARG002
        batch, rows = context.reward.shape
        codes = self.vision.encode(context.observation.flatten(0, 1)).unflatten(0, (batch, rows))
        state = TokensState(codes[:, :1].expand(-1, self.config.recent, -1))
        for t in range(1, rows):
            after = self._read(state, codes[:, t], context.first[:, t])
            state = TokensState(torch.where(expand_like(context.mask[:, t], after.codes), after.codes, state.codes))
        return state

    def _read(self, state: TokensState, codes: Tensor, first: Tensor) -> TokensState:
        """One more frame, already encoded as `codes` [B, P]."""
        after = torch.cat((codes[:, None], state.codes[:, :-1]), dim=1)
        return TokensState(torch.where(expand_like(first, after), codes[:, None], after))

    def update(self, state: TokensState, action: Tensor, observation: Tensor, first: Tensor) -> TokensState:  # noqa: ARG002
        return self._read(state, self.vision.encode(observation), first)

    def step(
        self, state: TokensState, action: Tensor, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[TokensState, Tensor, Tensor]:
        recent, taken, live = state.codes, self.actions(action), self.vision.live()

        def predict(decided: Tensor, rows: Tensor) -> Tensor:
            if len(rows) == len(recent):
                return self.predictor(recent, taken, decided, live)
            return self.predictor(recent[rows], taken[rows], decided, live)

        c = self.config
        codes = settle(
            predict, len(recent), recent.shape[2], self.predictor.hidden, c.passes, c.doubt, c.doubt_later,
            temperature, generator, recent.device,
        )  # fmt: skip
        brought = self.predictor.outcome(recent, taken, codes)
        after = TokensState(torch.cat((codes[:, None], recent[:, :-1]), dim=1))
        return after, self.rewards.value(brought[:, :-1]), torch.sigmoid(brought[:, -1])

    def observe(self, state: TokensState) -> Tensor:
        return self.vision.decode(state.codes[:, 0])

    def features(self, state: TokensState) -> Tensor:
        """The embeddings of what is seen, on the configured grid, row by row, float32 [B, P·D]."""
        cells = self.predictor.embed(state.codes[:, 0]).transpose(1, 2)
        side = int(cells.shape[-1] ** 0.5 + 0.5)
        grid = F.adaptive_avg_pool2d(cells.unflatten(2, (side, side)), self.config.latent_size)
        return grid.movedim(1, -1).flatten(1).float()
