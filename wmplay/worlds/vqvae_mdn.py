"""VQ-VAE + MDN-LSTM: frames as a grid of codes, and a mixture of Gaussians over the next grid, snapped to codes."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from wmplay.core.errors import UsageError
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.worlds.blocks import STRICT, ActionEncoder, detached, expand_like, to_uint8, transitions
from wmplay.worlds.grid_mixture import GridMixture, GridPredictor
from wmplay.worlds.memory import Memory
from wmplay.worlds.protocol import PhaseSpec, Segment, World
from wmplay.worlds.rewards import RewardScale
from wmplay.worlds.vqvae import Vqvae


@dataclass(frozen=True, config=STRICT)
class VqvaeMdnConfig:
    """Sizes and training. The documents' defaults (64×64 → 8×8×32, 512 codes, LSTM 256, 5 Gaussians, 0.1 and 0.1)."""

    image_size: int = Field(64, ge=8, le=512, description="side of the square frames, pixels")
    latent_size: int = Field(8, ge=1, le=64, description="side of the grid of codes")
    latent_dim: int = Field(32, ge=1, le=512, description="length of a code's vector")
    codes: int = Field(512, ge=2, le=32767, description="entries of the codebook")
    hidden_size: int = Field(256, ge=4, le=8192, description="hidden size of the LSTM")
    mixtures: int = Field(5, ge=1, le=64, description="Gaussians in the mixture: outcomes the next frame may have")
    learning_rate: float = Field(1e-3, gt=0.0, le=1.0, description="step size of Adam for the memory")
    vision_learning_rate: float = Field(1e-3, gt=0.0, le=1.0, description="step size of Adam for the vision")
    commitment: float = Field(0.25, ge=0.0, le=10.0, description="weight of the encoder's commitment to its codes")
    channels: int = Field(64, ge=8, le=1024, description="width of the convolutions, in vision and in the predictor")
    layers: int = Field(1, ge=0, le=16, description="residual blocks of the predictor over the grid")
    vision_batch: int = Field(64, ge=1, le=8192, description="frames in a batch of the vision phase")
    vision_share: float = Field(0.5, gt=0.0, lt=1.0, description="part of the budget the vision phase gets")
    batch: int = Field(32, ge=1, le=8192, description="segments in a batch of the memory phase")
    length: int = Field(12, ge=2, le=4096, description="rows in a segment of the memory phase")
    reward_weight: float = Field(
        0.1, ge=0.0, le=100.0, description="weight of the reward's error, in squared deviations"
    )
    end_weight: float = Field(0.1, ge=0.0, le=100.0, description="weight of the end's cross-entropy")

    @model_validator(mode="after")
    def _together(self) -> VqvaeMdnConfig:
        patch, rest = divmod(self.image_size, self.latent_size)
        if rest or patch < 2 or patch & (patch - 1):
            raise ValueError(
                f"image_size ({self.image_size}) must be latent_size ({self.latent_size}) times 2, 4, 8, 16, …: "
                "each code stands for a square patch that is halved until it is one cell"
            )
        return self


class VqvaeMdnState(NamedTuple):
    """codes int64 [B, P], what is seen; before int64 [B, P], a step earlier; hidden, cell float32 [B, H]."""

    codes: Tensor
    before: Tensor
    hidden: Tensor
    cell: Tensor


class GridMemory(nn.Module):
    """The LSTM, which reads the whole grid, and the local predictor that it conditions."""

    def __init__(self, config: VqvaeMdnConfig, actions: int) -> None:
        super().__init__()
        c = config
        self.read = nn.Linear(c.latent_size**2 * c.latent_dim, c.hidden_size)
        self.lstm = Memory(c.hidden_size + actions, c.hidden_size)
        self.predictor = GridPredictor(
            c.latent_size, c.latent_dim, actions, c.hidden_size, c.mixtures, c.channels, c.layers
        )
        self.rewards = RewardScale()


class VqvaeMdn(World):
    """codes = V(frame); (codes, a, h) → h', then K possible next grids, of which one is chosen, reward and end."""

    family: ClassVar[str] = "vqvae_mdn"
    drawn: ClassVar[bool] = True
    Config: ClassVar[type] = VqvaeMdnConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"codes": 64, "hidden_size": 32, "channels": 16, "vision_batch": 16, "batch": 8, "length": 6},
        # Chosen by trying on GridWorld: many small steps beat few large ones.
        "small": {"learning_rate": 8e-3, "vision_learning_rate": 3e-3, "vision_batch": 32, "batch": 8, "length": 9},
        "base": {
            "codes": 1024, "hidden_size": 512, "channels": 192, "layers": 4,
            "vision_batch": 256, "batch": 128, "length": 24,
        },
    }  # fmt: skip

    def __init__(self, config: VqvaeMdnConfig, observation: ObservationSpec, action: ActionSpec) -> None:
        super().__init__(config, observation, action)
        c = config
        if observation.kind != "frame" or observation.shape != (c.image_size, c.image_size, 3):
            raise UsageError(
                f"vqvae_mdn is set to {c.image_size}×{c.image_size} colour frames (image_size); "
                f"this game shows {observation.kind} {observation.shape}."
            )
        self.cells = c.latent_size**2
        self.vision = Vqvae(c.image_size, c.latent_size, c.latent_dim, c.codes, c.channels)
        self.actions = ActionEncoder(action)
        self.memory = GridMemory(config, self.actions.width)

    @property
    def phases(self) -> tuple[PhaseSpec, ...]:
        c = self.config
        return (
            PhaseSpec("vision", ("vision",), c.vision_share, c.vision_batch, 1, c.vision_learning_rate),
            PhaseSpec(
                "memory", ("memory",), 1.0 - c.vision_share, c.batch, c.length, c.learning_rate, encoded=True, clip=10.0
            ),
        )

    @property
    def features_size(self) -> int:
        return self.cells * self.config.latent_dim + self.config.hidden_size

    @property
    def features_grid(self) -> tuple[int, int, int]:
        return self.config.latent_size, self.config.latent_size, self.config.latent_dim

    def loss(self, segment: Segment, phase: str, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        if phase == "vision":
            frames = segment.observation.flatten(0, 1)[segment.mask.flatten()]
            loss, metrics = self.vision.loss(frames, self.config.commitment, generator)
            return loss, detached(loss=loss, **metrics)
        return self._memory_loss(segment)

    def _memory_loss(self, segment: Segment) -> tuple[Tensor, dict[str, Tensor]]:
        """NLL of the next grid + 0.1·reward MSE + 0.1·end BCE (weights in the config), of rows with a predecessor."""
        codes = segment.observation.long()
        if self.training:
            self.vision.codebook.note(codes[segment.mask].flatten())
        valid, keep = transitions(segment.first, segment.mask)
        action = self.actions(segment.action)
        batch, length = segment.reward.shape
        # A step earlier; an episode's first frame was not preceded by anything, so it stands still.
        before = torch.cat((codes[:, :1], codes[:, :-1]), 1)
        before = torch.where(keep.bool()[..., None], before, codes)

        projected = self.memory.lstm.project(self._inputs(codes[:, :-1], action[:, 1:]))
        hidden, cell = self.memory.lstm.empty(batch, action)
        hiddens = []
        for t in range(1, length):
            hidden, cell = self.memory.lstm.advance(projected[:, t - 1], hidden, cell)
            hiddens.append(hidden)
            hidden, cell = hidden * keep[:, t, None], cell * keep[:, t, None]
        ok = valid[:, 1:]
        memory = torch.stack(hiddens, 1)[ok]
        now, past, following = codes[:, :-1][ok], before[:, :-1][ok], codes[:, 1:][ok]
        mixture, trunk = self._predict(now, past, action[:, 1:][ok], memory)
        nll = mixture.nll(following, self.vision.codebook.live()).mean() / self.cells
        reward, end = self.memory.predictor.outcome(trunk, self._vectors(following), memory)
        if self.training:
            self.memory.rewards.learn(segment.reward[:, 1:][ok])
        reward_loss = self.memory.rewards.error(reward, segment.reward[:, 1:][ok]).mean()
        end_loss = F.binary_cross_entropy_with_logits(end, segment.terminated[:, 1:][ok].float())
        loss = nll + self.config.reward_weight * reward_loss + self.config.end_weight * end_loss
        return loss, detached(loss=loss, nll=nll, reward=reward_loss, end=end_loss)

    def _vectors(self, codes: Tensor) -> Tensor:
        """codes int64 [..., P] -> their vectors, float32 [..., P, D]."""
        return self.vision.codebook.vectors[codes]

    def _inputs(self, codes: Tensor, action: Tensor) -> Tensor:
        """codes [..., P] and encoded action [..., A] -> what the LSTM reads [..., H + A]."""
        read = torch.relu(self.memory.read(self._vectors(codes).flatten(-2)))
        return torch.cat((read, action), dim=-1)

    def _predict(self, codes: Tensor, before: Tensor, action: Tensor, hidden: Tensor) -> tuple[GridMixture, Tensor]:
        """The mixture over the next grid and the predictor's trunk; codes, before [N, P], action [N, A], h' [N, H]."""
        now = self._vectors(codes)
        return self.memory.predictor(now, self._vectors(before), action, hidden, self.vision.codebook.vectors)

    @torch.no_grad()
    def encode(self, observation: Tensor) -> Tensor:
        """uint8 frames [N, H, W, 3] -> codes int16 [N, P]."""
        return self.vision.encode(observation).to(torch.int16)

    def begin(self, context: Segment, generator: torch.Generator | None = None) -> VqvaeMdnState:  # noqa: ARG002
        batch, rows = context.reward.shape
        codes = self.vision.encode(context.observation.flatten(0, 1)).unflatten(0, (batch, rows))
        start = transitions(context.first, context.mask).keep == 0.0
        state = VqvaeMdnState(codes[:, 0], codes[:, 0], *self.memory.lstm.empty(batch, codes))
        for t in range(1, rows):
            after = self._read(state, context.action[:, t], codes[:, t], start[:, t])
            real = context.mask[:, t]
            state = VqvaeMdnState(*(torch.where(expand_like(real, a), a, b) for a, b in zip(after, state, strict=True)))
        return state

    def _read(self, state: VqvaeMdnState, action: Tensor, codes: Tensor, first: Tensor) -> VqvaeMdnState:
        """One real row whose frame is already encoded as `codes` [B, P]."""
        inputs = self._inputs(state.codes, self.actions(action))
        hidden, cell = self.memory.lstm.read((inputs,), state.hidden, state.cell)
        keep = (~first).float()[:, None]
        before = torch.where(first[:, None], codes, state.codes)
        return VqvaeMdnState(codes, before, hidden * keep, cell * keep)

    def update(self, state: VqvaeMdnState, action: Tensor, observation: Tensor, first: Tensor) -> VqvaeMdnState:
        return self._read(state, action, self.vision.encode(observation), first)

    def step(
        self, state: VqvaeMdnState, action: Tensor, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[VqvaeMdnState, Tensor, Tensor]:
        encoded = self.actions(action)
        hidden, cell = self.memory.lstm.read((self._inputs(state.codes, encoded),), state.hidden, state.cell)
        mixture, trunk = self._predict(state.codes, state.before, encoded, hidden)
        codes = mixture.sample(self.vision.codebook.live(), generator, temperature)
        reward, end = self.memory.predictor.outcome(trunk, self._vectors(codes), hidden)
        reward = self.memory.rewards.restore(reward)
        return VqvaeMdnState(codes, state.codes, hidden, cell), reward, torch.sigmoid(end)

    def observe(self, state: VqvaeMdnState) -> Tensor:
        return to_uint8(self.vision.decode(self._vectors(state.codes)))

    def features(self, state: VqvaeMdnState) -> Tensor:
        """(z, h): the codes' vectors and the memory, float32 [B, P·D + H]."""
        return torch.cat((self._vectors(state.codes).flatten(1), state.hidden), dim=-1)
