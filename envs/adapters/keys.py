"""Keys for anybody's game: from its own key table, else from its actions' names, else a proposal.

Key names: a character ("a", "1"), or left right up down space enter.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from envs.adapters.blame import blame
from envs.adapters.own_class import CheckedGame, SmallGame

KeyTable = dict[tuple[str, ...], int]
_CODES = {1073741904: "left", 1073741903: "right", 1073741906: "up", 1073741905: "down", 32: "space", 13: "enter"}
# Words in action names -> keys. A name such as "UPRIGHTFIRE" is taken apart into up + right + space.
_WORDS = (
    ("noop", ()), ("up", ("up",)), ("down", ("down",)), ("left", ("left",)), ("right", ("right",)),
    ("fire", ("space",)), ("forward", ("up",)), ("backward", ("down",)), ("back", ("down",)), ("jump", ("space",)),
    ("north", ("up",)), ("south", ("down",)), ("west", ("left",)), ("east", ("right",)), ("none", ()), ("nothing", ()),
    ("pickup", ("e",)), ("drop", ("x",)), ("toggle", ("space",)), ("done", ("enter",)), ("gas", ("up",)),
    ("brake", ("down",)), ("turn", ()), ("move", ()), ("go", ()), ("stay", ()), ("idle", ()), ("wait", ()),
    ("stop", ()), ("thrust", ("up",)), ("push", ()), ("action", ()), ("shoot", ("space",)),
)  # fmt: skip
# Games of Gymnasium that name neither keys nor actions, by the start of their id.
_KNOWN: dict[str, KeyTable] = {
    "LunarLander": {(): 0, ("left",): 1, ("up",): 2, ("right",): 3},
    "Acrobot": {(): 1, ("left",): 0, ("right",): 2},
    "MountainCar": {(): 1, ("left",): 0, ("right",): 2},
    "CartPole": {("left",): 0, ("right",): 1},
    "FrozenLake": {("left",): 0, ("down",): 1, ("right",): 2, ("up",): 3},
    "CliffWalking": {("up",): 0, ("right",): 1, ("down",): 2, ("left",): 3},
    "Taxi": {("down",): 0, ("up",): 1, ("right",): 2, ("left",): 3, ("e",): 4, ("x",): 5},
    "Blackjack": {("s",): 0, ("h",): 1},
    "CarRacing": {(): 0, ("right",): 1, ("left",): 2, ("up",): 3, ("down",): 4},
}
_KNOWN_NAMES: dict[str, tuple[str, ...]] = {
    "LunarLander": ("nothing", "left engine", "main engine", "right engine"),
    "Acrobot": ("turn one way", "nothing", "turn the other"),
    "MountainCar": ("push left", "nothing", "push right"),
    "CartPole": ("push left", "push right"),
    "FrozenLake": ("left", "down", "right", "up"),
    "CliffWalking": ("up", "right", "down", "left"),
    "Taxi": ("down", "up", "right", "left", "pick up", "drop"),
    "Blackjack": ("stick", "hit"),
    "CarRacing": ("nothing", "steer right", "steer left", "gas", "brake"),
}
_ORDER = ("left", "right", "up", "down", "space", *"123456789", *"ertyuifgjvbn")


def propose_keys(env: gymnasium.Env[Any, Any]) -> KeyTable:
    """Held keys -> action, for an env with Discrete actions; the empty tuple is what happens with no key held.

    Empty for other action spaces. Raises GameError if a class of one's own gives keys that cannot be meant.
    """
    if not isinstance(env.action_space, spaces.Discrete):
        return {}
    count = int(env.action_space.n)
    convert = getattr(env, "game_action", int)
    actions = {_plain(convert(action)): action for action in range(count)}  # the game's own action -> ours
    inner = _game_itself(env)
    names = _action_names(inner)
    table = _from_names(names[:count]) if len(names) >= count else {}
    if callable(getattr(inner, "get_keys_to_action", None)):
        with blame(f"{type(inner).__name__}.get_keys_to_action()"):
            own = _from_game(inner.get_keys_to_action(), actions, strict=inner is not env.unwrapped)
        # The game's own keys count; what the names suggest (the arrows, say, beside WASD) comes on top.
        idle: KeyTable = {(): table[()]} if () in table else {}
        table = {**{keys: a for keys, a in table.items() if keys and _clear(keys, own)}, **own, **idle}
    if table:
        return table
    for prefix, table in _KNOWN.items():
        if _bare_id(env).startswith(prefix) and max(table.values()) < count:
            return table
    return {(key,): action for action, key in zip(range(count), _ORDER, strict=False)}


def action_names(env: gymnasium.Env[Any, Any]) -> tuple[str, ...]:
    """What each action of an env with Discrete actions does, in the game's own words; empty where it has none."""
    if not isinstance(env.action_space, spaces.Discrete):
        return ()
    count = int(env.action_space.n)
    names = [name.lower().replace("_", " ") for name in _action_names(_game_itself(env))]
    if len(names) >= count:
        return tuple(names[:count])
    fitting = (names for prefix, names in _KNOWN_NAMES.items() if _bare_id(env).startswith(prefix))
    return next((known for known in fitting if len(known) == count), ())


def _game_itself(env: gymnasium.Env[Any, Any]) -> Any:
    """The game inside its wrappers, and inside the strict face of a class of one's own."""
    inner: Any = env.unwrapped
    if isinstance(inner, (CheckedGame, SmallGame)):
        return getattr(inner.game, "unwrapped", inner.game)
    return inner


def _bare_id(env: gymnasium.Env[Any, Any]) -> str:
    """The id without its namespace; empty for a class of one's own."""
    return env.spec.id.partition("/")[2] or env.spec.id if env.spec is not None else ""


def _plain(action: Any) -> Any:
    """An action that can be looked up in a dict."""
    return tuple(np.ravel(action).tolist()) if np.ndim(action) else int(action)


def _from_game(table: Mapping[Any, Any], actions: Mapping[Any, int], strict: bool) -> KeyTable:
    """Gymnasium's `get_keys_to_action`: keys are characters, codes, or tuples of these.

    strict: refuse actions that the game does not have; games of Gymnasium list those of their fuller variants too.
    """
    found: KeyTable = {}
    if not isinstance(table, Mapping):
        raise TypeError(f"it returned {type(table).__name__} instead of a dict of keys and actions")
    for keys, action in table.items():
        one = isinstance(keys, int) or (isinstance(keys, str) and keys.lower() in _CODES.values())
        names = tuple(_name(key) for key in ((keys,) if one else tuple(keys)))
        if _plain(action) in actions:
            found[names] = actions[_plain(action)]
        elif strict:
            raise ValueError(f"{keys!r} is given the action {action!r}, which the game does not have")
    return found


def _clear(keys: tuple[str, ...], own: KeyTable) -> bool:
    """Whether none of the keys but space is one of the game's own."""
    return not {key for combo in own for key in combo if key != "space"} & set(keys)


def _name(key: str | int) -> str:
    if isinstance(key, int):
        return _CODES.get(key) or chr(key).lower()
    return "space" if key == " " else key.lower()


def _action_names(env: Any) -> list[str]:
    """What the game calls its actions: `get_action_meanings()`, `action_meanings`, or an enum `actions`."""
    meanings = getattr(env, "get_action_meanings", None)
    if callable(meanings):
        with blame(f"{type(env).__name__}.get_action_meanings()"):
            return [str(name) for name in meanings()]
    listed = getattr(env, "action_meanings", None)
    if isinstance(listed, (list, tuple)):
        return [str(name) for name in listed]
    members = getattr(getattr(env, "actions", None), "__members__", None)
    if members:
        return [name for name, _ in sorted(members.items(), key=lambda item: int(item[1]))]
    return []


def _from_names(names: list[str]) -> KeyTable:
    table: KeyTable = {}
    for action, name in enumerate(names):
        keys = _keys_of(name.lower())
        if keys is None or keys in table:
            free = next((k for k in _ORDER[5:] if (k,) not in table), None)
            if free is None:
                continue
            keys = (free,)
        table[keys] = action
    return table


def _keys_of(name: str) -> tuple[str, ...] | None:
    """The keys a name is made of, () for doing nothing, None if a part is not understood."""
    rest = "".join(letter for letter in name if letter.isalpha())
    keys: list[str] = []
    while rest:
        word = next(((w, k) for w, k in sorted(_WORDS, key=lambda e: -len(e[0])) if rest.startswith(w)), None)
        if word is None:
            return None
        keys += word[1]
        rest = rest[len(word[0]) :]
    return tuple(keys)
