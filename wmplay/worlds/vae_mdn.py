"""World Models (Ha and Schmidhuber 2018): a VAE sees, an LSTM with a mixture density head remembers and predicts."""

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
    masked_mean,
    sample_normal,
    transitions,
)
from wmplay.worlds.foreground import Foreground
from wmplay.worlds.mdn_lstm import MdnLstm
from wmplay.worlds.protocol import PhaseSpec, Segment, World
from wmplay.worlds.vae import Vae


@dataclass(frozen=True, config=STRICT)
class VaeMdnConfig:
    """Sizes and training of the 2018 world model. Defaults are the paper's (z 32, LSTM 256, 5 mixtures)."""

    latent_size: int = Field(32, ge=1, le=1024, description="entries of the latent z")
    channels: int = Field(
        32, ge=1, le=512, description="width of the VAE's first layer; the deepest is 8 times as wide"
    )
    tolerance: float = Field(0.5, ge=0.0, le=10.0, description="nats of KL per latent entry that cost nothing")
    focus: float = Field(
        1.0, ge=1.0, le=255.0, description="weight, at most, of pixels that stand out where few do; 1: all alike"
    )
    hidden_size: int = Field(256, ge=4, le=8192, description="hidden size of the LSTM")
    mixtures: int = Field(5, ge=1, le=64, description="Gaussians in the mixture over the next latent")
    vision_batch: int = Field(128, ge=1, le=8192, description="frames in a batch of the vision phase")
    vision_share: float = Field(0.45, gt=0.0, lt=1.0, description="part of the budget the vision phase gets")
    batch: int = Field(64, ge=1, le=8192, description="segments in a batch of the memory phase")
    length: int = Field(32, ge=2, le=4096, description="rows in a segment of the memory phase")
    open_loop: int = Field(
        16, ge=0, le=4096, description="rows at a segment's end where the memory reads its own predictions"
    )
    reward_weight: float = Field(
        0.1, ge=0.0, le=100.0, description="weight of the reward's error, in squared deviations"
    )
    end_weight: float = Field(0.1, ge=0.0, le=100.0, description="weight of the end's cross-entropy")
    learning_rate: float = Field(1e-3, gt=0.0, le=1.0, description="step size of Adam, both phases")

    @model_validator(mode="after")
    def _together(self) -> VaeMdnConfig:
        if self.open_loop >= self.length:
            raise ValueError(
                f"open_loop ({self.open_loop}) must be smaller than length ({self.length}): "
                "the memory needs real rows before it can go on alone"
            )
        return self


class VaeMdnState(NamedTuple):
    """latent: z, float32 [B, Z]; hidden, cell: the memory, float32 [B, H] each."""

    latent: Tensor
    hidden: Tensor
    cell: Tensor


class VaeMdn(World):
    """V and M of the paper: z = V(frame); (z, a, h) → h', P(z'), reward, end. Features: (z, h), 288 in the paper."""

    family: ClassVar[str] = "vae_mdn"
    drawn: ClassVar[bool] = True
    Config: ClassVar[type] = VaeMdnConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"channels": 8, "hidden_size": 32, "vision_batch": 16, "batch": 8, "length": 8, "open_loop": 4},
        "small": {"focus": 30.0},
        "base": {
            "latent_size": 64,
            "channels": 64,
            "hidden_size": 512,
            "focus": 30.0,
            "vision_batch": 512,
            "batch": 256,
            "length": 64,
        },
    }

    def __init__(self, config: VaeMdnConfig, observation: ObservationSpec, action: ActionSpec) -> None:
        super().__init__(config, observation, action)
        if observation.kind != "frame" or observation.shape != (64, 64, 3):
            raise UsageError(
                f"vae_mdn reads 64×64 colour frames; this game shows {observation.kind} {observation.shape}."
            )
        self.vision = Vae(config.latent_size, config.channels)
        self.foreground = Foreground(64, 64, config.focus)
        self.actions = ActionEncoder(action)
        self.memory = MdnLstm(config.latent_size, self.actions.width, config.hidden_size, config.mixtures)

    @property
    def phases(self) -> tuple[PhaseSpec, ...]:
        c = self.config
        vision = PhaseSpec("vision", ("vision",), c.vision_share, c.vision_batch, 1, c.learning_rate)
        memory = PhaseSpec(
            "memory", ("memory",), 1.0 - c.vision_share, c.batch, c.length, c.learning_rate,
            encoded=True, compiled=True, clip=1.0,
        )  # fmt: skip
        return vision, memory

    @property
    def features_size(self) -> int:
        return self.config.latent_size + self.config.hidden_size

    def loss(self, segment: Segment, phase: str, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return self._vision_loss(segment, generator) if phase == "vision" else self._memory_loss(segment, generator)

    def _vision_loss(self, segment: Segment, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        frames = segment.observation.flatten(0, 1)[segment.mask.flatten()]
        if self.training:
            self.foreground.learn(frames)
        loss, error, kl = self.vision.loss(frames, self.config.tolerance, generator, self.foreground.weights(frames))
        return loss, detached(loss=loss, reconstruction=error, kl=kl)

    def _memory_loss(self, segment: Segment, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """NLL of the next latent, reward MSE and end BCE; the last `open_loop` rows read its own predictions.

        Latents are sampled anew from the encoder's mean and log-variance, as in the paper: M cannot overfit them.
        """
        mean, log_variance = segment.observation.float().chunk(2, dim=-1)
        real = sample_normal(mean, log_variance, generator)
        valid, keep = transitions(segment.first, segment.mask)
        action = self.actions(segment.action)
        memory, mixture = self.memory.read_on(real, action, valid, keep, self.config.open_loop)
        ok = valid[:, 1:]
        nll_loss = masked_mean(mixture.nll(real[:, 1:]), ok)
        reward = self.memory.reward(memory).squeeze(-1).float()
        if self.training:
            self.memory.rewards.learn(segment.reward[:, 1:][ok])
        reward_loss = masked_mean(self.memory.rewards.error(reward, segment.reward[:, 1:]), ok)
        end = self.memory.end(memory).squeeze(-1).float()
        ended = segment.terminated[:, 1:].float()
        end_loss = masked_mean(F.binary_cross_entropy_with_logits(end, ended, reduction="none"), ok)
        c = self.config
        loss = nll_loss / c.latent_size + c.reward_weight * reward_loss + c.end_weight * end_loss
        return loss, detached(loss=loss, nll=nll_loss / self.config.latent_size, reward=reward_loss, end=end_loss)

    @torch.no_grad()
    def encode(self, observation: Tensor) -> Tensor:
        """uint8 frames [N, 64, 64, 3] -> mean and log-variance side by side, float32 [N, 2Z]."""
        return torch.cat(self.vision.encode(observation), dim=-1)

    def begin(self, context: Segment, generator: torch.Generator | None = None) -> VaeMdnState:  # noqa: ARG002
        batch, rows = context.reward.shape
        latents = self.vision.encode(context.observation.flatten(0, 1))[0].unflatten(0, (batch, rows))
        start = transitions(context.first, context.mask).keep == 0.0
        hidden, cell = self.memory.lstm.empty(batch, latents)
        state = VaeMdnState(latents[:, 0], hidden, cell)
        for t in range(1, rows):
            after = self._read(state, context.action[:, t], latents[:, t], start[:, t])
            real = context.mask[:, t]
            state = VaeMdnState(*(torch.where(expand_like(real, a), a, b) for a, b in zip(after, state, strict=True)))
        return state

    def _read(self, state: VaeMdnState, action: Tensor, latent: Tensor, first: Tensor) -> VaeMdnState:
        """One real row whose frame is already encoded as `latent` [B, Z]."""
        hidden, cell = self.memory.read(state.latent, self.actions(action), state.hidden, state.cell)
        keep = (~first).float()[:, None]
        return VaeMdnState(latent, hidden * keep, cell * keep)

    def update(self, state: VaeMdnState, action: Tensor, observation: Tensor, first: Tensor) -> VaeMdnState:
        return self._read(state, action, self.vision.encode(observation)[0], first)

    def step(
        self, state: VaeMdnState, action: Tensor, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[VaeMdnState, Tensor, Tensor]:
        hidden, cell = self.memory.read(state.latent, self.actions(action), state.hidden, state.cell)
        mixture, reward, end = self.memory.outcome(hidden, state.latent)
        return VaeMdnState(mixture.sample(generator, temperature), hidden, cell), reward, torch.sigmoid(end)

    def observe(self, state: VaeMdnState) -> Tensor:
        return self.vision.frames(state.latent)

    def features(self, state: VaeMdnState) -> Tensor:
        """(z, h), float32 [B, Z + H]."""
        return torch.cat((state.latent, state.hidden), dim=-1)
