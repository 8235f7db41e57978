"""Ha and Schmidhuber's VAE as one would first write it in torch, after the paper: the plain side of `Vae`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.devices import set_layout
from wmplay.worlds.vae import Vae


class PlainVae(nn.Module):
    """Convolutions and transposed convolutions in float32 N C H W, the first of the latter on a 1×1 picture.

    Of the weights of a `Vae`, which it computes the same function of: the same loss, in as many multiplications.
    """

    def __init__(self, vae: Vae) -> None:
        super().__init__()
        size, width = vae.from_latent.in_features, vae.seed.in_features
        c = width // 32
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, 2) for a, b in ((3, c), (c, 2 * c), (2 * c, 4 * c), (4 * c, 8 * c))
        )
        self.to_latent = nn.Linear(width, 2 * size)
        self.from_latent = nn.Linear(size, width)
        layers = ((width, 4 * c, 5), (4 * c, 2 * c, 5), (2 * c, c, 6), (c, 3, 6))
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, k, 2) for a, b, k in layers)
        self.to(vae.seed.weight.device)
        for name in ("down", "to_latent", "from_latent"):
            getattr(self, name).load_state_dict(getattr(vae, name).state_dict())
        for mine, theirs in zip(self.up[1:], vae.up, strict=True):
            mine.load_state_dict(theirs.state_dict())
        first = self.up[0]
        assert isinstance(first, nn.ConvTranspose2d) and first.bias is not None
        with torch.no_grad():
            # Theirs gives H W C, so its rows are (5, 5, C); a transposed convolution's weight is [in, C, 5, 5]. A bias
            # for each of the 25 pixels is more than the paper has: of that, the mean.
            first.weight.copy_(vae.seed.weight.view(5, 5, 4 * c, -1).permute(3, 2, 0, 1))
            first.bias.copy_(vae.seed.bias.view(25, 4 * c).mean(0))
        set_layout(self, torch.contiguous_format)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """float32 [N, 3, 64, 64] in [0, 1] -> mean and log-variance [N, Z]."""
        x = images
        for layer in self.down:
            x = F.relu(layer(x))
        mean, log_variance = self.to_latent(x.flatten(1)).chunk(2, dim=-1)
        return mean, log_variance.clamp(-12.0, 6.0)

    def decode(self, latent: Tensor) -> Tensor:
        """[N, Z] -> float32 [N, 3, 64, 64] in [0, 1]."""
        x = self.from_latent(latent)[:, :, None, None]
        for layer in self.up[:-1]:
            x = F.relu(layer(x))
        return torch.sigmoid(self.up[-1](x))

    def loss(
        self, frames: Tensor, tolerance: float, generator: torch.Generator, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `Vae.loss`: the loss, the squared error per pixel and channel, and the KL."""
        images = frames.permute(0, 3, 1, 2).contiguous().float() / 255.0
        mean, log_variance = self.encode(images)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        shown = self.decode(mean + torch.exp(0.5 * log_variance) * noise)
        squares = (shown - images).square()
        error = (squares if weights is None else squares * weights.permute(0, 3, 1, 2)).sum() / len(images)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(-1).mean()
        return error + kl.clamp_min(tolerance * mean.shape[1]), error / images[0].numel(), kl
