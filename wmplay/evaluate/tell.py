"""Can you tell? A small network learns to tell dreamed clips from real ones; a perfect dream leaves it guessing.

So does a network that has learned nothing: boards of GridWorld softened by 15 %, 30 pairs to learn from, were not told.
Far above 50 % is proof that a dream can be told. 50 % says something only of a judge that is right about the clips it
learned from, whose share stands beside.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
# Steps of a judge's training, pairs of clips in each, pictures of them that it is shown, and step size, which falls to
# 0. Many short looks teach most: in a minute of one core, dreams of CarRacing were told in 70 % of unseen clips after
# 139 steps of 8 whole pairs, in 99 % after 1,126 steps of 16 pairs of which two pictures are shown.
STEPS, PAIRS, SHOWN, RATE = 600, 16, 2, 3e-3
# Judges; each is asked about a part of the clips that the others learn from.
JUDGES = 4


class Judge(nn.Module):
    """Clips float32 [B, T, 3, H, W] in [-0.5, 0.5] to one logit [B], positive for dreamed: by how each picture looks
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
    """Train judges on three quarters of the pairs each, and ask them about the quarter they have not seen: `accuracy`
    [mean, low, high] over all `n` clips, `trained_accuracy` over those each learned from, and `judges`, how many.

    Pairs stay together, so no start is in both parts, and what both of a pair show tells nothing. One judge alone, of
    an earlier kind, was right on 59 to 67 % of CarRacing's clips, by the quarter it was asked about.
    """
    count = len(real)
    quarters = np.array_split(np.random.default_rng(seed).permutation(count), JUDGES)
    asked = learned = 0
    for k, quarter in enumerate(quarters):
        others = np.concatenate([q for q in quarters if q is not quarter])

        model = _trained(real, dreamed, others, seed + k, tick and partial(_part, tick, k))
        asked += _right(model, real, dreamed, quarter)
        learned += _right(model, real, dreamed, others)
    accuracy, trained = share_figure(asked, 2 * count), share_figure(learned, 2 * count * (JUDGES - 1))
    return {"n": 2 * count, "judges": JUDGES, "accuracy": accuracy, "trained_accuracy": trained}


def _part(tick: Callable[[float], None], before: int, share: float) -> None:
    """Tell `tick` how much of all judges' training is done, where this is the share of one after `before` others."""
    tick((before + share) / JUDGES)


def _batch(clips: NDArray[np.uint8], which: NDArray[np.int64]) -> Tensor:
    """Some clips uint8 [N, T, H, W, 3] as a judge reads them."""
    return torch.as_tensor(clips[which]).permute(0, 1, 4, 2, 3).float() / 255 - 0.5


def _trained(
    real: NDArray[np.uint8],
    dreamed: NDArray[np.uint8],
    pairs: NDArray[np.int64],
    seed: int,
    tick: Callable[[float], None] | None,
) -> Judge:
    """A judge that has learned from these pairs of clips uint8 [N, T, H, W, 3] alone."""
    generator = np.random.default_rng(seed + 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Judge()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-2)
    for step in range(STEPS):
        which = generator.choice(pairs, min(PAIRS, len(pairs)), replace=False)
        since = generator.integers(real.shape[1] - SHOWN + 1)
        shown = torch.cat([_batch(clips[:, since : since + SHOWN], which) for clips in (real, dreamed)])
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
    return model


@torch.inference_mode()
def _right(model: Judge, real: NDArray[np.uint8], dreamed: NDArray[np.uint8], pairs: NDArray[np.int64]) -> int:
    """Of how many of these pairs' clips, real and dreamed, the judge says what they are."""
    few = np.array_split(pairs, -(-len(pairs) // PAIRS))  # many clips at once want much memory
    return sum(int((model(_batch(real, w)) <= 0).sum()) + int((model(_batch(dreamed, w)) > 0).sum()) for w in few)


def measure_tell(subject: Subject, seed: int = 0, tick: Callable[[float], None] | None = None) -> dict[str, Any] | None:
    """The judge's accuracy over the clips of all regimes; None where there are no clips."""
    found = [pair for starts in subject.regimes.values() if (pair := clips(subject, starts, seed)) is not None]
    if not found:
        return None
    return judge(np.concatenate([r for r, _ in found]), np.concatenate([d for _, d in found]), seed, tick)
