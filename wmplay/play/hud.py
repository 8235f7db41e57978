"""What is shown beside the picture, as data: columns of short strings that any screen can draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "quiet", "good", "warn", "alert"]


@dataclass(frozen=True)
class Item:
    """One figure of the HUD: what it is, its value as text, and how it should strike the eye."""

    label: str
    value: str
    tone: Tone = "plain"


# Columns from left to right (or blocks from top to bottom), each a few items.
Hud = tuple[tuple[Item, ...], ...]


@dataclass(frozen=True)
class Status:
    """The figures of a session at one moment. None: this world does not have it.

    seconds: real time played since the last reset. action: the action taken last, as numbers, and what it is
    called where it has a name.
    """

    steps: int
    returned: float
    reward: float
    fps: float
    asked_fps: float
    driver: str
    paused: bool
    seed: int | None = None
    temperature: float | None = None
    end_probability: float | None = None
    recording: str | None = None
    recorded_steps: int = 0
    action: tuple[float, ...] | None = None
    action_name: str = ""
    discrete: bool = True


def columns(status: Status, extra: tuple[Item, ...] = ()) -> Hud:
    """The HUD of a session: how it goes, what the world is set to, who drives and whether it is kept; then `extra`."""
    slow = status.fps < 0.8 * status.asked_fps
    episode = [
        Item("step", f"{status.steps:,}"),
        Item("return", number(status.returned), "good" if status.returned > 0 else "plain"),
        Item("reward", f"{status.reward:+.2f}", "quiet" if status.reward == 0 else "plain"),
    ]
    world = [
        Item("fps", "paused", "warn")
        if status.paused
        else Item("fps", f"{status.fps:.0f}", "warn" if slow else "plain")
    ]
    if status.temperature is not None:
        world.append(Item("temperature", f"{status.temperature:.2f}"))
    if status.end_probability is not None:
        tone: Tone = "alert" if status.end_probability >= 0.5 else "warn" if status.end_probability >= 0.1 else "plain"
        world.append(Item("end", f"{100 * status.end_probability:.0f} %", tone))
    if status.seed is not None:
        world.append(Item("seed", str(status.seed), "quiet"))
    hands = [Item("driver", status.driver, "plain" if status.driver == "you" else "good")]
    if status.action is not None:
        hands.append(Item("action", status.action_name or action_text(status.action, status.discrete), "quiet"))
    if status.recording is not None:
        hands.append(Item("● rec", f"{status.recording} {status.recorded_steps:,}", "alert"))
    return tuple(episode), tuple(world), tuple(hands), *((extra,) if extra else ())


def number(value: float) -> str:
    """A return in as few characters as it takes: 0.93, 12.4, 906."""
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"


def error(value: float) -> str:
    """A mean squared error between pictures, in thousandths as the tables of the field have it: 1.70e-3."""
    return f"{1000 * value:.2f}e-3"


def action_text(action: tuple[float, ...], discrete: bool) -> str:
    """An action in a few characters: 2, or +0.45 1.00 0.00."""
    if discrete:
        return " ".join(str(int(value)) for value in action)
    return " ".join(f"{value:+.2f}" if value < 0 else f"{value:.2f}" for value in action)
