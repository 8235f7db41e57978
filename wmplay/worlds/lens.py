"""The lens of a canvas' camera: what was read off a map, as sharp as the game shows it.

A picture that is written into a map and read again was sampled twice, each time between pixels. What that does to it
depends on no world and no motion, so any picture teaches how to undo it. (Judges who were shown the real land along the
real way, by way of a map, told it from the game's frames in 73 % of clips when its edges were merely made steeper, and
by nothing but fine edges: blurred by 5 × 5 pixels, in 50 %.) By squares, lawns that should be plain had a texture.

Shapes: B batch, H W frame.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import full_precision, to_float
from wmplay.worlds.geometry import Map, around, softened

WIDTH = 32
# How much of the softness the rule takes. Of neighbouring pixels of CarRacing 1.25 % differ by more than a tenth in
# brightness; read two steps later 1.18 % do, and 0.54 % without it.
CRISP = 0.8
# Pictures of a batch that are written and read, to learn from.
PICTURES = 8
# Its error counts as much as nats of the painter: both are learned in one phase.
WEIGHT = 100.0


class Lens(nn.Module):
    """Takes a picture's softness by a rule, and corrects that by three convolutions that see 2 × 2 pixels at a time.

    No pixel becomes what it and its neighbours do not show. Blocks of pixels, because a game that shrinks what it draws
    treats odd and even pixels differently.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(28, WIDTH, 3, 1, 1), nn.SiLU(), nn.Conv2d(WIDTH, WIDTH, 3, 1, 1), nn.SiLU(),
            nn.Conv2d(WIDTH, 12, 3, 1, 1),
        )  # fmt: skip
        last = self.layers[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, picture: Tensor, shown: Tensor) -> Tensor:
        """A picture [B, 3, H, W] that was read off a map, made sharp where `shown` [B, 1, H, W] is 1."""
        seen = picture * shown
        # What overshoots is a colour that no place has: grey roads under green grass had a purple rim.
        lowest, highest = around(seen)
        sharp = torch.lerp(softened(seen), seen, 1.0 + CRISP).clamp_(lowest, highest)
        known = torch.cat((seen - 0.4 * shown, 4.0 * (sharp - seen) * shown, shown), dim=1)
        wrong = F.pixel_shuffle(self.layers(F.pixel_unshuffle(known, 2)).float(), 2)
        return torch.where(shown > 0.5, (sharp + 0.1 * wrong).clamp(lowest, highest), picture)

    def loss(self, paper: Map, frames: Tensor, stretch: Tensor, loose: Tensor, generator: torch.Generator) -> Tensor:
        """Absolute error of some of the frames uint8 [B, H, W, 3] after they were written into a map and read again.

        stretch [2] of the frame; loose [1, 1, H, W]: 1 where it shows the world.
        """
        picture = to_float(frames[:PICTURES]).contiguous()
        with full_precision(picture):
            with torch.no_grad():
                pose = torch.rand(len(picture), 3, generator=generator, device=picture.device)
                pose = pose * pose.new_tensor((4.0, 4.0, 2.0 * torch.pi))
                canvas = paper.empty(len(picture), picture.device)
                canvas = paper.write(canvas, pose, stretch, picture, loose, real=True)
                read, known, _ = paper.read(canvas, pose, stretch)
                shown = known * loose
            wrong = (self(read, shown) - picture).abs() * shown
        return WEIGHT * wrong.sum() / (3.0 * shown.sum()).clamp_min(1.0)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        # Weights from before there was a lens load as of one that has learned nothing yet.
        for name, value in self.layers.state_dict(prefix=f"{prefix}layers.").items():
            state_dict.setdefault(name, value)
        super()._load_from_state_dict(state_dict, prefix, *more)
