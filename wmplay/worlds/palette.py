"""Palettes: the few colours, or small pictures, that a game's are nearest to, found while one looks.

Shapes: N samples, S numbers each, K entries, B batch, H W frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wmplay.worlds.blocks import full_precision

# An entry that was hit less than this of late is unused; and a sample whose squared distance to its entry is less than
# this needs none of its own.
UNUSED, EXACT = 0.05, 1e-6


def nearest(entries: Tensor, samples: Tensor) -> Tensor:
    """Index int64 [..., N] of the entry [..., K, S] nearest each sample [..., N, S]."""
    # |x − c|² is least where x·c − |c|²/2 is largest.
    with full_precision(samples):
        return (samples.float() @ entries.mT - 0.5 * entries.square().sum(-1)[..., None, :]).argmax(-1)


@torch.no_grad()
def follow(entries: Tensor, mass: Tensor, samples: Tensor, generator: torch.Generator) -> Tensor:
    """Move entries [K, S], hit so often [K], towards samples [N, S], in place: online k-means (Sculley 2010), with
    unused entries moved to where they help. Returns the samples' mean squared distance."""
    index = nearest(entries, samples)
    error = (samples - entries[index]).square().sum(-1)
    hits = torch.zeros_like(mass).index_add_(0, index, torch.ones_like(error))
    total = torch.zeros_like(entries).index_add_(0, index, samples)
    mass.mul_(0.99).add_(hits)
    used = hits > 0
    step = (hits / mass.clamp_min(1.0))[used, None]
    entries[used] += step * (total[used] / hits[used, None] - entries[used])
    wrong = torch.where(error > EXACT, error, 0.0)
    unused = torch.nonzero(mass < UNUSED).squeeze(-1)[: int((wrong > 0).sum())]
    if len(unused):
        entries[unused] = samples[torch.multinomial(wrong, len(unused), generator=generator)]
        mass[unused] = 1.0
    return error.mean()


class Palette(nn.Module):
    """K colours [K, 3] in [0, 1]."""

    colours: Tensor
    mass: Tensor
    ready: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("colours", torch.zeros(count, 3))
        self.register_buffer("mass", torch.zeros(count))
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    def nearest(self, pixels: Tensor) -> Tensor:
        """Index int64 [N] of the colour nearest each pixel [N, 3]."""
        return nearest(self.colours, pixels)

    @torch.no_grad()
    def learn(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Move the colours towards pixels [N, 3]; returns their mean squared distance."""
        if not bool(self.ready):
            # k-means++ (Arthur and Vassilvitskii 2007) on squared distance: rare colours get a place too.
            chosen = [pixels[0]]
            for _ in range(len(self.colours) - 1):
                gap = torch.cdist(pixels, torch.stack(chosen)).amin(-1).square() + 1e-9
                chosen.append(pixels[torch.multinomial(gap, 1, generator=generator)[0]])
            self.colours.copy_(torch.stack(chosen))
            self.ready.fill_(True)
        return follow(self.colours, self.mass, pixels, generator)
