"""Can you tell? A small network learns to tell dreamed clips from real ones; a perfect dream leaves it guessing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from wmplay.evaluate.rollout import dream, observations, pictures
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.statistics import share_figure
from wmplay.evaluate.subject import Subject

CLIP = 16
# Passes over 300 training clips; fewer clips get more passes, so that every judge takes about as many steps.
EPOCHS, BATCH, RATE = 12, 32, 1e-3


class Judge(nn.Module):
    """Clips float32 [B, 3, 16, H, W] in [0, 1] to one logit [B], positive for dreamed; sees pictures and motion."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(3, 16, (3, 4, 4), (1, 2, 2), 1), nn.GroupNorm(4, 16), nn.SiLU(),
            nn.Conv3d(16, 32, (3, 4, 4), (2, 2, 2), 1), nn.GroupNorm(4, 32), nn.SiLU(),
            nn.Conv3d(32, 64, (3, 4, 4), (2, 2, 2), 1), nn.GroupNorm(4, 64), nn.SiLU(),
        )  # fmt: skip
        self.out = nn.Linear(128, 1)

    def forward(self, clips: Tensor) -> Tensor:
        seen = self.layers(clips).flatten(2)
        return self.out(torch.cat([seen.mean(dim=2), seen.amax(dim=2)], dim=1)).squeeze(1)


def clips(subject: Subject, starts: Starts, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """Real and dreamed clips uint8 [N, 16, H, W, 3] of the same starts under the same actions, steps 1 to 16, sampled
    as one plays (temperature 1). None for a game without pictures or without episodes that long."""
    starts = starts.take(starts.lasting(CLIP))
    if starts.count < 8:
        return None
    world = subject.world
    dreamed = [
        pictures(world, observations(world, s.state)) for s in dream(world, starts, CLIP, 1.0, subject.place, seed)
    ]
    real = [pictures(world, starts.truth(k)) for k in range(1, CLIP + 1)]
    if dreamed[0] is None or real[0] is None:
        return None
    return np.stack(real, axis=1), np.stack(dreamed, axis=1)  # type: ignore[arg-type]


def judge(
    real: NDArray[np.uint8], dreamed: NDArray[np.uint8], seed: int = 0, tick: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """Train a judge on three quarters of the pairs and ask it about the rest: `accuracy` [mean, low, high] over `n`
    unseen clips. Pairs stay together, so no start is in both parts."""
    count = len(real)
    held = max(2, count // 4)
    order = np.random.default_rng(seed).permutation(count)
    test, train = order[:held], order[held:]

    def batch(which: NDArray[np.int64], labels: NDArray[np.bool_]) -> Tensor:
        picked = np.where(labels[:, None, None, None, None], dreamed[which], real[which])
        return torch.as_tensor(picked).permute(0, 4, 1, 2, 3).float() / 255

    generator = np.random.default_rng(seed + 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Judge()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-2)
    pairs = np.concatenate([np.stack([train, np.zeros_like(train)]), np.stack([train, np.ones_like(train)])], axis=1)
    epochs = max(EPOCHS, round(EPOCHS * 300 / pairs.shape[1]))
    for epoch in range(epochs):
        shuffled = pairs[:, generator.permutation(pairs.shape[1])]
        for at in range(0, shuffled.shape[1], BATCH):
            which, label = shuffled[0, at : at + BATCH], shuffled[1, at : at + BATCH].astype(bool)
            loss = F.binary_cross_entropy_with_logits(model(batch(which, label)), torch.as_tensor(label).float())
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        if tick:
            tick((epoch + 1) / epochs)
    right = 0
    with torch.inference_mode():
        for dreamt in (False, True):
            said = model(batch(test, np.full(len(test), dreamt))) > 0
            right += int((said.numpy() == dreamt).sum())
    return {"n": 2 * len(test), "trained_on": pairs.shape[1], "accuracy": share_figure(right, 2 * len(test))}


def measure_tell(subject: Subject, seed: int = 0, tick: Callable[[float], None] | None = None) -> dict[str, Any] | None:
    """The judge's accuracy over the clips of all regimes; None where there are no clips."""
    found = [pair for starts in subject.regimes.values() if (pair := clips(subject, starts, seed)) is not None]
    if not found:
        return None
    return judge(np.concatenate([r for r, _ in found]), np.concatenate([d for _, d in found]), seed, tick)
