"""What of the play screen fits into a terminal: pictures come first, then a line of figures, all of them, the curve."""

from __future__ import annotations

from dataclasses import dataclass

# Cells: below these a picture is a smudge.
LEAST_COLUMNS, LEAST_ROWS = 10, 8
# Rows of a terminal from which there is room for one line of figures, for all, and for the curve as well.
ONE_LINE, ALL_FIGURES, CURVE = 10, 16, 22
SIDE = 26
# A terminal of fewer columns has none for margins.
NARROW = 60


@dataclass(frozen=True)
class Room:
    """Which parts are shown. strip: its rows, 0 for none. refusal: the sentence in place of the pictures, or empty."""

    side: bool
    curve: bool
    strip: int
    refusal: str


def room_for(columns: int, rows: int, panels: int, curve: bool) -> Room:
    """The parts that fit into a terminal of so many cells, for so many pictures side by side."""
    need = max(LEAST_COLUMNS * panels, 20)
    if columns < need or rows < LEAST_ROWS:
        size, least = f"{columns}×{rows}", f"{need}×{LEAST_ROWS}"
        return Room(False, False, 0, f"{size} is too small to play in; make this terminal {least} or larger.")
    # Beside one picture there is room for the figures, unless the picture could be larger without them.
    side = panels == 1 and columns - SIDE >= min(2 * (rows - 2), 40)
    strip = 0 if side or rows < ONE_LINE else 4 if rows >= ALL_FIGURES else 1
    return Room(side, curve and rows >= CURVE, strip, "")
