"""Play in a terminal, for everybody who sits at the other end of an SSH connection."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from textual.geometry import Region

from tests.play.tiny import ACTION, KEYS, Always, Clock, TinyDream, TinyGame
from wmplay.play.controls import Controls
from wmplay.play.engine import Settings
from wmplay.play.halfblock import HalfBlockView
from wmplay.play.keys import GameKeys
from wmplay.play.lines import Lines
from wmplay.play.session import Session
from wmplay.play.snapshot import picture, save
from wmplay.play.terminal import PlayTerminal
from wmplay.play.twin import Twin

Open = Callable[..., Session]
WAITING = GameKeys({frozenset({"left"}): 1, frozenset({"right"}): 2}, legend=(("←→", "move"),))


def said(app: PlayTerminal, name: str) -> str:
    return app.query_one(f"#{name}", Lines).render().plain


async def test_keys_play_and_command(open_session: Open) -> None:
    session = open_session(TinyDream(), keys=WAITING, fps=50.0)
    app = PlayTerminal(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("left", "right")
        await pilot.pause(0.1)
        assert set(session.env.actions) == {1, 2} and session.steps == 2, "each press is one move"
        assert int(app.query_one(HalfBlockView).frame[0, 0, 0]) == 2
        assert "temperature" in said(app, "side")
        side = app.query_one("#side")
        lines = [line.text for line in side.render_lines(Region(0, 0, side.size.width + 3, side.size.height))]
        steps = next(line for line in lines if "step" in line)
        assert steps.split() == ["step", "2"], "what is on the screen is what is true"
        await pilot.press("+", "p")
        assert session.paused and session.env.temperature == pytest.approx(1.1)
        await pilot.pause(0.05)
        assert "paused" in said(app, "notice") and "1.10" in said(app, "side")
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_press_holds_for_a_moment_in_a_game_that_runs(open_session: Open, clock: Clock) -> None:
    session = open_session(TinyGame(), fps=50.0)
    app = PlayTerminal(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("right")
        await pilot.pause(0.2)
        assert session.env.actions.count(2) >= 3, "a terminal tells no key-up: the press lasts"
        clock.now += 5
        await pilot.pause(0.1)
        assert session.env.actions[-1] == 0


async def test_tab_and_upper_case_work_too(open_session: Open) -> None:
    session = open_session(agent=Always(1), fps=50.0)
    app = PlayTerminal(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab")
        assert not session.agent_drives
        await pilot.press("T", "P")
        assert session.agent_drives and session.paused


async def test_the_mouse_steers(open_session: Open) -> None:
    session = open_session(fps=50.0)
    app = PlayTerminal(session)
    async with app.run_test(size=(80, 24)) as pilot:
        region = app.query_one(HalfBlockView).region
        await pilot.mouse_down(offset=(region.right - 2, region.y + 5))
        await pilot.pause(0.1)
        assert app.pointer is not None and app.pointer.x == 1 and app.pointer.more
        assert 2 in session.env.actions
        await pilot.mouse_up(offset=(region.x + 2, region.y + 5))
        assert app.pointer is None


async def test_a_paused_terminal_sleeps(open_session: Open) -> None:
    session = open_session(fps=50.0)
    app = PlayTerminal(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("p")
        await pilot.pause(0.1)
        ticks = session.ticks
        await pilot.pause(0.2)
        assert session.ticks == ticks
        await pilot.press("p")
        await pilot.pause(0.2)
        assert session.ticks > ticks


async def test_the_twin_shows_three_pictures_and_the_curve(clock: Clock) -> None:
    settings = Settings("twin", 50.0, seed=7, clock=clock)
    session = Twin(TinyGame(), TinyDream(off=4), Controls(KEYS, ACTION, 50.0), settings, lambda seen: seen)
    for _ in range(20):
        session.tick()
    app = PlayTerminal(session)
    async with app.run_test(size=(100, 30)) as pilot:
        clock.now += 1
        await pilot.pause(0.1)
        assert len(app.query(HalfBlockView)) == 3
        assert "drift" in said(app, "curve") and "█" in said(app, "curve")
        assert "alone for" in said(app, "strip")


@pytest.mark.parametrize("width", [110, 111, 112])
async def test_the_twins_pictures_are_of_one_size(clock: Clock, width: int) -> None:
    """Real and dream cannot be compared by eye where one is larger than the other, also after a change of size."""
    settings = Settings("twin", 50.0, seed=7, clock=clock)
    session = Twin(TinyGame(), TinyDream(off=4), Controls(KEYS, ACTION, 50.0), settings, lambda seen: seen)
    app = PlayTerminal(session)
    async with app.run_test(size=(80, 50)) as pilot:
        await pilot.resize_terminal(width, 50)
        await pilot.pause(0.1)
        real, dream, difference = (view.picture_region() for view in app.query(HalfBlockView))
        assert real == dream == difference and real.width >= 24


@pytest.mark.parametrize("size", [(40, 10), (30, 8), (60, 17), (90, 22)])
async def test_a_small_terminal_keeps_the_twins_pictures(clock: Clock, size: tuple[int, int]) -> None:
    """In a corner of a split screen a person still sees real, dream and difference, and how to leave."""
    settings = Settings("twin", 50.0, seed=7, clock=clock)
    session = Twin(TinyGame(), TinyDream(off=4), Controls(KEYS, ACTION, 50.0), settings, lambda seen: seen)
    app = PlayTerminal(session)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.1)
        views = list(app.query(HalfBlockView))
        assert all(view.display and view.picture_region().height >= 4 for view in views)
        assert max(view.region.bottom for view in views) <= app.query_one("#notice").region.y
        assert said(app, "keys").rstrip().endswith("Q quit") and app.query_one("#keys").region.bottom == size[1]
        assert app.query_one("#curve").display == (size[1] >= 22)
        assert app.query_one("#strip").display == (size[1] >= 10)
        if size[1] >= 10:
            assert "drift" in said(app, "strip") and len(said(app, "strip").split("\n")[0]) <= size[0]


async def test_a_terminal_too_small_says_how_large_it_must_be(clock: Clock) -> None:
    settings = Settings("twin", 50.0, seed=7, clock=clock)
    session = Twin(TinyGame(), TinyDream(), Controls(KEYS, ACTION, 50.0), settings, lambda seen: seen)
    app = PlayTerminal(session)
    async with app.run_test(size=(24, 7)) as pilot:
        await pilot.pause(0.05)
        assert "30×8 or larger" in said(app, "small") and app.query_one("#small").display
        await pilot.resize_terminal(40, 10)
        await pilot.pause(0.05)
        assert not app.query_one("#small").display and app.query_one("#pictures").display


async def test_one_picture_takes_the_room_of_a_narrow_terminal(open_session: Open) -> None:
    """Else a phone's terminal shows a side bar and a stamp."""
    app = PlayTerminal(open_session(TinyGame(), fps=50.0))
    async with app.run_test(size=(40, 30)) as pilot:
        await pilot.pause(0.05)
        assert not app.query_one("#side").display and "return" in said(app, "strip")
        assert app.query_one(HalfBlockView).picture_region().width == 40


async def test_the_key_line_keeps_help_and_quit_and_help_shows_every_key(open_session: Open) -> None:
    app = PlayTerminal(open_session(TinyDream(), agent=Always(1), fps=50.0))
    async with app.run_test(size=(60, 24)) as pilot:
        await pilot.pause(0.05)
        line = said(app, "keys")
        assert "\n" not in line and line.rstrip().endswith("Q quit") and "H keys" in line and "rewind" not in line
        await pilot.press("h")
        await pilot.pause(0.05)
        assert "rewind" in said(app, "keys") and max(map(len, said(app, "keys").split("\n"))) <= 60
        assert app.query_one("#keys").region.height == said(app, "keys").count("\n") + 1


async def test_it_fits_into_80x24_and_is_pictured(open_session: Open, tmp_path: Path) -> None:
    from PIL import Image

    session = open_session(TinyGame(), fps=50.0)
    app = PlayTerminal(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.1)
        assert app.query_one("#keys").region.bottom == 24
        assert app.query_one(HalfBlockView).picture_region().width >= 32
        save(app, tmp_path / "a" / "screen.png")
        save(app, tmp_path / "screen.svg")
        assert picture(app).size == (800, 480)
    assert Image.open(tmp_path / "a" / "screen.png").size == (800, 480)
    assert "quit" in (tmp_path / "screen.svg").read_text()


def test_frames_come_at_fifty_a_second() -> None:
    """Painting only, another colour in every pixel, all of them moving: harder than any game is."""
    from wmplay.play.halfblock import Painter, cells

    painter = Painter()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    frames = [np.roll(noise, number, 1) for number in range(10)]
    took = []
    for frame in frames:
        start = time.process_time()
        for row in cells(frame):
            painter.line(row)
        took.append(time.process_time() - start)
    assert min(took) < 1 / 50  # the others were disturbed by whatever else this machine does


@pytest.fixture
def pane(home: Path) -> Iterator[Callable[..., str]]:
    """tmux with one pane: `pane("send-keys", "q")` runs a tmux command on it."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    server = f"wmplay-test-{os.getpid()}"

    def tmux(*words: str) -> str:
        command = ["tmux", "-L", server, "-f", os.devnull, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout

    yield tmux
    subprocess.run(["tmux", "-L", server, "kill-server"], capture_output=True, check=False)


def wait_for(tmux: Callable[..., str], text: str, seconds: float = 30) -> str:
    """The pane's text once it holds `text`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        shown = tmux("capture-pane", "-p")
        if text in shown:
            return shown
        tmux("run-shell", "-d", "0.1", "true")
    raise AssertionError(f"{text!r} did not appear:\n{shown}")


def test_real_play_in_a_real_terminal(pane: Callable[..., str], home: Path) -> None:
    """Everything at once, as over SSH: the command, tmux, real key presses, a recording, a clean way out."""
    play = f"{sys.executable} -m wmplay --home {home} play grid_world --seed 3 --terminal --record byhand; sleep 60"
    pane("new-session", "-d", "-x", "90", "-y", "30", play)
    shown = wait_for(pane, "▀")
    assert "Grid World" in shown and "quit" in shown
    for number, key in enumerate(("Right", "Down", "w", "a"), start=1):
        pane("send-keys", key)
        wait_for(pane, f"byhand {number}")
    pane("send-keys", "q")
    until = time.monotonic() + 20
    from wmplay.core.episodes import Dataset

    folder = home / "episodes" / "grid_world" / "byhand"
    while time.monotonic() < until and not Dataset(folder).meta["complete"]:
        pane("run-shell", "-d", "0.1", "true")
    data = Dataset(folder)
    assert data.actions[1:].tolist() == [1, 2, 0, 3] and data.meta["complete"]
