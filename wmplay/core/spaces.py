"""What a game shows and what it accepts, as plain data that fits into JSON, without torch or gymnasium.

NumPy is loaded where an array is asked for: `wmplay --help` and the dashboard's first paint come without it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class ObservationSpec:
    """A game's observation: a picture (uint8 [H, W, 3]) or a vector (float32 [S]).

    `low` and `high` bound a vector's entries as the game's space states them (may be infinite); empty for frames.
    """

    kind: Literal["frame", "vector"]
    shape: tuple[int, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Storage dtype: uint8 for frames, float32 for vectors."""
        import numpy as np

        return np.dtype(np.uint8 if self.kind == "frame" else np.float32)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ObservationSpec:
        return cls(data["kind"], tuple(data["shape"]), tuple(data.get("low", ())), tuple(data.get("high", ())))


@dataclass(frozen=True)
class ActionSpec:
    """A game's action: `discrete` (int64 scalar in [0, n)), `box` (bounded float32 [A]) or `multi` (int64 [A])."""

    kind: Literal["discrete", "box", "multi"]
    n: int = 0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Storage dtype: float32 for box, int64 otherwise."""
        import numpy as np

        return np.dtype(np.float32 if self.kind == "box" else np.int64)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one action as it is stored and passed to `env.step`."""
        return () if self.kind == "discrete" else (len(self.low) if self.kind == "box" else len(self.counts),)

    @property
    def width(self) -> int:
        """Length of the action as a network reads it: one-hot for discrete and multi, scaled to [-1, 1] for box."""
        return {"discrete": self.n, "box": len(self.low), "multi": sum(self.counts)}[self.kind]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ActionSpec:
        return cls(
            data["kind"],
            int(data.get("n", 0)),
            tuple(data.get("low", ())),
            tuple(data.get("high", ())),
            tuple(data.get("counts", ())),
        )

    def __str__(self) -> str:
        if self.kind == "discrete":
            return f"Discrete({self.n})"
        return f"Box({len(self.low)})" if self.kind == "box" else f"MultiDiscrete({list(self.counts)})"


def space_of(spaces: Any, spec: ObservationSpec | ActionSpec) -> Any:
    """The Gymnasium space of a spec; `spaces` is the module gymnasium.spaces, which this room does not import."""
    import numpy as np

    if isinstance(spec, ObservationSpec):
        if spec.kind == "frame":
            return spaces.Box(0, 255, spec.shape, np.uint8)
        low = np.array(spec.low or [-np.inf] * spec.shape[0], np.float32)
        high = np.array(spec.high or [np.inf] * spec.shape[0], np.float32)
        return spaces.Box(low, high, dtype=np.float32)
    if spec.kind == "discrete":
        return spaces.Discrete(spec.n)
    if spec.kind == "multi":
        return spaces.MultiDiscrete(np.array(spec.counts))
    return spaces.Box(np.array(spec.low, np.float32), np.array(spec.high, np.float32), dtype=np.float32)
