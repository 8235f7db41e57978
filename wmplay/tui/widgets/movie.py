"""Moving pictures in half blocks: a slot's preview, and real, dream and difference side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Label

from wmplay.play.halfblock import HalfBlockView
from wmplay.tui.snapshot import Clip

STRIP_FPS = 5.0  # slow enough to compare three pictures at a glance
TITLES = ("real", "dream", "difference")


class Movie(HalfBlockView):
    """A clip that repeats while it can be seen."""

    def __init__(self, **widget: Any) -> None:
        super().__init__(**widget)
        self._frames: np.ndarray | None = None
        self._at = 0

    def play(self, clip: Clip | None) -> None:
        """Play this clip from its start; None clears the picture."""
        self._frames = None if clip is None or not len(clip.frames) else clip.frames
        self._at = 0
        if self._frames is None:
            self._frame = self._codes = None
            self.refresh()
            return
        self.show(self._frames[0])

    def advance(self) -> None:
        """Show the next frame."""
        if self._frames is not None and len(self._frames) > 1 and self.size.width:
            self._at = (self._at + 1) % len(self._frames)
            self.show(self._frames[self._at])


class ClipView(Vertical):
    """One moving picture."""

    def compose(self) -> ComposeResult:
        yield Movie()

    def on_mount(self) -> None:
        self._timer = self.set_interval(1 / 6, self._tick, pause=True)

    def play(self, clip: Clip | None) -> None:
        """Play this clip; None clears the picture."""
        self.query_one(Movie).play(clip)
        self._timer.resume() if clip is not None else self._timer.pause()

    def _tick(self) -> None:
        if self.app.screen is self.screen:
            self.query_one(Movie).advance()


class StripView(Horizontal):
    """Real, dream and difference in step: what the model sees and what it imagines."""

    def compose(self) -> ComposeResult:
        for title in TITLES:
            with Vertical():
                yield Label(title)
                yield Movie()

    def on_mount(self) -> None:
        self._step = 0
        self._steps = 0
        self._timer = self.set_interval(1 / STRIP_FPS, self._tick, pause=True)

    def play(self, strip: np.ndarray | None) -> None:
        """Play a strip, uint8 [3, K, H, W, 3]; None clears the pictures."""
        self._step, self._steps = 0, 0 if strip is None else strip.shape[1]
        for index, movie in enumerate(self.query(Movie)):
            movie.play(None if strip is None else Clip(strip[index], STRIP_FPS))
        self._caption()
        self._timer.resume() if strip is not None else self._timer.pause()

    def _tick(self) -> None:
        if self.app.screen is not self.screen or not self._steps:
            return
        self._step = (self._step + 1) % self._steps
        for movie in self.query(Movie):
            movie.advance()
        self._caption()

    def _caption(self) -> None:
        middle = list(self.query(Label))[1]
        middle.update(f"dream, step {self._step + 1}" if self._steps else "dream")
