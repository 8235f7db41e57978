"""Pictures in a terminal: two pixels to a character cell, as upper half blocks, through Textual's line API.

What makes it fast: colours are cut to 5 bits a channel, equal neighbours become one segment, styles and unchanged
lines are kept, and only lines that changed are drawn again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

HALF = "▀"
STYLES_KEPT = 1 << 15


def fit(height: int, width: int, columns: int, rows: int) -> tuple[int, int]:
    """The size (height, width) in pixels at which a picture fills `columns` x `rows` cells, its shape kept.

    A cell is two pixels high. Enlarging goes by whole factors only, so that every pixel of a small frame stays square.
    Either way the height is even, or the last line of cells would be half black: an odd one loses a row of pixels.
    """
    scale = min(columns / width, 2 * rows / height)
    if scale >= 1:
        return max(2, height * int(scale) // 2 * 2), width * int(scale)
    return max(2, 2 * round(height * scale / 2)), max(1, round(width * scale))


def _weights(size: int, target: int) -> np.ndarray:
    """Area weights [target, size]: how much each of `size` pixels adds to each of fewer `target` pixels."""
    edges = np.linspace(0, size, target + 1)
    starts = np.arange(size)
    covered = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return (np.clip(covered, 0, 1) * (target / size)).astype(np.float32)


def scaled(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 [H, W, 3] at a new size, uint8 [height, width, 3]: shrunk by area, enlarged by repeating pixels."""
    if height > frame.shape[0] or width > frame.shape[1]:
        rows = np.arange(height) * frame.shape[0] // height
        columns = np.arange(width) * frame.shape[1] // width
        return frame[rows[:, None], columns]
    if (height, width) == frame.shape[:2]:
        return frame
    # einsum order matters: rows first makes both steps plain matrix products.
    tall = np.tensordot(_weights(frame.shape[0], height), frame.astype(np.float32), (1, 0))
    small = np.tensordot(_weights(frame.shape[1], width), tall, (1, 1)).swapaxes(0, 1)
    return (small + 0.5).astype(np.uint8)


def cells(frame: np.ndarray) -> np.ndarray:
    """Colour codes of the cells of a frame [H, W, 3]: int64 [ceil(H / 2), W], 15 bits upper pixel, 15 bits lower."""
    five = frame.astype(np.int64) >> 3
    code = five[..., 0] << 10 | five[..., 1] << 5 | five[..., 2]
    if code.shape[0] % 2:
        code = np.concatenate([code, np.zeros_like(code[:1])])
    return code[0::2] << 15 | code[1::2]


def _color(code: int) -> Color:
    """The colour of 15 bits; the top bits are repeated below so that white stays white."""
    red, green, blue = ((code >> shift & 31) * 33 >> 2 for shift in (10, 5, 0))
    triplet = ColorTriplet(red, green, blue)
    return Color(triplet.hex, ColorType.TRUECOLOR, triplet=triplet)


class Painter:
    """Turns lines of cell codes into Rich segments, remembering the styles it has made."""

    def __init__(self) -> None:
        self._styles: dict[int, Style] = {}
        self._colors: dict[int, Color] = {}

    def _color(self, code: int) -> Color:
        found = self._colors.get(code)
        if found is None:
            found = self._colors[code] = _color(code)
        return found

    def style(self, code: int) -> Style:
        """The style of a cell: its upper pixel as the colour, its lower one as the background."""
        found = self._styles.get(code)
        if found is None:
            if len(self._styles) >= STYLES_KEPT:
                self._styles.clear()
            found = self._styles[code] = Style.from_color(self._color(code >> 15), self._color(code & 0x7FFF))
        return found

    def line(self, codes: np.ndarray) -> list[Segment]:
        """Segments of one line of cell codes int64 [W]; equal neighbours are merged, plain cells are spaces."""
        changes = np.flatnonzero(codes[1:] != codes[:-1]) + 1
        starts = [0, *changes.tolist()]
        ends = [*starts[1:], len(codes)]
        segments = []
        for start, end, code in zip(starts, ends, codes[starts].tolist(), strict=True):
            glyph = " " if code >> 15 == code & 0x7FFF else HALF
            segments.append(Segment(glyph * (end - start), self.style(code)))
        return segments


def text(frame: np.ndarray, columns: int = 80, rows: int = 40) -> Text:
    """A frame uint8 [H, W, 3] as Rich text of at most `columns` x `rows` cells, for printing or a Static widget."""
    painter = Painter()
    height, width = frame.shape[:2]
    lines = [painter.line(row) for row in cells(scaled(frame, *fit(height, width, columns, rows)))]
    return Text("\n").join(Text.assemble(*((part.text, part.style or "") for part in line)) for line in lines)


class HalfBlockView(Widget):
    """A widget that shows the newest frame it was given, as large as it fits, in the middle of its space."""

    DEFAULT_CSS = """
    HalfBlockView { width: 1fr; height: 1fr; }
    """

    def __init__(self, frame: np.ndarray | None = None, **widget: Any) -> None:
        super().__init__(**widget)
        self._frame = frame
        self._painter = Painter()
        self._codes: np.ndarray | None = None
        self._strips: dict[int, Strip] = {}
        self._margin: Style | None = None

    @property
    def frame(self) -> np.ndarray | None:
        """The newest frame, uint8 [H, W, 3]."""
        return self._frame

    def show(self, frame: np.ndarray) -> None:
        """Show a frame, uint8 [H, W, 3]. Only the lines that differ from what is on the screen are drawn again."""
        self._frame = frame
        self._arrange()

    def notify_style_update(self) -> None:
        """Another theme: the margins change colour."""
        super().notify_style_update()
        self._margin = None
        self._strips.clear()

    def on_resize(self) -> None:
        self._codes = None
        self._arrange()

    def _arrange(self) -> None:
        """Cell codes for the present size, and a refresh of the lines in which they differ from before."""
        columns, rows = self.size
        if self._frame is None or not columns or not rows:
            return
        height, width = self._frame.shape[:2]
        codes = cells(scaled(self._frame, *fit(height, width, columns, rows)))
        before, self._codes = self._codes, codes
        if before is None or before.shape != codes.shape:
            self._strips.clear()
            self.refresh()
            return
        top = (rows - codes.shape[0]) // 2
        changed = np.flatnonzero((codes != before).any(1)).tolist()
        for row in changed:
            self._strips.pop(row, None)
        if changed:
            self.refresh(*(Region(0, top + row, columns, 1) for row in changed))

    def picture_region(self) -> Region:
        """Where in the widget the picture lies, in cells: for steering with the mouse."""
        height, width = self._codes.shape if self._codes is not None else (0, 0)
        return Region((self.size.width - width) // 2, (self.size.height - height) // 2, width, height)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._codes is None:
            return Strip.blank(width, self.rich_style)
        row = y - (self.size.height - self._codes.shape[0]) // 2
        if not 0 <= row < self._codes.shape[0]:
            return Strip.blank(width, self.rich_style)
        strip = self._strips.get(row)
        if strip is None:
            left = (width - self._codes.shape[1]) // 2
            right = width - left - self._codes.shape[1]
            if self._margin is None:
                # Asking a widget for its style is dear: once for all lines.
                self._margin = self.rich_style
            margin = self._margin
            parts = [Segment(" " * left, margin), *self._painter.line(self._codes[row]), Segment(" " * right, margin)]
            strip = self._strips[row] = Strip(parts, width)
        return strip
