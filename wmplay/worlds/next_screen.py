"""What the parts of a screen show next: drawn from what the memory knows, so that each is as sharp as it is uncertain.

Shapes: N rows, P parts, K pictures of each, D hidden, U what moved, in deviations.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import mlp, sample_index
from wmplay.worlds.glances import GLANCE_SIZE
from wmplay.worlds.screen import PARTS, PICTURES

# Numbers that what a part showed becomes, and numbers that a glance at the world becomes.
SHOWN = 24
# The temperature, in the dream's, at which it is drawn whether a part shows another picture, and which. Drawn as it is
# foretold, CarRacing's instruments changed in more steps than the game's (two parts in 39.5 and 35.2 %, the game's in
# 39.6 and 25.8 %; with 0.85 in 28.5 and 31.2 %). Both at 0.85, hands trembled on their dials: judges (`evaluate.tell`)
# who saw no more than that part of the picture were right on 68 to 74 % (speed; wheel and gyroscope 65 to 74) of 640
# clips; with 0.5 for the picture on 54 to 58 and 54 %, with 0.25 on 58 and 62 %. Both at 0.6, the score stood still,
# and was told on 76 % instead of 66; with 0.85 and 0.5 it is on 63 to 65 %: it has more pictures than a part can.
CALM, SURE = 0.85, 0.5


class NextScreen(nn.Module):
    """Which picture each part shows, part by part, given the same knowledge: by what the memory knows, by the world,
    which shines through at the rims, by what each showed before, and by how likely it is to show the same again."""

    def __init__(self, hidden_size: int, moved: int) -> None:
        super().__init__()
        self.before = nn.Embedding(PARTS * PICTURES, SHOWN)
        self.behind = nn.Linear(GLANCE_SIZE, SHOWN)
        self.told = mlp((hidden_size + moved + 2 * SHOWN, 128, PARTS * (PICTURES + 1)))
        self.follows = nn.Parameter(0.1 * torch.randn(PARTS, SHOWN, PICTURES))

    def forward(self, hidden: Tensor, moved: Tensor, before: Tensor, seen: Tensor) -> Tensor:
        """Logits [N, P, K] after a step that led to hidden [N, D] and moved [N, U]. before: what the parts showed until
        then, int64 [N, P]; seen [N, 768]: the world at a glance, after the step."""
        known = self.before(before + PICTURES * torch.arange(PARTS, device=before.device))
        told = self.told(torch.cat((hidden, moved, known.sum(-2), self.behind(seen)), dim=-1)).float()
        again, anew = told.unflatten(-1, (PARTS, PICTURES + 1)).split((1, PICTURES), dim=-1)
        follows = torch.einsum("npe,pek->npk", known, self.follows).float()
        return (anew + follows).scatter_add(-1, before[..., None], again)

    def draw(
        self,
        hidden: Tensor,
        moved: Tensor,
        before: Tensor,
        seen: Tensor,
        temperature: float,
        generator: torch.Generator | None,
    ) -> Tensor:
        """What the parts show, int64 [N, P]; arguments as of `forward`."""
        logits = self(hidden, moved, before, seen)
        if temperature == 0.0:
            return logits.argmax(-1)
        shown = before[..., None]
        stays = torch.softmax(logits / (CALM * temperature), dim=-1).gather(-1, shown).squeeze(-1)
        drawn = torch.rand(stays.shape, generator=generator, device=stays.device)
        another = sample_index(logits.scatter(-1, shown, -torch.inf), generator, SURE * temperature)
        return torch.where(drawn < stays, before, another)

    def loss(self, hidden: Tensor, moved: Tensor, before: Tensor, seen: Tensor, shown: Tensor) -> Tensor:
        """Mean cross-entropy of what the parts truly showed, int64 [N, P]. It teaches the memory nothing."""
        logits = self(hidden.detach(), moved.detach(), before, seen).flatten(0, 1)
        return F.cross_entropy(logits, shown.flatten(), reduction="sum") / max(1, shown.numel())

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        # Weights from before screens had parts never ask for any.
        if f"{prefix}follows" not in state_dict:
            state_dict.update(self.state_dict(prefix=prefix))
        super()._load_from_state_dict(state_dict, prefix, *more)
