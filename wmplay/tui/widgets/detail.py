"""The large pane: whatever is selected, with its figures, its curves and its moving pictures."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from wmplay.tui.snapshot import Detail, Snapshot, Subject
from wmplay.tui.widgets.curves import Curves
from wmplay.tui.widgets.facts import facts, hint, table

LOW = 22  # below this many rows curves and pictures take turns


class DetailPane(Vertical):
    """Facts on top, pictures and curves below; what does not fit is reached by `v`."""

    def __init__(self, **widget: Any) -> None:
        super().__init__(**widget)
        self._subject: Subject | None = None
        self._version: tuple[Any, ...] = ()
        self._facts = ""
        self._detail: Detail | None = None
        self._view = 0
        self._loaded = False

    def compose(self) -> ComposeResult:
        with Horizontal(id="top"), VerticalScroll(id="facts-scroll", can_focus=False):
            yield Static(id="facts")
        yield Static(id="table")
        yield Curves(id="curves")

    async def load(self) -> None:
        """Bring the moving pictures, which need numpy: not before the first paint."""
        if not self._loaded:
            from wmplay.tui.widgets.movie import ClipView, StripView

            self._loaded = True
            await self.query_one("#top").mount(ClipView(id="clip"), before="#facts-scroll")
            await self.mount(StripView(id="strip"), before="#curves")
            self._arrange()

    def show(self, state: Snapshot, subject: Subject | None) -> None:
        """Draw the selection from this snapshot; parts that did not change stay untouched."""
        text = facts(state, subject) if subject else Content.styled("Reading what is there…", "$foreground-muted")
        if text.markup != self._facts:
            self._facts = text.markup
            self.query_one("#facts", Static).update(text)
        detail = state.detail if state.detail and state.detail.subject == subject else None
        if subject != self._subject:
            self._subject, self._version, self._view = subject, (), 0
            self.border_title = _title(state, subject) if subject else ""
            self._pictures(None, state)
        if detail is not None and (subject, detail.version) != self._version:
            self._version = (subject, detail.version)
            self._pictures(detail, state)

    def next_view(self) -> None:
        """Switch between curves and pictures where only one of them fits."""
        self._view += 1
        self._arrange()

    def next_metric(self) -> None:
        """Show the next metric's curve."""
        self.query_one(Curves).next_metric()

    def on_resize(self) -> None:
        self._arrange()

    def _pictures(self, detail: Detail | None, state: Snapshot) -> None:
        if not self._loaded:
            return
        from wmplay.tui.widgets.movie import ClipView, StripView

        new_strip = detail.strip if detail else None
        old_strip = self._detail.strip if self._detail else None
        if new_strip is not old_strip:
            self.query_one("#strip", StripView).play(new_strip)
        if (detail.clip if detail else None) is not (self._detail.clip if self._detail else None):
            self.query_one("#clip", ClipView).play(detail.clip if detail else None)
        self._detail = detail
        self.query_one("#table", Static).update(table(detail.table if detail else ()))
        self._arrange()
        if self._subject is not None and self._subject.kind != "game":
            self.query_one(Curves).show(detail.curves if detail else (), hint(state, self._subject, detail))

    def _arrange(self) -> None:
        """Decide which parts are there, for this selection in this much room."""
        if not self._loaded:
            return
        kind = self._subject.kind if self._subject else "game"
        detail = self._detail
        strip = detail is not None and detail.strip is not None
        show = {"top": True, "table": bool(detail and detail.table), "strip": strip, "curves": kind != "game"}
        # A job's pictures, or a slot's facts, take turns with its curves where there is no room for both.
        other = "strip" if kind == "job" else "top"
        turns = self.size.height < LOW and show["curves"] and show[other]
        if turns:
            away = "curves" if self._view % 2 == (kind == "job") else other
            show[away] = False
            show["table"] = show["table"] and show["top"]
            names = {"strip": "pictures", "top": "facts", "curves": "curves"}
            self.border_subtitle = f"v: {names[away]}"
        else:
            self.border_subtitle = ""
        for name, shown in show.items():
            self.query_one(f"#{name}").display = shown
        clip = kind == "slot" and detail is not None and detail.clip is not None
        self.query_one("#clip").display = clip
        self.set_class(kind == "slot", "-slot")
        self.set_class(kind == "game", "-game")
        self.set_class(clip, "-clip")


def _title(state: Snapshot, subject: Subject) -> str:
    game = state.game(subject.key) if subject.kind == "game" else None
    job = state.job(subject.key) if subject.kind == "job" else None
    return game.title if game else job.slot if job else subject.key
