"""Play in the terminal: half-block pictures, keys that latch, a mouse that steers. Works over SSH and inside tmux."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer

from envs.errors import GameError
from wmplay.core.errors import WmplayError
from wmplay.play.controls import Latch, Pointer
from wmplay.play.halfblock import HalfBlockView
from wmplay.play.keys import Command, command_table
from wmplay.play.legend import legend
from wmplay.play.session import Session
from wmplay.play.terminal_stage import Stage

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

    CSS = "Screen { background: #10141b; }"
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
        self._stage = Stage(session.settings.title, session.view(), legend(keys, session.offered))
        self._latch = Latch(keys, session.clock)
        self._tapped: set[str] = set()
        self._timer: Timer | None = None
        self._sleeping = False
        self._every_key = False

    def compose(self) -> ComposeResult:
        yield self._stage

    def on_mount(self) -> None:
        self.title = self.session.settings.title
        self._stage.make_room(self.session.view(), self.session.clock())
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

    def _draw(self, hud: bool, now: bool = False) -> None:
        self._stage.show(self.session.view(), self.session.clock(), hud, now)

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
            self._stage.show_keys(self._every_key)
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

    def on_resize(self) -> None:
        self.call_later(self._resized)  # the app takes over its new size only after this handler

    def _resized(self) -> None:
        self._stage.make_room(self.session.view(), self.session.clock())
        self._stage.show_keys(self._every_key)

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
        picture = self._stage.query(HalfBlockView).first().region
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
