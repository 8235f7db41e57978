"""The vision model of World Models (Ha and Schmidhuber 2018): a VAE between 64×64 frames and a small latent."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import full_precision, kl_to_standard, sample_normal, to_float


class Vae(nn.Module):
    """Frames uint8 [N, 64, 64, 3] to a Gaussian latent [N, Z] and back.

    Four convolutions (kernel 4, stride 2) down to 2×2, four transposed ones (5, 5, 6, 6) up again. The first of those
    sees a 1×1 image, where a transposed convolution is a linear layer; as one it trains three times as fast on a CPU.
    In the paper nothing stands between that and the layer before it: in use the two linear layers are one, of a
    thirtieth of the weights.

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
        self._joined: tuple[tuple[int, ...], Tensor, Tensor] | None = None
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
        if self.training or torch.is_grad_enabled():
            self._joined = None  # these weights are being taught, and fused optimisers count no changes
            x = F.relu(self.seed(self.from_latent(latent)))
        else:
            x = F.relu(F.linear(latent, *self._join()))
        # Laid out as H W C, so that the next layer finds channels-last memory.
        x = x.reshape(x.shape[0], 5, 5, -1).permute(0, 3, 1, 2)
        for layer in self.up[:-1]:
            x = F.relu(layer(x))
        return torch.sigmoid(self.up[-1](x).float())

    def _join(self) -> tuple[Tensor, Tensor]:
        """Weight [100·c, Z] and bias of `seed` after `from_latent`, made anew when one of their weights has changed."""
        parts = (self.seed.weight, self.seed.bias, self.from_latent.weight, self.from_latent.bias)
        # What is born in inference mode counts no changes, and cannot change outside of it.
        versions = tuple(0 if part.is_inference() else part._version for part in parts)
        if self._joined is None or self._joined[0] != versions:
            # Plain tensors, whatever context asks first: others may copy or keep them.
            with torch.inference_mode(False), torch.no_grad(), full_precision(self.seed.weight):
                bias = F.linear(self.from_latent.bias, self.seed.weight, self.seed.bias)
                self._joined = (versions, self.seed.weight @ self.from_latent.weight, bias)
        return self._joined[1:]

    def train(self, mode: bool = True) -> Vae:
        """As every module; the joined layer does not outlive a stretch of training."""
        self._joined = None
        return super().train(mode)

    def _apply(self, *args: Any, **kwargs: Any) -> Vae:
        """Moved to another device or precision: that is no change that weights count."""
        self._joined = None
        return super()._apply(*args, **kwargs)

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
