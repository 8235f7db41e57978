"""Vision in codes: a VQ-VAE (van den Oord et al. 2017) between frames and a grid of entries of a learned codebook.

Shapes: N frames, G side of the grid, P = G·G cells, D length of a code's vector, K codes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import ConvBlock, full_precision, to_float

# Chosen by trying: a code that is picked less often than this (picks per batch, averaged) is put where the error is.
DEAD = 0.05
DECAY = 0.98


class Codebook(nn.Module):
    """K vectors that follow the encoder by running averages (van den Oord et al. 2017, A.1); dead ones move."""

    vectors: Tensor
    picks: Tensor
    sums: Tensor
    seen: Tensor
    started: Tensor

    def __init__(self, codes: int, size: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.randn(codes, size))
        self.register_buffer("picks", torch.zeros(codes))
        self.register_buffer("sums", torch.zeros(codes, size))
        self.register_buffer("seen", torch.zeros(codes, dtype=torch.bool))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def nearest(self, latents: Tensor) -> Tensor:
        """latents [N, D] -> int64 [N], the code with the smallest squared distance."""
        with full_precision(latents):
            distance = self.vectors.square().sum(-1) - 2.0 * latents.float() @ self.vectors.T
        return distance.argmin(-1)

    def live(self) -> Tensor:
        """bool [K]: codes that the game's frames were found to use; all of them while that is not known.

        Codes left behind by earlier training lie next to the ones in use. A prediction that snaps to one of those
        shows a picture that never was.
        """
        return self.seen | ~self.seen.any()

    @torch.no_grad()
    def note(self, codes: Tensor) -> None:
        """Codes int64 [N] of real frames, encoded with the codebook as it is now, belong to the vocabulary."""
        self.seen[codes] = True

    @torch.no_grad()
    def learn(self, latents: Tensor, generator: torch.Generator) -> None:
        """Move the codes towards the latents [N, D] that picked them; send dead ones to latents that fit badly."""
        latents = latents.float()
        codes = self.vectors.shape[0]
        if not bool(self.started):
            chosen = torch.randint(latents.shape[0], (codes,), generator=generator, device=latents.device)
            self.vectors.copy_(latents[chosen])
            self.sums.copy_(self.vectors)
            self.picks.fill_(1.0)
            self.started.fill_(True)
        index = self.nearest(latents)
        counts = torch.zeros_like(self.picks).index_add_(0, index, torch.ones_like(index, dtype=torch.float32))
        sums = torch.zeros_like(self.sums).index_add_(0, index, latents)
        self.seen.zero_()  # the codes move: what was seen so far says nothing any more
        self.picks.lerp_(counts, 1.0 - DECAY)
        self.sums.lerp_(sums, 1.0 - DECAY)
        error = (latents - self.vectors[index]).square().sum(-1)
        dead = self.picks < DEAD
        if bool(dead.any()) and float(error.mean()) > 1e-3:
            moved = latents[torch.multinomial(error + 1e-12, codes, replacement=True, generator=generator)]
            self.sums[dead] = moved[dead]
            self.picks[dead] = 1.0
        self.vectors.copy_(self.sums / self.picks.clamp_min(1e-5)[:, None])


class Vqvae(nn.Module):
    """Frames uint8 [N, H, W, 3] to codes int64 [N, P] and back.

    Each cell is encoded from its own patch alone, so the same patch always has the same code and what moves from one
    cell to the next moves as a code does; the decoder sees neighbours, so edges join.
    """

    def __init__(self, image_size: int, grid: int, latent_dim: int, codes: int, channels: int) -> None:
        super().__init__()
        self.grid = grid
        patch = image_size // grid
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 2 * channels, patch, stride=patch),
            nn.SiLU(),
            nn.Conv2d(2 * channels, channels, 1),
            nn.SiLU(),
            nn.Conv2d(channels, latent_dim, 1),
        )
        # Every cell paints its patch, knowing its neighbours: a CPU's time goes into layers at the frame's full size.
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_dim, 2 * channels, 3, padding=1),
            ConvBlock(2 * channels),
            nn.SiLU(),
            nn.Conv2d(2 * channels, 3 * patch * patch, 1),
            nn.PixelShuffle(patch),
        )
        self.codebook = Codebook(codes, latent_dim)

    def latents(self, frames: Tensor) -> Tensor:
        """uint8 [N, H, W, 3] -> float32 [N, P, D], before quantisation."""
        latents = self.encoder(to_float(frames)).float().flatten(2).transpose(1, 2)
        # Of one size whatever the encoder does, so that neither it nor the commitment can shrink all codes into one.
        return F.layer_norm(latents, latents.shape[-1:])

    def encode(self, frames: Tensor) -> Tensor:
        """uint8 [N, H, W, 3] -> codes int64 [N, P]."""
        latents = self.latents(frames)
        return self.codebook.nearest(latents.flatten(0, 1)).reshape(latents.shape[:2])

    def decode(self, latents: Tensor) -> Tensor:
        """[N, P, D] -> float32 images [N, 3, H, W] in [0, 1]."""
        grid = latents.unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2)
        return torch.sigmoid(self.decoder(grid).float())

    def loss(self, frames: Tensor, commitment: float, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Squared error in units of the frames' variance, plus the commitment; straight-through gradient."""
        latents = self.latents(frames)
        flat = latents.flatten(0, 1)
        if self.training:
            self.codebook.learn(flat.detach(), generator)
        index = self.codebook.nearest(flat)
        chosen = self.codebook.vectors[index].reshape(latents.shape)
        commit = F.mse_loss(latents, chosen)
        image = self.decode(latents + (chosen - latents).detach())
        target = to_float(frames)
        error = F.mse_loss(image, target)
        share = torch.bincount(index, minlength=self.codebook.vectors.shape[0]).float() / index.shape[0]
        perplexity = torch.exp(-(share * torch.log(share + 1e-10)).sum())
        loss = error / target.var().clamp_min(1e-3) + commitment * commit
        return loss, {"reconstruction": error, "commitment": commit, "perplexity": perplexity}
