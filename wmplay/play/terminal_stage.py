"""What stands on the play screen of a terminal: the pictures, around them figures, curve and keys as room allows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from wmplay.play.halfblock import HalfBlockView
from wmplay.play.lines import Lines
from wmplay.play.terminal_room import NARROW, Room, room_for
from wmplay.play.terminal_text import curve, key_lines, notice, one_line, side, strip
from wmplay.play.view import View

# Figures change faster than anybody reads; redrawing them less often leaves the time and bytes to the picture.
HUD_SECONDS = 0.12


class Stage(Vertical):
    """Fills the screen and draws the views it is shown; of sessions and keys pressed it knows nothing.

    title: of the session. view: the first one, which tells how many pictures there are. legend: keys and what they do.
    """

    DEFAULT_CSS = """
    Stage {
        #pictures { height: 1fr; align-horizontal: center; }
        .panel { width: 1fr; height: 1fr; }
        .several { padding: 0 1; }
        .title { height: 1; width: 1fr; text-align: center; color: #d3d8e2; }
        #side { width: 26; height: 1fr; padding: 1 2 0 1; }
        #strip { height: 4; padding: 0 1; }
        #small { height: 1fr; padding: 0 1; text-wrap: wrap; }
        &.narrow .several { padding: 0; }
        #curve { height: 4; padding: 0 1; color: #7aa2c9; }
        #notice { height: 1; text-align: center; }
        #keys { height: 1; padding: 0 1; background: #151a23; }
    }
    """

    def __init__(self, title: str, view: View, legend: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title, self._first, self._legend = title, view, legend
        self._several = len(view.panels) > 1
        self._hud_at = -math.inf
        self._room = Room(True, False, 0, "")

    def compose(self) -> ComposeResult:
        with Horizontal(id="pictures"):
            for panel in self._first.panels:
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

    def show(self, view: View, moment: float, hud: bool, now: bool = False) -> None:
        """Draw the pictures; with `hud` the texts too, if they are due at this `moment` (seconds) or wanted `now`."""
        for widget, panel in zip(self.query(HalfBlockView), view.panels, strict=True):
            widget.show(panel.frame)
        if not hud or (moment - self._hud_at < HUD_SECONDS and not now):
            return
        self._hud_at = moment
        self.query_one("#notice", Lines).show(notice(view))
        for title, panel in zip(self.query(".title").results(Lines), view.panels, strict=False):
            title.show(Text(panel.title, justify="center"))
        width = self.app.size.width
        if self._room.side:
            self.query_one("#side", Lines).show(side(self._title, view.hud, 23))
        elif self._room.strip:
            draw = strip if self._room.strip > 1 else one_line
            self.query_one("#strip", Lines).show(draw(view.hud, width - 2))
        if self._room.curve:
            self.query_one("#curve", Lines).show(curve(view, width - 2))

    def make_room(self, view: View, moment: float) -> None:
        """Give the parts what room the terminal has, the pictures first, and draw them."""
        size = self.app.size
        room = self._room = room_for(size.width, size.height, len(view.panels), bool(view.curve_title))
        self.query_one("#small", Lines).show(Text(room.refusal))
        for name, shown in {
            "small": room.refusal, "pictures": not room.refusal, "side": room.side, "curve": room.curve,
            "strip": room.strip,
        }.items():  # fmt: skip
            self.query_one(f"#{name}").display = bool(shown)
        if self._several:  # 1fr would make one a cell wider, and its picture larger, than the next
            for panel in self.query(".several"):
                panel.styles.width = size.width // len(view.panels)
        self.query_one("#strip").styles.height = max(room.strip, 1)
        self.set_class(size.width < NARROW, "narrow")
        self.show(view, moment, hud=True, now=True)

    def show_keys(self, every: bool) -> None:
        """The key line, or `every` key in as many lines as it takes."""
        text = key_lines(self._legend, self.app.size.width - 2, every)
        keys = self.query_one("#keys", Lines)
        keys.styles.height = text.plain.count("\n") + 1
        keys.show(text)
