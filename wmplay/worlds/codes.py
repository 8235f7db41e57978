"""How a token world sees: frames as a grid of codes, exact where a game is made of tiles, by a VQ-VAE elsewhere.

Shapes: N frames, H W C frame, G cells a side, P = G·G cells, K codes.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from wmplay.worlds.blocks import to_uint8
from wmplay.worlds.patches import PatchBook
from wmplay.worlds.vqvae import Vqvae

Kind = Literal["auto", "patches", "vq"]


class Vision(nn.Module):
    """Codes int64 [N, P] of uint8 frames and back. `auto` counts patches and takes the VQ-VAE if they are too many."""

    def __init__(
        self, kind: Kind, image_size: int, grid: int, latent_dim: int, codes: int, channels: int, commitment: float
    ) -> None:
        super().__init__()
        self.kind, self.commitment = kind, commitment
        self.book = PatchBook(image_size, codes)
        self.vq = Vqvae(image_size, grid, latent_dim, codes, channels)

    @property
    def exact(self) -> bool:
        """Whether frames are made of the book's patches."""
        return self.kind == "patches" or (self.kind == "auto" and not bool(self.book.full))

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to learn."""
        return self.exact and (self.book.complete or bool(self.book.full))

    @property
    def cells(self) -> int:
        """G, cells a side."""
        return self.book.cells if self.exact else self.vq.grid

    def live(self) -> int:
        """Codes 0 to this number, exclusive, are the game's vocabulary."""
        return max(1, int(self.book.count)) if self.exact else len(self.vq.codebook.vectors)

    def loss(self, frames: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """One look at frames [N, H, W, 3]: count their patches, or train the VQ-VAE where they are too many."""
        if self.exact:
            if self.training:
                self.book.learn(frames)
            if self.exact:
                error = (self.book.decode(self.book.encode(frames)).float() - frames.float()).div(255.0).square().mean()
                nothing = sum(p.sum() for p in self.parameters()) * 0.0
                return error + nothing, {"reconstruction": error, "perplexity": self.book.count.float()}
        return self.vq.loss(frames, self.commitment, generator)

    def encode(self, frames: Tensor) -> Tensor:
        """uint8 [N, H, W, 3] -> codes int64 [N, P]."""
        return self.book.encode(frames) if self.exact else self.vq.encode(frames)

    def decode(self, codes: Tensor) -> Tensor:
        """codes int64 [N, P] -> uint8 frames [N, H, W, 3]."""
        if self.exact:
            return self.book.decode(codes)
        return to_uint8(self.vq.decode(self.vq.codebook.vectors[codes]))
