"""A dashboard on a made-up state, with every process it would start written down instead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.fakes import FakeReader
from wmplay.tui import launch
from wmplay.tui.app import WmplayApp
from wmplay.tui.snapshot import Subject
from wmplay.tui.tasks import TaskStore


class Started:
    """What the dashboard started: (how, arguments), and what the next short command shall answer."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, tuple[str, ...]]] = []
        self.answer: tuple[int, str] = (0, "done")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    note = Started()

    def write_down(how: str) -> Callable[..., Any]:
        def call(args: Sequence[str]) -> tuple[int, str]:
            note.commands.append((how, tuple(args)))
            return note.answer

        return call

    def start(self: TaskStore, title: str, args: Sequence[str]) -> str:
        note.commands.append(("task", tuple(args)))
        return "t1"

    monkeypatch.setattr(launch, "call", write_down("call"))
    monkeypatch.setattr(launch, "in_this_terminal", write_down("terminal"))
    monkeypatch.setattr(launch, "has_display", lambda: True)
    monkeypatch.setattr(TaskStore, "start", start)
    return note


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader()


class Opened:
    """An open dashboard and the pilot that types into it."""

    def __init__(self, app: WmplayApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def until(self, done: Callable[[], bool], what: str) -> None:
        """Wait for it, or fail saying what did not happen."""
        for _ in range(200):
            await self.pilot.pause(0.02)
            if done():
                return
        raise AssertionError(f"did not happen: {what}")

    async def select(self, kind: str, key: str) -> None:
        """Go to a game, job or slot and wait for its details."""
        subject = Subject(kind, key)  # type: ignore[arg-type]
        self.app.dashboard.choose(subject)
        await self.until(
            lambda: (detail := self.app.dashboard.state.detail) is not None and detail.subject == subject,
            f"details of {key}",
        )
        await self.pilot.pause()

    def text(self) -> str:
        """What stands on the screen, line by line."""
        width = self.app.size.width
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text[:width] for strip in strips)


@pytest.fixture
def opened(reader: FakeReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("WMPLAY_HOME", str(tmp_path / "home"))

    @asynccontextmanager
    async def open_at(size: tuple[int, int] = (120, 36), **options: Any) -> AsyncIterator[Opened]:
        app = WmplayApp(TaskStore(tmp_path / "tasks"), lambda: reader, **options)
        async with app.run_test(size=size, notifications=True) as pilot:
            view = Opened(app, pilot)
            await view.until(lambda: bool(app.dashboard.state.games), "the first snapshot")
            await asyncio.sleep(0)
            yield view

    return open_at
