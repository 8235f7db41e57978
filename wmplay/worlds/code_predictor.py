"""The network of the token world: all codes of the next frame in parallel, from the codes around each and the action.

It also reads those codes of the next frame that are already decided, so that what may go two ways can be settled cell
by cell (Chang et al. 2022, MaskGIT).

Shapes: N rows, R recent frames, P = G·G cells, V live codes, A action, C channels, D embedding.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import ConvBlock


def pool(cells: Tensor, changed: Tensor) -> Tensor:
    """cells [N, C, P], changed bool [N, P] -> [N, 3C]: what there is on average, anywhere, and where something changed.

    Rewards and ends mostly come with a change: stepping on a hazard is seen in one cell of 64.
    """
    moved = changed.to(cells.dtype)[:, None]
    there = (cells * moved).sum(-1) / moved.sum(-1).clamp_min(1.0)
    return torch.cat((cells.mean(-1), cells.amax(-1), there), dim=-1)


class CodePredictor(nn.Module):
    """(recent codes, action, decided next codes) → logits of the next codes; once all are decided, what they bring.

    Convolutions only: the same rule in every cell, whatever the number of cells. `outcomes`: length of the vector that
    the heads make of a finished step.
    """

    def __init__(
        self, codes: int, recent: int, actions: int, embedding: int, channels: int, layers: int, outcomes: int
    ) -> None:
        super().__init__()
        self.codes = codes
        self.embed = nn.Embedding(codes, embedding)
        # Of the next frame; the entry behind the last code stands for "not decided yet".
        self.decided = nn.Embedding(codes + 1, embedding)
        self.enter = nn.Conv2d((recent + 1) * embedding, channels, 3, padding=1)
        self.condition = nn.Linear(actions, 2 * channels)
        self.blocks = nn.Sequential(*(ConvBlock(channels) for _ in range(layers)))
        self.leave = nn.Conv2d(channels, codes, 1)
        self.still = nn.Parameter(torch.tensor(2.0))  # how much there is to be said for nothing changing
        self.compare = nn.Conv2d((recent + 1) * embedding, channels, 3, padding=1)
        self.gate = nn.Linear(actions, 2 * channels)
        self.heads = nn.Sequential(nn.Linear(3 * channels, channels), nn.SiLU(), nn.Linear(channels, outcomes))
        with torch.no_grad():
            self.leave.weight.mul_(0.1)
            for table in (self.embed, self.decided):
                table.weight.normal_(0.0, 1.0)

    @property
    def hidden(self) -> int:
        """The code that stands for a cell which is not decided yet."""
        return self.codes

    def _image(self, recent: Tensor, following: Tensor) -> Tensor:
        """codes [N, R, P] and decided [N, P] -> [N, (R+1)·D, G, G]"""
        cells = torch.cat((self.embed(recent), self.decided(following)[:, None]), dim=1)
        n, frames, count, depth = cells.shape
        side = math.isqrt(count)
        return cells.permute(0, 1, 3, 2).reshape(n, frames * depth, side, side)

    def forward(self, recent: Tensor, action: Tensor, following: Tensor, live: int) -> Tensor:
        """Logits float32 [N, P, V] of the next codes. recent int64 [N, R, P], newest first; action float32 [N, A];
        following int64 [N, P], `hidden` where undecided; live = V."""
        x = self.enter(self._image(recent, following))
        # The action gates what the neighbourhood says: "the agent is left of here" matters if it goes right.
        gate, shift = self.condition(action)[:, :, None, None].chunk(2, dim=1)
        x = F.silu(self.blocks(x * (1.0 + gate) + shift))
        assert self.leave.bias is not None
        logits = F.conv2d(x, self.leave.weight[:live], self.leave.bias[:live]).flatten(2).transpose(1, 2).float()
        return logits + self.still * F.one_hot(recent[:, 0], live)

    def outcome(self, recent: Tensor, action: Tensor, following: Tensor) -> Tensor:
        """What a finished step brings, float32 [N, outcomes], for `following` without a hidden cell."""
        x = self.compare(self._image(recent, following))
        gate, shift = self.gate(action)[:, :, None, None].chunk(2, dim=1)
        cells = F.silu(x * (1.0 + gate) + shift).flatten(2)
        return self.heads(pool(cells, recent[:, 0] != following)).float()
