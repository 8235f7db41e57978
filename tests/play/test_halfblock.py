"""Pictures in the terminal: without them nobody without a display can see a game, a dream or a preview."""

from __future__ import annotations

import numpy as np
import pytest
from textual.app import App, ComposeResult

from wmplay.play.halfblock import HALF, HalfBlockView, cells, fit, scaled, text


def board(seed: int = 0, size: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "room", "expected"),
    [
        ((64, 64), (80, 40), (64, 64)),  # room to spare, but not for a whole factor
        ((64, 64), (160, 64), (128, 128)),
        ((64, 64), (80, 20), (40, 40)),  # a small terminal: shrunk, still square
        ((400, 600), (60, 40), (40, 60)),
        ((7, 7), (10, 10), (6, 7)),  # an odd height would end in a line that is half black
        ((75, 50), (50, 38), (74, 50)),
        ((7, 7), (30, 12), (20, 21)),
    ],
)
def test_a_picture_keeps_its_shape(size: tuple[int, int], room: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fit(*size, *room) == expected


def test_shrinking_averages_and_enlarging_repeats() -> None:
    frame = board()
    assert np.abs(scaled(frame, 32, 32).astype(int) - frame.reshape(32, 2, 32, 2, 3).mean((1, 3))).max() <= 1
    assert (scaled(frame, 128, 128) == frame.repeat(2, 0).repeat(2, 1)).all()
    assert abs(scaled(frame, 40, 40).mean() - frame.mean()) < 1


def test_every_cell_shows_its_two_pixels() -> None:
    frame = np.zeros((4, 2, 3), np.uint8)
    frame[0, 0] = 255, 0, 0
    shown = text(frame, 2, 2)
    assert shown.plain == f"{HALF} \n  "
    style = shown.spans[0].style
    assert style.color.triplet == (255, 0, 0)
    assert style.bgcolor.triplet == (0, 0, 0)
    assert cells(frame[:3]).shape == (2, 2), "an odd last line gets a black half"


class Screen(App[None]):
    def compose(self) -> ComposeResult:
        yield HalfBlockView()


async def test_the_widget_draws_only_what_changed() -> None:
    app = Screen()
    async with app.run_test(size=(80, 40)) as pilot:
        view = app.query_one(HalfBlockView)
        frame = board()
        view.show(frame)
        await pilot.pause()
        lines = [view.render_line(y) for y in range(40)]
        assert all(line.cell_length == 80 for line in lines)
        region = view.picture_region()
        assert (region.width, region.height) == (64, 32)
        changed = frame.copy()
        changed[10] = 0
        view.show(changed)
        again = [view.render_line(y) for y in range(40)]
        differing = [y for y in range(40) if list(lines[y]) != list(again[y])]
        assert differing == [region.y + 5]
        assert all(again[y] is lines[y] for y in range(region.y, region.y + 5)), "unchanged lines are kept"
        await pilot.resize_terminal(40, 20)
        assert view.picture_region().width == 40
