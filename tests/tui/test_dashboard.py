"""What a person sees on the dashboard: everything there is, at every size, broken or not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from textual.widgets import TextArea

from tests.tui.fakes import state
from wmplay.tui.snapshot import TaskRow
from wmplay.tui.widgets.movie import Movie


def test_importing_the_dashboard_loads_nothing_heavy() -> None:
    """Otherwise the dashboard is slow to open, and a broken torch or pygame would end it."""
    code = (
        "import sys, wmplay.tui.app, wmplay.tui.reader, wmplay.tui.screenshot, wmplay.tui.screens.train_form,"
        "wmplay.tui.screens.help, wmplay.tui.widgets.movie;"
        "print([m for m in ('torch', 'pygame', 'gymnasium') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_first_paint_needs_no_numpy_and_no_plotext() -> None:
    """They cost a third of a second, which a person would wait at every opening."""
    code = "import sys, wmplay.tui.app; print([m for m in ('numpy', 'plotext', 'PIL', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)])
async def test_everything_there_is_stands_on_the_screen(opened, size) -> None:
    """At every size a person sees all games, jobs and slots, the selection's state and the way to help and out."""
    async with opened(size) as view:
        await view.select("job", "j1")
        text = view.text()
    for word in ("Grid World", "Car Racing", "Cart Pole", "car-one", "grid-two", "pole-three", "broken", "unreadable",
                 "queued", "dead", "47%", "3m 12s", "running", "learning what comes next", "Help", "Quit", "Train",
                 "Pause", "Stop", "Dream", "wmplay"):  # fmt: skip
        assert word in text, f"{word!r} is cut off at {size}"


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_job_shows_its_curves_and_what_the_model_dreams(opened, size) -> None:
    """Without them nobody can tell whether the model is learning."""
    async with opened(size) as view:
        await view.select("job", "j1")
        await view.until(lambda: "memory loss" in view.text(), "the loss curve")
        if size[1] < 30:
            await view.pilot.press("v")
        await view.until(lambda: "difference" in view.text() and "real" in view.text(), "the preview")
        movies = list(view.app.screen.query("#strip Movie").results(Movie))
        before = movies[0].frame
        await view.until(lambda: movies[0].frame is not before, "the preview moves")


async def test_next_curve_shows_another_metric(opened) -> None:
    async with opened((80, 24)) as view:
        await view.select("job", "j1")
        await view.until(lambda: "memory loss" in view.text(), "the loss curve")
        await view.pilot.press("m")
        await view.until(lambda: "memory nll" in view.text(), "the next metric")


async def test_a_slot_shows_its_picture_figures_and_report_card(opened) -> None:
    async with opened((80, 24)) as view:
        await view.select("slot", "grid_world")
        await view.until(lambda: "expert skill" in view.text() and "0.88" in view.text(), "the report card")
        assert "vqvae_mdn small" in view.text()
        assert view.app.screen.query_one("#clip Movie", Movie).frame is not None


async def test_a_dead_job_shows_its_last_error_line_and_the_way_on(opened) -> None:
    async with opened((80, 24)) as view:
        await view.select("job", "j3")
        assert "RuntimeError: out of memory" in view.text()
        assert "Resume" in view.text()


async def test_an_unreadable_slot_says_why_and_can_still_be_deleted(opened, started) -> None:
    """A broken slot must never end the dashboard, nor stay for ever."""
    async with opened((80, 24)) as view:
        await view.select("slot", "broken")
        assert "slot.json is not" in view.text()
        await view.pilot.press("d")
        await view.pilot.pause()
        assert started.commands == []
        await view.pilot.press("delete", "y")
        await view.until(lambda: bool(started.commands), "the deletion")
    assert started.commands == [("call", ("slots", "delete", "broken", "--yes"))]


async def test_games_show_their_data(opened) -> None:
    async with opened((80, 24)) as view:
        await view.select("game", "car_racing")
        text = view.text()
    assert "mixed" in text
    assert "490.0 MB" in text
    assert "held out" in text


async def test_a_reader_that_fails_is_shown_and_tried_again(opened, reader) -> None:
    """A full disk or a locked file shows as a message that can be copied; the dashboard lives on and recovers."""
    async with opened() as view:
        reader.error = RuntimeError("the disk is gone")
        await view.until(lambda: bool(view.app.screen.query(TextArea)), "the box")
        assert "the disk is gone" in view.app.screen.query_one(TextArea).text
        await view.pilot.press("escape")
        reader.error = None
        reader.snapshot = replace(state(), home="/somewhere/else")
        await view.until(lambda: "/somewhere/else" in view.text(), "the recovery")
        assert len(view.app.problems) == 1


async def test_a_window_that_fails_shows_its_error(opened, reader) -> None:
    """A missing display or a broken slot tells its reason, not just nothing."""
    task = TaskRow("t1", "dream in car-one", "running", 1.0)
    async with opened() as view:
        reader.snapshot = replace(state(), tasks=(task,))
        await view.until(lambda: "dream in car-one" in view.text(), "the running window")
        reader.snapshot = replace(state(), tasks=(replace(task, state="failed", last_line="no display"),))
        await view.until(lambda: bool(view.app.screen.query(TextArea)), "the box")
        assert view.app.problems


async def test_a_state_change_is_told_in_the_log_and_the_cursor_stays(opened, reader) -> None:
    async with opened() as view:
        await view.select("job", "j2")
        first, *others = state().jobs
        reader.snapshot = replace(state(), jobs=(replace(first, state="done", progress=1.0), *others))
        await view.until(lambda: "car-one is done" in view.text(), "the log line")
        assert view.app.dashboard.subject.key == "j2"


async def test_a_vanished_slot_gives_the_selection_to_another(opened, reader) -> None:
    async with opened() as view:
        await view.select("slot", "car-one")
        reader.snapshot = replace(state(), slots=state().slots[:1], jobs=())
        await view.until(lambda: view.app.dashboard.subject.key == "grid_world", "another selection")


async def test_an_empty_home_says_what_to_do(opened, reader) -> None:
    reader.snapshot = replace(state(), jobs=(), slots=(), datasets=())
    async with opened((80, 24)) as view:
        await view.until(lambda: "press t" in view.text(), "the hint")
        assert view.app.dashboard.subject.kind == "game"
        await view.pilot.press("d")
        await view.until(lambda: "no slot yet" in view.text(), "the reason")


async def test_closing_lets_go_of_the_reader(opened, reader) -> None:
    async with opened() as view:
        await view.pilot.press("q")
    assert reader.closed
