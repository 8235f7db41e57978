"""Keys typed before the lists are read: nobody waits for a dashboard they know, so no key may be lost or overtaken."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.conftest import Opened
from tests.tui.fakes import FakeReader, state
from wmplay.tui.app import WmplayApp
from wmplay.tui.screens.train_form import TrainForm
from wmplay.tui.snapshot import Snapshot, Subject
from wmplay.tui.tasks import TaskStore


class SlowReader(FakeReader):
    """Its first look at the disk takes until the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def read(self, focus: Subject | None) -> Snapshot:
        self.go.wait(30)
        return super().read(focus)


@pytest.fixture
def reader() -> SlowReader:
    return SlowReader()


@pytest.fixture
def opening(
    reader: SlowReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], AbstractAsyncContextManager[Opened]]:
    monkeypatch.setenv("WMPLAY_HOME", str(tmp_path / "home"))

    @asynccontextmanager
    async def open_at() -> AsyncIterator[Opened]:
        app = WmplayApp(TaskStore(tmp_path / "tasks"), lambda: reader)
        async with app.run_test(size=(120, 36)) as pilot:
            yield Opened(app, pilot)
            reader.go.set()  # else the poller would still wait when the app ends

    return open_at


async def _read(view: Opened, reader: SlowReader) -> None:
    reader.go.set()
    await view.until(lambda: bool(view.app.dashboard.state.games), "the first snapshot")
    await view.until(lambda: view.app.dashboard.state.detail is not None, "the first details")


@pytest.mark.parametrize(("press", "kind"), [("1", "game"), ("2", "job"), ("3", "slot")])
async def test_the_list_one_went_to_keeps_the_selection(opening, reader, press, kind) -> None:
    async with opening() as view:
        await view.pilot.press(press)
        await _read(view, reader)
        assert view.app.dashboard.subject.kind == kind
        assert view.app.focused is view.app.dashboard.panel(f"{kind}s")


async def test_a_list_without_rows_keeps_the_cursor_and_the_rest_is_shown(opening, reader) -> None:
    """Who goes to the jobs of an empty home stays there, and still sees something."""
    reader.snapshot = replace(state(), jobs=())
    async with opening() as view:
        await view.pilot.press("2")
        await _read(view, reader)
        assert view.app.dashboard.subject is not None
        assert view.app.focused is view.app.dashboard.panel("jobs")


async def test_a_command_waits_for_the_lists_and_then_acts_on_the_selection(opening, reader, started) -> None:
    """`3` then `e` is a report card of the newest slot, not a refusal."""
    async with opening() as view:
        await view.pilot.press("3", "e")
        assert started.commands == []
        await _read(view, reader)
        await view.until(lambda: bool(started.commands), "the report card")
    assert started.commands == [("task", ("eval", "car-one"))]


async def test_a_form_opens_with_the_lists_in_it(opening, reader) -> None:
    async with opening() as view:
        await view.pilot.press("t")
        assert not isinstance(view.app.screen, TrainForm)
        await _read(view, reader)
        await view.until(lambda: isinstance(view.app.screen, TrainForm), "the form")
        assert "Car Racing" in view.text()


async def test_leaving_does_not_wait(opening) -> None:
    async with opening() as view:
        await view.pilot.press("q")
        await view.until(lambda: not view.app.is_running, "it closes")
