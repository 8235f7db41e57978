"""M of World Models (Ha and Schmidhuber 2018): an LSTM that predicts the next latent as a mixture of Gaussians.

Shapes: B batch, T time, Z latent, A encoded action, H hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wmplay.compiling import compilable, pieces
from wmplay.worlds.kept import Kept
from wmplay.worlds.memory import Joined, Memory
from wmplay.worlds.mixture import Mixture, MixtureHead
from wmplay.worlds.rewards import RewardScale


class MdnLstm(nn.Module):
    """M: the LSTM, the mixture over the next latent, and the heads for reward and end."""

    def __init__(self, latent_size: int, actions: int, hidden_size: int, mixtures: int) -> None:
        super().__init__()
        self.lstm = Memory(latent_size + actions, hidden_size)
        self.mixture = MixtureHead(hidden_size, mixtures, latent_size)
        self.reward = nn.Linear(hidden_size, 1)
        self.rewards = RewardScale()
        self.end = nn.Linear(hidden_size, 1)
        self.kept = Kept()

    def read(self, latent: Tensor, action: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """The memory after one step: (z, a, h) -> h' and its cell."""
        return self.lstm.read((latent, action), hidden, cell)

    def advance(self, latent: Tensor, action: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Mixture, Tensor, Tensor]:
        """One step: (z, a, h) -> the mixture over z', and the memory after it."""
        hidden, cell = self.read(latent, action, hidden, cell)
        return self.mixture(hidden, latent), hidden, cell

    def outcome(self, memory: Tensor, latent: Tensor) -> tuple[Mixture, Tensor, Tensor]:
        """Of a memory [B, H] and the latent before it: the mixture over z', the reward, and the end's logit [B]."""
        if self.kept.usable():
            taught = [part for head in self._heads() for part in (head.weight, head.bias)]
            said = self.kept.of(taught, self._joined)(memory)
        else:
            said = torch.cat([head(memory).float() for head in self._heads()], dim=-1)
        reward, end = said[:, -2:].unbind(-1)
        return self.mixture.read(said[:, :-2], latent), self.rewards.restore(reward), end

    def _heads(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        return self.mixture.linear, self.reward, self.end

    def _joined(self) -> Joined:
        heads = self._heads()
        return Joined.of(torch.cat([head.weight for head in heads]), torch.cat([head.bias for head in heads]))

    def read_on(
        self, real: Tensor, action: Tensor, valid: Tensor, keep: Tensor, open_loop: int
    ) -> tuple[Tensor, Mixture]:
        """The memory after rows 1 to T−1, [B, T−1, H], and its mixtures over their latents, as `advance` gives them.

        real [B, T, Z] and action [B, T, A] are what it reads, in the last `open_loop` rows its own predictions; what
        rests on none is computed for all rows at once. valid, keep [B, T]: see `Transitions`.
        """
        batch, length, _ = real.shape
        alone = length - open_loop
        hidden, cell = self.lstm.empty(batch, real)
        projected = self.lstm.project(torch.cat((real[:, : alone - 1], action[:, 1:alone]), dim=-1))
        hiddens, mixtures = [], []
        for rows in pieces(1, alone):
            given = projected[:, rows.start - 1 : rows.stop - 1]
            after, hidden, cell = self._told(given, keep[:, rows], hidden, cell)
            hiddens.append(after)
        if hiddens:
            mixtures.append(self.mixture(torch.cat(hiddens, 1), real[:, : alone - 1]))
        latent = real[:, alone - 1]
        for rows in pieces(alone, length):
            after, mixture, latent, hidden, cell = self._alone(
                latent, action[:, rows], real[:, rows], valid[:, rows], keep[:, rows], hidden, cell
            )
            hiddens.append(after)
            mixtures.append(mixture)
        return torch.cat(hiddens, 1), Mixture(*(torch.cat(parts, 1) for parts in zip(*mixtures, strict=True)))

    @compilable
    def _told(self, projected: Tensor, keep: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """T rows that were read as they are: h [B, T, H], then the memory to go on with."""
        hiddens = []
        for t in range(keep.shape[1]):
            hidden, cell = self.lstm.advance(projected[:, t], hidden, cell)
            hiddens.append(hidden)
            hidden, cell = hidden * keep[:, t, None], cell * keep[:, t, None]
        return torch.stack(hiddens, 1), hidden, cell

    @compilable
    def _alone(
        self, latent: Tensor, action: Tensor, real: Tensor, valid: Tensor, keep: Tensor, hidden: Tensor, cell: Tensor
    ) -> tuple[Tensor, Mixture, Tensor, Tensor, Tensor]:
        """T rows that read predictions: h [B, T, H], the mixtures, then latent and memory to go on with."""
        hiddens, mixtures = [], []
        for t in range(keep.shape[1]):
            mixture, hidden, cell = self.advance(latent, action[:, t], hidden, cell)
            hiddens.append(hidden)
            mixtures.append(mixture)
            latent = torch.where(valid[:, t, None], mixture.average(), real[:, t])
            hidden, cell = hidden * keep[:, t, None], cell * keep[:, t, None]
        together = Mixture(*(torch.stack(parts, 1) for parts in zip(*mixtures, strict=True)))
        return torch.stack(hiddens, 1), together, latent, hidden, cell
