"""A pygame window around a session: events in, the newest frame out, at the game's own speed."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import pygame

from wmplay.core.errors import WmplayError
from wmplay.play.canvas import Canvas
from wmplay.play.controls import Pointer
from wmplay.play.keys import Command, command_table
from wmplay.play.legend import legend
from wmplay.play.session import Session

# SDL opens these without complaint where there is no display; what is drawn there nobody sees.
UNSEEN = ("offscreen", "dummy", "evdev")
NO_DISPLAY = "There is no display to open a window on; add --terminal to play in the terminal."
SIZE, WIDE_SIZE = (860, 680), (1120, 640)


def unseen_on_purpose() -> bool:
    """Whether somebody asked SDL for a driver without a screen."""
    return os.environ.get("SDL_VIDEODRIVER") in UNSEEN


def open_display() -> None:
    """Start SDL's video. Raises WmplayError where there is no display to see it on."""
    named = os.environ.get("SDL_VIDEODRIVER")
    displays = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not (named or displays):
        raise WmplayError(NO_DISPLAY)
    for system in ("X11", "WAYLAND"):  # by which the desktop names and groups its windows
        os.environ.setdefault(f"SDL_VIDEO_{system}_WMCLASS", "wmplay")
    try:
        pygame.display.init()
    except pygame.error as why:
        raise WmplayError(f"{NO_DISPLAY} (SDL says: {why})") from why
    if pygame.display.get_driver() in UNSEEN and not unseen_on_purpose():
        pygame.display.quit()
        raise WmplayError(NO_DISPLAY)


def key_name(event: pygame.event.Event) -> str:
    """The portable name (see `keys`) of a key event."""
    named = {pygame.K_RETURN: "enter", pygame.K_KP_ENTER: "enter", pygame.K_KP_PLUS: "+", pygame.K_KP_MINUS: "-"}
    if event.key in named:
        return named[event.key]
    typed = getattr(event, "unicode", "")
    # What is typed decides for signs (their place differs between keyboards), the key itself for letters.
    if len(typed) == 1 and typed.isprintable() and not typed.isalnum() and typed != " ":
        return typed
    return pygame.key.name(event.key).lower()


class Window:
    """Shows a session until it is quit, closed, or has made the asked number of ticks."""

    def __init__(self, session: Session, size: tuple[int, int] | None = None) -> None:
        self.session = session
        open_display()
        pygame.font.init()
        pygame.display.set_caption(f"wmplay: {session.settings.title}")
        size = size or (SIZE if len(session.panels()) == 1 else WIDE_SIZE)
        self.surface = pygame.display.set_mode(size, pygame.RESIZABLE)
        pygame.key.set_repeat()
        keys = session.controls.keys
        self.canvas = Canvas(session.settings.title, legend(keys, session.offered))
        self.commands = command_table(keys.keys, session.offered)
        self.held: dict[int, str] = {}
        self.tapped: set[str] = set()
        self.help_shown = False
        self.running = True

    def run(self, ticks: int | None = None, screenshot: Path | None = None) -> None:
        """Play. ticks: stop after so many moments. screenshot: write the last picture of the window there as a PNG."""
        clock = pygame.time.Clock()
        try:
            while self.running and (ticks is None or self.session.ticks < ticks):
                self._events(sleep=ticks is None)
                self.session.tick(set(self.held.values()), self.tapped, self._pointer())
                self.tapped.clear()
                self.draw()
                # Scripts run as fast as they can, but a picture shows the frame rate of play.
                if screenshot is not None or not unseen_on_purpose():
                    clock.tick(self.session.fps)
            if screenshot is not None:
                self.draw()
                save_png(self.surface, screenshot)
        finally:
            pygame.display.quit()

    def draw(self) -> None:
        """Draw what is newest and show it."""
        self.canvas.draw(self.surface, self.session.view(), self.help_shown)
        pygame.display.flip()

    def _pointer(self) -> Pointer | None:
        """While a button is down the mouse is the steering wheel: left goes, right slows down, x steers."""
        more, _, less = pygame.mouse.get_pressed()
        if not (more or less) or not pygame.mouse.get_focused():
            return None
        box = self.canvas.picture
        x = (pygame.mouse.get_pos()[0] - box.centerx) / max(box.width / 4, 1)
        return Pointer(max(-1.0, min(1.0, x)), more, less)

    def _events(self, sleep: bool) -> None:
        """Take in what happened. Where nothing can happen without a key, sleep until there is one: no CPU is burnt."""
        events = []
        if sleep and not self.held and (wait := self.session.wait) > 0:
            first = pygame.event.wait() if math.isinf(wait) else pygame.event.wait(max(1, round(wait * 1000)))
            if first.type != pygame.NOEVENT:
                events.append(first)
        for event in [*events, *pygame.event.get()]:
            self._event(event)

    def _event(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self.running = False
        elif event.type == pygame.KEYDOWN:
            name = key_name(event)
            command = self.commands.get(name)
            if command is not None:
                self._command(command)
            else:
                # By the physical key: its name may differ when it is let go (Shift).
                self.held[event.key] = name
                self.tapped.add(name)
        elif event.type == pygame.KEYUP:
            self.held.pop(event.key, None)
        elif event.type == pygame.WINDOWFOCUSLOST:
            self.held.clear()
        elif event.type == pygame.VIDEORESIZE:
            self.surface = pygame.display.get_surface() or self.surface

    def _command(self, command: Command) -> None:
        if command == "quit" and self.help_shown:
            self.help_shown = False
        elif command == "quit":
            self.running = False
        elif command == "help":
            self.help_shown = not self.help_shown
        else:
            self.session.command(command, set(self.held.values()))


def save_png(surface: pygame.Surface, path: Path) -> None:
    """Write a surface as PNG, making the folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pygame.image.save(surface, str(path))
