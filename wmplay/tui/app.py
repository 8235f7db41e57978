"""The dashboard app: holds the poller, the desk and the screens together. `run` opens it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import App

from wmplay.tui.desk import Desk
from wmplay.tui.messages import CommandEnded, PollFailed, SnapshotArrived
from wmplay.tui.poller import Poller
from wmplay.tui.screens.dashboard import DashboardScreen
from wmplay.tui.snapshot import Reader
from wmplay.tui.tasks import TaskStore
from wmplay.tui.theme import DARK, LIGHT


class WmplayApp(App[None]):
    """wmplay's dashboard. Closing it stops nothing: workers, windows and collecting are processes of their own."""

    TITLE = "wmplay"
    CSS_PATH: ClassVar = ["screens/dashboard.tcss", "screens/boxes.tcss"]
    COMMANDS: ClassVar = set()  # the dashboard's own provider has Textual's commands too, after its own

    def __init__(
        self,
        tasks: TaskStore | None = None,
        make_reader: Callable[[], Reader] | None = None,
        keymap: dict[str, str] | None = None,
        problem: str = "",
        **app: Any,
    ) -> None:
        """make_reader: builds what reads the state, in the poller's thread; the core's files by default.

        keymap: command ids to keys of the person's own; problem: a sentence to show at once.
        """
        super().__init__(**app)
        self.tasks = tasks or TaskStore(_task_folder())
        self.poller = Poller(make_reader or self._core_reader, self.post_message)
        self.desk = Desk(self)
        self.dashboard = DashboardScreen()
        self.problems: list[str] = []
        self.user_keys: dict[str, str] = keymap or {}
        self._opening_problem = problem

    def get_default_screen(self) -> DashboardScreen:
        return self.dashboard

    def on_mount(self) -> None:
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = "wmplay"
        if self.user_keys:
            self.set_keymap(self.user_keys)
        if self._opening_problem:
            self.call_after_refresh(self.show_problem, "Your keymap", self._opening_problem)

    def on_unmount(self) -> None:
        self.poller.stop()

    @on(SnapshotArrived)
    async def _show(self, event: SnapshotArrived) -> None:
        if not self.dashboard.ready:
            return
        await self.dashboard.load()
        for task in event.snapshot.tasks:
            before = next((row for row in self.dashboard.state.tasks if row.id == task.id), None)
            if task.state == "failed" and before is not None and before.state == "running":
                self.show_problem(task.title, self.tasks.output(task.id) or "It ended without a word.")
        self.dashboard.show(event.snapshot)

    @on(PollFailed)
    def _poll_failed(self, event: PollFailed) -> None:
        if self.dashboard.ready and event.sentence not in self.problems:
            self.show_problem("Reading the state", event.sentence)

    @on(CommandEnded)
    def _ended(self, event: CommandEnded) -> None:
        if not self.dashboard.ready:
            return
        self.poller.look()
        if event.code not in (0, 130):
            self.show_problem(event.title, event.output or f"It ended with exit code {event.code} and no word.")
            return
        last = event.output.splitlines()[-1] if event.output else ""
        self.dashboard.say(f"{event.title}: done" + (f" · {last}" if last else ""), "good")

    def show_problem(self, title: str, text: str) -> None:
        """Show an error in a box that can be scrolled and copied, and keep it for the messages (key !)."""
        self.problems.append(text)
        self.dashboard.say(f"{title}: {text.strip().splitlines()[-1]}", "error")
        self.show_text(title, text, is_error=True)

    def show_text(self, title: str, text: str, is_error: bool = False) -> None:
        """Show a text in a box; a box that is open already takes it in."""
        from wmplay.tui.screens.textbox import TextBox

        top = self.screen
        if isinstance(top, TextBox) and top.is_error and is_error:
            top.add(title, text)
        else:
            self.push_screen(TextBox(title, text, is_error))

    def _core_reader(self) -> Reader:
        from wmplay.tui.reader import CoreReader

        return CoreReader(self.tasks)


def _task_folder() -> Path:
    from wmplay.core import paths

    return paths.cache_dir() / "tasks"


def run() -> None:
    """Open the dashboard in this terminal; returns when it is closed."""
    from wmplay.tui.keymap import read_keymap

    keymap, problem = read_keymap()
    WmplayApp(keymap=keymap, problem=problem).run()
