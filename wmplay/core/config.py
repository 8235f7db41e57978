"""Typed settings from presets, a file and the command line, checked as a whole, with every problem told at once."""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from wmplay.core.atomic import read_json
from wmplay.core.errors import NotFoundError, UsageError, WmplayError

T = TypeVar("T")

# pydantic's error types in the words of somebody who never heard of pydantic
_PLAIN = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
}


def resolve(
    config_class: type[T],
    presets: Mapping[str, Mapping[str, Any]],
    preset: str,
    sets: Sequence[str] = (),
    file: Path | None = None,
) -> T:
    """The config that a preset, a JSON or TOML file and `key=value` strings give, the later winning over the earlier.

    Raises one UsageError that names every problem: unknown fields (with the nearest known ones), values of the wrong
    kind or size, and settings that do not go together.
    """
    if preset not in presets:
        raise UsageError(f"There is no preset {preset!r}; choose one of {', '.join(presets)}.")
    values: dict[str, Any] = dict(presets[preset])
    if file is not None:
        values.update(_from_file(file))
    problems = []
    for text in sets:
        key, equals, value = text.partition("=")
        if equals and key.strip():
            values[key.strip()] = _parse(value.strip())
        else:
            problems.append(f"{text!r} is not of the form name=value")
    known = [f.name for f in dataclasses.fields(config_class)]  # type: ignore[arg-type]
    problems += [_unknown(key, known) for key in values if key not in known]
    config, more = _build(config_class, {k: v for k, v in values.items() if k in known})
    problems += more
    if problems or config is None:
        raise UsageError(f"These settings cannot be used: {'; '.join(problems)}.")
    return config


def to_json(config: Any) -> dict[str, Any]:
    """A config as a JSON-ready dict."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def from_json(config_class: type[T], data: Mapping[str, Any]) -> T:
    """The config that `to_json` wrote. Raises WmplayError if it does not fit this version's class.

    What an earlier version's class had and this one's names as `retired` is passed over.
    """
    known = [f.name for f in dataclasses.fields(config_class)]  # type: ignore[arg-type]
    retired = getattr(config_class, "retired", ())
    problems = [_unknown(key, known) for key in data if key not in known and key not in retired]
    config, more = _build(config_class, {k: v for k, v in data.items() if k in known})
    if problems or more or config is None:
        raise WmplayError(f"The saved settings do not fit this version of wmplay: {'; '.join(problems + more)}.")
    return config


def _build(config_class: type[T], values: Mapping[str, Any]) -> tuple[T | None, list[str]]:
    """The config, or None and what is wrong with it, each problem in words."""
    import pydantic  # costs 50 ms: only when a config is really built

    try:
        return config_class(**values), []
    except pydantic.ValidationError as why:
        return None, [_plain(dict(error)) for error in why.errors(include_url=False)]
    except (TypeError, ValueError) as why:
        return None, [str(why).rstrip(".")]


def _plain(error: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    given = error.get("input")
    kind = error["type"]
    if kind in ("value_error", "assertion_error"):
        message = str(error.get("ctx", {}).get("error", error["msg"])).rstrip(".")
        return f"{where}: {message}" if where else message
    if kind == "literal_error":
        message = f"must be one of {error['ctx']['expected']}"
    else:
        message = _PLAIN.get(kind) or error["msg"].replace("Input should be", "must be")
    return f"{where} {message[0].lower()}{message[1:]}, not {given!r}"


def _unknown(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, 3)
    return f"there is no setting {key!r}, " + (
        f"did you mean {' or '.join(near)}?".rstrip("?") if near else f"only {', '.join(known)}"
    )


def _parse(text: str) -> Any:
    """A command-line value: JSON where it is JSON, comma lists as lists, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        lowered = text.lower()
        if lowered in ("yes", "on", "true", "no", "off", "false"):
            return lowered in ("yes", "on", "true")
        if "," in text and not text.startswith("["):
            return [_parse(part.strip()) for part in text.split(",") if part.strip()]
        return text


parse_value = _parse


def _from_file(file: Path) -> dict[str, Any]:
    if file.suffix == ".toml":
        try:
            return tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as why:
            raise NotFoundError(f"There is no settings file {file}.") from why
        except (OSError, ValueError) as why:
            raise WmplayError(f"The settings file {file} cannot be read: {why}.") from why
    found = read_json(file)
    if not isinstance(found, dict):
        raise WmplayError(f"The settings file {file} must hold one JSON object of name: value.")
    return found
