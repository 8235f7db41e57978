"""The picture that tells at a glance whether a model learns: truth above dream above difference; and thumbnails."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch

from wmplay.dreams.dreamer import CONTEXT, to_segment
from wmplay.worlds.protocol import World

# Frames side by side in the strip.
COLUMNS = 8


@torch.inference_mode()
def strip(world: World, contexts: dict[str, np.ndarray], start: int = 0, closed: bool = False) -> np.ndarray:
    """Real, dreamt and difference as uint8 [3, K, H, W, 3], from one starting segment on its recorded actions.

    closed: show the model the real frame at every step (what it sees) instead of letting it dream on.
    """
    mode, device = world.training, next(world.parameters()).device
    modes = {module: module.training for module in world.modules()}
    world.eval()
    one = {name: array[start : start + 1] for name, array in contexts.items()}
    rows = one["observation"].shape[1]
    segment = to_segment(one, slice(0, rows), device)
    state = world.begin(to_segment(one, slice(0, CONTEXT), device))
    dreamt = []
    for t in range(CONTEXT, min(rows, CONTEXT + COLUMNS * 2)):
        if closed:
            state = world.update(state, segment.action[:, t], segment.observation[:, t], segment.first[:, t])
        else:
            state, _, _ = world.step(state, segment.action[:, t], 0.0)
        if (t - CONTEXT) % 2 == 0:
            dreamt.append(world.frames(state)[0].cpu().numpy())
    for module, was in modes.items():
        module.training = was
    world.training = mode
    seen = one["observation"][0, CONTEXT : CONTEXT + 2 * len(dreamt) : 2]
    real = seen if world.draw is None else world.draw(seen)
    dream = np.stack(dreamt)
    difference = np.abs(real.astype(np.int16) - dream.astype(np.int16)).astype(np.uint8)
    return np.stack([real.astype(np.uint8), dream, difference])


def as_npz(picture: np.ndarray, **more: Any) -> bytes:
    """The content of `train/preview.npz`."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, strip=picture, **more)
    return buffer.getvalue()


@torch.inference_mode()
def film(world: World, contexts: dict[str, np.ndarray], frames: int = 48) -> np.ndarray:
    """A dream on the recorded actions, going round them if it outlasts them: uint8 [T, H, W, 3]."""
    world.eval()
    device = next(world.parameters()).device
    one = {name: array[:1] for name, array in contexts.items()}
    segment = to_segment(one, slice(0, one["observation"].shape[1]), device)
    state = world.begin(to_segment(one, slice(0, CONTEXT), device))
    rows = segment.action.shape[1]
    shown = []
    for t in range(frames):
        at = CONTEXT + t % max(1, rows - CONTEXT)
        state, _, _ = world.step(state, segment.action[:, min(at, rows - 1)], 0.0)
        shown.append(world.frames(state)[0].cpu().numpy())
    return np.stack(shown)


def as_gif(pictures: np.ndarray, fps: int) -> bytes:
    """Frames uint8 [T, H, W, 3] as an endless GIF, twice their size."""
    from PIL import Image

    images = [Image.fromarray(p).resize((p.shape[1] * 2, p.shape[0] * 2), Image.Resampling.NEAREST) for p in pictures]
    buffer = io.BytesIO()
    images[0].save(
        buffer, "GIF", save_all=True, append_images=images[1:], duration=max(20, 1000 // max(1, fps)), loop=0
    )
    return buffer.getvalue()


def as_png(picture: np.ndarray) -> bytes:
    """One frame uint8 [H, W, 3] as a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
