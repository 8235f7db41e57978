"""The main screen: games, jobs and slots on the left, the selection in the large pane, a log and the keys below."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import RichLog, Static

from wmplay.tui import changes, commands, targets
from wmplay.tui.messages import SubjectSelected
from wmplay.tui.palette import CommandProvider
from wmplay.tui.snapshot import Snapshot, Subject
from wmplay.tui.widgets.detail import DetailPane
from wmplay.tui.widgets.keybar import KeyBar
from wmplay.tui.widgets.panel import ListPanel
from wmplay.tui.widgets.rows import game_row, job_row, slot_row, task_line

if TYPE_CHECKING:
    from wmplay.tui.app import WmplayApp


class DashboardScreen(Screen[None]):
    """Draws snapshots, and hands the person's commands to the app's desk."""

    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings()]
    COMMANDS: ClassVar = {CommandProvider}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide"), (160, "-broad")]  # noqa: RUF012 - as Textual types it
    AUTO_FOCUS = ""  # until there is a selection, a list has the focus only where the person put it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]  # noqa: RUF012

    app: WmplayApp

    def __init__(self) -> None:
        super().__init__()
        self.state = Snapshot()
        self.subject: Subject | None = None
        self._early: list[str] = []  # commands typed before there was anything to act on
        self.awaited = ""  # a slot whose new job shall be selected as soon as it is there

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        with Horizontal(id="body"):
            with Vertical(id="side"):
                yield ListPanel("game", "Games", "no games", id="games")
                yield ListPanel("job", "Jobs", "nothing is training: press t", id="jobs")
                yield ListPanel("slot", "Slots", "no models yet: press t", id="slots")
            yield DetailPane(id="detail")
        with Vertical(id="below"):
            yield Static(id="tasks")
            yield RichLog(id="log", max_lines=500, wrap=True, markup=False, min_width=20)
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        self.query_one("#log").border_title = "Log"
        self.query_one("#log").can_focus = False
        self._draw_title()
        self._draw_keys()
        self.query_one(DetailPane).show(self.state, None)
        # The first paint comes before the first look at the disk.
        self.call_after_refresh(self.app.poller.start)

    # --- the state ---

    @property
    def ready(self) -> bool:
        """Whether all parts are there: not yet while opening, no longer while closing."""
        return len(self.query("ListPanel, DetailPane, KeyBar, RichLog")) == 6

    async def load(self) -> None:
        """Bring what the first paint did not need."""
        await self.query_one(DetailPane).load()

    def show(self, state: Snapshot) -> None:
        """Draw a new snapshot."""
        before, self.state = self.state, state
        first = not before.games and bool(state.games)
        with self.app.batch_update():
            self.panel("games").show([(row.short, partial(game_row, row)) for row in state.games])
            self.panel("jobs").show([(row.id, partial(job_row, row)) for row in state.jobs])
            self.panel("slots").show([(row.name, partial(slot_row, row)) for row in state.slots])
            job = state.job_of(self.awaited) if self.awaited else None
            if job is not None:
                self.awaited = ""
                self.choose(Subject("job", job.id))
            elif self.subject is None or not state.exists(self.subject):
                self._choose_first()
            self.query_one(DetailPane).show(state, self.subject)
            self._draw_tasks()
            self._draw_title()
            if [row.state for row in before.jobs] != [row.state for row in state.jobs]:
                self._draw_keys()
        for level, line in changes.between(before, state, first=first):
            self.say(line, level)
        if self.subject is not None:
            early, self._early = self._early, []
            for id_ in early:
                self.action_do(id_)

    def panel(self, name: str) -> ListPanel:
        """The list of `games`, `jobs` or `slots`."""
        return self.query_one(f"#{name}", ListPanel)

    def say(self, line: str, level: str = "info") -> None:
        """Write a line into the log."""
        colours = self.app.theme_variables
        colour = {"error": colours["error"], "good": colours["success"]}.get(level, colours["foreground"])
        from rich.text import Text

        stamp = Text(time.strftime("%H:%M:%S "), style=colours["foreground-muted"])
        self.query_one("#log", RichLog).write(stamp.append(line, style=colour))

    def choose(self, subject: Subject | None) -> None:
        """Select this, as if the person had gone there."""
        self.subject = subject
        if subject is not None:
            panel = self.panel(f"{subject.kind}s")
            panel.select(subject.key)
            panel.focus()
        self.app.poller.focus(subject)
        self._draw_keys()

    def _choose_first(self) -> None:
        """Select what a person most likely wants to see, in the list they went to already if they did."""
        gone_to = self.focused if isinstance(self.focused, ListPanel) and self.subject is None else None
        kind = gone_to.kind if gone_to is not None else None
        self.choose(changes.first_subject(self.state, kind) or changes.first_subject(self.state))
        if gone_to is not None:
            gone_to.focus()

    @on(SubjectSelected)
    def _selected(self, event: SubjectSelected) -> None:
        if event.subject != self.subject:
            self.subject = event.subject
            self.app.poller.focus(event.subject)
            self.query_one(DetailPane).show(self.state, self.subject)
            self._draw_keys()

    # --- drawing ---

    def _draw_title(self) -> None:
        state = self.state
        running = sum(row.state == "running" for row in state.jobs)
        waiting = sum(row.state in ("queued", "paused") for row in state.jobs)
        parts = [f"{running} training" if running else "", f"{waiting} waiting" if waiting else ""]
        parts += [f"{len(state.slots)} slots" if state.slots else "", state.home]
        right = "  ·  ".join(part for part in parts if part)
        line = Content.assemble((" wmplay ", "bold $background on $accent"), "  ", (right, "$foreground-muted"))
        title = self.query_one("#title", Static)
        if line.markup != getattr(self, "_title_drawn", ""):
            self._title_drawn = line.markup
            title.update(line)

    def _draw_tasks(self) -> None:
        running = [task_line(row) for row in self.state.tasks if row.state == "running"][:3]
        text = Content("\n").join(running)
        if text.markup != getattr(self, "_tasks_drawn", ""):
            self._tasks_drawn = text.markup
            tasks = self.query_one("#tasks", Static)
            tasks.update(text)
            tasks.display = bool(running)

    def _draw_keys(self) -> None:
        kind = self.subject.kind if self.subject else "game"
        always = ("help", "quit")
        shown = [
            (entry.id, entry.title)
            for entry in commands.COMMANDS
            if kind in entry.footer and entry.id not in always
            and not targets.refusal(entry.id, self.state, self.subject)
        ]  # fmt: skip
        shown += [("menu", "More")] + [(id_, commands.command(id_).title) for id_ in always]
        self.query_one(KeyBar).show(shown, commands.keys(self.app.user_keys), last=3)

    # --- what the person does ---

    def action_do(self, id_: str) -> None:
        """Carry out a command of the table, for the present selection."""
        if id_ in ("games", "jobs", "slots"):
            self.panel(id_).focus()
        elif id_ == "view":
            self.query_one(DetailPane).next_view()
        elif id_ == "metric":
            self.query_one(DetailPane).next_metric()
        elif id_ == "quit":
            self.app.exit()
        elif self.subject is None and id_ not in ("help", "problems"):
            self._early.append(id_)
        else:
            self.app.desk.do(id_, self.state, self.subject)
