"""Frames laid out as labelled pictures: strips of truth above dream above difference, reconstructions, twin films."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Frames = NDArray[np.uint8]
PAPER, INK = (250, 250, 248), (40, 42, 50)
_GAP, _TOP, _TEXT = 4, 20, 13
# Differences are shown at twice their size, so that a grey level of 10 can be seen; full white is from 128 on.
GAIN = 2


def difference(real: Frames, dream: Frames) -> Frames:
    """|real − dream| at GAIN times its size, uint8 like the inputs."""
    gap = np.abs(real.astype(np.int16) - dream.astype(np.int16)) * GAIN
    return np.clip(gap, 0, 255).astype(np.uint8)


def grid(rows: Sequence[tuple[str, Frames]], columns: Sequence[str], title: str = "", scale: int = 2) -> Image.Image:
    """Rows of frames uint8 [K, H, W, 3] with a label before each and one above each column."""
    height, width = (int(side) * scale for side in rows[0][1].shape[1:3])
    head = _TOP * (2 if title else 1)
    font = ImageFont.load_default(_TEXT)
    left = 16 + max(round(font.getlength(label)) for label, _ in rows)
    size = (left + len(columns) * (width + _GAP) + _GAP, head + len(rows) * (height + _GAP) + _GAP)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        pen.text((_GAP * 2, 3), title, INK, font)
    for c, label in enumerate(columns):
        pen.text((left + c * (width + _GAP) + width / 2, head - 3), label, INK, font, anchor="mb")
    for r, (label, frames) in enumerate(rows):
        top = head + r * (height + _GAP)
        pen.text((left - 8, top + height / 2), label, INK, font, anchor="rm")
        for c, frame in enumerate(frames[: len(columns)]):
            picture = Image.fromarray(frame).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(picture, (left + c * (width + _GAP), top))
    return sheet


def png(sheet: Image.Image) -> bytes:
    """A picture as PNG bytes."""
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def gif(frames: Frames, fps: int, scale: int = 3) -> bytes:
    """Frames uint8 [T, H, W, 3] as an endless GIF."""
    height, width = (int(side) * scale for side in frames.shape[1:3])
    shown = [Image.fromarray(frame).resize((width, height), Image.Resampling.NEAREST) for frame in frames]
    buffer = io.BytesIO()
    shown[0].save(
        buffer, "GIF", save_all=True, append_images=shown[1:], duration=max(20, round(1000 / max(1, fps))), loop=0
    )
    return buffer.getvalue()
