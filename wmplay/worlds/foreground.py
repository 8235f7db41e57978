"""What stands out from a game's mean picture, so that a world model's error sees it however small it is.

A pole of thirty pixels is one part in a hundred of CartPole's picture: by squared error alone the mean picture is
nearly perfect, and nothing else is learned for a long time. Here what stands out counts as much as all that stands
still, a balance as it is made between rare and common classes (King and Zeng 2001).

Shapes: N frames, H W C frame.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# A pixel stands out where one of its colours is so far from the mean picture's, of 1.
APART = 0.1
# Where this share of the pixels does, the error sees it well enough as it is.
RARE = 0.1


class Foreground(nn.Module):
    """The mean picture, and how many pixels stand out from it, learned from the first `limit` frames and then fixed.

    most: the largest weight that a pixel that stands out may have; 1 leaves all pixels alike.
    """

    mean: Tensor
    share: Tensor
    count: Tensor

    def __init__(self, height: int, width: int, most: float, limit: int = 20_000) -> None:
        super().__init__()
        self.most, self.limit = most, limit
        self._settled: int | None = 1 if most <= 1.0 else None
        self.register_buffer("mean", torch.zeros(height, width, 3))
        self.register_buffer("share", torch.ones(()))
        self.register_buffer("count", torch.zeros(()))

    @property
    def settled(self) -> bool:
        """Whether it learns no more."""
        return self._settled is not None

    @torch.no_grad()
    def learn(self, frames: Tensor) -> None:
        """Take frames uint8 [N, H, W, C] into the mean picture and the share."""
        n = len(frames)
        if self._settled is not None or n == 0 or float(self.count) >= self.limit:
            return
        self.count.add_(n)
        part = n / self.count
        self.mean.lerp_(frames.float().mean(0) / 255.0, part)
        self.share.lerp_(self.apart(frames).float().mean(), part)

    def apart(self, frames: Tensor) -> Tensor:
        """Which pixels of frames uint8 [N, H, W, C] stand out, bool [N, H, W, 1]."""
        return (frames.float() - 255.0 * self.mean).abs_().amax(-1, keepdim=True) > 255.0 * APART

    @property
    def weight(self) -> int:
        """How much more than another pixel's the error of one that stands out counts: a whole number, 1 to `most`."""
        if self._settled is not None:
            return self._settled
        share, count = float(self.share), float(self.count)
        weight = 1 if share >= RARE else round(min(self.most, (1.0 - share) / max(share, 1e-6)))
        if count >= self.limit:  # it changes no more: a graphics card need not be waited for to ask again
            self._settled = weight
        return weight

    def weights(self, frames: Tensor) -> Tensor | None:
        """The weight of each value of frames uint8 [N, H, W, C], uint8 of the same shape; None where all are alike."""
        weight = self.weight
        if weight == 1:
            return None
        return self.apart(frames).to(torch.uint8).mul_(weight - 1).add_(1).expand(frames.shape)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        # Weights saved before there was a foreground load as ones that know none, and learn none.
        for name, kept in (("mean", self.mean), ("share", self.share), ("count", self.count + self.limit)):
            state_dict.setdefault(prefix + name, kept)
        self._settled = 1 if self.most <= 1.0 else None
        super()._load_from_state_dict(state_dict, prefix, *more)
