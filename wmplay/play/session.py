"""The rules of a play session, without a screen: who acts, when time runs, what is shown, what is recorded.

The session holds a `gymnasium.Env` and does not know whether it is a game or a dream; what a world can do beyond the
Gymnasium API (a temperature, snapshots) it finds out by looking for the attribute on `env.unwrapped`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from wmplay.core.errors import WmplayError
from wmplay.play.engine import Engine
from wmplay.play.hud import Item, Status, columns
from wmplay.play.keys import Command
from wmplay.play.legend import key_of
from wmplay.play.view import Panel, View

TEMPERATURE_STEP, TEMPERATURE_MAX = 0.1, 3.0
# How far one press rewinds a dream.
REWIND_STEPS = 5


class Session(Engine):
    """One person (or agent) in one world. A screen calls `tick` at `fps` and draws `view`."""

    # --- what a screen asks -------------------------------------------------------------------------------------------

    @property
    def offered(self) -> frozenset[Command]:
        """The commands that mean something in this world."""
        offered: set[Command] = {"pause", "step", "reset", "help", "quit"}
        if self.temperature is not None:
            offered |= {"warmer", "cooler"}
        if self.agent is not None:
            offered.add("driver")
        if self.settings.open_recording is not None:
            offered.add("record")
        if self._timeline is not None:
            offered |= {"rewind", "mark", "recall"}
        return frozenset(offered)

    def status(self) -> Status:
        """The figures of this moment."""
        # Standing still is no frame rate: a game that waits for keys runs as fast as it is asked to.
        measured = len(self._gaps) / sum(self._gaps) if self._gaps and not self._waiting else self.fps
        return Status(
            steps=self.steps,
            returned=self.returned,
            reward=self.reward,
            fps=measured,
            asked_fps=self.fps,
            driver=self.settings.agent_name if self.agent_drives else "you",
            paused=self.paused,
            seed=self.seed,
            temperature=self.temperature,
            end_probability=self._end_probability,
            recording=self._recording.name if self._recording else None,
            recorded_steps=self._recording.steps if self._recording else 0,
            action=None if self._action is None else tuple(np.atleast_1d(self._action).tolist()),
            action_name=self._action_name(),
            discrete=self.controls.action.kind != "box",
        )

    def _action_name(self) -> str:
        names = self.controls.keys.names
        return names[int(self._action)] if names and self._action is not None else ""

    def view(self) -> View:
        """What to draw now; always the newest frame."""
        notice, detail = self.notice if self.clock() < self._notice_until else "", ""
        pause, step, reset = (key_of(command, self.controls.keys) for command in ("pause", "step", "reset"))
        if self.over:
            notice, detail = self.over, f"{reset} plays again"
        elif self.paused:
            notice, detail = notice or "paused", f"{pause} goes on, {step} is one step"
        return View(self.panels(), columns(self.status(), self.extra_items()), notice, detail)

    def extra_items(self) -> tuple[Item, ...]:
        """What stands in the HUD beside a session's usual figures."""
        return ()

    def panels(self) -> tuple[Panel, ...]:
        """The pictures: here the one of the world."""
        return (Panel("", self._frame),)

    # --- commands -----------------------------------------------------------------------------------------------------

    def command(self, command: Command, held: Collection[str] = ()) -> None:
        """Do what a key commands. Nothing here resets the episode but `reset`; `help` and `quit` are the screen's.

        held: game keys that are down now, for a single step with them.
        """
        if command not in self.offered:
            return
        actions: dict[Command, Callable[[], None]] = {
            "pause": self.pause,
            "step": lambda: self.step_once(held),
            "reset": self.reset,
            "warmer": lambda: self.heat(TEMPERATURE_STEP),
            "cooler": lambda: self.heat(-TEMPERATURE_STEP),
            "driver": self.change_driver,
            "record": self.toggle_recording,
            "rewind": self.rewind,
            "mark": self.mark,
            "recall": self.recall,
        }
        if command in actions:
            actions[command]()

    def pause(self) -> None:
        """Stop time, or let it go on."""
        self.paused = not self.paused
        self.notice = ""
        self._stepped_at = None

    def step_once(self, held: Collection[str] = ()) -> None:
        """Pause and make exactly one step: the agent's, or that of the held keys, or of doing nothing."""
        self.paused = True
        if self.over:
            return
        self._stepped_at = None
        if not self.agent_drives and self.controls.waits and self.controls.read(held, held) is None:
            self.say("hold a direction")
            return
        self._advance(held, held, None)

    def heat(self, by: float) -> None:
        """Make a dream warmer (bolder) or cooler, in the middle of it."""
        assert self.temperature is not None
        warmth = round(min(max(self.temperature + by, 0.0), TEMPERATURE_MAX), 2)
        self.dreamer.temperature = warmth
        self.say(f"temperature {warmth:.1f}")

    def change_driver(self) -> None:
        """Hand over between person and agent; the agent starts afresh from what it sees now."""
        assert self.agent is not None
        self.agent_drives = not self.agent_drives
        self.agent.reset(1, self.seed)
        self._agent_first = True
        self._waiting = False
        self.controls.reset()
        self.say(f"{self.settings.agent_name} drives" if self.agent_drives else "you drive")

    # --- recording ----------------------------------------------------------------------------------------------------

    def toggle_recording(self) -> None:
        """Start keeping what is played, from this very frame on, or stop."""
        if self._recording is not None:
            self.say(f"kept {self._recording.steps:,} steps in {self._recording.name}", 3.0)
            self._stop_recording()
            return
        try:
            self.start_recording()
        except WmplayError as why:  # the game goes on: the person is told in the window
            self.say(str(why), 6.0)

    def start_recording(self) -> None:
        """Keep what is played from now on. Raises WmplayError if the dataset cannot be written."""
        assert self.settings.open_recording is not None
        self._recording = self.settings.open_recording()
        # In the middle of an episode the seed no longer says how it began.
        self._begin_recording(self.seed if self.steps == 0 else None)
        self.say(f"recording {self._recording.name}")

    def _stop_recording(self) -> None:
        if self._recording is not None:
            self._recording.close()
            self.kept[self._recording.name] += self._recording.steps
            self._recording = None

    # --- going back ---------------------------------------------------------------------------------------------------

    def rewind(self) -> None:
        """Take the last few steps back; what was dreamt after them is forgotten."""
        assert self._timeline is not None
        self._return_to(self._timeline.rewind(REWIND_STEPS), "back at")

    def mark(self) -> None:
        """Remember this moment."""
        assert self._timeline is not None
        self._timeline.mark(self._moment())
        self.say(f"bookmark at step {self.steps:,}")

    def recall(self) -> None:
        """Go back to the remembered moment, from which the dream may take another course."""
        assert self._timeline is not None
        self._return_to(self._timeline.recall(), "again at")

    def close(self) -> None:
        """Finish the recording and let go of the world."""
        self._stop_recording()
        self.env.close()
