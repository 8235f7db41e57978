"""The rules of a play session, without a screen: who acts, when time runs, what is shown, what is recorded.

The session holds a `gymnasium.Env` and does not know whether it is a game or a dream; what a world can do beyond the
Gymnasium API (a temperature, snapshots) it finds out by looking for the attribute on `env.unwrapped`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wmplay.agents.protocol import Agent
from wmplay.core.errors import WmplayError
from wmplay.play.controls import Controls, Pointer
from wmplay.play.hud import Item, Status, columns
from wmplay.play.keys import Command
from wmplay.play.protocols import Recording, World
from wmplay.play.timeline import Timeline
from wmplay.play.view import Panel, View

# After the end of an episode the picture stays this long, then a new one begins by itself.
RESTART_SECONDS = 2.5
TEMPERATURE_STEP, TEMPERATURE_MAX = 0.1, 3.0
# How far one press rewinds a dream.
REWIND_STEPS = 5


@dataclass
class Settings:
    """How a session is played. seed: of the first episode, later ones count up; None draws one.

    open_recording: starts a recording; None where playing is not recorded (a dream is no data).
    """

    title: str
    fps: float
    seed: int | None = None
    agent_name: str = ""
    drive: bool = True
    restart_seconds: float = RESTART_SECONDS
    open_recording: Callable[[], Recording] | None = None
    clock: Callable[[], float] = field(default=time.perf_counter)


class Session:
    """One person (or agent) in one world. A screen calls `tick` at `fps` and draws `view`."""

    def __init__(self, env: World, controls: Controls, settings: Settings, agent: Agent | None = None) -> None:
        self.env = env
        self.controls = controls
        self.settings = settings
        self.agent = agent
        self.fps = settings.fps
        self.clock = settings.clock
        self.agent_drives = agent is not None and settings.drive
        self.paused = False
        self.over = ""
        self.ticks = 0
        self.total_steps = 0
        self.notice = ""
        self._notice_until = math.inf
        self._recording: Recording | None = None
        self._episode = 0
        self._gaps: deque[float] = deque(maxlen=30)
        self._stepped_at: float | None = None
        self._waiting = False
        self._timeline = Timeline(env.unwrapped) if hasattr(env.unwrapped, "snapshot") else None
        self._agent_first = True
        self._action: np.ndarray | None = None
        # Episodes of a person are training data: their seeds stay out of the held-out ones.
        first = (
            settings.seed if settings.seed is not None else int(np.random.default_rng().integers(1_000_000 - 10_000))
        )
        self._first_seed = first
        self.reset()

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

    @property
    def temperature(self) -> float | None:
        """The world's temperature, None where it has none."""
        value = getattr(self.dreamer, "temperature", None)
        return None if value is None else float(value)

    @property
    def dreamer(self) -> Any:
        """Whoever has the knobs of a dream: here the world itself, if it has any."""
        return self.env.unwrapped

    @property
    def wait(self) -> float:
        """Seconds for which nothing will happen unless a key is pressed: a screen may sleep that long."""
        if self.paused:
            return math.inf
        if self.over:
            return max(0.0, self._restart_at - self.clock())
        return math.inf if self._waiting else 0.0

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
            discrete=self.controls.action.kind != "box",
        )

    def view(self) -> View:
        """What to draw now; always the newest frame."""
        notice, detail = self.notice if self.clock() < self._notice_until else "", ""
        if self.over:
            notice, detail = self.over, "R plays again"
        elif self.paused:
            notice, detail = notice or "paused", "P goes on, N is one step"
        return View(self.panels(), columns(self.status(), self.extra_items()), notice, detail)

    def extra_items(self) -> tuple[Item, ...]:
        """What stands in the HUD beside a session's usual figures."""
        return ()

    def panels(self) -> tuple[Panel, ...]:
        """The pictures: here the one of the world."""
        return (Panel("", self._frame),)

    # --- time ---------------------------------------------------------------------------------------------------------

    def tick(self, held: Collection[str] = (), tapped: Collection[str] = (), pointer: Pointer | None = None) -> bool:
        """Let one moment pass with these keys held (and pressed since the last tick). True if something changed."""
        self.ticks += 1
        if self.paused:
            return False
        if self.over:
            if self.clock() < self._restart_at:
                return False
            self.reset()
            return True
        return self._advance(held, tapped, pointer)

    def _advance(self, held: Collection[str], tapped: Collection[str], pointer: Pointer | None) -> bool:
        if self.agent_drives and self.agent is not None:
            info = {key: np.asarray(value)[None] for key, value in self._info.items()}
            action = self.agent.act(self.observation[None], info, np.array([self._agent_first]))[0]
            self._agent_first = False
        else:
            wanted = self.controls.read(held, tapped, pointer)
            self._waiting = wanted is None
            if wanted is None:
                self._stepped_at = None
                return False
            action = wanted
        self._waiting = False
        self._step(np.asarray(action))
        return True

    def _step(self, action: np.ndarray) -> None:
        given = int(action) if self.controls.action.kind == "discrete" else action
        observation, reward, terminated, truncated, info = self.env.step(given)
        self.observation, self._info, self._action = np.asarray(observation), info, action
        self.reward = float(reward)
        self.returned += self.reward
        self.steps += 1
        self.total_steps += 1
        self._measure()
        self._after_step(bool(terminated), bool(truncated))

    def _after_step(self, terminated: bool, truncated: bool) -> None:
        """Show, keep and judge the step that was just made."""
        self._look()
        assert self._action is not None
        if self._recording is not None:
            self._recording.step(self.observation, self._action, self.reward, terminated, truncated)
        if self._timeline is not None:
            self._timeline.push(self._moment())
        if terminated or truncated:
            ending = "the end" if terminated else "time is up"
            self.over = f"{ending}: return {self.returned:.2f} in {self.steps:,} steps"
            self._restart_at = self.clock() + self.settings.restart_seconds

    def _measure(self) -> None:
        now = self.clock()
        if self._stepped_at is not None and now > self._stepped_at:
            self._gaps.append(now - self._stepped_at)
        self._stepped_at = now

    def _look(self) -> None:
        """Take the newest picture: what the world renders, else its observation."""
        picture = self.env.render() if self.env.render_mode == "rgb_array" else None
        frame = self.observation if picture is None else np.asarray(picture)
        if frame.ndim != 3 or frame.dtype != np.uint8:
            raise WmplayError(f"{self.settings.title} has no picture: it neither renders rgb_array nor shows frames.")
        self._frame = frame
        chance = self._info.get("end_probability")
        self._end_probability = None if chance is None else float(np.asarray(chance))

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

    def say(self, text: str, seconds: float = 1.5) -> None:
        """Show a notice for a moment."""
        self.notice, self._notice_until = text, self.clock() + seconds

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

    def reset(self) -> None:
        """Begin the next episode."""
        self.seed = self._first_seed + self._episode
        self._episode += 1
        observation, self._info = self.env.reset(seed=self.seed)
        self.observation = np.asarray(observation)
        self.steps, self.returned, self.reward = 0, 0.0, 0.0
        self.over, self._restart_at = "", 0.0
        self._action = None
        self._agent_first = True
        self._waiting = False
        self._stepped_at = None
        self.controls.reset()
        if self.agent is not None:
            self.agent.reset(1, self.seed)
        self._look()
        if self._timeline is not None:
            self._timeline.begin(self._moment())
        self._begin_recording(self.seed)

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
            self._recording.close()
            self._recording = None
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

    def _begin_recording(self, seed: int | None) -> None:
        if self._recording is not None:
            player = self.settings.agent_name if self.agent_drives else "human"
            self._recording.begin(self.observation, seed, player)

    # --- going back ---------------------------------------------------------------------------------------------------

    def _moment(self) -> tuple[Any, ...]:
        return (self.steps, self.returned, self.reward, self.observation, self._info, self._action, self._frame)

    def _return_to(self, moment: tuple[Any, ...] | None, said: str) -> None:
        """Go on from an earlier moment, to which the world has been set back."""
        if moment is None:
            self.say("no bookmark yet")
            return
        self.steps, self.returned, self.reward, self.observation, self._info, self._action, self._frame = moment
        self.over = ""
        self._agent_first = True
        self._waiting = False
        self.controls.reset()
        self.say(f"{said} step {self.steps:,}")

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
        if self._recording is not None:
            self._recording.close()
            self._recording = None
        self.env.close()
