"""A real window loop, driven by real pygame events on SDL's dummy driver: what a person at the keyboard gets."""

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

from tests.play.tiny import TinyDream, TinyGame
from wmplay.play.session import Session

pygame = pytest.importorskip("pygame")
from wmplay.play.window import Window  # noqa: E402

Open = Callable[..., Session]


@pytest.fixture(autouse=True)
def dummy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.quit()


def press(*names: str, kind: int | None = None) -> None:
    """Post presses of keys by their pygame names."""
    for name in names:
        key = pygame.key.key_code(name)
        typed = name if len(name) == 1 else ""
        pygame.event.post(pygame.event.Event(kind or pygame.KEYDOWN, key=key, unicode=typed))


def release(*names: str) -> None:
    press(*names, kind=pygame.KEYUP)


def ticks(window: Window, count: int) -> None:
    """Let the window's own loop run for so many ticks more."""
    for _ in range(count):
        window._events(sleep=False)
        window.session.tick(set(window.held.values()), window.tapped)
        window.tapped.clear()
        window.draw()


def test_keys_that_are_held_act_and_commands_command(open_session: Open) -> None:
    window = Window(open_session(TinyDream()))
    press("left")
    ticks(window, 3)
    release("left")
    press("right")
    release("right")  # a tap shorter than a tick
    ticks(window, 2)
    assert window.session.env.actions == [1, 1, 1, 2, 0]
    press("p", "+", "n")
    ticks(window, 2)
    assert window.session.paused and window.session.steps == 6
    assert window.session.env.temperature == pytest.approx(1.1)
    press("q")
    ticks(window, 1)
    assert not window.running


@pytest.mark.parametrize("how", ["q", "escape", "close"])
def test_the_loop_ends_when_it_is_told_to(open_session: Open, how: str) -> None:
    window = Window(open_session(TinyGame()))
    if how == "close":
        pygame.event.post(pygame.event.Event(pygame.QUIT))
    else:
        press(how)
    window.run()
    assert not window.running and not pygame.display.get_init()


def test_a_paused_window_sleeps(open_session: Open) -> None:
    """A paused game that eats a core drains the battery of whoever went to lunch."""
    window = Window(open_session(TinyGame()))
    window.session.pause()
    pygame.event.clear()
    pygame.time.set_timer(pygame.event.Event(pygame.QUIT), 400, 1)
    cpu, wall = time.process_time(), time.perf_counter()
    window.run()
    assert time.perf_counter() - wall >= 0.3
    assert time.process_time() - cpu < 0.2
    assert window.session.ticks <= 3


def test_the_newest_frame_is_on_the_screen_as_large_as_it_fits(open_session: Open) -> None:
    window = Window(open_session(TinyGame()))
    ticks(window, 100)
    box = window.canvas.picture
    shown = pygame.surfarray.array3d(window.surface)[box.left : box.right, box.top : box.bottom]
    assert (shown == 100).mean() > 0.99
    assert box.width == box.height >= 560 and box.width % 8 == 0, "a small frame is enlarged by a whole factor"
    pygame.event.post(pygame.event.Event(pygame.VIDEORESIZE, size=(500, 400), w=500, h=400))
    window.surface = pygame.display.set_mode((500, 400), pygame.RESIZABLE)
    ticks(window, 1)
    assert window.surface.get_rect().contains(window.canvas.picture) and window.canvas.picture.width < 300


def test_help_and_the_end_are_drawn_over_the_picture(open_session: Open) -> None:
    window = Window(open_session(TinyGame(length=2)))
    window.draw()
    plain = pygame.surfarray.array3d(window.surface)
    press("h")
    ticks(window, 1)
    helped = pygame.surfarray.array3d(window.surface)
    assert (plain != helped).mean() > 0.05
    press("escape")
    ticks(window, 3)
    assert window.running, "Esc closes the help first"
    box = window.canvas.picture
    over = pygame.surfarray.array3d(window.surface)[box.left : box.right, box.top : box.bottom]
    assert (over != 2).any() and window.session.over


def test_a_screenshot_is_a_png_of_the_window(open_session: Open, tmp_path: Path) -> None:
    from PIL import Image

    file = tmp_path / "deep" / "window.png"
    Window(open_session(TinyGame(), fps=200.0)).run(ticks=5, screenshot=file)
    picture = np.asarray(Image.open(file).convert("RGB"))
    assert picture.shape == (680, 860, 3) and len(np.unique(picture.reshape(-1, 3), axis=0)) > 10


def test_without_a_display_one_sentence_names_the_terminal(run_cli: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform != "linux":
        pytest.skip("other systems always have a display")
    done = run_cli("play", "grid_world")
    assert done.code == 1 and "--terminal" in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="Xvfb and xdotool are not installed")
def test_a_real_x_window_answers_real_keys(home: Path, tmp_path: Path) -> None:
    """Events posted by hand prove nothing about key names on a real display."""
    with subprocess.Popen(["Xvfb", "-displayfd", "1", "-screen", "0", "1000x800x24"], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        display = f":{server.stdout.readline().decode().strip()}"
        env = {**os.environ, "DISPLAY": display, "SDL_VIDEODRIVER": "x11", "SDL_AUDIODRIVER": "dummy"}
        command = [sys.executable, "-m", "wmplay", "play", "grid_world", "--seed", "3", "--record", "byhand"]
        with (tmp_path / "said").open("w") as said:
            window = subprocess.Popen(command, env=env, stderr=said)
        try:
            focus, until = "1", time.monotonic() + 30
            while focus in ("", "0", "1") and time.monotonic() < until:  # 1 is the empty screen
                asked = ["xdotool", "sleep", "0.2", "getwindowfocus"]
                focus = subprocess.run(asked, env=env, capture_output=True, text=True, timeout=10).stdout.strip()
            for key in ("Right", "Down", "w", "a", "q"):
                subprocess.run(["xdotool", "key", key, "sleep", "0.4"], env=env, check=True, timeout=10)
            assert window.wait(timeout=20) == 0, (tmp_path / "said").read_text()
        finally:
            window.kill()
            server.kill()
    from wmplay.core.episodes import Dataset

    data = Dataset(home / "episodes" / "grid_world" / "byhand")
    assert data.actions[1:].tolist() == [1, 2, 0, 3]
