"""The screen in front of the world as a dream shows it: part by part one picture out of a palette of real ones.

A code of the whole screen that is foretold by its mean shows what could be, all at once: wheels that never blink, a
score that is a smear. Choosing among pictures (compare VQ-VAE, van den Oord et al. 2017) keeps each as sharp as the
game's. Which parts there are is found from what stays on the screen: tiles of the frame that hold some of it.

Shapes: B batch, H W frame, P parts, K pictures of each, S = 3 · 8 · 8 numbers of a tile.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.palette import follow, nearest

# Side of a tile in pixels; parts at the most: a screen that covers more of the frame is no instrument but all there is
# to see; and pictures of each. Judges that learned from 96 pairs of clips of CarRacing were right on 51 % of 256 others
# whose screens showed the nearest of 256 pictures, tile by tile, and the game's behind them.
TILE, PARTS, PICTURES = 8, 16, 192


class Screen(nn.Module):
    """Pictures [P, K, S] of the parts, as much as the mask lets through, and which tile [P] each is: -1 where none."""

    pictures: Tensor
    mass: Tensor
    tile: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.tiles = (height // TILE) * (width // TILE)
        self.size = (height, width)
        self.register_buffer("pictures", torch.zeros(PARTS, PICTURES, 3 * TILE * TILE))
        self.register_buffer("mass", torch.zeros(PARTS, PICTURES))
        self.register_buffer("tile", torch.full((PARTS,), -1))

    @torch.no_grad()
    def learn(self, picture: Tensor, fixed: Tensor, generator: torch.Generator) -> None:
        """Look at pictures [B, 3, H, W] through a mask [1, 1, H, W], 1 where a pixel stays on the screen."""
        self._find_parts(fixed)
        shown = self._cut(picture * fixed)
        for part, tile in enumerate(self.tile.tolist()):
            if tile >= 0:
                follow(self.pictures[part], self.mass[part], shown[:, tile].float(), generator)

    def _find_parts(self, fixed: Tensor) -> None:
        """Parts for the tiles that hold most of the screen now. What a part knows of another tile is forgotten.

        A mask that is still being learned holds pixels of the world beside the screen's: where there are more tiles
        than PARTS, those that hold least are none, unless they are parts already and hold not much less.
        """
        held = (self._cut(fixed) > 0.5).sum(-1)[0].float()
        parts = self.tile[self.tile >= 0]
        most = held.index_add(0, parts, 0.5 * held[parts]).topk(min(PARTS, self.tiles))
        wanted = most.indices[most.values > 0.0].sort().values.tolist() if held.sum() <= PARTS * TILE**2 else []
        now = [tile if tile in wanted else -1 for tile in self.tile.tolist()]
        for tile in wanted:
            if tile not in now:
                part = now.index(-1)
                now[part] = tile
                self.mass[part] = 0.0
        self.tile.copy_(torch.tensor(now))

    def encode(self, picture: Tensor, fixed: Tensor) -> Tensor:
        """Which picture each part of [B, 3, H, W] is nearest to, int64 [B, P]; 0 where there is no part."""
        shown = self._cut(picture * fixed)[:, self.tile.clamp_min(0)]
        return nearest(self.pictures, shown.transpose(0, 1)).t() * (self.tile >= 0)

    def lay(self, codes: Tensor, over: Tensor) -> Tensor:
        """Pictures [B, 3, H, W], as much as the mask lets through, with the parts' [B, P] in the place of theirs."""
        chosen = self.pictures[torch.arange(PARTS, device=codes.device), codes]
        # One tile more than there are, for parts that are none.
        tiles = F.pad(self._cut(over), (0, 0, 0, 1)).index_copy(1, self.tile % (self.tiles + 1), chosen)[:, :-1]
        return F.fold(tiles.mT, self.size, TILE, stride=TILE)

    @staticmethod
    def _cut(picture: Tensor) -> Tensor:
        """[B, C, H, W] as tiles [B, H · W / 64, C · 8 · 8], row by row."""
        return F.unfold(picture, TILE, stride=TILE).mT

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        # Weights from before screens had parts: there are none.
        for name, value in (("pictures", self.pictures), ("mass", self.mass), ("tile", torch.full_like(self.tile, -1))):
            state_dict.setdefault(f"{prefix}{name}", value)
        super()._load_from_state_dict(state_dict, prefix, *more)
