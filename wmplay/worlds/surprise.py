"""What a memory could not foresee, kept to be drawn from: its mistakes, found again by what it had expected.

A memory trained by squared error expects the mean. Where the game's next step lies on either side of it (a wheel's
mark is seen or not, a score has jumped or not), dreams that show the mean stand still. Adding a mistake that was really
made from much the same expectation makes them as restless as the game, of whatever shape its chances are.

Shapes: B batch, Z code.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from wmplay.worlds.blocks import sample_index

# Mistakes that are kept, the latest; and of how many, the nearest, one is drawn.
KEPT, NEAREST = 2048, 8
# Of each batch, this many are kept at most: the bank is of the last hundred steps and more.
TAKEN = 16


class Surprises(nn.Module):
    """The latest mistakes float32 [KEPT, Z], each beside the code float32 [KEPT, Z] that was expected; at first none.

    Weights saved before this was known load with none: their dreams show what is to be expected, as they did.
    """

    expected: Tensor
    missed: Tensor
    taken: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("expected", torch.zeros(KEPT, size))
        self.register_buffer("missed", torch.zeros(KEPT, size))
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def learn(self, expected: Tensor, truly: Tensor) -> None:
        """Keep some of the codes that were expected [N, Z] and how they were missed, in place of the oldest."""
        some, real = expected[:TAKEN].float(), truly[:TAKEN].float()
        places = (self.taken + torch.arange(len(some), device=some.device)) % KEPT
        self.expected.index_copy_(0, places, some)
        self.missed.index_copy_(0, places, real - some)
        self.taken += len(some)

    def draw(self, expected: Tensor, generator: torch.Generator | None) -> Tensor:
        """Mistakes [B, Z] that were made where much the same as `expected` [B, Z] was."""
        near = torch.cdist(expected, self.expected).topk(NEAREST, largest=False).indices
        which = sample_index(torch.zeros(near.shape, device=near.device), generator)
        return self.missed[near.gather(1, which[:, None]).squeeze(1)]

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        for name, fresh in self.named_buffers():
            state_dict.setdefault(f"{prefix}{name}", torch.zeros_like(fresh))
        super()._load_from_state_dict(state_dict, prefix, *more)
