"""Classes of one's own as strict Gymnasium envs: Gymnasium style, or the small style of three members.

Small style: `reset()` returns an image [3, H, W] (or [H, W, 3]), uint8 or float from 0 to 1; `step(int)` returns
(image, reward, done, info); `action_space` is the number of actions. A `seed(int)` method or a `seed` argument of
`reset` is used if there is one.
"""

import inspect
import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.adapters.blame import blame
from envs.errors import GameError


def adapt_instance(game: Any, name: str) -> gymnasium.Env[Any, Any]:
    """A strict env around an instance of somebody's class. Raises GameError with what it lacks."""
    for method in ("reset", "step"):
        inherited = isinstance(game, gymnasium.Env) and getattr(type(game), method) is getattr(gymnasium.Env, method)
        if inherited or not callable(getattr(game, method, None)):
            raise GameError(f"{name} has no method {method}().")
    if not hasattr(game, "action_space"):
        raise GameError(f"{name} has no action_space; make it a number of actions or a gymnasium.spaces space.")
    actions = game.action_space
    if isinstance(actions, spaces.Space):
        if not isinstance(getattr(game, "observation_space", None), spaces.Space):
            raise GameError(f"{name} has a Gymnasium action_space but no gymnasium.spaces observation_space.")
        wanted = inspect.signature(game.reset).parameters
        if not {"seed", "options"} <= set(wanted) and not any(p.kind == p.VAR_KEYWORD for p in wanted.values()):
            raise GameError(f"{name}.reset() must take seed and options: def reset(self, *, seed=None, options=None).")
        return CheckedGame(game, name)
    if type(actions).__module__.startswith("gym."):
        raise GameError(f"{name} is written for the old gym; use `import gymnasium as gym` in it.")
    if isinstance(actions, (bool, np.bool_)) or not isinstance(actions, (int, np.integer)):
        seen = "a method" if inspect.ismethod(actions) else repr(actions)
        raise GameError(f"{name}.action_space is {seen}; make it a number of actions or a gymnasium.spaces space.")
    if actions < 1:
        raise GameError(f"{name}.action_space is {actions}; there must be at least one action.")
    return SmallGame(game, name)


def check_outcome(name: str, reward: Any, info: Any, **flags: Any) -> tuple[float, dict[str, Any]]:
    """The reward as a float and the info, or GameError if a part of what step() returned cannot be meant."""
    try:
        value = float(reward)
    except (TypeError, ValueError) as why:
        raise GameError(f"{name}.step() returned the reward {reward!r}; it must be a number.") from why
    if not math.isfinite(value):
        raise GameError(f"{name}.step() returned the reward {value}; it must be finite.")
    for what, flag in flags.items():
        if not isinstance(flag, (bool, np.bool_)) and not (np.ndim(flag) == 0 and flag in (0, 1)):
            raise GameError(f"{name}.step() returned {what} = {flag!r}; it must be True or False.")
    if not isinstance(info, dict):
        raise GameError(f"{name}.step() returned an info of type {type(info).__name__}; it must be a dict.")
    return value, info


class SmallGame(gymnasium.Env[NDArray[np.uint8], Any]):
    """The small style as a Gymnasium env: uint8 [H, W, 3], Discrete, `done` as `terminated`."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012

    def __init__(self, game: Any, name: str) -> None:
        self.game, self.name = game, name
        self._shape: tuple[int, ...] | None = None
        self.render_mode = "rgb_array"
        self.action_space = spaces.Discrete(int(game.action_space))
        parameters = inspect.signature(game.reset).parameters
        self._takes_seed = "seed" in parameters
        self._frame = self._reset(None)  # the class says nowhere how large its images are
        self.observation_space = spaces.Box(0, 255, self._frame.shape, np.uint8)

    def _reset(self, seed: int | None) -> NDArray[np.uint8]:
        with blame(f"{self.name}.reset()"):
            if seed is not None and not self._takes_seed and callable(getattr(self.game, "seed", None)):
                self.game.seed(seed)
            image = self.game.reset(seed=seed) if self._takes_seed else self.game.reset()
        if isinstance(image, tuple):
            raise GameError(
                f"{self.name}.reset() returned a tuple; with a number as action_space it returns the image alone. "
                "(For Gymnasium style make action_space a gymnasium.spaces space.)"
            )
        return self._picture(image, "reset()")

    def _picture(self, image: Any, where: str) -> NDArray[np.uint8]:
        """uint8 [H, W, 3] from what the game returned, or GameError."""
        with blame(f"reading the image that {self.name}.{where} returned"):
            array = np.asarray(image)
        says = f"{self.name}.{where} returned an image"
        if array.ndim != 3 or (array.shape[0] not in (1, 3) and array.shape[2] not in (1, 3)):
            raise GameError(f"{says} of shape {list(array.shape)}; it must be [3, 64, 64] (or [64, 64, 3]).")
        if array.dtype.kind not in "uifb":
            raise GameError(f"{says} of dtype {array.dtype}; it must be uint8, or float from 0 to 1.")
        if array.dtype != np.uint8:
            low, high = float(array.min()), float(array.max())
            top = 1.0 if array.dtype.kind == "f" else 255.0
            if not (low >= -1e-3 and high <= top + 1e-3):  # also catches NaN
                raise GameError(f"{says} with values from {low:g} to {high:g}; it must be uint8, or float from 0 to 1.")
            array = np.rint(np.clip(array, 0, top) * (255.0 / top)).astype(np.uint8)
        if array.shape[0] in (1, 3):
            array = array.transpose(1, 2, 0)
        array = np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))
        if min(array.shape[:2]) < 8:
            raise GameError(f"{says} of {array.shape[0]}×{array.shape[1]} pixels; it must be at least 8×8.")
        if self._shape is not None and array.shape != self._shape:
            raise GameError(f"{says} of {array.shape[:2]} pixels; those before had {self._shape[:2]}.")
        self._shape = array.shape
        return array

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        super().reset(seed=seed, options=options)
        self._frame = self._reset(seed)
        return self._frame, {}

    def step(self, action: Any) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        with blame(f"{self.name}.step({int(action)})"):
            result = self.game.step(int(action))
        if not isinstance(result, (tuple, list)) or len(result) != 4:
            count = len(result) if isinstance(result, (tuple, list)) else 1
            raise GameError(
                f"{self.name}.step() returned {count} values; with a number as action_space it returns four: "
                "image, reward, done, info. (For Gymnasium style make action_space a gymnasium.spaces space.)"
            )
        image, reward, done, info = result
        value, info = check_outcome(self.name, reward, info, done=done)
        self._frame = self._picture(image, "step()")
        return self._frame, value, bool(done), False, info

    def render(self) -> Any:
        """The newest image, uint8 [H, W, 3]."""
        return self._frame

    def close(self) -> None:
        _close(self.game, self.name)


class CheckedGame(gymnasium.Env[Any, Any]):
    """A class in Gymnasium style (a subclass of gymnasium.Env or not), everything it returns being checked."""

    def __init__(self, game: Any, name: str) -> None:
        self.game, self.name = game, name
        self.action_space, self.observation_space = game.action_space, game.observation_space
        self.metadata = {"render_modes": [], **getattr(game, "metadata", {})}
        self.render_mode = getattr(game, "render_mode", None)

    def _observed(self, observation: Any, where: str) -> Any:
        if self.observation_space.contains(observation):
            return observation
        raise GameError(
            f"{self.name}.{where} returned an observation ({_in_words(observation)}) that is not in its "
            f"observation_space {self.observation_space}."
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        with blame(f"{self.name}.reset()"):
            result = self.game.reset(seed=seed, options=options)
        if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], dict):
            raise GameError(f"{self.name}.reset() must return two values: the observation and an info dict.")
        return self._observed(result[0], "reset()"), result[1]

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        with blame(f"{self.name}.step({action})"):
            result = self.game.step(action)
        if not isinstance(result, tuple) or len(result) != 5:
            count = len(result) if isinstance(result, tuple) else 1
            raise GameError(
                f"{self.name}.step() returned {count} values; Gymnasium's step returns five: observation, reward, "
                "terminated, truncated, info. (For the small style make action_space a number.)"
            )
        observation, reward, terminated, truncated, info = result
        value, info = check_outcome(self.name, reward, info, terminated=terminated, truncated=truncated)
        return self._observed(observation, "step()"), value, bool(terminated), bool(truncated), info

    def render(self) -> Any:
        with blame(f"{self.name}.render()"):
            return self.game.render()

    def close(self) -> None:
        _close(self.game, self.name)


def _close(game: Any, name: str) -> None:
    if callable(getattr(game, "close", None)):
        with blame(f"{name}.close()"):
            game.close()


def _in_words(observation: Any) -> str:
    """An observation by its dtype, shape and values; anything else as Python writes it."""
    if not isinstance(observation, np.ndarray) or observation.size == 0 or observation.dtype.kind not in "uifb":
        return repr(observation)[:80]
    kind = f"{observation.dtype} {list(observation.shape)}"
    if not np.isfinite(observation).all():
        return f"{kind} with values that are not finite"
    return f"{kind} with values from {observation.min():g} to {observation.max():g}"
