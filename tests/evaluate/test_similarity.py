"""SSIM, PSNR and MSE against their definitions: a wrong kernel would rank models wrongly without anyone noticing."""

import numpy as np
import pytest
import torch

from wmplay.evaluate.similarity import K1, K2, PSNR_CAP, SIGMA, WINDOW, mse, psnr, ssim


def by_the_book(x: np.ndarray, y: np.ndarray) -> float:
    """Equation 13 of Wang et al. 2004, one window at a time, for one channel of one picture."""
    place = np.arange(WINDOW) - (WINDOW - 1) / 2
    weight = np.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * SIGMA**2))
    weight /= weight.sum()
    values = []
    for row in range(x.shape[0] - WINDOW + 1):
        for column in range(x.shape[1] - WINDOW + 1):
            a, b = (v[row : row + WINDOW, column : column + WINDOW] for v in (x, y))
            mean_a, mean_b = (weight * a).sum(), (weight * b).sum()
            var_a, var_b = (weight * (a - mean_a) ** 2).sum(), (weight * (b - mean_b) ** 2).sum()
            both = (weight * (a - mean_a) * (b - mean_b)).sum()
            top = (2 * mean_a * mean_b + K1**2) * (2 * both + K2**2)
            values.append(top / ((mean_a**2 + mean_b**2 + K1**2) * (var_a + var_b + K2**2)))
    return float(np.mean(values))


def test_ssim_is_the_published_formula():
    """Figures must compare with the literature's."""
    generator = np.random.default_rng(0)
    a = generator.integers(0, 256, (2, 20, 24, 3), dtype=np.uint8)
    b = np.clip(a.astype(int) + generator.integers(-40, 40, a.shape), 0, 255).astype(np.uint8)
    expected = [np.mean([by_the_book(a[i, ..., c] / 255, b[i, ..., c] / 255) for c in range(3)]) for i in range(2)]
    assert ssim(torch.as_tensor(a), torch.as_tensor(b)).tolist() == pytest.approx(expected, abs=1e-6)


def test_equal_frames_are_alike_and_opposite_ones_are_not():
    """A perfect dream must read 1 and the cap, black against white next to nothing."""
    frames = torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert ssim(frames, frames).tolist() == pytest.approx([1.0] * 3, abs=1e-6)
    assert psnr(mse(frames, frames)).tolist() == [PSNR_CAP] * 3
    black, white = torch.zeros(1, 64, 64, 3, dtype=torch.uint8), torch.full((1, 64, 64, 3), 255, dtype=torch.uint8)
    assert mse(black, white).item() == 1.0
    assert psnr(mse(black, white)).item() == pytest.approx(0.0, abs=1e-6)
    assert ssim(black, white).item() < 0.001
