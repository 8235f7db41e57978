"""The density network over a grid of codes: a local predictor of K possible next grids, snapped to the codebook.

A flat network over 64 cells must learn the same rule once per cell; a convolution learns it once. The mixture's choice
is made for the whole grid, so that what may go two ways (a slip) goes one way everywhere.

Shapes: N rows, P = G·G cells, D length of a code's vector, K components, V codes, H memory, C channels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import ConvBlock, full_precision, sample_index

LOG_DEVIATION = (-3.0, 3.0)


class GridMixture(NamedTuple):
    """log_weight [N, K], normalised; mean [N, K, P, D], log_deviation [N, K, P], in units of `vectors` [V, D]."""

    log_weight: Tensor
    mean: Tensor
    log_deviation: Tensor
    vectors: Tensor

    def logits(self) -> Tensor:
        """log N(code | mean, deviation) up to a constant per cell, [N, K, P, V].

        Normalised over the codes this is the probability of each: a Gaussian that is only ever asked about codes.
        """
        # |e − m|² / 2σ² without its |m|², which all codes share.
        with full_precision(self.mean):
            density = self.mean @ self.vectors.T - 0.5 * self.vectors.square().sum(-1)
        return density * torch.exp(-2.0 * self.log_deviation)[..., None]

    def nll(self, target: Tensor, live: Tensor) -> Tensor:
        """−log p(target) in nats [N] for codes int64 [N, P]: the mixture over whole grids of the product over cells.

        live: bool [V]. A target outside the vocabulary (a patch never seen in training) is left out.
        """
        used = live.nonzero().squeeze(-1)
        place = torch.full_like(live, -1, dtype=torch.long)
        place[used] = torch.arange(used.shape[0], device=used.device)
        index = place[target]
        small = self._replace(vectors=self.vectors[used])
        log_code = torch.log_softmax(small.logits(), dim=-1)
        known = index >= 0
        chosen = index.clamp_min(0)[:, None, :, None].expand(*log_code.shape[:-1], 1)
        per_cell = log_code.gather(-1, chosen).squeeze(-1) * known[:, None]
        return -torch.logsumexp(self.log_weight + per_cell.sum(-1), dim=-1)

    def sample(self, live: Tensor, generator: torch.Generator | None, temperature: float) -> Tensor:
        """One grid of live codes int64 [N, P]; at temperature 0 the heaviest component, snapped to likeliest codes."""
        # Of 512 codes a game like GridWorld uses a few dozen, and a random number for each of the others is wasted.
        used = live.nonzero().squeeze(-1)
        chosen = sample_index(self.log_weight, generator, temperature)
        row = torch.arange(chosen.shape[0], device=chosen.device)
        one = GridMixture(
            self.log_weight, self.mean[row, chosen, None], self.log_deviation[row, chosen, None], self.vectors[used]
        )
        return used[sample_index(one.logits().squeeze(1), generator, temperature)]


class GridPredictor(nn.Module):
    """(grid, grid before, action, h') → GridMixture; and, given the grid that came, reward and end."""

    def __init__(
        self, grid: int, latent_dim: int, actions: int, hidden_size: int, mixtures: int, channels: int, layers: int
    ) -> None:
        super().__init__()
        self.grid, self.latent_dim, self.mixtures = grid, latent_dim, mixtures
        self.condition = nn.Linear(actions + hidden_size, 2 * channels)
        self.enter = nn.Conv2d(2 * latent_dim, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(ConvBlock(channels) for _ in range(layers)))
        self.leave = nn.Conv2d(channels, (1 + mixtures) * (latent_dim + 1), 1)
        # At first every component says that nothing changes, with a deviation of 1: near the truth of most games.
        with torch.no_grad():
            self.leave.weight.mul_(0.1)
            self.leave.weight[latent_dim + 1 :].mul_(0.1)
            assert self.leave.bias is not None
            self.leave.bias.zero_()
        self.weight = nn.Linear(2 * channels + hidden_size + actions, mixtures)
        self.transition = nn.Conv2d(channels + latent_dim, channels, 1)
        self.heads = nn.Sequential(nn.Linear(2 * channels + hidden_size, channels), nn.SiLU(), nn.Linear(channels, 2))

    def _image(self, cells: Tensor) -> Tensor:
        """[N, P, D] -> [N, D, G, G]"""
        return cells.unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2)

    @staticmethod
    def _pool(image: Tensor) -> Tensor:
        """[N, C, G, G] -> [N, 2C]: what there is on average, and what there is anywhere."""
        return torch.cat((image.mean((2, 3)), image.amax((2, 3))), dim=-1)

    def forward(
        self, now: Tensor, before: Tensor, action: Tensor, hidden: Tensor, vectors: Tensor
    ) -> tuple[GridMixture, Tensor]:
        """now, before [N, P, D]; action [N, A]; hidden [N, H]; vectors [V, D] -> mixture and trunk [N, C, G, G]."""
        unit = vectors.std().clamp_min(1e-4)  # so that the network's numbers are near 1 whatever the codebook's size
        k, d = self.mixtures, self.latent_dim
        present = self._image(now) / unit
        x = self.enter(torch.cat((present, self._image(before) / unit), dim=1))
        # The action gates what the neighbourhood says: "the agent is left of here" matters if it goes right.
        gate, shift = self.condition(torch.cat((action, hidden), dim=-1))[:, :, None, None].chunk(2, dim=1)
        trunk = F.silu(self.blocks(x * (1.0 + gate) + shift))
        cells = self.leave(trunk).float().unflatten(1, (1 + k, d + 1)).flatten(-2).transpose(-2, -1)
        # What all components share, and what each adds. Without the shared part every component would have to learn the
        # whole game from those boards alone that it happened to be best at.
        change, log_deviation = (cells[:, :1] + cells[:, 1:]).split((d, 1), dim=-1)
        weight = self.weight(torch.cat((self._pool(trunk), hidden, action), dim=-1)).float()
        mixture = GridMixture(
            torch.log_softmax(weight, dim=-1),
            now.unsqueeze(1) + unit * change,
            log_deviation.squeeze(-1).clamp(*LOG_DEVIATION) + torch.log(unit),
            vectors,
        )
        return mixture, trunk

    def outcome(self, trunk: Tensor, following: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Reward and end logit, float32 [N] each, of arriving at the grid `following` [N, P, D]."""
        seen = F.silu(self.transition(torch.cat((trunk, self._image(following)), dim=1)))
        reward, end = self.heads(torch.cat((self._pool(seen), hidden), dim=-1)).float().unbind(-1)
        return reward, end
