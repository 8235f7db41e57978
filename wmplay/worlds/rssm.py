"""The recurrent state-space model of DreamerV3, for play: a deterministic memory and categorical latents.

Hafner et al. 2023, arXiv 2301.04104; equations cited from there. Learns games of frames and games of vectors.

Shapes: B batch, T time, D deterministic units, S latents of K classes, F = D + S·K features.
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
    masked_mean,
    to_uint8,
    transitions,
)
from wmplay.worlds.foreground import Foreground
from wmplay.worlds.frame_nets import HALVINGS, PATCH, FrameDecoder, FrameEncoder
from wmplay.worlds.protocol import PhaseSpec, Segment, World
from wmplay.worlds.recurrent import BlockGru, Dense, divergence, draw, head, log_probabilities
from wmplay.worlds.values import symexp, symlog, two_hot

# Reach of the reward's bins on the symlog scale (arXiv 2301.04104 has 20; a step's reward is never e^20).
REACH = 10.0


@dataclass(frozen=True, config=STRICT)
class RssmConfig:
    """Sizes and training. Weights and free bits are the paper's; sizes are a CPU's, see `base` for more."""

    deterministic: int = Field(256, ge=8, le=16384, description="units of the GRU")
    latents: int = Field(32, ge=1, le=256, description="categorical latents")
    classes: int = Field(32, ge=2, le=256, description="classes of each latent")
    units: int = Field(256, ge=8, le=8192, description="width of the dense layers")
    blocks: int = Field(8, ge=1, le=64, description="blocks of the GRU's matrices")
    depth: int = Field(16, ge=2, le=512, description="width of the convolutions, in units of which they are built")
    layers: int = Field(1, ge=0, le=8, description="dense layers of the reward and end heads")
    bins: int = Field(255, ge=3, le=4095, description="two-hot bins of the reward")
    prior_weight: float = Field(1.0, ge=0.0, le=100.0, description="weight of pulling the prior to the posterior")
    posterior_weight: float = Field(0.1, ge=0.0, le=100.0, description="weight of pulling the posterior to the prior")
    free_nats: float = Field(1.0, ge=0.0, le=100.0, description="divergence, in nats, below which it costs nothing")
    vector_weight: float = Field(100.0, gt=0.0, le=1e6, description="weight of a state vector's squared error")
    focus: float = Field(
        30.0, ge=1.0, le=255.0, description="weight, at most, of pixels that stand out where few do; 1: all alike"
    )
    batch: int = Field(16, ge=1, le=4096, description="segments in a batch")
    length: int = Field(32, ge=2, le=4096, description="rows in a segment")
    learning_rate: float = Field(6e-4, gt=0.0, le=1.0, description="step size of Adam")

    @model_validator(mode="after")
    def _together(self) -> RssmConfig:
        if self.deterministic % self.blocks:
            raise ValueError(f"deterministic ({self.deterministic}) must be a multiple of blocks ({self.blocks})")
        return self


class RssmState(NamedTuple):
    """hidden float32 [B, D], the GRU; latent float32 [B, S·K], one-hot in each of S groups."""

    hidden: Tensor
    latent: Tensor


class Rssm(World):
    """h = f(h, z, a); z ~ q(z | h, x) when looking, p(z | h) when dreaming; x, reward and end are read off (h, z)."""

    family: ClassVar[str] = "rssm"
    drawn: ClassVar[bool] = True
    Config: ClassVar[type] = RssmConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {
            "deterministic": 32, "latents": 8, "classes": 8, "units": 32, "blocks": 4, "depth": 4,
            "batch": 4, "length": 8,
        },
        "small": {},
        # 12M, the paper's smallest size but two.
        "base": {
            "deterministic": 2048, "classes": 16, "units": 256, "depth": 32, "batch": 16, "length": 64,
            "learning_rate": 1e-4,
        },
    }  # fmt: skip

    bins: Tensor

    def __init__(self, config: RssmConfig, observation: ObservationSpec, action: ActionSpec) -> None:
        super().__init__(config, observation, action)
        c = config
        latent = c.latents * c.classes
        self.actions = ActionEncoder(action)
        self.encoder: nn.Module
        self.decoder: nn.Module
        if observation.kind == "frame":
            height, width = observation.shape[:2]
            unit = PATCH * 2**HALVINGS
            if height != width or height % unit:
                raise UsageError(f"rssm needs square frames with a side of a multiple of {unit}, not {height}×{width}.")
            self.encoder = FrameEncoder(height, c.depth)
            self.decoder = FrameDecoder(height, c.depth, self.features_size)
            self.foreground = Foreground(height, width, c.focus)
            embedding = self.encoder.size
        else:
            size = observation.shape[0]
            self.encoder = nn.Sequential(Dense(size, c.units), Dense(c.units, c.units))
            self.decoder = nn.Sequential(
                Dense(self.features_size, c.units), Dense(c.units, c.units), nn.Linear(c.units, size)
            )
            self.scale = RunningScale(size)
            embedding = c.units
        self.memory = BlockGru(c.deterministic, latent, self.actions.width, c.units, c.blocks)
        self.prior = nn.Sequential(Dense(c.deterministic, c.units), nn.Linear(c.units, latent))
        # The posterior's first layer in two parts: what is seen is known for a whole segment, the memory is not.
        self.look = nn.Linear(embedding, c.units, bias=False)
        self.posterior = nn.ModuleList((Dense(c.deterministic, c.units), nn.Linear(c.units, latent)))
        self.reward = head(self.features_size, c.units, c.layers, c.bins)
        self.end = head(self.features_size, c.units, c.layers, 1)
        self.register_buffer("bins", torch.linspace(-REACH, REACH, c.bins), persistent=False)

    @property
    def phases(self) -> tuple[PhaseSpec, ...]:
        c = self.config
        modules = ("encoder", "decoder", "memory", "prior", "look", "posterior", "reward", "end")
        return (PhaseSpec("joint", modules, 1.0, c.batch, c.length, c.learning_rate, clip=100.0),)

    @property
    def features_size(self) -> int:
        return self.config.deterministic + self.config.latents * self.config.classes

    def _see(self, observation: Tensor) -> Tensor:
        """Observations [N, ...] -> their part of the posterior's first layer [N, U]."""
        if self.observation.kind == "frame":
            return self.look(self.encoder(observation))
        return self.look(self.encoder(symlog(self.scale.normalise(observation.float()))))

    def _posterior(self, hidden: Tensor, seen: Tensor) -> Tensor:
        """log q(z | h, x), float32 [N, S, K] (equation 1, encoder)."""
        first, last = self.posterior
        x = first.finish(first.linear(hidden) + seen)  # type: ignore[operator]
        return log_probabilities(last(x), self.config.classes)

    def _prior(self, hidden: Tensor) -> Tensor:
        """log p(z | h), float32 [N, S, K] (equation 1, dynamics predictor)."""
        return log_probabilities(self.prior(hidden), self.config.classes)

    def loss(self, segment: Segment, phase: str, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        """Prediction + dynamics + 0.1·representation loss, each divergence from one nat on (equations 2, 3)."""
        batch, length = segment.reward.shape
        flat = segment.observation.flatten(0, 1)
        if self.training:
            (self.scale if self.observation.kind == "vector" else self.foreground).learn(flat[segment.mask.flatten()])
        change = transitions(segment.first, segment.mask)
        seen = self._see(flat).unflatten(0, (batch, length))
        projected = self.memory.project(self.actions(segment.action) * change.keep[..., None])
        state = self._empty(batch, segment.reward)
        hiddens, latents, posteriors = [], [], []
        for t in range(length):
            keep = change.keep[:, t, None]
            hidden = self.memory(state.hidden * keep, state.latent * keep, projected[:, t])
            posterior = self._posterior(hidden, seen[:, t])
            state = RssmState(hidden, draw(posterior, generator))
            hiddens.append(hidden)
            latents.append(state.latent)
            posteriors.append(posterior)
        hidden = torch.stack(hiddens, 1).flatten(0, 1)
        posterior = torch.stack(posteriors, 1).flatten(0, 1)
        features = torch.cat((hidden, torch.stack(latents, 1).flatten(0, 1)), dim=-1)
        prior = self._prior(hidden)
        real, moved = segment.mask.flatten().float(), change.valid.flatten().float()

        error = self._error(features, flat)
        pulled = divergence(posterior.detach(), prior)
        pulling = divergence(posterior, prior.detach())
        free = self.config.free_nats
        kl = self.config.prior_weight * pulled.clamp_min(free) + self.config.posterior_weight * pulling.clamp_min(free)
        reward = F.cross_entropy(
            self.reward(features).float(), two_hot(symlog(segment.reward.flatten()), self.bins), reduction="none"
        )
        ended = segment.terminated.flatten().float()
        end = F.binary_cross_entropy_with_logits(self.end(features).squeeze(-1).float(), ended, reduction="none")
        loss = masked_mean(error + kl, real) + masked_mean(reward + end, moved)
        scale = flat[0].numel() if self.observation.kind == "frame" else self.config.vector_weight
        entropy = -(prior.exp() * prior).sum((-1, -2))
        return loss, detached(
            loss=loss, reconstruction=masked_mean(error, real) / scale, kl=masked_mean(pulled, real),
            reward=masked_mean(reward, moved), end=masked_mean(end, moved), prior_entropy=masked_mean(entropy, real),
        )  # fmt: skip

    def _error(self, features: Tensor, observation: Tensor) -> Tensor:
        """Squared error of what is read off the features [N, F], summed over a picture's pixels, [N]."""
        if self.observation.kind == "frame":
            weights = self.foreground.weights(observation)
            return self.decoder.error(features, observation, weights)  # type: ignore[operator, no-any-return]
        guess = self.decoder(features).float()
        truth = symlog(self.scale.normalise(observation.float()))
        return (guess - truth).square().sum(-1) * self.config.vector_weight

    def _empty(self, batch: int, like: Tensor) -> RssmState:
        c = self.config
        hidden = torch.zeros(batch, c.deterministic, device=like.device)
        return RssmState(hidden, torch.zeros(batch, c.latents * c.classes, device=like.device))

    def _advance(self, state: RssmState, action: Tensor, keep: Tensor | None = None) -> Tensor:
        """h' float32 [B, D] after `action` [B, ...]; where `keep` [B, 1] is 0 nothing was before."""
        encoded = self.actions(action)
        if keep is None:
            return self.memory(state.hidden, state.latent, self.memory.project(encoded)).float()
        return self.memory(state.hidden * keep, state.latent * keep, self.memory.project(encoded * keep)).float()

    def begin(self, context: Segment, generator: torch.Generator | None = None) -> RssmState:  # noqa: ARG002
        batch, rows = context.reward.shape
        seen = self._see(context.observation.flatten(0, 1)).unflatten(0, (batch, rows))
        keep = transitions(context.first, context.mask).keep
        state = self._empty(batch, context.reward)
        for t in range(rows):
            hidden = self._advance(state, context.action[:, t], keep[:, t, None])
            after = RssmState(hidden, draw(self._posterior(hidden, seen[:, t]), None, 0.0))
            real = context.mask[:, t]
            state = RssmState(*(torch.where(expand_like(real, a), a, b) for a, b in zip(after, state, strict=True)))
        return state

    def update(self, state: RssmState, action: Tensor, observation: Tensor, first: Tensor) -> RssmState:
        hidden = self._advance(state, action, (~first).float()[:, None])
        return RssmState(hidden, draw(self._posterior(hidden, self._see(observation)), None, 0.0))

    def step(
        self, state: RssmState, action: Tensor, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[RssmState, Tensor, Tensor]:
        hidden = self._advance(state, action)
        after = RssmState(hidden, draw(self._prior(hidden), generator, temperature))
        features = self.features(after)
        reward = symexp((torch.softmax(self.reward(features).float(), dim=-1) * self.bins).sum(-1))
        return after, reward, torch.sigmoid(self.end(features).squeeze(-1).float())

    def observe(self, state: RssmState) -> Tensor:
        seen = self.decoder(self.features(state)).float()
        return to_uint8(seen) if self.observation.kind == "frame" else self.scale.restore(symexp(seen))

    def features(self, state: RssmState) -> Tensor:
        """(h, z), float32 [B, F]."""
        return torch.cat((state.hidden, state.latent), dim=-1)
