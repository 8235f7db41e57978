"""dataset.json: what a dataset holds, so that nothing else is ever mixed into it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wmplay.core import atomic
from wmplay.core.errors import UsageError
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
