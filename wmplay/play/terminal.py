"""Play in the terminal: half-block pictures, keys that latch, a mouse that steers. Works over SSH and inside tmux."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from envs.errors import GameError
from wmplay.core.errors import WmplayError
from wmplay.play.controls import Latch, Pointer
from wmplay.play.halfblock import HalfBlockView
from wmplay.play.keys import Command, command_table
from wmplay.play.legend import legend
from wmplay.play.lines import Lines
from wmplay.play.session import Session
from wmplay.play.terminal_room import NARROW, Room, room_for
from wmplay.play.terminal_text import curve, key_lines, notice, one_line, side, strip

# Figures change faster than anybody reads; redrawing them less often leaves the time and bytes to the picture.
HUD_SECONDS = 0.12
# Textual's names of keys that have a shorter one in the table.
NAMES = {"pageup": "pageup", "pagedown": "pagedown", "return": "enter", "ctrl+h": "backspace"}


def key_name(event: events.Key) -> str:
    """The portable name (see `keys`) of a key event: its character if it has one, else Textual's name."""
    character = event.character
    if character and character.isprintable() and character != " ":
        return character.lower()
    return NAMES.get(event.key, event.key)


class PlayTerminal(App[None]):
    """A session on the terminal's screen, until it is quit or has made the asked number of ticks."""

    CSS = """
    Screen { background: #10141b; }
    #pictures { height: 1fr; align-horizontal: center; }
    .panel { width: 1fr; height: 1fr; }
    .several { padding: 0 1; }
    .title { height: 1; width: 1fr; text-align: center; color: #d3d8e2; }
    #side { width: 26; height: 1fr; padding: 1 2 0 1; }
    #strip { height: 4; padding: 0 1; }
    #small { height: 1fr; padding: 0 1; text-wrap: wrap; }
    .narrow .several { padding: 0; }
    #curve { height: 4; padding: 0 1; color: #7aa2c9; }
    #notice { height: 1; text-align: center; }
    #keys { height: 1; padding: 0 1; background: #151a23; }
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
        self.failure: WmplayError | GameError | None = None
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
        self._every_key = False
        self._several = len(session.panels()) > 1
        self._room = Room(True, False, 0, "")

    def compose(self) -> ComposeResult:
        view = self.session.view()
        with Horizontal(id="pictures"):
            for panel in view.panels:
                with Vertical(classes="panel several" if self._several else "panel"):
                    if panel.title:
                        yield Lines(Text(panel.title, justify="center"), classes="title")
                    yield HalfBlockView(panel.frame)
            yield Lines(id="side")
        yield Lines(id="small")
        yield Lines(id="notice")
        yield Lines(id="curve")
        yield Lines(id="strip")
        yield Lines(id="keys")

    def on_mount(self) -> None:
        self.title = self.session.settings.title
        self._arrange()
        self._timer = self.set_interval(1 / self.session.fps, self._tick)

    # --- time ---------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if not self.is_running:
            return  # being taken down: some of the widgets are gone already
        if self.ticks is not None and self.session.ticks >= self.ticks:
            self._finish()
            return
        try:
            changed = self.session.tick(self._held(), self._tapped, self.pointer)
        except (WmplayError, GameError) as why:
            self._fail(why)
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

    def _fail(self, why: WmplayError | GameError) -> None:
        """Leave the screen; what went wrong is told once the terminal is the person's again."""
        self.failure = why
        self.exit()

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
        self.query_one("#notice", Lines).show(notice(view))
        for title, panel in zip(self.query(".title").results(Lines), view.panels, strict=False):
            title.show(Text(panel.title, justify="center"))
        if self._room.side:
            self.query_one("#side", Lines).show(side(self.session.settings.title, view.hud, 23))
        elif self._room.strip:
            draw = strip if self._room.strip > 1 else one_line
            self.query_one("#strip", Lines).show(draw(view.hud, self.size.width - 2))
        if self._room.curve:
            self.query_one("#curve", Lines).show(curve(view, self.size.width - 2))

    def _arrange(self) -> None:
        """Give the parts what room there is, the pictures first."""
        view = self.session.view()
        room = self._room = room_for(self.size.width, self.size.height, len(view.panels), bool(view.curve_title))
        self.query_one("#small", Lines).show(Text(room.refusal))
        for name, shown in {
            "small": room.refusal, "pictures": not room.refusal, "side": room.side, "curve": room.curve,
            "strip": room.strip,
        }.items():  # fmt: skip
            self.query_one(f"#{name}").display = bool(shown)
        if self._several:  # 1fr would make one a cell wider, and its picture larger, than the next
            for panel in self.query(".several"):
                panel.styles.width = self.size.width // len(view.panels)
        self.query_one("#strip").styles.height = max(room.strip, 1)
        self.screen.set_class(self.size.width < NARROW, "narrow")
        self._draw(hud=True, now=True)

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
            self._every_key = not self._every_key
            self._show_keys()
        else:
            self._command(command)
        if not self.session.paused:
            self._wake()

    def _command(self, command: Command) -> None:
        try:
            self.session.command(command, self._held() | self._tapped)
        except (WmplayError, GameError) as why:
            self._fail(why)
            return
        self._draw(hud=True, now=True)

    def _show_keys(self) -> None:
        """The key line, or every key after `help`."""
        text = key_lines(self._legend, self.size.width - 2, self._every_key)
        keys = self.query_one("#keys", Lines)
        keys.styles.height = text.plain.count("\n") + 1
        keys.show(text)

    def on_resize(self) -> None:
        self.call_later(self._resized)  # the app takes over its new size only after this handler

    def _resized(self) -> None:
        self._arrange()
        self._show_keys()

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


def run_terminal(session: Session, ticks: int | None = None, screenshot: Path | None = None) -> None:
    """Play a session in this terminal. With a number of ticks it also runs where there is no terminal."""
    app = PlayTerminal(session, ticks, screenshot)
    if ticks is None:
        app.run()
    else:
        app.run(headless=True, size=(100, 34))
    if app.failure is not None:
        raise app.failure
