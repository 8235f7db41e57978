"""How a token world learns to settle what is open: the rest of a frame, once some of its open cells are known.

It is the lesson to what `sampling.settle` asks while a dream draws one open cell after the other.

Shapes: N rows, P cells, V codes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wmplay.worlds.sampling import Predict

# How many times as much a rare branch of the future may count in training, at most.
BRANCH = 10.0


def settling_loss(
    predict: Predict,
    following: Tensor,
    hidden: int,
    openness: Tensor,
    unsure: Tensor,
    surprise: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Cross-entropy of the next codes int64 [N, P] where some of each row's open cells are known; 0 if none is open.

    Which cells are known depends on nothing but what was before, or the choice itself would tell the outcome. How
    much a row counts may depend on the known cells: the more they surprise (nats [N, P]) the more, since the rare
    branches would be learned last, and an agent that slips would vanish.

    hidden: the code of a cell that is not known. openness and unsure [N, P]: as `doubtful` gives them.
    """
    rows = (unsure.sum(-1) > 1).nonzero().squeeze(-1)
    if not len(rows):
        return following.new_zeros((), dtype=torch.float32)
    device = openness.device
    # The most open cells are known, as many as chance says; some noise, so that neighbours in rank may swap.
    wide = openness[rows] * (0.5 + torch.rand(openness[rows].shape, generator=generator, device=device))
    rank = torch.where(unsure[rows], wide, -1.0).argsort(dim=-1, descending=True).argsort(-1)
    part = torch.rand((len(rows), 1), generator=generator, device=device)
    count = unsure[rows].sum(-1, keepdim=True)
    known = unsure[rows] & (rank < 1 + (part * (count - 1)).long())
    target = following[rows]
    shown = torch.where(known, target, torch.full_like(target, hidden))
    error = F.cross_entropy(predict(shown, rows).transpose(1, 2), target, reduction="none")
    weight = (surprise[rows] * known).sum(-1).exp().clamp_max(BRANCH)
    each = (error * ~known).sum(-1)
    return (each * weight).sum() / weight.sum() * (len(rows) / len(openness))
