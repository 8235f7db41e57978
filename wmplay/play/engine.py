"""Time in a play session: who acts when, one step after the other, what was seen last, what is kept of it."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from envs.bars import draw_bars
from wmplay.agents.protocol import Agent
from wmplay.core.errors import WmplayError
from wmplay.play.controls import Controls, Pointer
from wmplay.play.protocols import Recording, World
from wmplay.play.timeline import Timeline

# After the end of an episode the picture stays this long, then a new one begins by itself.
RESTART_SECONDS = 2.5


@dataclass
class Settings:
    """How a session is played. seed: of the first episode, later ones count up; None draws one.

    large: show what the world renders; else its observation, where that is a picture (a terminal has no more pixels).
    open_recording: starts a recording; None where playing is not recorded (a dream is no data).
    """

    title: str
    fps: float
    seed: int | None = None
    agent_name: str = ""
    drive: bool = True
    large: bool = True
    restart_seconds: float = RESTART_SECONDS
    open_recording: Callable[[], Recording] | None = None
    clock: Callable[[], float] = field(default=time.perf_counter)


class Engine:
    """A world, whoever acts in it, and the clock. `Session` adds what a person can command and what a screen shows."""

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
        self.kept: Counter[str] = Counter()  # dataset -> steps that this session brought into it
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
        now = self.clock()
        until = 0.0
        if self.paused or self._waiting:
            until = math.inf
        elif self.over:
            until = self._restart_at
        if self.notice and now < self._notice_until:
            until = min(until, self._notice_until)
        return max(0.0, until - now) if until else 0.0

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
        """Take the newest picture: what the world renders, else its observation, numbers as bars."""
        small = not self.settings.large and self.observation.ndim == 3
        picture = self.env.render() if self.env.render_mode == "rgb_array" and not small else None
        frame = self.observation if picture is None else np.asarray(picture)
        if frame.ndim == 1:
            frame = draw_bars(frame[None])[0]
        if frame.ndim != 3 or frame.dtype != np.uint8:
            raise WmplayError(f"{self.settings.title} has no picture: it neither renders rgb_array nor shows frames.")
        self._frame = frame
        chance = self._info.get("end_probability")
        self._end_probability = None if chance is None else float(np.asarray(chance))

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
        if self._info.get("news"):
            self.say(str(self._info["news"]), 4.0)

    def _begin_recording(self, seed: int | None) -> None:
        if self._recording is not None:
            player = self.settings.agent_name if self.agent_drives else "human"
            self._recording.begin(self.observation, seed, player)

    def say(self, text: str, seconds: float = 1.5) -> None:
        """Show a notice for a moment."""
        self.notice, self._notice_until = text, self.clock() + seconds

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
