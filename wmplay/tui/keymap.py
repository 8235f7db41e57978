"""A person's own keys: `keymap.json` in wmplay's home maps ids of commands to keys, for instance {"dream": "f5"}."""

from __future__ import annotations

import json

from wmplay.core import paths
from wmplay.tui.commands import COMMANDS


def read_keymap() -> tuple[dict[str, str], str]:
    """The keymap, and a sentence about what is wrong with the file (empty if nothing is)."""
    path = paths.home() / "keymap.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError) as error:
        return {}, f"{path} could not be read, so all keys are the usual ones: {error}"
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data.values()):
        return {}, f'{path} must map commands to keys, like {{"dream": "f5"}}; all keys are the usual ones.'
    ids = {entry.id for entry in COMMANDS}
    unknown = sorted(set(data) - ids)
    why = f"{path} names commands that do not exist: {', '.join(unknown)}." if unknown else ""
    return {id_: key for id_, key in data.items() if id_ in ids}, why
