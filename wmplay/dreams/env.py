"""A dream as a `gymnasium.Env`: the spaces of its game, rewards and ends as the world model predicts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import gymnasium
import numpy as np

from wmplay import games
from wmplay.core.errors import UsageError
from wmplay.dreams.dreamer import Dreamer, Snapshot, Tempered
from wmplay.dreams.follow import Follower
from wmplay.dreams.load import load_contexts, load_world, slot_info


class DreamSnapshot(NamedTuple):
    """A moment of a dream: the engine's snapshot, the number of steps taken, the observation shown."""

    dream: Snapshot
    steps: int
    observation: np.ndarray


class DreamEnv(Tempered, gymnasium.Env):
    """One dream of a slot, `gymnasium.make("wmplay/Dream-v0", slot=...)`.

    slot: name or folder. horizon: steps until `truncated` (None takes the game's). temperature: noise of the dream;
    `env.unwrapped.temperature` may be set mid-episode. `reset(options={"context": i})` starts from the slot's i-th
    held-out segment, or from a dict of real rows `observation` [C, ...] and `action` [C, ...].
    follow: a reset takes up the slot's newer weights while it trains; False keeps those that were loaded.
    Infos carry `end_probability` (float) and `context` (int, −1 for rows of one's own); those of a reset also
    `model_steps` (training steps behind the model) and `news`, a sentence where the slot has changed.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 25}  # type: ignore[misc]

    def __init__(
        self,
        slot: str | Path,
        horizon: int | None = None,
        temperature: float = 1.0,
        device: str = "auto",
        render_mode: str | None = None,
        follow: bool = True,
    ) -> None:
        if horizon is not None and horizon < 1:
            raise UsageError(f"The horizon is {horizon}; a dream needs at least one step.")
        info = slot_info(slot)
        game = games.of_slot(info)
        world = load_world(info, device)
        self.slot, self.game = info.name, game
        self.dreamer = Dreamer(world, load_contexts(info), device)
        self._follower, self._follow = Follower(info, device), follow
        self.temperature = temperature
        self.horizon = horizon or game.horizon
        self.render_mode = render_mode
        self.metadata = {**type(self).metadata, "render_fps": game.fps}  # type: ignore[misc]
        self.observation_space = games.to_space(world.observation)
        self.action_space = games.to_space(world.action)
        self._action_type = world.action.dtype
        self._steps = 0
        self._context = -1
        self._seen = np.zeros(world.observation.shape, world.observation.dtype)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        newer = self._follower.newer() if self._follow else None
        if newer is not None:
            self.dreamer.renew(newer.world, newer.contexts)
        chosen = (options or {}).get("context")
        self.dreamer.seed(int(self.np_random.integers(2**62)))
        if isinstance(chosen, dict):
            self._context = -1
            self.dreamer.begin(_rows(chosen, self.dreamer))
        else:
            self._context = int(self.np_random.integers(self.dreamer.choices)) if chosen is None else int(chosen)
            self.dreamer.reset(1, [self._context])
        self._steps = 0
        self._seen = self.dreamer.observe()[0]
        about = {"model_steps": self._follower.steps, "news": self._follower.news}
        return self._seen.copy(), {"end_probability": 0.0, "context": self._context, **about}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        taken = np.asarray(action, self._action_type)
        if not self.action_space.contains(taken if taken.shape else taken[()]):
            raise ValueError(f"the action {action!r} is not in {self.action_space}")
        reward, probability = self.dreamer.step(taken[None])
        self._steps += 1
        self._seen = self.dreamer.observe()[0]
        info = {"end_probability": float(probability[0]), "context": self._context}
        terminated = bool(self.dreamer.ended(probability)[0])
        return self._seen.copy(), float(reward[0]), terminated, self._steps >= self.horizon, info

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """The dream's newest picture, uint8 [H, W, 3]; None without a render mode."""
        return self.frame() if self.render_mode == "rgb_array" else None

    def frame(self) -> np.ndarray:
        """What the dreamer sees now, uint8 [H, W, 3]; decoded once a step."""
        return self._seen.copy() if self._seen.ndim == 3 else self.dreamer.frames()[0]

    def update(self, action: Any, observation: np.ndarray, first: bool = False) -> np.ndarray:
        """Re-synchronise with one real step; returns what the dream then shows."""
        taken = np.asarray(action, self._action_type)[None]
        self.dreamer.update(taken, observation[None], np.array([first]))
        self._seen = self.dreamer.observe()[0]
        return self._seen.copy()

    def snapshot(self) -> DreamSnapshot:
        """This moment, to come back to."""
        return DreamSnapshot(self.dreamer.snapshot(), self._steps, self._seen)

    def restore(self, snapshot: DreamSnapshot) -> np.ndarray:
        """Come back to that moment; returns its observation."""
        self.dreamer.restore(snapshot.dream)
        self._steps, self._seen = snapshot.steps, snapshot.observation
        return self._seen.copy()


def _rows(given: dict[str, Any], dreamer: Dreamer) -> dict[str, np.ndarray]:
    """A user's real rows as arrays with a batch axis; what is not given is filled in. Raises UsageError."""
    world = dreamer.world
    if "observation" not in given or "action" not in given:
        raise UsageError("A context needs at least the arrays `observation` [C, ...] and `action` [C, ...].")
    seen = np.asarray(given["observation"], world.observation.dtype)
    acts = np.asarray(given["action"], world.action.dtype)
    rows = len(seen)
    if seen.shape != (rows, *world.observation.shape) or acts.shape != (rows, *world.action.shape) or rows < 1:
        raise UsageError(
            f"A context needs observations [C, {', '.join(map(str, world.observation.shape))}] and as many actions; "
            f"these are {seen.shape} and {acts.shape}."
        )
    blank = np.zeros(rows, bool)
    filled = {
        "observation": seen,
        "action": acts,
        "reward": np.asarray(given.get("reward", np.zeros(rows)), np.float32),
        "terminated": np.asarray(given.get("terminated", blank), bool),
        "first": np.asarray(given.get("first", blank), bool),
    }
    return {name: array[None] for name, array in filled.items()}
