"""How alike two pictures are: MSE, PSNR and SSIM of batches of frames."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Wang, Bovik, Sheikh, Simoncelli 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity".
WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03
# Frames of 8 bits that differ by one grey level in one pixel of a hundred stand at 68 dB; beyond 60 dB nobody sees a
# thing.
PSNR_CAP = 60.0


def unit(frames: Tensor) -> Tensor:
    """uint8 [..., H, W, C] as float32 in [0, 1]; floats pass through."""
    return frames.float() / 255 if frames.dtype == torch.uint8 else frames.float()


def mse(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared error of each pair, frames [N, H, W, C] (uint8, or floats in [0, 1]) to float32 [N]."""
    return (unit(a) - unit(b)).square().flatten(1).mean(dim=1)


def psnr(error: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of mean squared errors [N] on a scale of 1, at most PSNR_CAP."""
    return (-10 * torch.log10(error.clamp_min(10 ** (-PSNR_CAP / 10)))).clamp_max(PSNR_CAP)


def _window(size: int, like: Tensor) -> Tensor:
    place = torch.arange(size, dtype=like.dtype, device=like.device) - (size - 1) / 2
    weight = torch.exp(-place.square() / (2 * SIGMA**2))
    return weight / weight.sum()


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity of each pair, frames [N, H, W, C] to float32 [N]; 1 = equal.

    Equation 13 of Wang et al. 2004 with an 11×11 Gaussian window (smaller where a frame is), averaged over the valid
    places and the channels.
    """
    x, y = (unit(frames).permute(0, 3, 1, 2).double() for frames in (a, b))
    size = min(WINDOW, x.shape[2], x.shape[3])
    channels = x.shape[1]
    column = _window(size, x).view(1, 1, size, 1).expand(channels, 1, size, 1)

    def blur(values: Tensor) -> Tensor:
        down = F.conv2d(values, column, groups=channels)
        return F.conv2d(down, column.transpose(2, 3), groups=channels)

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x.square(), blur(y * y) - mean_y.square()
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = K1**2, K2**2
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    bottom = (mean_x.square() + mean_y.square() + c1) * (var_x + var_y + c2)
    return (top / bottom).flatten(1).mean(dim=1).float()
