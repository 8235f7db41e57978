"""dataset.json: what a dataset holds, so that nothing else is ever mixed into it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wmplay.core import atomic
from wmplay.core.errors import UsageError, WmplayError
from wmplay.core.spaces import ActionSpec, ObservationSpec

SCHEMA = 1


def open_info(
    folder: Path,
    game: str,
    game_params: dict[str, Any],
    observation: ObservationSpec,
    action: ActionSpec,
    held_out: bool,
) -> dict[str, Any]:
    """dataset.json as it is while rows are added: written anew, or the one there, if it is of the very same play.

    Raises UsageError if it is of another.
    """
    path = folder / "dataset.json"
    wanted = {
        "schema": SCHEMA,
        "game": game,
        "game_params": game_params,
        "observation": observation.to_json(),
        "action": action.to_json(),
        "held_out": held_out,
    }
    plain = json.loads(atomic.to_json(wanted))
    if path.exists():
        found = atomic.read_json(path)
        for key in wanted:
            if found.get(key) != plain[key]:
                raise UsageError(
                    f"The dataset {folder.name} was made with another {key.replace('_', ' ')}"
                    f" ({found.get(key)!r}, not {plain[key]!r}); use another name."
                )
        info: dict[str, Any] = {**found, "complete": False}
    else:
        info = {
            **plain,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "players": [],
            "complete": False,
        }
    atomic.write_json(path, info)
    return info


def read_info(folder: Path) -> dict[str, Any]:
    """dataset.json of a dataset, checked. Raises WmplayError that names the file and the field."""
    file = folder / "dataset.json"
    info = atomic.read_json(file)
    if not isinstance(info, dict) or not {"schema", "game", "observation", "action"} <= info.keys():
        raise WmplayError(f"{file} is damaged: it does not say which game it holds.")
    if not isinstance(info["schema"], int) or info["schema"] > SCHEMA:
        raise WmplayError(f"The dataset {folder.name} was made by a newer wmplay; upgrade to read it.")
    usual = {"game_params": {}, "created": "", "players": [], "held_out": False}
    for field, kind in (("game", str), ("game_params", dict), ("created", str), ("players", list), ("held_out", bool)):
        if not isinstance(info.get(field, usual.get(field)), kind):
            raise WmplayError(f"{file} is damaged: {field} is {info[field]!r}.")
    for field, sound in (("observation", _sound_observation), ("action", _sound_action)):
        try:
            fine = sound(info[field])
        except (KeyError, TypeError, ValueError, AttributeError):
            fine = False
        if not fine:
            raise WmplayError(f"{file} is damaged: {field} is {info[field]!r}.")
    return info


def _sound_observation(data: dict[str, Any]) -> bool:
    spec = ObservationSpec.from_json(data)
    axes = {"frame": 3, "vector": 1}.get(spec.kind)
    return len(spec.shape) == axes and all(isinstance(size, int) and size > 0 for size in spec.shape)


def _sound_action(data: dict[str, Any]) -> bool:
    spec = ActionSpec.from_json(data)
    if spec.kind == "discrete":
        return spec.n > 0
    if spec.kind == "multi":
        return bool(spec.counts) and all(isinstance(count, int) and count > 0 for count in spec.counts)
    pairs = list(zip(spec.low, spec.high, strict=True))
    return spec.kind == "box" and bool(pairs) and all(low <= high for low, high in pairs)
