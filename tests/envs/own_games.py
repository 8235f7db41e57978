"""Games as users write them, right and wrong, for the tests of the adapters."""

from typing import Any

import gymnasium
import numpy as np


class Small:
    """The small style: an image [3, 64, 64], four values, a number of actions."""

    action_space = 3

    def __init__(self, speed: int = 1) -> None:
        self.speed = speed

    def reset(self) -> Any:
        self.x = 10
        return self.image()

    def image(self) -> Any:
        picture = np.zeros((3, 64, 64), np.float32)
        picture[0, 28:36, self.x : self.x + 8] = 1.0
        return picture

    def step(self, action: int) -> Any:
        self.x = int(np.clip(self.x + (action - 1) * self.speed, 0, 56))
        return self.image(), float(self.x == 56), self.x == 56, {"x": self.x}


class Seeded(Small):
    """A small one that can be seeded."""

    def seed(self, seed: int) -> None:
        self.start = seed % 40

    def reset(self) -> Any:
        self.x = getattr(self, "start", 0)
        return self.image()


class Full(gymnasium.Env[Any, Any]):
    """Gymnasium style: a grey picture, two action numbers."""

    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012
    action_space: Any = gymnasium.spaces.MultiDiscrete([3, 2])
    observation_space: Any = gymnasium.spaces.Box(0, 1, (80, 96), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.taken: list[Any] = []
        return self.look(), {}

    def look(self) -> Any:
        return self.np_random.random((80, 96), np.float32)

    def step(self, action: Any) -> Any:
        self.taken.append(action)
        return self.look(), 1, False, False, {}


class Numbers(Full):
    """Numbers instead of a picture, and a bounded Box to steer with."""

    action_space = gymnasium.spaces.Box(-2, np.inf, (2,), np.float64)
    observation_space = gymnasium.spaces.Dict(
        a=gymnasium.spaces.Box(-1, 1, (3,)), b=gymnasium.spaces.Discrete(2, start=5)
    )

    def look(self) -> Any:
        return {"a": np.array([0.5, -0.5, 1.0], np.float32), "b": np.int64(6)}


class Duck:
    """Gymnasium style without the base class."""

    action_space = gymnasium.spaces.Discrete(2, start=1)
    observation_space = gymnasium.spaces.Box(0, 255, (32, 32, 3), np.uint8)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        return np.full((32, 32, 3), 7, np.uint8), {}

    def step(self, action: int) -> Any:
        return np.full((32, 32, 3), action, np.uint8), 0.0, False, False, {}


class FlatImage(Small):
    def image(self) -> Any:
        return np.zeros((64, 64))


class WideRange(Small):
    def image(self) -> Any:
        return np.full((3, 64, 64), 200.0)


class NotANumber(Small):
    def step(self, action: int) -> Any:
        return self.image(), float("nan"), False, {}


class TextReward(Small):
    def step(self, action: int) -> Any:
        return self.image(), "one", False, {}


class FiveValues(Small):
    def step(self, action: int) -> Any:
        return self.image(), 0.0, False, False, {}


class PairFromReset(Small):
    def reset(self) -> Any:
        return super().reset(), {}


class TextDone(Small):
    def step(self, action: int) -> Any:
        return self.image(), 0.0, "no", {}


class NoInfo(Small):
    def step(self, action: int) -> Any:
        return self.image(), 0.0, False, None


class Crash(Small):
    def step(self, action: int) -> Any:
        return 1 / 0


class Shrinks(Small):
    def step(self, action: int) -> Any:
        return np.zeros((3, 32, 32)), 0.0, False, {}


class NoActions:
    def reset(self) -> Any:
        return None

    def step(self, action: int) -> Any:
        return None


class NoStep:
    action_space = 2

    def reset(self) -> Any:
        return None


class TextActions(Small):
    action_space = "left"  # type: ignore[assignment]


class ZeroActions(Small):
    action_space = 0


class WantsArgument(Small):
    def __init__(self, level: int) -> None:
        super().__init__(level)


class FourValues(Full):
    def step(self, action: Any) -> Any:
        return self.look(), 1, False, {}


class Outside(Full):
    def step(self, action: Any) -> Any:
        return np.full((80, 96), 7, np.float32), 1, False, False, {}


class OneFromReset(Full):
    def reset(self, **_: Any) -> Any:
        return np.zeros((80, 96), np.float32)


class NestedActions(Full):
    action_space = gymnasium.spaces.Dict(a=gymnasium.spaces.Discrete(2))


class NoObservationSpace:
    action_space = gymnasium.spaces.Discrete(2)
    reset = step = Small.step


class WithKeys(Small):
    def get_keys_to_action(self) -> Any:
        return {"j": 0, "left": 2, (ord(" "),): 1}

    def get_action_meanings(self) -> list[str]:
        return ["GO_WEST", "STAY", "FIRE"]


class WithMeanings(Small):
    action_meanings = ("go west", "stay", "go east")


class WrongKeys(Small):
    def get_keys_to_action(self) -> Any:
        return {"a": 0, "b": 7}


class NoneKeys(Small):
    def get_keys_to_action(self) -> Any:
        return None


class Draws(gymnasium.Env[Any, Any]):
    """Numbers to learn from, a picture to look at, drawn as Gymnasium's own games do it."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
    picture: Any = np.full((80, 100, 3), 9, np.uint8)

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(3, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.zeros(3, np.float32), 0.0, False, False, {}

    def render(self) -> Any:
        return self.picture if self.render_mode == "rgb_array" else None


class DrawsFloats(Draws):
    picture = np.full((80, 100, 3), 0.5)


class DrawsNothing(Draws):
    picture = None


class NanSeen(Draws):
    metadata = {"render_modes": []}  # noqa: RUF012

    def reset(self, **_: Any) -> Any:
        return np.full(3, np.nan, np.float32), {}


class NoSeed(Draws):
    def reset(self) -> Any:  # type: ignore[override]
        return np.zeros(3, np.float32), {}


class Inherited(gymnasium.Env[Any, Any]):
    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)

    def reset(self, **_: Any) -> Any:
        return np.zeros(3, np.float32), {}


class Leaves(Small):
    def step(self, action: int) -> Any:
        raise SystemExit(3)


class MethodActions(Small):
    def action_space(self) -> int:  # type: ignore[override]
        return 3


value = 3
