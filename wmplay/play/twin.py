"""The twin: a real game and its dream under the same actions, side by side with their difference and the drift.

The dream reads the real game's first steps, then runs open loop: it sees the keys and nothing else. One key wakes it,
that is, sets it back to what the real game shows, at any time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from wmplay.agents.protocol import Agent
from wmplay.core.errors import UsageError
from wmplay.play.controls import Controls
from wmplay.play.engine import Settings
from wmplay.play.hud import Item, error
from wmplay.play.keys import Command
from wmplay.play.opening import Wish, agent_of, controls_of
from wmplay.play.protocols import World
from wmplay.play.session import Session
from wmplay.play.view import Panel, View

# Real rows the dream reads before it runs alone, as on the report card (DESIGN §7).
CONTEXT = 8
CURVE_KEPT = 400
# A difference of half the range is drawn white: the small ones are what one looks for.
DIFFERENCE_GAIN = 2


class DreamWorld(Protocol):
    """The part of `wmplay.dreams.DreamEnv` that a twin uses."""

    temperature: float

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]: ...
    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]: ...
    def update(self, action: Any, observation: np.ndarray, first: bool = False) -> np.ndarray: ...
    def frame(self) -> np.ndarray: ...
    def close(self) -> None: ...


class Twin(Session):
    """A session in the real game with a dream beside it.

    picture: draws an observation as uint8 [H, W, 3], at the size of the dream's frames. warmup: steps of the game's
    opening (CarRacing zooms in) that are no part of what the dream has learned.
    """

    def __init__(
        self,
        env: World,
        dream: DreamWorld,
        controls: Controls,
        settings: Settings,
        picture: Callable[[np.ndarray], np.ndarray],
        agent: Agent | None = None,
        warmup: int = 0,
    ) -> None:
        self.warmup = warmup
        # A board that waits for its player shows all there is in one picture; what moves takes a few to be read.
        self.context = 1 if controls.waits else CONTEXT
        self.dream = dream
        self._picture = picture
        self._rows: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=self.context)
        self._drift: deque[float] = deque(maxlen=CURVE_KEPT)
        super().__init__(env, controls, settings, agent)

    @property
    def offered(self) -> frozenset[Command]:
        return super().offered | {"resync"}

    @property
    def dreamer(self) -> Any:
        return self.dream

    @property
    def reading(self) -> bool:
        """Whether the dream still reads real steps."""
        return self.steps < self.warmup + self.context - 1

    def reset(self) -> None:
        self._drift.clear()
        super().reset()
        no_action = np.zeros(self.controls.action.shape, self.controls.action.dtype)
        self._rows.clear()
        self._rows.append((self.observation, no_action))
        self._wake()

    def _wake(self) -> None:
        """Set the dream to what the real game's last steps show."""
        seen, acted = zip(*self._rows, strict=True)
        first = np.zeros(len(seen), bool)
        first[0] = self.steps < self.context
        context = {"observation": np.stack(seen), "action": np.stack(acted), "first": first}
        self.dream.reset(seed=self.seed, options={"context": context})
        self._open_steps, self._dream_return, self.dream_over = 0, 0.0, False
        self._compare()

    def _after_step(self, terminated: bool, truncated: bool) -> None:
        assert self._action is not None
        self._rows.append((self.observation, self._action))
        action = int(self._action) if self.controls.action.kind == "discrete" else self._action
        if self.reading:
            self.dream.update(action, self.observation)
        elif not self.dream_over:
            _, reward, ended, _, info = self.dream.step(action)
            self._open_steps += 1
            self._dream_return += float(reward)
            self.dream_over = bool(ended)
            if self.dream_over:
                self.say("the dream says it is over: re-sync wakes it", 3.0)
            self._info = {**self._info, "end_probability": info.get("end_probability")}
        super()._after_step(terminated, truncated)
        if self.warmup and self.steps == self.warmup + self.context - 2:
            self._wake()  # and forget the opening
        else:
            self._compare()

    def _look(self) -> None:
        self._frame = self._picture(self.observation)
        chance = self._info.get("end_probability")
        self._end_probability = None if chance is None else float(np.asarray(chance))

    def _compare(self) -> None:
        self._dreamt = self.dream.frame()
        apart = self._frame.astype(np.int16) - self._dreamt
        self._difference = np.minimum(np.abs(apart) * DIFFERENCE_GAIN, 255).astype(np.uint8)
        self._drift.append(float(np.square(apart / 255.0).mean()))

    def resync(self) -> None:
        """Wake the dream: it goes on from what is real now."""
        self._wake()
        self.say("the dream is awake")

    def command(self, command: Command, held: Any = ()) -> None:
        if command == "resync":
            self.resync()
        else:
            super().command(command, held)

    def panels(self) -> tuple[Panel, ...]:
        """Real, dream and difference."""
        doing = "says: over" if self.dream_over else "reading" if self.reading else f"{self._open_steps} steps alone"
        return (
            Panel("real", self._frame),
            Panel(f"dream · {doing}", self._dreamt),
            Panel("difference", self._difference),
        )

    def extra_items(self) -> tuple[Item, ...]:
        return (
            Item("drift", error(self._drift[-1])),
            Item("alone for", f"{self._open_steps} steps"),
            Item("dream return", f"{self._dream_return:.2f}"),
        )

    def view(self) -> View:
        view = super().view()
        title = "drift: mean squared error of the dream's picture"
        return View(view.panels, view.hud, view.notice, view.detail, tuple(self._drift), title)

    def close(self) -> None:
        self.dream.close()
        super().close()


def open_twin(slot: str, wish: Wish) -> Twin:
    """The twin of a slot: its game and its dream. What is played in the real game can be recorded."""
    from wmplay import games
    from wmplay.core.slots import find_slot
    from wmplay.dreams import DreamEnv
    from wmplay.play.recording import HumanRecording

    if wish.horizon is not None:
        raise UsageError("A twin ends when the real game ends; leave out --horizon.")
    dream = DreamEnv(slot, horizon=1_000_000, temperature=wish.temperature, device=wish.device)
    game = dream.game
    info = find_slot(slot)
    params = {**game.params, **info.game_params}
    env = games.make(game, seed=wish.seed, **params)
    observation, action = games.specs(env)
    drawing = games.drawing(game) if observation.kind == "vector" else None
    driver = wish.agent or (slot if info.agent else game.expert)
    settings = Settings(
        title=f"{dream.slot} · twin of {game.title}",
        fps=game.fps,
        seed=wish.seed,
        agent_name=driver or "",
        drive=wish.agent is not None,
        open_recording=lambda: HumanRecording(wish.record or "human", game, params, observation, action),
    )
    picture = (lambda seen: drawing(seen[None])[0]) if drawing is not None else (lambda seen: seen)
    agent = agent_of(driver, game, action, wish)
    return Twin(env, dream, controls_of(env, game, action, game.fps), settings, picture, agent, game.warmup)
