"""What a filled-in form means: the wmplay command it starts, or what is wrong with it, in plain words."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass

from wmplay.core.catalog import FAMILIES
from wmplay.core.errors import UsageError
from wmplay.core.paths import check_name
from wmplay.tui.snapshot import ACTIVE, Snapshot

PRESET_HINTS = {"tiny": "tiny: seconds, to try", "small": "small: minutes on a CPU", "base": "base: for a GPU"}
_OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=.+")


@dataclass(frozen=True)
class TrainPlan:
    """The training form as it is filled in."""

    game: str
    family: str
    preset: str
    slot: str
    amount: str
    unit: str  # "minutes" or "steps"
    data: str = ""  # "" collects new data
    device: str = "auto"
    overrides: str = ""

    def problems(self, state: Snapshot) -> list[str]:
        """Everything that is wrong, at once."""
        found = []
        game = state.game(self.game)
        if not self.game:
            found.append("Choose a game.")
        entry = next((entry for entry in FAMILIES if entry.name == self.family), None)
        if entry is None:
            found.append("Choose a family.")
        elif game is not None and game.observation and game.observation not in entry.observations:
            found.append(
                f"{entry.name} learns from {' or '.join(entry.observations)}s; {game.title} shows a {game.observation}."
            )
        found += name_problems(self.slot, "slot")
        if not found and (job := state.job_of(self.slot)) is not None and job.state in ACTIVE:
            found.append(f"{self.slot} is being trained already.")
        elif self.slot and state.slot(self.slot) is not None:
            found.append(f"There is a slot {self.slot} already; take another name (f trains it further).")
        found += amount_problems(self.amount, self.unit)
        found += override_problems(self.overrides)
        return found

    def args(self) -> tuple[str, ...]:
        """The command line after `wmplay`."""
        line = ["train", self.game, "--family", self.family, "--slot", self.slot, "--preset", self.preset]
        line += [f"--{self.unit}", self.amount.strip()]
        if self.data:
            line += ["--data", self.data]
        if self.device != "auto":
            line += ["--device", self.device]
        for override in split_overrides(self.overrides):
            line += ["--set", override]
        return tuple(line)


@dataclass(frozen=True)
class CollectPlan:
    """The collecting form as it is filled in."""

    game: str
    steps: str
    player: str
    name: str

    def problems(self) -> list[str]:
        """Everything that is wrong, at once."""
        found = [] if self.game else ["Choose a game."]
        return found + amount_problems(self.steps, "steps") + name_problems(self.name, "dataset")

    def args(self) -> tuple[str, ...]:
        """The command line after `wmplay`."""
        line = ["collect", self.game, "--steps", self.steps.strip(), "--name", self.name]
        return (*line, "--agent", self.player) if self.player else tuple(line)


def name_problems(name: str, what: str) -> list[str]:
    """What is wrong with a name."""
    if not name:
        return [f"Give the {what} a name."]
    try:
        check_name(name, what)
    except UsageError as error:
        return [str(error)]
    return []


def amount_problems(amount: str, unit: str) -> list[str]:
    """What is wrong with a number of minutes or steps."""
    try:
        value = float(amount) if unit == "minutes" else int(amount)
    except ValueError:
        kind = "a number, like 15" if unit == "minutes" else "a whole number, like 20000"
        return [f"{unit.capitalize()} must be {kind}."]
    return [] if value > 0 and math.isfinite(value) else [f"{unit.capitalize()} must be more than 0."]


def split_overrides(text: str) -> list[str]:
    """`a=1 b="x y"` as its parts; ValueError where a quote is left open."""
    return shlex.split(text)


def override_problems(text: str) -> list[str]:
    """What is wrong with the overrides, as far as can be seen without the family's settings."""
    try:
        parts = split_overrides(text)
    except ValueError:
        return ["The settings have an open quote."]
    return [f"{part!r} is not a setting; write name=value." for part in parts if not _OVERRIDE.fullmatch(part)]


def free_name(game: str, family: str, state: Snapshot) -> str:
    """A slot name that is not taken yet."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{game}-{family}".replace("_", "-")).strip("-.") or "slot"
    taken = {row.name for row in state.slots} | {row.slot for row in state.jobs}
    number = next(n for n in range(1, len(taken) + 2) if f"{stem}-{n}" not in taken)
    return f"{stem}-{number}"
