"""A person's own keys for a game: written as short texts, checked, and put in the place of the proposed ones.

A mapping is a dict of texts, the same on the command line, in the file and in tables: `left` or `up+left` (keys held
together) to an action, and `idle` to what happens while no key is held. An action is a number or its name (Discrete);
`1,0,2` or `entry:value` (MultiDiscrete); `entry:value` (Box: where the key moves that entry). Entries count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wmplay.core.errors import UsageError
from wmplay.core.spaces import ActionSpec
from wmplay.play.keys import COMMANDS, Axis, GameKeys
from wmplay.play.legend import game_legend

IDLE = "idle"
NAMED = ("left", "right", "up", "down", "space", "enter")
_SPELT = {"←": "left", "→": "right", "↑": "up", "↓": "down", " ": "space", "return": "enter"}
# These stay with the commands, whatever letters a game takes.
TAKEN = frozenset(key for entry in COMMANDS for key in entry.keys if not key.isalpha() or len(key) > 1)
_ENTRY = re.compile(r"(\d+)\s*:\s*(\S+)")


def written(keys: GameKeys, action: ActionSpec) -> dict[str, str]:
    """The mapping of these keys as texts."""
    if action.kind == "box":
        sides = [(axis.index, *side) for axis in keys.axes for side in ((axis.more, axis.high), (axis.less, axis.low))]
        return {key: f"{entry + 1}:{_value_text(end, action, entry)}" for entry, side, end in sides for key in side}
    texts = {"+".join(sorted(combo)): _action_text(value) for combo, value in keys.combos.items()}
    return {**texts, IDLE: _action_text(keys.idle)}


def _action_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if not hasattr(value, "__len__") else ",".join(str(int(part)) for part in value)


def _value_text(value: float, action: ActionSpec, entry: int) -> str:
    """Short where that stays inside the bounds, which float32 rounds."""
    short = f"{value:g}"
    return short if action.low[entry] <= float(short) <= action.high[entry] else repr(value)


def changed(texts: Mapping[str, str], changes: Mapping[str, str], free: tuple[str, ...] = ()) -> dict[str, str]:
    """The mapping with these changes, and without the keys in `free`. Raises UsageError."""
    made = dict(texts)
    for name in free:
        if made.pop(held := spelt(name), None) is None:
            raise UsageError(f"{name} plays nothing in this game; its keys are {', '.join(made)}.")
        if held == IDLE:
            raise UsageError("Something has to happen while no key is held: set idle to an action or to wait.")
    for name, action in changes.items():
        made[spelt(name)] = action.strip()
    return made


def spelt(name: str) -> str:
    """Keys as the mapping spells them, `left+up`. Raises UsageError for keys that cannot be given to a game."""
    parts = [_SPELT.get(part, part.strip().lower() or part) for part in name.split("+")]
    parts = [_SPELT.get(part, part) for part in parts]
    if parts == [IDLE]:
        return IDLE
    for part in parts:
        if part in TAKEN or not part:
            raise UsageError(f"{name!r}: the key {part or '+'} gives a command in every game; choose another.")
        if part not in NAMED and (len(part) != 1 or not part.isprintable()):
            raise UsageError(f"{part!r} is no key; use a character, {', '.join(NAMED)}, or idle for no key at all.")
    return "+".join(sorted(set(parts)))


def applied(base: GameKeys, texts: Mapping[str, str], action: ActionSpec) -> GameKeys:
    """The game's keys with this mapping in place of their own. Raises UsageError that says which text is wrong."""
    texts = {spelt(name): text for name, text in texts.items()}
    if not set(texts) - {IDLE}:
        raise UsageError("A game needs at least one key.")
    made = _axes(base, texts, action) if action.kind == "box" else _combos(base, texts, action)
    made = _carried(base, made)
    return replace(made, legend=game_legend(made, numbers=True))


def _combos(base: GameKeys, texts: Mapping[str, str], action: ActionSpec) -> GameKeys:
    idle: Any = base.idle
    combos = {}
    for name, text in texts.items():
        if name == IDLE and (text == "wait" or (text == "alternate" and action.kind == "discrete")):
            idle = text
        elif name == IDLE:
            idle = _action(name, text, base, action)
        else:
            combos[frozenset(name.split("+"))] = _action(name, text, base, action)
    return replace(base, combos=combos, idle=idle)


def _action(name: str, text: str, base: GameKeys, action: ActionSpec) -> Any:
    """The action that a text means."""
    if action.kind == "discrete":
        number = base.names.index(text.lower()) if text.lower() in base.names else _whole(text, action.n)
        if number >= action.n:
            named = f", or {', '.join(base.names)}" if base.names else ""
            also = ", or wait" if name == IDLE else ""
            raise UsageError(f"{name}={text}: this game's actions are 0 to {action.n - 1}{named}{also}.")
        return number
    count, one = len(action.counts), _ENTRY.fullmatch(text)
    if one and 1 <= int(one[1]) <= count:
        values = [0] * count
        values[int(one[1]) - 1] = _whole(one[2], -1)
    else:
        values = [_whole(part, -1) for part in text.split(",")]
    if len(values) != count:
        example = f"{','.join('0' * count)}, or one as entry:value, such as 1:{action.counts[0] - 1}"
        raise UsageError(f"{name}={text}: give all {count} values, such as {example}.")
    for entry, (value, count) in enumerate(zip(values, action.counts, strict=True), start=1):
        if not 0 <= value < count:
            raise UsageError(f"{name}={text}: entry {entry} goes from 0 to {count - 1}.")
    return tuple(values)


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.strip().isdecimal() else otherwise


def _axes(base: GameKeys, texts: Mapping[str, str], action: ActionSpec) -> GameKeys:
    known = {axis.index: axis for axis in base.axes}
    sides: dict[tuple[int, bool], tuple[float, list[str]]] = {}
    for name, text in texts.items():
        if name == IDLE or "+" in name:
            raise UsageError(
                f"{name}: in this game each key moves one entry alone, and let go it comes back by itself."
            )
        entry, value = _push(name, text, action)
        rest = known[entry].rest if entry in known else _rest(action, entry)
        if value == rest:
            raise UsageError(f"{name}={text}: entry {entry + 1} rests at {rest:g}, so this key would move nothing.")
        end, keys = sides.setdefault((entry, value > rest), (value, []))
        if end != value:
            raise UsageError(
                f"{name}={text}: {keys[0]} moves entry {entry + 1} that way to {end:g}; give both one value."
            )
        keys.append(name)
    axes = []
    for entry in sorted({entry for entry, _ in sides}):
        rest = known[entry].rest if entry in known else _rest(action, entry)
        start = known.get(entry) or Axis(entry, f"axis {entry + 1}", (), rest=rest)
        high, more = sides.get((entry, True), (rest, []))
        low, less = sides.get((entry, False), (rest, []))
        axes.append(replace(start, more=tuple(more), less=tuple(less), high=high, low=low))
    return replace(base, axes=tuple(axes))


def _push(name: str, text: str, action: ActionSpec) -> tuple[int, float]:
    """(entry from 0, where to) of a text such as `1:-0.5`."""
    found = _ENTRY.fullmatch(text)
    try:
        entry, value = (int(found[1]) - 1, float(found[2])) if found else (-1, 0.0)
    except ValueError:
        entry, value = -1, 0.0
    if not 0 <= entry < len(action.low):
        raise UsageError(
            f"{name}={text}: write entry:value, the entry from 1 to {len(action.low)}, such as 1:{action.high[0]:g}."
        )
    if not action.low[entry] <= value <= action.high[entry]:
        low, high = action.low[entry], action.high[entry]
        raise UsageError(f"{name}={text}: entry {entry + 1} goes from {low:g} to {high:g}.")
    return entry, value


def _rest(action: ActionSpec, entry: int) -> float:
    return min(max(0.0, action.low[entry]), action.high[entry])


def _carried(base: GameKeys, made: GameKeys) -> GameKeys:
    """What a terminal needs to know of the keys, carried over from the keys that did the same before."""
    before, after = _roles(base), _roles(made)
    against = {
        (before[key], before[other])
        for key, others in base.opposites.items()
        for other in others
        if key in before and other in before
    }
    opposites = {key: tuple(other for other in after if (after[key], after[other]) in against) for key in after}
    kept = {before[key] for key in base.sticky & before.keys()}
    # A key that stays held and has no opposite could never be let go.
    sticky = frozenset(key for key in after if after[key] in kept and opposites[key])
    return replace(made, sticky=sticky, opposites=opposites)


def _roles(keys: GameKeys) -> dict[str, Any]:
    """What each key does alone: its action, or (entry, which way)."""
    roles: dict[str, Any] = {key: value for combo, value in keys.combos.items() if len(combo) == 1 for key in combo}
    for axis in keys.axes:
        roles |= dict.fromkeys(axis.more, (axis.index, 1)) | dict.fromkeys(axis.less, (axis.index, -1))
    return roles
