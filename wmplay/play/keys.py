"""The one table of keys: what each key commands, and which keys play which game.

Names are the same for every screen: a printable key is its character ("p", "+"), the others are `left right up down
space escape enter tab backspace f1`…; each screen translates its own events into these and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from wmplay.core.spaces import ActionSpec

Command = Literal[
    "pause", "step", "reset", "warmer", "cooler", "driver", "record", "resync",
    "rewind", "mark", "recall", "help", "quit",
]  # fmt: skip


@dataclass(frozen=True)
class CommandKey:
    """A command, the keys that give it, and what it does in a word or two.

    The first key is the one that is shown. At least one key is no letter: it stays when a game claims the letter.
    """

    command: Command
    keys: tuple[str, ...]
    does: str


COMMANDS: tuple[CommandKey, ...] = (
    CommandKey("pause", ("p", "f2"), "pause"),
    CommandKey("step", ("n", "f3"), "one step"),
    CommandKey("reset", ("r", "f4"), "reset"),
    CommandKey("warmer", ("+", "=", "]"), "warmer"),
    CommandKey("cooler", ("-", "["), "cooler"),
    CommandKey("driver", ("t", "tab"), "you / agent"),
    CommandKey("record", ("c", "f9"), "record"),
    CommandKey("resync", ("y", "f7"), "re-sync"),
    CommandKey("rewind", ("backspace", "b"), "rewind"),
    CommandKey("mark", ("m", "f5"), "bookmark"),
    CommandKey("recall", ("g", "f6"), "go back to it"),
    CommandKey("help", ("h", "?", "f1"), "keys"),
    CommandKey("quit", ("q", "escape"), "quit"),
)


@dataclass(frozen=True)
class Axis:
    """One entry of a continuous action, moved by held keys: it ramps to a bound and comes back to rest when let go.

    rise, fall: how much of the span from rest to bound it moves in a second while held, and when let go.
    """

    index: int
    does: str
    more: tuple[str, ...]
    less: tuple[str, ...] = ()
    high: float = 1.0
    low: float = -1.0
    rest: float = 0.0
    rise: float = 4.0
    fall: float = 8.0


@dataclass(frozen=True)
class GameKeys:
    """How the keyboard plays a game.

    combos: sets of keys -> action, for discrete and multi-discrete games; the largest set that is held wins
    axes: for continuous games
    idle: what happens while no key is held: a fixed action, `wait` (the game stands still), or `alternate` (the actions
          in turn, which pushes a CartPole neither way)
    sticky: keys that a terminal, which sees no key let go, keeps held until their opposite is pressed
    opposites: key -> the keys that end it, in a terminal
    names: what each action of a discrete game does, in a word or two; empty where nobody knows
    legend: (key, what it does) for the key line, where the general one (see `legend`) would say it worse
    """

    combos: Mapping[frozenset[str], Any] = field(default_factory=dict)
    axes: tuple[Axis, ...] = ()
    idle: Any = "wait"
    sticky: frozenset[str] = frozenset()
    opposites: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: OPPOSITES)
    names: tuple[str, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """Every key that the game uses."""
        return frozenset().union(*self.combos, *(axis.more + axis.less for axis in self.axes))


def _either(*choices: tuple[tuple[str, ...], Any]) -> dict[frozenset[str], Any]:
    return {frozenset({key}): action for keys, action in choices for key in keys}


LEFT, RIGHT, UP, DOWN = ("left", "a"), ("right", "d"), ("up", "w"), ("down", "s")
OPPOSITES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(LEFT, RIGHT),
    **dict.fromkeys(RIGHT, LEFT),
    **dict.fromkeys(UP, DOWN),
    **dict.fromkeys(DOWN, UP),
}
ARROWS = ("←↑↓→", "move")

# Our own games, by Gymnasium id and kind of action. CarRacing: the wheels lock from 0.9 of the brake on, so the
# keyboard stops short of that. Its rates are reasoned from Gymnasium's car_dynamics.py, not tuned by driving: the
# steering value is the angle in radians that the front wheels turn to, at 3 a second and no further than 0.4, and
# ramping by 0.9 · 3.5 = 3.15 a second keeps pace with that; gas rises by 5 a second in the car itself; the brake ramps
# so that a tap is a small push. What is let go comes back faster than it rose.
GAMES: dict[tuple[str, str], GameKeys] = {
    ("wmplay/GridWorld-v0", "discrete"): GameKeys(
        _either((UP, 0), (RIGHT, 1), (DOWN, 2), (LEFT, 3)), names=("up", "right", "down", "left"), legend=(ARROWS,)
    ),
    ("wmplay/CartPole-v0", "discrete"): GameKeys(
        _either((LEFT, 0), (RIGHT, 1)),
        idle="alternate",
        names=("push left", "push right"),
        legend=(("←→", "push the cart"),),
    ),
    ("wmplay/CarRacing-v0", "discrete"): GameKeys(
        # Gymnasium's order: nothing, steer right, steer left, gas, brake.
        _either((RIGHT, 1), (LEFT, 2), (UP, 3), (DOWN, 4)),
        idle=0,
        sticky=frozenset(UP),
        names=("nothing", "steer right", "steer left", "gas", "brake"),
        legend=(("←→", "steer"), ("↑↓", "gas, brake")),
    ),
    ("wmplay/CarRacing-v0", "box"): GameKeys(
        axes=(
            Axis(0, "steer", RIGHT, LEFT, high=0.9, low=-0.9, rise=3.5, fall=7.0),
            Axis(1, "gas", UP, high=1.0, low=0.0, rise=5.0, fall=8.0),
            Axis(2, "brake", DOWN, high=0.8, low=0.0, rise=4.0, fall=12.0),
        ),
        sticky=frozenset(UP),
        legend=(("←→", "steer"), ("↑↓", "gas, brake")),
    ),
}


def read_combos(mapping: Mapping[Any, Any]) -> dict[frozenset[str], Any]:
    """Combos from Gymnasium's `get_keys_to_action`: keys are a string of characters, or a tuple of names or codes."""
    combos = {}
    for keys, action in mapping.items():
        if isinstance(keys, int | str):
            keys = (keys,) if isinstance(keys, int) or (len(keys) > 1 and keys in _NAMED) else tuple(keys)
        combos[frozenset(_portable(key) for key in keys)] = action
    return combos


_NAMED = {"left", "right", "up", "down", "space", "escape", "enter", "tab", "backspace"}
# The codes that SDL gives the arrow keys; other keys have the code of their character.
_CODES = {1073741904: "left", 1073741903: "right", 1073741906: "up", 1073741905: "down", 32: "space", 13: "enter"}


def _portable(key: str | int) -> str:
    if isinstance(key, int):
        return _CODES.get(key) or chr(key).lower()
    named = key.lower().removeprefix("key_")
    return {" ": "space", "return": "enter"}.get(named, named)


def game_keys(
    game: str, action: ActionSpec, proposed: Mapping[Any, Any] | None = None, names: Sequence[str] = ()
) -> GameKeys:
    """The keys of a game: ours from the table, another one's as proposed, else something that can be played.

    game: Gymnasium id. proposed: keys -> action in the form of Gymnasium's `get_keys_to_action`. names: what the game
    calls its actions. What a person has changed comes on top of this: see `own_keys`.
    """
    ours = GAMES.get((game, action.kind))
    if ours is not None and proposed is None:
        return ours
    named = tuple(names) if len(names) == action.n else ()
    if proposed:
        combos = read_combos(proposed)
        idle = combos.pop(frozenset(), "wait")
        return GameKeys(combos, idle=idle, names=named)
    if action.kind == "box":
        return GameKeys(axes=_axes(action))
    if action.kind == "multi":
        return GameKeys(_multi(action.counts), idle=(0,) * len(action.counts))
    order = (*(pair[0] for pair in (LEFT, RIGHT, UP, DOWN)), "space", *"1234567890")
    combos = {frozenset({key}): number for number, key in enumerate(order[: action.n])}
    return GameKeys(combos, names=named)


def _axes(action: ActionSpec) -> tuple[Axis, ...]:
    """An axis for each entry: the first on arrows and WASD, further ones on number keys.

    An entry that goes one way only takes one key of a pair, and the next such entry the other: gas up, brake down.
    """
    pairs = [(RIGHT, LEFT), (UP, DOWN), *(((str(n + 1),), (str(n),)) for n in range(1, 9, 2))]
    spare: tuple[str, ...] = ()
    axes = []
    for index, (low, high) in enumerate(zip(action.low, action.high, strict=True)):
        # Unbounded entries are played between -1 and 1.
        low, high = max(low, -1e3) if low > -1e6 else -1.0, min(high, 1e3) if high < 1e6 else 1.0
        rest = min(max(0.0, low), high)
        both = low < rest < high
        if not pairs and (both or not spare):
            break
        more, less = pairs.pop(0) if both or not spare else (spare, ())
        if not both:
            spare = less
            more, less = (more, ()) if high > rest else ((), more)
        axes.append(Axis(index, f"axis {index + 1}", more, less, high, low, rest))
    return tuple(axes)


def _multi(counts: tuple[int, ...]) -> dict[frozenset[str], Any]:
    """Each entry's values 1 and 2 on a pair of keys; pairs of entries combine in the first two."""
    pairs = (("left", "right"), ("up", "down"), ("1", "2"), ("3", "4"), ("5", "6"), ("7", "8"))
    chosen = [
        {"": 0, **{key: value for value, key in enumerate(keys[: count - 1], start=1)}}
        for keys, count in zip(pairs, counts, strict=False)
    ]
    combos: dict[frozenset[str], Any] = {}
    first, second = chosen[0], chosen[1] if len(chosen) > 1 else {"": 0}
    for one, a in first.items():
        for two, b in second.items():
            combos[frozenset({one, two} - {""})] = (a, b, *(0,) * (len(counts) - 2))[: len(counts)]
    for index, keys in enumerate(chosen[2:], start=2):
        for key, value in keys.items():
            if key:
                combos[frozenset({key})] = tuple(value if i == index else 0 for i in range(len(counts)))
    combos.pop(frozenset(), None)
    return combos


def command_table(game: Collection[str] = (), offered: Collection[str] | None = None) -> dict[str, Command]:
    """key -> command. Keys that the game uses are the game's; commands not in `offered` are left out."""
    return {
        key: entry.command
        for entry in COMMANDS
        if offered is None or entry.command in offered
        for key in entry.keys
        if key not in game
    }
