"""The strict face of any game: a uint8 frame or a float32 vector, simple actions, finite rewards, true booleans."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.adapters.actions import adapt_actions
from envs.adapters.blame import blame
from envs.adapters.pictures import picture_reader, resize
from envs.errors import GameError

View = Literal["picture", "render", "vector"]


@dataclass(frozen=True)
class GameInfo:
    """A game in plain words: `observation` is "frame" or "vector", `actions` such as "Discrete(4)" or "Box(3)"."""

    id: str
    title: str
    observation: str
    actions: str
    frame: tuple[int, int]
    fps: int


def best_view(env: gymnasium.Env[Any, Any], wanted: str, name: str) -> View:
    """How to observe a game. wanted: `auto` (a picture, else its own drawing, else numbers), `frame` or `vector`."""
    if wanted not in ("auto", "frame", "vector"):
        raise GameError(f"observation is {wanted!r}; choose auto, frame or vector.")
    pictures = _picture_part(env.observation_space) is not None
    draws = "rgb_array" in (env.metadata.get("render_modes") or ())
    numbers = _is_numbers(env.observation_space)
    if wanted != "vector" and pictures:
        return "picture"
    if wanted != "vector" and draws:
        return "render"
    if wanted != "frame" and numbers:
        return "vector"
    shown = env.observation_space
    raise GameError(
        f"{name} shows {shown}, which is no {'picture' if wanted != 'vector' else 'vector'}; it draws none."
    )


def _is_numbers(space: spaces.Space[Any]) -> bool:
    """Whether observations can be laid out as one vector; spaces of somebody's own often cannot say."""
    try:
        return space.is_np_flattenable
    except NotImplementedError:
        return False


def _picture_part(space: spaces.Space[Any]) -> tuple[str | None, Callable[[Any], NDArray[np.uint8]]] | None:
    """Where the picture is in an observation (a key of a Dict, or None for all of it) and how to read it."""
    reader = picture_reader(space)
    if reader is not None:
        return None, reader
    if isinstance(space, spaces.Dict):
        usual = [key for key in ("image", "rgb", "pixels", "observation") if key in space.spaces]
        for key in (*usual, *space.spaces):
            reader = picture_reader(space.spaces[key])
            if reader is not None:
                return key, reader
    return None


class AdaptedGame(gymnasium.Wrapper[Any, Any, Any, Any], gymnasium.utils.RecordConstructorArgs):
    """Any env behind the strict face; made by `make_game`.

    Observation: uint8 [size, size, 3], or float32 [S]. `frame()` is the newest picture in either case (None where the
    game draws none). `game_action` turns an action of this env into the game's own. A reward that is not finite, or any
    error inside the game, is raised as GameError.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], name: str, view: View, size: int) -> None:
        gymnasium.utils.RecordConstructorArgs.__init__(self, name=name, view=view, size=size)
        gymnasium.Wrapper.__init__(self, env)
        self.name, self.view, self.size = name, view, size
        self.action_space, self.game_action = adapt_actions(env.action_space, name)
        self._part = _picture_part(env.observation_space) if view == "picture" else None
        self._picture: NDArray[np.uint8] | None = None
        if view == "vector":
            self.observation_space = _vector_space(env.observation_space)
        else:
            self.observation_space = spaces.Box(0, 255, (size, size, 3), np.uint8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        with blame(f"{self.name}.reset()"):
            observation, info = self.env.reset(seed=seed, options=options)
        return self._see(observation), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        with blame(f"{self.name}.step({action})"):
            observation, reward, terminated, truncated, info = self.env.step(self.game_action(action))
        value = float(reward)
        if not math.isfinite(value):
            raise GameError(f"{self.name}.step() returned the reward {value}; it must be finite.")
        return self._see(observation), value, bool(terminated), bool(truncated), info

    def _see(self, observation: Any) -> NDArray[Any]:
        if self.view == "vector":
            flat = spaces.flatten(self.env.observation_space, observation)
            vector = np.asarray(flat, dtype=np.float32).ravel()
            if not np.isfinite(vector).all():
                raise GameError(f"{self.name} returned an observation with values that are not finite.")
            return vector
        self._picture = self._drawn() if self._part is None else self._read(observation)
        return resize(self._picture, self.size)

    def _read(self, observation: Any) -> NDArray[np.uint8]:
        assert self._part is not None
        key, reader = self._part
        return reader(observation if key is None else observation[key])

    def _drawn(self) -> NDArray[np.uint8]:
        """The game's own drawing, uint8 [H, W, 3]."""
        with blame(f"{self.name}.render()"):
            picture = self.env.render()
        picture = picture[-1] if isinstance(picture, list) and picture else picture
        if not isinstance(picture, np.ndarray):
            hint = " (does it look at render_mode?)" if picture is None else ""
            raise GameError(f"{self.name}.render() returned {type(picture).__name__}, no picture [H, W, 3]{hint}.")
        if picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.dtype.kind not in "ui":
            seen = f"{picture.dtype} {list(picture.shape)}"
            raise GameError(f"{self.name}.render() returned {seen}; a picture is uint8 [H, W, 3] from 0 to 255.")
        return np.ascontiguousarray(picture[..., :3]).astype(np.uint8, copy=False)

    def frame(self) -> NDArray[np.uint8] | None:
        """The newest picture, uint8 [size, size, 3]; None if the game shows numbers only and draws nothing."""
        if self.view == "vector":
            return resize(self._drawn(), self.size) if self.env.render_mode == "rgb_array" else None
        return None if self._picture is None else resize(self._picture, self.size)

    def render(self) -> Any:
        """The game's own drawing, or the newest picture where it was made without a render mode."""
        if self.view == "picture" and self.env.render_mode is None:
            return self._picture
        return self._picture if self.view == "render" else super().render()

    @property
    def game_info(self) -> GameInfo:
        """The game in plain words."""
        return describe(self, self.name)


def describe(env: gymnasium.Env[Any, Any], name: str) -> GameInfo:
    """GameInfo of an env that `make_game` made."""
    space = env.observation_space
    frame = space.shape is not None and len(space.shape) == 3
    actions = env.action_space
    text = f"Box({actions.shape[0]})" if isinstance(actions, spaces.Box) and actions.shape else str(actions)
    fps = env.metadata.get("render_fps") or 30
    title = name.rpartition(":")[2].rpartition("/")[2]
    size = space.shape[:2] if frame and space.shape is not None else (64, 64)
    return GameInfo(name, title, "frame" if frame else "vector", text, (int(size[0]), int(size[1])), int(fps))


def _vector_space(space: spaces.Space[Any]) -> spaces.Box:
    """The flat float32 Box of any space of numbers."""
    flat = spaces.flatten_space(space)
    assert isinstance(flat, spaces.Box)
    return spaces.Box(flat.low.ravel().astype(np.float32), flat.high.ravel().astype(np.float32), dtype=np.float32)
