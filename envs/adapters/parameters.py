"""What parameters a game takes, for the sentence that somebody gets who names one it does not have."""

import difflib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
from gymnasium.envs.registration import load_env_creator

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
# Decided by whoever shows the game, not by whoever chooses its parameters.
_NOT_THEIRS = {"self", "render_mode"}


def unknown_parameter(why: BaseException, name: str, maker: str | Callable[..., Any], given: Mapping[str, Any]) -> str:
    """The sentence for a TypeError about a parameter that the game `name` does not have; empty for any other error.

    maker: a Gymnasium id, or what is called to make the game. given: the parameters that were passed.
    """
    found = _UNEXPECTED.search(str(why)) if isinstance(why, TypeError) else None
    if found is None or found[1] not in given:
        return ""
    known = known_parameters(maker)
    if not known:
        return f"{name} has no parameter {found[1]!r}; it takes none."
    near = difflib.get_close_matches(found[1], known, 1)
    guess = f" (did you mean {near[0]}?)" if near else ""
    return f"{name} has no parameter {found[1]!r}{guess}; it has {', '.join(known)}."


def known_parameters(maker: str | Callable[..., Any]) -> tuple[str, ...]:
    """The names of a game's parameters, as far as its constructor and the classes it builds on tell them."""
    make: Any = maker
    if isinstance(maker, str):
        entry = gymnasium.spec(maker).entry_point
        if entry is None:
            return ()
        make = load_env_creator(entry) if isinstance(entry, str) else entry
    names: list[str] = []
    for call in (
        [vars(c)["__init__"] for c in make.__mro__ if "__init__" in vars(c)] if isinstance(make, type) else [make]
    ):
        try:
            parameters = inspect.signature(call).parameters.values()
        except (TypeError, ValueError):  # written in C: it does not tell
            break
        names += [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    return tuple(name for name in dict.fromkeys(names) if name not in _NOT_THEIRS)
