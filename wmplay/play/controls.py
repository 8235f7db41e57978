"""From keys that are held to an action: combos for discrete games, ramps for continuous ones, a latch for terminals."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from wmplay.core.spaces import ActionSpec
from wmplay.play.keys import Axis, GameKeys

# In a game that waits for a key, a held key acts at once, then again after this long, like a keyboard's own repeat.
FIRST_REPEAT = 0.3
# How long a terminal's key counts as held after its event: a little more than the usual gap between two repeats.
LATCH_SECONDS = 0.18
# The first repeat of a held key comes only after the terminal's repeat delay; steering bridges it.
FIRST_LATCH_SECONDS = 0.3


@dataclass(frozen=True)
class Pointer:
    """The mouse as a steering wheel: x in [-1, 1] across the picture, left button to go, right button to slow down."""

    x: float
    more: bool = False
    less: bool = False


class Controls:
    """Turns held keys into one action a tick. Knows the game's keys and nothing of screens."""

    def __init__(self, keys: GameKeys, action: ActionSpec, fps: float) -> None:
        self.keys = keys
        self.action = action
        self._tick = 1.0 / fps
        self._again = max(1, round(FIRST_REPEAT * fps))
        # Repeats go at six a second at most, so that a held key can be let go on the wanted field.
        self._pace = max(1, round(fps / 6))
        self.reset()

    def reset(self) -> None:
        """Let go of everything, as at the start of an episode."""
        self._values = np.array([axis.rest for axis in self.keys.axes])
        self._held_for = 0
        self._last: Any = None
        self._turn = 0

    @property
    def waits(self) -> bool:
        """Whether the game stands still while no key is held."""
        return not self.keys.axes and isinstance(self.keys.idle, str) and self.keys.idle == "wait"

    def read(
        self, held: Collection[str], tapped: Collection[str] = (), pointer: Pointer | None = None
    ) -> np.ndarray | None:
        """The action for the keys that are held or were pressed since the last tick; None to stand still.

        Returns an array of the spec's dtype and shape.
        """
        held = {*held, *tapped}
        if self.keys.axes:
            return self._continuous(held, pointer)
        held = _pointed(held, pointer)
        action = self._combo(held)
        if self.waits:
            tap = not self.keys.keys.isdisjoint(tapped)
            fresh = action is not None and (tap or action != self._last)
            self._held_for = 0 if fresh or action is None else self._held_for + 1
            self._last = action
            due = self._held_for - self._again
            if action is None or not (fresh or (due >= 0 and due % self._pace == 0)):
                return None
        elif action is None:
            action = self._idle()
        return np.asarray(action, self.action.dtype).reshape(self.action.shape)

    def _combo(self, held: Collection[str]) -> Any:
        fitting = sorted((combo for combo in self.keys.combos if combo and combo.issubset(held)), key=len)
        if self.action.kind != "multi" or not fitting:
            return self.keys.combos[fitting[-1]] if fitting else None
        # Each key moves its own entries; where two move the same one, the larger set of keys has the say.
        rest = (0,) * len(self.action.counts) if self.waits else self.keys.idle
        action = list(rest)
        for combo in fitting:
            action = [
                now if now != at else old for now, at, old in zip(self.keys.combos[combo], rest, action, strict=True)
            ]
        return tuple(action)

    def _idle(self) -> Any:
        if isinstance(self.keys.idle, str) and self.keys.idle == "alternate":
            self._turn = (self._turn + 1) % self.action.n
            return self._turn
        return self.keys.idle

    def _continuous(self, held: Collection[str], pointer: Pointer | None) -> np.ndarray:
        action = np.zeros(len(self.action.low), np.float32)
        for index, axis in enumerate(self.keys.axes):
            self._values[index] = self._ramp(axis, self._values[index], held)
            action[axis.index] = self._values[index]
        if pointer is not None:
            for axis, value in zip(self.keys.axes, (pointer.x, pointer.more, pointer.less), strict=False):
                action[axis.index] = axis.rest + (axis.high - axis.rest) * float(value)
        return np.clip(action, self.action.low, self.action.high).astype(np.float32)

    def _ramp(self, axis: Axis, value: float, held: Collection[str]) -> float:
        more, less = (any(key in held for key in keys) for keys in (axis.more, axis.less))
        target = axis.rest if more == less else axis.high if more else axis.low
        span = max(axis.high - axis.rest, axis.rest - axis.low)
        # Going back through rest is letting go first: the quicker of the two rates.
        leaving = (value - axis.rest) * (target - axis.rest) <= 0 and value != axis.rest
        step = span * self._tick * (axis.fall if leaving or target == axis.rest else axis.rise)
        return float(np.clip(target, value - step, value + step))


def _pointed(held: Collection[str], pointer: Pointer | None) -> Collection[str]:
    """A mouse in a discrete game presses the arrow keys."""
    if pointer is None:
        return held
    pressed = {"left"} if pointer.x < -0.3 else {"right"} if pointer.x > 0.3 else set()
    return set(held) | pressed | ({"up"} if pointer.more else set()) | ({"down"} if pointer.less else set())


class Latch:
    """Held keys for screens that are told only of presses (terminals have no key-up events).

    A press counts as held for a short moment, repeats prolong it, its opposite ends it. Sticky keys stay until their
    opposite is pressed: up once to go, down to let go, down again to brake.
    """

    def __init__(self, keys: GameKeys, clock: Callable[[], float]) -> None:
        self._sticky, self._opposites = keys.sticky, keys.opposites
        self._clock = clock
        self._until: dict[str, float] = {}

    def press(self, key: str) -> None:
        """A key event arrived."""
        now = self._clock()
        let_go = [other for other in self._opposites.get(key, ()) if self._until.pop(other, 0.0) > now]
        if any(other in self._sticky for other in let_go):
            return
        if key in self._sticky:
            self._until[key] = float("inf")
            return
        again = key in self._until and self._until[key] > now
        self._until[key] = now + (LATCH_SECONDS if again else FIRST_LATCH_SECONDS)

    def held(self) -> set[str]:
        """The keys that count as held now."""
        now = self._clock()
        self._until = {key: until for key, until in self._until.items() if until > now}
        return set(self._until)

    def clear(self) -> None:
        """Let go of everything."""
        self._until.clear()
