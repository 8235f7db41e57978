"""The recurrent state-space model of DreamerV3, for play: a deterministic memory and categorical latents.

Hafner et al. 2023, arXiv 2301.04104; equations cited from there. Learns games of frames and games of vectors.

Shapes: B batch, T time, D deterministic units, S latents of K classes, F = D + S·K features.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.compiling import compilable, pieces
from wmplay.core.errors import UsageError
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.worlds.blocks import (
    ActionEncoder,
    RunningScale,
    detached,
    expand_like,
    masked_mean,
    to_uint8,
    transitions,
)
from wmplay.worlds.foreground import Foreground
from wmplay.worlds.frame_nets import UNIT, FrameDecoder, FrameEncoder
from wmplay.worlds.protocol import PhaseSpec, Segment, World
from wmplay.worlds.recurrent import BlockGru, Dense, divergence, draw, head, log_probabilities
from wmplay.worlds.rssm_config import RssmConfig
from wmplay.worlds.values import symexp, symlog, two_hot

# Reach of the reward's bins on the symlog scale (arXiv 2301.04104 has 20; a step's reward is never e^20).
REACH = 10.0


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
            "learning_rate": 5e-4,
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
            if height != width or height % UNIT:
                raise UsageError(f"rssm needs square frames with a side of a multiple of {UNIT}, not {height}×{width}.")
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
        return (
            PhaseSpec("joint", modules, 1.0, c.batch, c.length, c.learning_rate, compiled=True, muon=True, clip=100.0),
        )

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
        if self.training and self.observation.kind == "vector":
            self.scale.learn(flat[segment.mask.flatten()])
        elif self.training and not self.foreground.settled:  # else not even the batch need be copied
            self.foreground.learn(flat[segment.mask.flatten()])
        change = transitions(segment.first, segment.mask)
        seen = self._see(flat).unflatten(0, (batch, length))
        projected = self.memory.project(self.actions(segment.action) * change.keep[..., None])
        hidden, latent = self._empty(batch, segment.reward)
        chance = self._chance(hidden, generator, length, batch)
        read = []
        for rows in pieces(0, length):
            read.append(
                self._read_on(hidden, latent, seen[:, rows], projected[:, rows], change.keep[:, rows], chance[rows])
            )
            hidden, latent = (part[:, -1] for part in read[-1][:2])
        hidden, latent, posterior = (torch.cat(part, 1).flatten(0, 1) for part in zip(*read, strict=True))
        features = torch.cat((hidden, latent), dim=-1)
        real, moved = segment.mask.flatten().float(), change.valid.flatten().float()
        error = self._error(features, flat)
        kl, pulled, entropy, reward, end = self._costs(features, posterior, segment.reward, segment.terminated)
        loss = masked_mean(error + kl, real) + masked_mean(reward + end, moved)
        scale = flat[0].numel() if self.observation.kind == "frame" else self.config.vector_weight
        return loss, detached(
            loss=loss, reconstruction=masked_mean(error, real) / scale, kl=masked_mean(pulled, real),
            reward=masked_mean(reward, moved), end=masked_mean(end, moved), prior_entropy=masked_mean(entropy, real),
        )  # fmt: skip

    @compilable
    def _read_on(
        self, hidden: Tensor, latent: Tensor, seen: Tensor, projected: Tensor, keep: Tensor, chance: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """T rows from a state on: h [B, T, D], z [B, T, S·K] and log q(z | h, x) [B, T, S, K]; chance [T, B, S, K]."""
        hiddens, latents, posteriors = [], [], []
        for t in range(keep.shape[1]):
            kept = keep[:, t, None]
            hidden = self.memory(hidden * kept, latent * kept, projected[:, t])
            posteriors.append(self._posterior(hidden, seen[:, t]))
            latent = draw(posteriors[-1], chance[t])
            hiddens.append(hidden)
            latents.append(latent)
        return torch.stack(hiddens, 1), torch.stack(latents, 1), torch.stack(posteriors, 1)

    @compilable
    def _costs(self, features: Tensor, posterior: Tensor, reward: Tensor, ended: Tensor) -> tuple[Tensor, ...]:
        """Of features [N, F] and log q(z | h, x): the divergences' cost, KL(q || p), the entropy of p, and what reward
        and end, [N] in any shape, are missed by; each [N]."""
        c = self.config
        prior = self._prior(features[:, : c.deterministic])
        pulled, pulling = divergence(posterior.detach(), prior), divergence(posterior, prior.detach())
        kl = c.prior_weight * pulled.clamp_min(c.free_nats) + c.posterior_weight * pulling.clamp_min(c.free_nats)
        target = two_hot(symlog(reward.flatten()), self.bins)
        missed = F.cross_entropy(self.reward(features).float(), target, reduction="none")
        end = self.end(features).squeeze(-1).float()
        end = F.binary_cross_entropy_with_logits(end, ended.flatten().float(), reduction="none")
        return kl, pulled, -(prior.exp() * prior).sum((-1, -2)), missed, end

    def _chance(self, like: Tensor, generator: torch.Generator | None, *count: int) -> Tensor:
        """What `draw` throws dice with: float32 [*count, S, K] from 0 to 1, where `like` is."""
        shape = (*count, self.config.latents, self.config.classes)
        return torch.rand(shape, generator=generator, device=like.device)

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
            after = RssmState(hidden, draw(self._posterior(hidden, seen[:, t]), None))
            real = context.mask[:, t]
            state = RssmState(*(torch.where(expand_like(real, a), a, b) for a, b in zip(after, state, strict=True)))
        return state

    def update(self, state: RssmState, action: Tensor, observation: Tensor, first: Tensor) -> RssmState:
        hidden = self._advance(state, action, (~first).float()[:, None])
        return RssmState(hidden, draw(self._posterior(hidden, self._see(observation)), None))

    def step(
        self, state: RssmState, action: Tensor, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[RssmState, Tensor, Tensor]:
        hidden = self._advance(state, action)
        chance = self._chance(hidden, generator, len(hidden)) if temperature > 0.0 else None
        after = RssmState(hidden, draw(self._prior(hidden), chance, temperature))
        features = self.features(after)
        reward = symexp((torch.softmax(self.reward(features).float(), dim=-1) * self.bins).sum(-1))
        return after, reward, torch.sigmoid(self.end(features).squeeze(-1).float())

    def observe(self, state: RssmState) -> Tensor:
        seen = self.decoder(self.features(state)).float()
        return to_uint8(seen) if self.observation.kind == "frame" else self.scale.restore(symexp(seen))

    def features(self, state: RssmState) -> Tensor:
        """(h, z), float32 [B, F]."""
        return torch.cat((state.hidden, state.latent), dim=-1)
