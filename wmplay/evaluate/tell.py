"""Can you tell? A small network learns to tell dreamed clips from real ones; a perfect dream leaves it guessing.

So does a network that has learned nothing: boards of GridWorld softened by 15 %, 30 pairs to learn from, were not told.
Far above 50 % is proof that a dream can be told. 50 % says something only of a judge that is right about the clips it
learned from, whose share stands beside.
"""

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
from wmplay.evaluate.statistics import Figure, share_figure
from wmplay.evaluate.subject import Subject

CLIP = 16
# Steps of the judge's training, pairs of clips in each, and step size, which falls to 0.
STEPS, PAIRS, RATE = 240, 8, 3e-3


class Judge(nn.Module):
    """Clips float32 [B, 16, 3, H, W] in [-0.5, 0.5] to one logit [B], positive for dreamed: by how each picture looks
    and differs from the one before, on the whole and where it is most striking."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(6, 32, 4, 2, 1), nn.GroupNorm(4, 32), nn.SiLU(),
            nn.Conv2d(32, 64, 4, 2, 1), nn.GroupNorm(4, 64), nn.SiLU(),
            nn.Conv2d(64, 64, 3, 1, 1), nn.SiLU(),
        )  # fmt: skip
        self.out = nn.Linear(128, 1)

    def forward(self, clips: Tensor) -> Tensor:
        now, change = clips[:, 1:], clips[:, 1:] - clips[:, :-1]
        seen = self.layers(torch.cat((now, 4.0 * change), dim=2).flatten(0, 1)).unflatten(0, now.shape[:2])
        return self.out(torch.cat((seen.mean(dim=(1, 3, 4)), seen.amax(dim=(3, 4)).mean(dim=1)), dim=1)).squeeze(1)


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
    unseen clips, and `trained_accuracy` over those `trained_on`. Pairs stay together, so no start is in both parts, and
    what both of a pair show tells nothing."""
    count = len(real)
    held = max(2, count // 4)
    order = np.random.default_rng(seed).permutation(count)
    test, train = order[:held], order[held:]

    def batch(clips: NDArray[np.uint8], which: NDArray[np.int64]) -> Tensor:
        return torch.as_tensor(clips[which]).permute(0, 1, 4, 2, 3).float() / 255 - 0.5

    generator = np.random.default_rng(seed + 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Judge()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-2)
    for step in range(STEPS):
        which = generator.choice(train, min(PAIRS, len(train)), replace=False)
        shown = torch.cat((batch(real, which), batch(dreamed, which)))
        label = torch.arange(2).repeat_interleave(len(which)).float()
        if generator.random() < 0.5:  # the same seen in a mirror: twice as many clips
            shown = shown.flip(-1)
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - step / STEPS)
        loss = F.binary_cross_entropy_with_logits(model(shown), label)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if tick:
            tick((step + 1) / STEPS)

    @torch.inference_mode()
    def right(which: NDArray[np.int64]) -> Figure:
        few = np.array_split(which, -(-len(which) // PAIRS))  # many clips at once want much memory
        hits = sum(int((model(batch(real, w)) <= 0).sum()) + int((model(batch(dreamed, w)) > 0).sum()) for w in few)
        return share_figure(hits, 2 * len(which))

    sizes = {"n": 2 * held, "trained_on": 2 * len(train)}
    return {**sizes, "accuracy": right(test), "trained_accuracy": right(train)}


def measure_tell(subject: Subject, seed: int = 0, tick: Callable[[float], None] | None = None) -> dict[str, Any] | None:
    """The judge's accuracy over the clips of all regimes; None where there are no clips."""
    found = [pair for starts in subject.regimes.values() if (pair := clips(subject, starts, seed)) is not None]
    if not found:
        return None
    return judge(np.concatenate([r for r, _ in found]), np.concatenate([d for _, d in found]), seed, tick)
