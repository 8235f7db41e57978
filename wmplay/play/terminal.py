"""Play in the terminal: half-block pictures, keys that latch, a mouse that steers. Works over SSH and inside tmux."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Region
from textual.timer import Timer
from textual.widget import Widget

from wmplay.core.errors import WmplayError
from wmplay.play.controls import Latch, Pointer
from wmplay.play.halfblock import HalfBlockView
from wmplay.play.hud import Hud, error
from wmplay.play.keys import Command, command_table, legend
from wmplay.play.session import Session
from wmplay.play.view import View

TONES = {"plain": "#d3d8e2", "quiet": "#9aa3b2", "good": "#86b98a", "warn": "#e2b56b", "alert": "#dd7f7f"}
LABEL, KEY, LINE = "#7d8798", "#e2b56b", "#2b3443"
# Figures change faster than anybody reads; redrawing them less often leaves the time and bytes to the picture.
HUD_SECONDS = 0.12
BARS = " ▁▂▃▄▅▆▇█"
# Textual's names of keys that have a shorter one in the table.
NAMES = {"pageup": "pageup", "pagedown": "pagedown", "return": "enter", "ctrl+h": "backspace"}


def key_name(event: events.Key) -> str:
    """The portable name (see `keys`) of a key event: its character if it has one, else Textual's name."""
    character = event.character
    if character and character.isprintable() and character != " ":
        return character.lower()
    return NAMES.get(event.key, event.key)


class Lines(Widget):
    """A few lines of text that change often: drawn again without a new layout."""

    def __init__(self, content: Text | None = None, **widget: Any) -> None:
        super().__init__(**widget)
        self._content = content or Text()

    def show(self, content: Text) -> None:
        """Show this text; only lines that differ are drawn again."""
        before, after = self._content.split("\n", allow_blank=True), content.split("\n", allow_blank=True)
        self._content = content
        if len(before) != len(after):
            self.refresh()
            return
        changed = [row for row, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
        if changed:
            self.refresh(*(Region(0, row, self.size.width, 1) for row in changed))

    def render(self) -> Text:
        return self._content


class PlayTerminal(App[None]):
    """A session on the terminal's screen, until it is quit or has made the asked number of ticks."""

    CSS = """
    Screen { background: #10141b; }
    #pictures { height: 1fr; }
    .panel { width: 1fr; height: 1fr; }
    .several { padding: 0 1; }
    .title { height: 1; width: 1fr; text-align: center; color: #d3d8e2; }
    #side { width: 26; height: 1fr; padding: 1 2 0 1; }
    #strip { height: 4; padding: 0 1; }
    #curve { height: 4; padding: 0 1; color: #7aa2c9; }
    #notice { height: 1; text-align: center; }
    #keys { height: auto; max-height: 3; padding: 0 1; background: #151a23; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit", show=False, priority=True),
        # Tab would move the focus, and there is none to move.
        Binding("tab", "press('tab')", show=False, priority=True),
    ]

    def __init__(self, session: Session, ticks: int | None = None, screenshot: Path | None = None) -> None:
        super().__init__()
        self.session = session
        self.ticks = ticks
        self.screenshot = screenshot
        self.failure: WmplayError | None = None
        self.pointer: Pointer | None = None
        self._buttons: set[int] = set()
        keys = session.controls.keys
        self._commands = command_table(keys.keys, session.offered)
        self._legend = legend(keys, session.offered)
        self._latch = Latch(keys, session.clock)
        self._tapped: set[str] = set()
        self._hud_at = -math.inf
        self._timer: Timer | None = None
        self._sleeping = False
        self._wide = len(session.panels()) > 1

    def compose(self) -> ComposeResult:
        view = self.session.view()
        with Horizontal(id="pictures"):
            for panel in view.panels:
                with Vertical(classes="panel several" if self._wide else "panel"):
                    if panel.title:
                        yield Lines(Text(panel.title, justify="center"), classes="title")
                    yield HalfBlockView(panel.frame)
            if not self._wide:
                yield Lines(id="side")
        yield Lines(id="notice")
        if view.curve_title:
            yield Lines(id="curve")
        if self._wide:
            yield Lines(id="strip")
        yield Lines(_key_line(self._legend), id="keys")

    def on_mount(self) -> None:
        self.title = self.session.settings.title
        self._draw(hud=True)
        self._timer = self.set_interval(1 / self.session.fps, self._tick)

    # --- time ---------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self.ticks is not None and self.session.ticks >= self.ticks:
            self._finish()
            return
        try:
            changed = self.session.tick(self._held(), self._tapped, self.pointer)
        except WmplayError as why:
            self.failure = why
            self.exit()
            return
        self._tapped = set()
        self._draw(hud=changed)
        # Where nothing can happen without a key there is nothing to wake up for.
        if self.ticks is None and math.isinf(self.session.wait) and self._timer is not None:
            self._sleeping = True
            self._draw(hud=True, now=True)
            self._timer.pause()

    def _held(self) -> set[str]:
        # A game that waits answers each press once; the terminal's own key repeat does the rest.
        return set() if self.session.controls.waits else self._latch.held()

    def _wake(self) -> None:
        if self._sleeping and self._timer is not None:
            self._sleeping = False
            self._timer.resume()

    def _finish(self) -> None:
        if self.screenshot is not None:
            from wmplay.play.snapshot import save

            self._draw(hud=True, now=True)
            save(self, self.screenshot)
        self.exit()

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _draw(self, hud: bool, now: bool = False) -> None:
        view = self.session.view()
        for widget, panel in zip(self.query(HalfBlockView), view.panels, strict=True):
            widget.show(panel.frame)
        moment = self.session.clock()
        if not hud or (moment - self._hud_at < HUD_SECONDS and not now):
            return
        self._hud_at = moment
        self.query_one("#notice", Lines).show(_notice(view))
        for title, panel in zip(self.query(".title").results(Lines), view.panels, strict=False):
            title.show(Text(panel.title, justify="center"))
        if self._wide:
            self.query_one("#strip", Lines).show(_strip(view.hud, self.size.width - 2))
        else:
            self.query_one("#side", Lines).show(_side(self.session.settings.title, view.hud, 23))
        if view.curve_title:
            self.query_one("#curve", Lines).show(_curve(view, self.size.width - 2))

    # --- keys and mouse -----------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.action_press(key_name(event))

    def action_press(self, name: str) -> None:
        """A key was pressed: a command, or one of the game's."""
        command = self._commands.get(name)
        if command is None:
            self._latch.press(name)
            self._tapped.add(name)
        elif command == "quit":
            self.exit()
        elif command == "help":
            self._more_keys()
        else:
            self._command(command)
        if not self.session.paused:
            self._wake()

    def _command(self, command: Command) -> None:
        self.session.command(command, self._held() | self._tapped)
        self._draw(hud=True, now=True)

    def _more_keys(self) -> None:
        """Show every key in the key line, or as many as fit into one line."""
        keys = self.query_one("#keys", Lines)
        keys.styles.max_height = 12 if keys.styles.max_height and keys.styles.max_height.value == 3 else 3
        keys.refresh(layout=True)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._buttons.add(event.button)
        self._point(event)
        self._wake()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._buttons.discard(event.button)
        self._point(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._point(event)

    def _point(self, event: events.MouseEvent) -> None:
        """While a button is down the mouse is the steering wheel: left goes, right slows down, x steers."""
        picture = self.query(HalfBlockView).first().region
        x = (event.screen_x - picture.x - picture.width / 2) / max(picture.width / 4, 1)
        held = bool(self._buttons)
        self.pointer = Pointer(max(-1.0, min(1.0, x)), 1 in self._buttons, 3 in self._buttons) if held else None


def _key_line(keys: Sequence[tuple[str, str]]) -> Text:
    line = Text()
    for cap, does in keys:
        # Non-breaking inside a pair: a narrow terminal breaks between keys.
        line.append(f"{cap}\u00a0", KEY).append(does.replace(" ", "\u00a0"), LABEL).append("  ")
    return line


def _notice(view: View) -> Text:
    text = Text(justify="center", no_wrap=True, overflow="ellipsis")
    text.append(view.notice, "bold " + TONES["plain"])
    return text.append(f"  {view.detail}", LABEL) if view.detail else text


def _side(title: str, hud: Hud, width: int) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    name, _, subtitle = title.partition(" · ")
    text.append(name + "\n", "bold " + TONES["plain"]).append(subtitle + "\n\n", LABEL)
    for column in hud:
        for item in column:
            gap = max(1, width - len(item.label) - len(item.value))
            text.append(item.label, TONES["alert"] if item.label[0] == "●" else LABEL).append(" " * gap)
            text.append(item.value + "\n", TONES[item.tone])
        text.append("─" * width + "\n", LINE)
    return text


def _strip(hud: Hud, width: int) -> Text:
    """The columns side by side, for pictures that need the whole width."""
    text = Text(no_wrap=True, overflow="ellipsis")
    cell = width // len(hud)
    for row in range(max(len(column) for column in hud)):
        for column in hud:
            label, value, tone = "", "", "plain"
            if row < len(column):
                label, value, tone = column[row].label, column[row].value, column[row].tone
            text.append(f"{label} ", LABEL).append(value, TONES[tone])
            text.append(" " * max(1, cell - len(label) - 1 - len(value)))
        text.append("\n")
    return text


def _curve(view: View, width: int) -> Text:
    """The curve as three lines of eighth blocks under its title, one column a step, the newest at the right."""
    values = view.curve[-width:]
    text = Text(no_wrap=True).append(view.curve_title, LABEL)
    if not values:
        return text
    top = max(*values, 1e-6)
    text.append(f"   {error(values[-1])}   peak {error(top)}\n", TONES["quiet"])
    eighths = [round(24 * value / top) for value in values]
    for floor in (16, 8, 0):
        text.append("".join(BARS[min(max(height - floor, 0), 8)] for height in eighths) + "\n", "#7aa2c9")
    return text


def run_terminal(session: Session, ticks: int | None = None, screenshot: Path | None = None) -> None:
    """Play a session in this terminal. With a number of ticks it also runs where there is no terminal."""
    app = PlayTerminal(session, ticks, screenshot)
    if ticks is None:
        app.run()
    else:
        app.run(headless=True, size=(100, 34))
    if app.failure is not None:
        raise app.failure
