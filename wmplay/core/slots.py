"""Saved world models: what there is, by name, and how a new one begins. Broken ones are listed with the reason."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wmplay.core import atomic, paths
from wmplay.core.catalog import Game
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.slot_archive import export_folder, import_archive
from wmplay.core.slot_check import verify_folder
from wmplay.core.slot_info import SlotInfo, read_slot
from wmplay.core.slot_store import (
    SCHEMA,
    SLOT_FILE,
    is_locked,
    lock_slot,
    now,
    recover,
    save_slot,
)
from wmplay.core.slot_transfer import copy_folder, delete_folder, rename_folder
from wmplay.core.spaces import ActionSpec, ObservationSpec

__all__ = [
    "SCHEMA",
    "SlotInfo",
    "copy_slot",
    "create_slot",
    "delete_slot",
    "export_slot",
    "find_slot",
    "import_slot",
    "is_locked",
    "list_slots",
    "lock_slot",
    "read_slot",
    "recover",
    "rename_slot",
    "save_slot",
    "verify_slot",
]


# No file system takes longer names.
LONGEST = 255


def list_slots() -> list[SlotInfo]:
    """The home's slots, then the shipped ones whose names the home does not use, each by name."""
    found = {path.name: read_slot(path) for path in _folders(paths.home())}
    for path in _folders(paths.shipped()):
        if path.name not in found and (paths.checkout() is None or path.name in paths.SHIPPED_NAMES):
            found[path.name] = read_slot(path)
    return sorted(found.values(), key=lambda slot: (slot.shipped, slot.name))


def find_slot(name: str | Path) -> SlotInfo:
    """The slot with this name, or in this folder. Raises NotFoundError with near names."""
    text = str(name)
    if len(Path(text).name) > LONGEST:
        raise NotFoundError(f"There is no slot {text[:40]!r}…: no slot has a name of {len(text)} characters.")
    if isinstance(name, Path) or "/" in text or "\\" in text:
        folder = Path(name).expanduser()
        if not (folder / SLOT_FILE).is_file():
            raise NotFoundError(f"There is no slot in the folder {folder}.")
        return read_slot(folder.absolute())
    for root in (paths.home(), paths.shipped()):
        path = root / text
        if text and not text.startswith(".") and text != "episodes" and path.is_dir() and _is_slot(path):
            return read_slot(path)
    known = [slot.name for slot in list_slots()]
    near = difflib.get_close_matches(text, known, 3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known) or 'none yet'}."
    raise NotFoundError(f"There is no slot {text!r}; {hint}")


def create_slot(
    name: str,
    game: Game,
    observation: ObservationSpec,
    action: ActionSpec,
    family: str,
    preset: str,
    config: Mapping[str, Any],
    command: Sequence[str] = (),
    lineage: Mapping[str, Any] | None = None,
) -> Path:
    """Begin a slot with nothing trained yet and return its folder. Raises UsageError if the name is taken."""
    path = paths.slot_dir(name)
    if _is_slot(path):
        raise UsageError(f"There is a slot {name!r} already; train under another name, or delete it first.")
    created = now()
    atomic.write_json(
        path / SLOT_FILE,
        {
            "schema": SCHEMA,
            "name": name,
            "game": game.short or game.id,
            "game_id": game.id,
            "game_params": dict(game.params),
            "fps": game.fps,
            "family": family,
            "preset": preset,
            "config": dict(config),
            "observation": observation.to_json(),
            "action": action.to_json(),
            "steps": 0,
            "created": created,
            "updated": created,
            "command": list(command),
            "lineage": dict(lineage or {}),
            "metrics": {},
            "files": {},
        },
    )
    return path


def copy_slot(name: str, new: str) -> Path:
    """A full copy under another name, its lineage naming the original; the way to train on from a shipped slot."""
    return copy_folder(_sound(name), _free(new))


def rename_slot(name: str, new: str) -> Path:
    """Give a slot of the home another name. Raises WmplayError while a run writes it."""
    return rename_folder(_own(name, "renamed"), _free(new))


def delete_slot(name: str) -> None:
    """Remove a slot of the home with its runs and checkpoints. Raises WmplayError while a run writes it."""
    delete_folder(_own(name, "deleted"))


def export_slot(name: str, file: Path) -> Path:
    """Pack a slot into one file that `import_slot` takes anywhere. Raises WmplayError if the slot is damaged."""
    return export_folder(_sound(name), file)


def import_slot(file: Path, name: str | None = None) -> Path:
    """Unpack an exported slot, under another name if given. Raises WmplayError for whatever is wrong."""
    return import_archive(file, name, _free)


def verify_slot(name: str | Path) -> list[str]:
    """Everything that is wrong with a slot; empty if every file is what its checksum says."""
    slot = find_slot(name)
    return verify_folder(slot.path)


def _sound(name: str) -> Path:
    slot = find_slot(name)
    problems = verify_folder(slot.path)
    if problems:
        raise WmplayError(f"The slot {name} is damaged ({problems[0]}); see wmplay slots verify {name}.")
    return slot.path


def _own(name: str, done: str) -> Path:
    slot = find_slot(name)
    if slot.shipped:
        raise UsageError(
            f"The slot {name} ships with wmplay and cannot be {done}; copy it: `wmplay slots copy {name} NEW`."
        )
    return slot.path


def _free(name: str) -> Path:
    path = paths.slot_dir(name)
    if _is_slot(path):
        raise UsageError(f"There is a slot {name!r} already; choose another name.")
    return path


def _is_slot(path: Path) -> bool:
    """A folder with something visible in it: a slot, or what is left of one."""
    return path.is_dir() and any(not child.name.startswith(".") for child in path.iterdir())


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [p for p in root.iterdir() if not p.name.startswith(".") and p.name != "episodes" and _is_slot(p)]
