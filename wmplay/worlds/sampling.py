"""Choosing all codes of a frame so that they fit together: open cells are settled one after the other.

Cells chosen independently would let an agent that may slip vanish, or appear twice. Settling one cell, then asking
again, draws from the joint distribution by the chain rule (after Chang et al. 2022, MaskGIT, §3.2; they settle the
surest cells first, we the most open one, which settles the others).

Shapes: N rows, P cells, V codes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from wmplay.worlds.blocks import sample_index

# Rows whose cells are decided so far [N', P] and which rows these are [N'] -> logits [N', P, V].
Predict = Callable[[Tensor, Tensor], Tensor]


def doubtful(logits: Tensor, doubt: float) -> tuple[Tensor, Tensor]:
    """How open each cell is: 1 − its largest probability, float32 [N, P]; and whether that is more than `doubt`."""
    openness = 1.0 - torch.softmax(logits, dim=-1).amax(-1)
    return openness, openness > doubt


def settle(
    predict: Predict,
    rows: int,
    cells: int,
    hidden: int,
    passes: int,
    doubt: float,
    doubt_later: float,
    temperature: float,
    generator: torch.Generator | None,
    device: torch.device,
) -> Tensor:
    """Codes int64 [N, P], drawn jointly in at most `passes` + 1 predictions.

    A cell whose largest probability lies above 1 − doubt takes that code: so little doubt is the model's, not the
    game's; `doubt_later` is the same, once some cells of
    the frame are settled. Where there are more open cells than passes, several of the most open are settled at once.
    """
    decided = torch.full((rows, cells), hidden, dtype=torch.int64, device=device)
    active = torch.arange(rows, device=device)
    logits = predict(decided, active)
    answer = logits.argmax(-1)
    for left in range(passes, 0, -1):
        openness, unsure = doubtful(logits, doubt if left == passes else doubt_later)
        unsure &= decided[active] == hidden
        going = unsure.any(-1)
        if not bool(going.any()):
            break
        active, logits, openness, unsure = active[going], logits[going], openness[going], unsure[going]
        quota = (unsure.sum(-1, keepdim=True) + left - 1) // left
        rank = torch.where(unsure, openness, -1.0).argsort(dim=-1, descending=True, stable=True).argsort(-1)
        chosen = unsure & (rank < quota)
        drawn = sample_index(logits, generator, temperature)
        decided[active] = torch.where(chosen, drawn, decided[active])
        logits = predict(decided[active], active)
        answer[active] = torch.where(decided[active] == hidden, logits.argmax(-1), decided[active])
    return answer
