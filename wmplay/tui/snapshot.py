"""What the dashboard knows at one moment, as immutable plain data: the only thing the screen is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["game", "job", "slot"]
Light = Literal["ok", "look", "bad", "unknown", "examining"]
TaskState = Literal["running", "done", "failed", "ended"]
ACTIVE = ("queued", "running", "paused")


@dataclass(frozen=True)
class Subject:
    """What is selected: a game by its short name, a job by its id, a slot by its name."""

    kind: Kind
    key: str


@dataclass(frozen=True)
class GameRow:
    """A game or a saved variant of one."""

    short: str
    id: str
    title: str
    observation: str
    actions: str
    fps: int
    players: tuple[str, ...] = ()
    expert: str | None = None
    family: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetRow:
    """Recorded episodes of one game; `game` is the slug of the game's folder."""

    name: str
    game: str
    steps: int
    episodes: int
    size_bytes: int
    held_out: bool = False
    why: str = ""


@dataclass(frozen=True)
class JobRow:
    """One stretch of training and how it stands; times are seconds since the epoch, `progress` is in [0, 1]."""

    id: str
    slot: str
    game: str
    family: str
    state: str
    phase: str = ""
    phase_index: int = 0
    phases: int = 0
    progress: float = 0.0
    message: str = ""
    last_error: str = ""
    device: str = ""
    seconds_left: float | None = None
    frames_per_second: float | None = None
    started: float = 0.0
    updated: float = 0.0


@dataclass(frozen=True)
class SlotRow:
    """A saved world model; a broken one has `ok` False and says `why`."""

    name: str
    game: str = ""
    family: str = ""
    preset: str = ""
    steps: int = 0
    updated: float = 0.0
    size_bytes: int = 0
    trained: bool = True
    ok: bool = True
    why: str = ""
    shipped: bool = False
    has_agent: bool = False
    lineage: str = ""
    path: str = ""
    weights: str = ""  # sha256 of the weights
    figures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TaskRow:
    """A command the dashboard started and that takes its time: collecting, evaluating, a window."""

    id: str
    title: str
    state: TaskState
    started: float
    last_line: str = ""
    pid: int = 0


@dataclass(frozen=True)
class RunEvent:
    """Something a run has told: seconds since the epoch, level (info, warning, error) and a sentence."""

    slot: str
    time: float
    level: str
    text: str
    at_work: bool = True


@dataclass(frozen=True)
class Curve:
    """One metric in buckets: step, smallest, largest and mean value of each, float [N]; one phase of training."""

    name: str
    x: np.ndarray
    low: np.ndarray
    high: np.ndarray
    phase: str
    mean: np.ndarray


@dataclass(frozen=True)
class Clip:
    """A moving picture: frames uint8 [K, H, W, 3] and its rate in frames per second."""

    frames: np.ndarray
    fps: float = 6.0


@dataclass(frozen=True)
class Health:
    """The model doctor's verdict on a slot. `current` False: on weights that were replaced since."""

    light: Light
    sentence: str
    remedy: str = ""
    current: bool = True


@dataclass(frozen=True)
class Detail:
    """More about the selected subject. Equal `version`s mean equal content: nothing to draw."""

    subject: Subject
    version: tuple[Any, ...] = ()
    curves: tuple[Curve, ...] = ()
    strip: np.ndarray | None = None  # uint8 [3, K, H, W, 3]: real, dream, difference
    clip: Clip | None = None
    table: tuple[tuple[str, ...], ...] = ()  # the report card's figures, header first
    health: Health | None = None


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment. `problems` are sentences about what could not be read."""

    games: tuple[GameRow, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    slots: tuple[SlotRow, ...] = ()
    datasets: tuple[DatasetRow, ...] = ()
    tasks: tuple[TaskRow, ...] = ()
    events: tuple[RunEvent, ...] = ()
    problems: tuple[str, ...] = ()
    detail: Detail | None = None
    home: str = ""

    def game(self, name: str) -> GameRow | None:
        """The game with this short name or id."""
        return next((row for row in self.games if name in (row.short, row.id)), None)

    def job(self, key: str) -> JobRow | None:
        """The job with this id."""
        return next((row for row in self.jobs if row.id == key), None)

    def slot(self, name: str) -> SlotRow | None:
        """The slot with this name."""
        return next((row for row in self.slots if row.name == name), None)

    def job_of(self, slot: str) -> JobRow | None:
        """The slot's newest job."""
        return max((row for row in self.jobs if row.slot == slot), key=lambda row: row.started, default=None)

    def exists(self, subject: Subject) -> bool:
        """Whether the subject is still there."""
        return {"game": self.game, "job": self.job, "slot": self.slot}[subject.kind](subject.key) is not None


class Reader(Protocol):
    """Reads the state for the dashboard; called from one thread only. Tests inject their own."""

    def read(self, focus: Subject | None) -> Snapshot:
        """The state now, with details of what is selected."""

    def close(self) -> None:
        """Let go of files and connections."""
