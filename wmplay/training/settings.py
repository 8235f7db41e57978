"""What one training run was asked to do, as plain data that lies beside its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from wmplay.core.devices import PRECISIONS
from wmplay.core.errors import UsageError, WmplayError

AGENTS = ("none", "evolution", "policy_gradient")
PLACES = ("dream", "game")
# A share of the budget for training the agent, when one is asked for; the rest is the world model's.
AGENT_SHARE = 0.4


@dataclass(frozen=True)
class Settings:
    """minutes or steps: the budget (steps: gradient steps of the world model, which makes a run repeatable).

    data: names of datasets to learn from; empty = the recipe collects `frames` rows by itself. agent: how the
    controller is trained, if at all, `agent_in` the dream or the game, for `agent_steps` generations or updates.
    phases: of the world model, those that are trained; empty = all. precision: `auto` measures. round: how often this
    slot's training was continued after it was done. checkpoint_every: seconds between checkpoints, which is what a kill
    can cost. command: what was typed for it.
    """

    minutes: float | None = None
    steps: int | None = None
    data: tuple[str, ...] = ()
    frames: int = 0
    held_out_frames: int = 0
    device: str = "auto"
    seed: int = 0
    agent: str = "none"
    agent_in: str = "dream"
    agent_steps: int = 0
    phases: tuple[str, ...] = ()
    precision: str = "auto"
    round: int = 0
    checkpoint_every: float = 15.0
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = []
        if (self.minutes is None) == (self.steps is None):
            problems.append("give either --minutes or --steps")
        if self.minutes is not None and not self.minutes > 0:
            problems.append(f"--minutes must be more than 0, not {self.minutes}")
        if self.steps is not None and self.steps < 1:
            problems.append(f"--steps must be at least 1, not {self.steps}")
        for name, value, known in (
            ("--agent", self.agent, AGENTS),
            ("--agent-in", self.agent_in, PLACES),
            ("--precision", self.precision, PRECISIONS),
        ):
            if value not in known:
                problems.append(f"{name} must be one of {', '.join(known)}, not {value!r}")
        if problems:
            raise UsageError(f"This training cannot start: {'; '.join(problems)}.")

    @property
    def seconds(self) -> float | None:
        """The time budget in seconds, or None when steps are counted."""
        return None if self.minutes is None else self.minutes * 60.0

    def to_json(self) -> dict[str, Any]:
        """As options of a job (core.jobs)."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """What `to_json` gave. Raises WmplayError if it came from another version of wmplay."""
        known = {field.name for field in fields(cls)}
        if not set(data) <= known:
            raise WmplayError("The settings of this run are of another version of wmplay; start the training anew.")
        return cls(**{**data, **{name: tuple(data.get(name, ())) for name in ("data", "phases", "command")}})
