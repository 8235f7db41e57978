"""What parameters a game takes, and the sentence that somebody gets who names one it does not have."""

import difflib
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import gymnasium
from gymnasium.envs.registration import load_env_creator

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
# Decided by whoever shows the game, not by whoever chooses its parameters.
_NOT_THEIRS = {"self", "render_mode"}
_KINDS = {bool: "true or false", int: "whole number", float: "number", str: "text"}


class Parameter(NamedTuple):
    """kind: in words, empty where the game does not tell. default: None also where there is none."""

    name: str
    kind: str
    default: Any


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
    return tuple(parameter.name for parameter in parameters_of(maker))


def parameters_of(maker: str | Callable[..., Any]) -> tuple[Parameter, ...]:
    """A game's parameters with their kinds and defaults, as far as its constructor and the classes below it tell."""
    make: Any = maker
    registered: Mapping[str, Any] = {}
    if isinstance(maker, str):
        spec = gymnasium.spec(maker)
        if spec.entry_point is None:
            return ()
        make = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
        registered = spec.kwargs
    found: dict[str, Parameter] = {}
    for call in (
        [vars(c)["__init__"] for c in make.__mro__ if "__init__" in vars(c)] if isinstance(make, type) else [make]
    ):
        try:
            parameters = inspect.signature(call).parameters.values()
        except (TypeError, ValueError):  # written in C: it does not tell
            break
        hints = _hints(call)
        for p in parameters:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in (*found, *_NOT_THEIRS):
                default = registered.get(p.name, None if p.default is p.empty else p.default)
                found[p.name] = Parameter(p.name, _kind(hints.get(p.name), default), default)
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    return tuple(found.values())


def _hints(call: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(call)
    except (NameError, TypeError, AttributeError, SyntaxError):  # names that only a type checker sees
        return {}


def _kind(hint: Any, default: Any) -> str:
    """What may be given, in words: by the annotation, else by the default's type."""
    if typing.get_origin(hint) is Literal:
        return " or ".join(str(value) for value in typing.get_args(hint))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(hint) if part is not types.NoneType]
        return " or ".join(dict.fromkeys(filter(None, (_kind(part, None) for part in inner))))
    return (_KINDS.get(hint, "") if isinstance(hint, type) else "") or _KINDS.get(type(default), "")
