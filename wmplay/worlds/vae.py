"""The vision model of World Models (Ha and Schmidhuber 2018): a VAE between 64×64 frames and a small latent."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import kl_to_standard, sample_normal, to_float


class Vae(nn.Module):
    """Frames uint8 [N, 64, 64, 3] to a Gaussian latent [N, Z] and back.

    Four convolutions (kernel 4, stride 2) down to 2×2, four transposed ones (5, 5, 6, 6) up again. The first of those
    sees a 1×1 image, where a transposed convolution is a linear layer; as one it trains three times as fast on a CPU.

    channels: width of the first layer, 32 in the paper; the deepest has 8 times as many.
    """

    def __init__(self, latent_size: int = 32, channels: int = 32) -> None:
        super().__init__()
        c = channels
        self.latent_size = latent_size
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2) for a, b in ((3, c), (c, 2 * c), (2 * c, 4 * c), (4 * c, 8 * c))
        )
        self.to_latent = nn.Linear(4 * 8 * c, 2 * latent_size)
        self.from_latent = nn.Linear(latent_size, 32 * c)
        self.seed = nn.Linear(32 * c, 25 * 4 * c)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, k, stride=2) for a, b, k in ((4 * c, 2 * c, 5), (2 * c, c, 6), (c, 3, 6))
        )

    def encode(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [N, 64, 64, 3] -> mean and log-variance, float32 [N, Z]."""
        x = to_float(frames)
        for layer in self.down:
            x = F.relu(layer(x))
        mean, log_variance = self.to_latent(x.flatten(1)).float().chunk(2, dim=-1)
        return mean, log_variance.clamp(-12.0, 6.0)

    def decode(self, latent: Tensor) -> Tensor:
        """[N, Z] -> float32 images [N, 3, 64, 64] in [0, 1]."""
        x = F.relu(self.seed(self.from_latent(latent)))
        # Laid out as H W C, so that the next layer finds channels-last memory.
        x = x.reshape(x.shape[0], 5, 5, -1).permute(0, 3, 1, 2)
        for layer in self.up[:-1]:
            x = F.relu(layer(x))
        return torch.sigmoid(self.up[-1](x).float())

    def loss(self, frames: Tensor, tolerance: float, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Squared error summed over pixels plus KL above a tolerance of `tolerance` nats per latent entry.

        Returns the loss, the squared error per pixel and channel, and the KL in nats, all scalars.
        """
        mean, log_variance = self.encode(frames)
        image = self.decode(sample_normal(mean, log_variance, generator))
        target = to_float(frames)
        error = F.mse_loss(image, target)
        kl = kl_to_standard(mean, log_variance).mean()
        floor = tolerance * self.latent_size
        return error * target[0].numel() + kl.clamp_min(floor), error, kl
