"""Exact codes for frames that are made of few tiles: a dictionary of patches, found by counting.

Shapes: N frames, H W frame, s side of a patch, G patches a side, P = G·G cells, K entries.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Patches of these sides are tried; tiles smaller than 4 pixels say little, and a board needs at least 3 cells a side.
SIDES = tuple(range(4, 22))
MIN_CELLS = 3
# Frames looked at to find out how the tiles lie, and frames without a new patch after which the dictionary is complete.
PROBE, CALM = 16, 2048


def cut(frames: Tensor, side: int, margin: int, cells: int) -> Tensor:
    """uint8 frames [N, H, W, 3] -> patches [N, G·G, s·s·3], G = `cells`, from `margin` pixels off the top left."""
    end = margin + side * cells
    inner = frames[:, margin:end, margin:end]
    parts = inner.reshape(len(frames), cells, side, cells, side, 3).transpose(2, 3)
    return parts.reshape(len(frames), cells * cells, side * side * 3)


def layouts(size: int) -> list[tuple[int, int, int]]:
    """Ways (side, margin, cells) to lay square tiles into a square frame: from the corner, or centred."""
    found = []
    for side in SIDES:
        cells = size // side
        if cells >= MIN_CELLS:
            found += [(side, margin, cells) for margin in sorted({0, (size - side * cells) // 2})]
    return found


def distinct(patches: Tensor) -> int:
    """How many different rows there are in uint8 [M, D], by a hash of each (whose chance to collide is negligible)."""
    weights = torch.arange(1, patches.shape[1] + 1, device=patches.device, dtype=torch.int64)
    mixed = (patches.long() + 1) * (weights * 0x5DEECE66D + 0xB)
    mixed = (mixed ^ (mixed >> 17)) * 0x2545F4914F6CDD1D
    return len(mixed.sum(-1).unique())


class PatchBook(nn.Module):
    """Frames uint8 [N, H, W, 3] to codes int64 [N, P] and back without any loss, while there are at most K patches.

    How the tiles lie (side, margin, number) is found from the first frames seen; everything is kept in buffers, so a
    saved book is the same book. `full` says that the game has too many patches for this.
    """

    patches: Tensor
    surround: Tensor
    layout: Tensor
    count: Tensor
    calm: Tensor
    full: Tensor

    def __init__(self, image_size: int, codes: int) -> None:
        super().__init__()
        self.image_size = image_size
        self.register_buffer("patches", torch.zeros(codes, SIDES[-1] ** 2 * 3, dtype=torch.uint8))
        self.register_buffer("surround", torch.zeros(image_size, image_size, 3, dtype=torch.uint8))
        # Before anything was seen: one cell that covers nothing in particular, so that an untrained world can be drawn.
        self.register_buffer("layout", torch.tensor(layouts(image_size)[0], dtype=torch.int64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("calm", torch.zeros((), dtype=torch.int64))
        self.register_buffer("full", torch.zeros((), dtype=torch.bool))

    @property
    def cells(self) -> int:
        """G, patches a side."""
        return int(self.layout[2])

    @property
    def complete(self) -> bool:
        """Nothing new was seen for so long that more looking is a waste."""
        return int(self.calm) >= CALM

    def _known(self) -> Tensor:
        """Entries in use, float32 [K', s·s·3]."""
        side = int(self.layout[0])
        return self.patches[: int(self.count), : side * side * 3].float()

    def _nearest(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Index and squared distance of the nearest entry; exact in float32 for patches of up to 9×9 pixels."""
        known, flat = self._known(), patches.float()
        distance = flat.square().sum(-1, keepdim=True) - 2.0 * flat @ known.T + known.square().sum(-1)
        best = distance.min(-1)
        return best.indices, best.values

    @torch.no_grad()
    def learn(self, frames: Tensor) -> None:
        """Add the patches of these frames that are not known yet; mark the book as full if they do not fit."""
        if bool(self.full):
            return
        if not int(self.count):
            self._lay(frames)
        patches = cut(frames, *self.layout.tolist()).flatten(0, 1)
        fresh = patches[self._nearest(patches)[1] > 0.5] if int(self.count) else patches
        if not len(fresh):
            self.calm.add_(len(frames))
            return
        self.calm.zero_()
        fresh = torch.unique(fresh, dim=0)
        start = int(self.count)
        fresh = fresh[: len(self.patches) - start + 1]
        if start + len(fresh) > len(self.patches):
            self.full.fill_(True)
            return
        self.patches[start : start + len(fresh), : fresh.shape[1]] = fresh
        self.count.add_(len(fresh))

    def _lay(self, frames: Tensor) -> None:
        """Choose the layout with the fewest different patches; a board of tiles has one that is clearly best."""
        probe = frames[:PROBE]
        best: tuple[int, int] | None = None
        for side, margin, cells in layouts(self.image_size):
            end = margin + side * cells
            rim = probe.clone()
            rim[:, margin:end, margin:end] = 0
            if not bool((rim == rim[:1]).all()):
                continue
            score = (distinct(cut(probe, side, margin, cells).flatten(0, 1)), -side)
            if best is None or score < best:
                best = score
                self.layout.copy_(torch.tensor((side, margin, cells)))
                self.surround.copy_(probe[0])

    def encode(self, frames: Tensor) -> Tensor:
        """uint8 [N, H, W, 3] -> codes int64 [N, P]; a patch that is not in the book becomes the one most like it."""
        patches = cut(frames, *self.layout.tolist())
        if not int(self.count):
            return torch.zeros(patches.shape[:2], dtype=torch.int64, device=frames.device)
        return self._nearest(patches.flatten(0, 1))[0].reshape(patches.shape[:2])

    def decode(self, codes: Tensor) -> Tensor:
        """codes int64 [N, P] -> uint8 frames [N, H, W, 3]."""
        side, margin, cells = self.layout.tolist()
        end = margin + side * cells
        parts = self.patches[codes, : side * side * 3].reshape(len(codes), cells, cells, side, side, 3)
        frames = self.surround.expand(len(codes), -1, -1, -1).clone()
        frames[:, margin:end, margin:end] = parts.transpose(2, 3).reshape(len(codes), end - margin, end - margin, 3)
        return frames
