"""What is written on the keys: how a key is shown, what it does, and the lines of the key bar and the help."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from wmplay.play.keys import COMMANDS, Command, GameKeys

CAPS = {"backspace": "⌫", "escape": "Esc", "space": "Space", "enter": "Enter", "tab": "Tab", "-": "−"}
ARROWS = {"left": "←", "right": "→", "up": "↑", "down": "↓"}
# A game that says more would push the commands out of the key line.
LONGEST = 7


def legend(game: GameKeys, offered: Collection[str]) -> list[tuple[str, str]]:
    """(key, what it does) of everything there is to press, game first."""
    shown = list(game.legend or game_legend(game))
    for entry in COMMANDS:
        free = [key for key in entry.keys if key not in game.keys]
        if entry.command in offered and free:
            shown.append((CAPS.get(free[0], free[0].upper()), entry.does))
    return shown


def key_of(command: Command, game: GameKeys) -> str:
    """The key to show for a command, beside this game's keys."""
    keys = next(entry.keys for entry in COMMANDS if entry.command == command)
    return cap({next((key for key in keys if key not in game.keys), keys[-1])})


def displaced(game: GameKeys) -> list[tuple[str, str, str]]:
    """(key, command, where it stays) of the commands whose shown key the game has taken."""
    found = []
    for entry in COMMANDS:
        free = [key for key in entry.keys if key not in game.keys]
        if free and entry.keys[0] in game.keys:
            found.append((cap({entry.keys[0]}), entry.does, cap({free[0]})))
    return found


def game_legend(keys: GameKeys, numbers: bool = False) -> tuple[tuple[str, str], ...]:
    """(key, what it does) of a game where that is known and short, else only which keys there are.

    numbers: tell actions that have no name by their number, for a person who chose them.
    """
    lines: dict[str, list[Collection[str]]] = {}
    for combo, action in keys.combos.items():
        lines.setdefault(does(keys, action), []).append(combo)
    spoken = [(_together([cap(combo) for combo in combos]), what) for what, combos in lines.items()]
    spoken += [(_together([cap({key}) for side in (a.less, a.more) for key in side[:1]]), a.does) for a in keys.axes]
    if len(spoken) > LONGEST or not (keys.axes or keys.names or numbers):
        return (_only_keys(keys.combos),)
    return tuple(spoken)


def does(keys: GameKeys, action: Any) -> str:
    """What an action does, in the game's words, else by its number or numbers."""
    if isinstance(action, int | np.integer):
        return keys.names[action] if action < len(keys.names) else f"action {action}"
    return " ".join(str(value) for value in action)


def cap(keys: Collection[str]) -> str:
    """How keys that are held together stand on the keyboard: ←, Space, A+↑."""
    ordered = sorted(keys, key=lambda key: (key in ARROWS, key))
    return "+".join(ARROWS.get(key) or CAPS.get(key, key.upper()) for key in ordered)


def _together(caps: list[str]) -> str:
    return ("" if set(caps) <= set(ARROWS.values()) else "/").join(caps)


def _only_keys(combos: Mapping[frozenset[str], Any]) -> tuple[str, str]:
    """The keys of a game we know nothing about, in the order of the table."""
    keys = list(dict.fromkeys(key for combo in combos for key in sorted(combo)))
    others = [cap({key}) for key in keys if key not in ARROWS]
    return " ".join((["arrows"] if len(others) < len(keys) else []) + others), "play"
