"""State VAE: a world model of games that show a vector, such as CartPole: (state, action) → latent → next state."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from wmplay.core.errors import UsageError
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.worlds.blocks import (
    STRICT,
    ActionEncoder,
    RunningScale,
    detached,
    full_precision,
    kl_to_standard,
    masked_mean,
    mlp,
    sample_normal,
    transitions,
)
from wmplay.worlds.chance import Chance
from wmplay.worlds.protocol import PhaseSpec, Segment, World
from wmplay.worlds.rewards import RewardScale

# Errors that are put right at once while polishing, so many rows times the variables: 50 ms a step on one core.
ERRORS = 1024


@dataclass(frozen=True, config=STRICT)
class StateVaeConfig:
    """Sizes and training of a state VAE. Defaults are the documents' where they fixed one (128, 16, 0.001, 1e-3)."""

    hidden_size: int = Field(128, ge=4, le=8192, description="width of the encoder's and the decoder's hidden layer")
    latent_size: int = Field(
        16, ge=1, le=1024, description="entries of the latent, each with a mean and a log-variance"
    )
    kl_weight: float = Field(0.001, ge=0.0, le=10.0, description="weight of the KL term beside the squared error")
    unroll: int = Field(10, ge=1, le=200, description="open-loop steps the loss looks ahead")
    open_loop_weight: float = Field(
        300.0, ge=0.0, le=1e6, description="weight of the noiseless open-loop error in the loss"
    )
    batch: int = Field(128, ge=1, le=65536, description="segments in a training batch")
    learning_rate: float = Field(1e-3, gt=0.0, le=1.0, description="step size of Adam")
    polish: float = Field(
        0.4, ge=0.0, le=0.95, description="share of the training in which Gauss-Newton makes the step exact"
    )


class StateVaeState(NamedTuple):
    """vector: float32 [B, S], the state in the game's own units."""

    vector: Tensor


class StateVae(World):
    """Predicts the change of the state, in units of its usual size, through a stochastic bottleneck."""

    family: ClassVar[str] = "state_vae"
    Config: ClassVar[type] = StateVaeConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"hidden_size": 32, "latent_size": 8, "batch": 32, "unroll": 4},
        # Chosen by trying: with the documents' 1e-3 the pole's error after 50 steps is 6 times as large after 20 s.
        "small": {"learning_rate": 1e-2},
        "base": {"hidden_size": 512, "latent_size": 64, "batch": 1024, "unroll": 16},
    }

    def __init__(self, config: StateVaeConfig, observation: ObservationSpec, action: ActionSpec) -> None:
        super().__init__(config, observation, action)
        if observation.kind != "vector" or len(observation.shape) != 1:
            raise UsageError(
                "state_vae learns games whose observation is a vector; this one shows frames: use vae_mdn."
            )
        size = observation.shape[0]
        self.actions = ActionEncoder(action)
        self.scale = RunningScale(size)
        self.change = RunningScale(size)
        self.rewards = RewardScale()
        self.chance = Chance()
        self.encoder = mlp((size + self.actions.width, config.hidden_size, 2 * config.latent_size))
        self.decoder = mlp((config.latent_size, config.hidden_size, size))
        self.reward = mlp((size + self.actions.width, config.hidden_size, 1))
        self.end = mlp((size, config.hidden_size, 1))

    @property
    def phases(self) -> tuple[PhaseSpec, ...]:
        c = self.config
        modules = ("encoder", "decoder", "reward", "end")
        joint = PhaseSpec("joint", modules, 1.0 - c.polish, c.batch, c.unroll + 1, c.learning_rate, clip=10.0)
        if not c.polish:
            return (joint,)
        rows = min(c.batch * c.unroll, max(16, ERRORS // self.observation.shape[0]))
        return joint, PhaseSpec("polish", modules[:2], c.polish, rows, 2, c.learning_rate, polish=True)

    @property
    def features_size(self) -> int:
        return self.observation.shape[0]

    def _latent(self, vector: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [B, Z] of the latent of a transition; `action` already encoded."""
        both = self.encoder(torch.cat((self.scale.normalise(vector), action), dim=-1)).float()
        mean, log_variance = both.chunk(2, dim=-1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def _next(self, vector: Tensor, latent: Tensor) -> Tensor:
        return vector + self.change.restore(self.decoder(latent).float())

    def loss(self, segment: Segment, phase: str, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """MSE + 0.001·KL on each step, plus the MSE of the noiseless model running open loop through the segment.

        Errors are measured in standard deviations of one step's change, so that each state variable counts alike.
        """
        with full_precision(segment.reward):  # eight bits of mantissa are an error of 0.4 % in every step
            return self._polished(segment, generator) if phase == "polish" else self._loss(segment, generator)

    def _polished(self, segment: Segment, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        before, after, action = self._pairs(segment)
        mean, log_variance = self._latent(before, action)
        still, noisy = (self._next(before, z) for z in (mean, sample_normal(mean, log_variance, generator)))
        gap, shake = (still - after) / self.change.deviation, (noisy - still) / self.change.deviation
        missed = gap.square().mean()
        if self.training and len(gap):
            self.chance.learn(missed, shake.square().mean())
        return missed, detached(loss=missed, one_step_mse=(still - after).square().mean(), noise=self.chance.scale)

    def _pairs(self, segment: Segment) -> tuple[Tensor, Tensor, Tensor]:
        """The segment's N transitions: states before and after [N, S], encoded actions [N, A]."""
        ok = transitions(segment.first, segment.mask).valid[:, 1:]
        before, after = segment.observation[:, :-1][ok].float(), segment.observation[:, 1:][ok].float()
        return before, after, self.actions(segment.action[:, 1:][ok])

    def residuals(self, segment: Segment, phase: str) -> Tensor:  # noqa: ARG002
        """Errors [N, S] of the noiseless step in the segment's N transitions, in the units of the loss.

        Noise and KL have no part in them: they say how sure a step is, and stand in the way of its being exact.
        """
        with full_precision(segment.reward):
            before, after, action = self._pairs(segment)
            mean, _ = self._latent(before, action)
            return (self._next(before, mean) - after) / self.change.deviation

    def _loss(self, segment: Segment, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        real, first = segment.observation.float(), segment.first
        valid = transitions(first, segment.mask).valid
        if self.training:
            self.scale.learn(real[segment.mask])
            self.change.learn((real[:, 1:] - real[:, :-1])[valid[:, 1:]])
            self.rewards.learn(segment.reward[:, 1:][valid[:, 1:]])
        unit = self.change.deviation
        action = self.actions(segment.action)
        before, after, ok = real[:, :-1], real[:, 1:], valid[:, 1:]

        mean, log_variance = self._latent(before, action[:, 1:])
        sampled = self._next(before, sample_normal(mean, log_variance, generator))
        reconstruction = masked_mean(((sampled - after) / unit).square().mean(-1), ok)
        kl = masked_mean(kl_to_standard(mean, log_variance), ok)

        vector, open_loop, predicted = real[:, 0], [], []
        for t in range(1, real.shape[1]):
            latent, _ = self._latent(vector, action[:, t])
            vector = self._next(vector, latent)
            # Errors grow at least linearly on the way: in units of unit · t, late steps do not drown early ones.
            open_loop.append(((vector - real[:, t]) / (unit * t)).square().mean(-1))
            predicted.append(vector)
            vector = torch.where(valid[:, t, None], vector, real[:, t])
        open_loop_error = masked_mean(torch.stack(open_loop, 1), ok)

        reward = self.reward(torch.cat((self.scale.normalise(after), action[:, 1:]), -1)).squeeze(-1).float()
        reward_loss = masked_mean(self.rewards.error(reward, segment.reward[:, 1:]), ok)
        end = self.end(self.scale.normalise(after)).squeeze(-1).float()
        ended = segment.terminated[:, 1:].float()
        end_loss = masked_mean(F.binary_cross_entropy_with_logits(end, ended, reduction="none"), ok)

        loss = (
            reconstruction
            + self.config.open_loop_weight * open_loop_error
            + self.config.kl_weight * kl
            + 0.1 * reward_loss
            + 0.1 * end_loss
        )
        one_step = masked_mean((predicted[0] - after[:, 0]).square().mean(-1), ok[:, 0])
        return loss, detached(
            loss=loss, reconstruction=reconstruction, open_loop=open_loop_error, one_step_mse=one_step, kl=kl,
            reward=reward_loss, end=end_loss,
        )  # fmt: skip

    def begin(self, context: Segment, generator: torch.Generator | None = None) -> StateVaeState:  # noqa: ARG002
        """The last real row [B, S]; a vector game's state needs no memory."""
        last = (context.mask.long().sum(1) - 1).clamp_min(0)
        return StateVaeState(context.observation.float()[torch.arange(last.shape[0], device=last.device), last])

    def update(
        self,
        state: StateVaeState,  # noqa: ARG002
        action: Tensor,  # noqa: ARG002
        observation: Tensor,
        first: Tensor,  # noqa: ARG002
    ) -> StateVaeState:
        """A vector state is seen whole: what was before does not matter."""
        return StateVaeState(observation.float())

    def step(
        self, state: StateVaeState, action: Tensor, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[StateVaeState, Tensor, Tensor]:
        encoded = self.actions(action)
        mean, log_variance = self._latent(state.vector, encoded)
        if temperature > 0.0:
            log_variance = log_variance + 2.0 * self.chance.scale.log()
        vector = self._next(state.vector, sample_normal(mean, log_variance, generator, temperature))
        seen = self.scale.normalise(vector)
        told = self.reward(torch.cat((seen, encoded), -1)).squeeze(-1).float()
        return StateVaeState(vector), self.rewards.restore(told), torch.sigmoid(self.end(seen).squeeze(-1).float())

    def observe(self, state: StateVaeState) -> Tensor:
        return state.vector

    def features(self, state: StateVaeState) -> Tensor:
        """The normalised state, float32 [B, S]."""
        return self.scale.normalise(state.vector)
