"""Whether a slot's files are what they should be: sizes and checksums, and nothing in them that could run code."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wmplay.core.errors import WmplayError
from wmplay.core.slot_store import digest, read_slot_json, reading, safe_relative

_WORDS = ("game", "family", "preset")
_OBJECTS = ("config", "observation", "action", "files")
# Pictures and the report card: without them a slot dreams all the same, and `wmplay eval` makes them anew.
_SPARE = ("report/", "preview.gif", "thumb.png")


def quick_problem(path: Path, meta: Mapping[str, Any], spare: bool = True) -> str | None:
    """What is wrong at a glance (fields, files missing or of another size), without reading any file.

    spare: also with those that can be done without.
    """
    for key in (*_WORDS, *_OBJECTS):
        if not isinstance(meta.get(key), str if key in _WORDS else dict):
            return f"slot.json does not say its {key}."
    for name, entry in meta["files"].items():
        if not safe_relative(name):
            return f"slot.json names the file {name!r}, which leaves the slot's folder."
        if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str) or "size" not in entry:
            return f"slot.json has no checksum for {name}."
        file = path / name
        if _linked(path, name):
            return f"{name} is a link, which a slot may not hold."
        if not spare and name.startswith(_SPARE):
            continue
        if not file.is_file():
            return f"{name} is missing."
        if file.stat().st_size != entry["size"]:
            return f"{name} is cut short or changed: {file.stat().st_size} bytes, not {entry['size']}."
    return None


def verify_folder(path: Path) -> list[str]:
    """Every problem of a slot's folder, each a sentence: reads every file."""
    try:
        with reading(path):
            return verify_files(path)
    except WmplayError as why:
        return [str(why)]


def verify_files(path: Path) -> list[str]:
    """`verify_folder` for a folder that nobody else writes: it takes no lock."""
    try:
        meta = read_slot_json(path)
    except WmplayError as why:
        return [str(why)]
    problems = [f"{p.relative_to(path).as_posix()} is a link, which a slot may not hold." for p in _links(path)]
    first = quick_problem(path, meta)
    if first is not None:
        return [*problems, first] if first not in problems else problems
    for name, entry in meta["files"].items():
        if digest(path / name) != entry["sha256"]:
            problems.append(f"{name} is not what its checksum says.")
            continue
        wrong = content_problem(path / name)
        if wrong:
            problems.append(f"{name} {wrong}.")
    return problems


def content_problem(file: Path) -> str | None:
    """What is wrong inside a file whose format we know, in words to follow its name; None if nothing."""
    if file.suffix == ".safetensors":
        return _safetensors_problem(file)
    if file.suffix == ".npz":
        return _npz_problem(file)
    if file.suffix == ".json":
        try:
            json.loads(file.read_bytes())
        except (ValueError, RecursionError):
            return "is not a JSON document"
    if file.suffix in (".pkl", ".pickle", ".pt", ".pth", ".py"):
        return "could run code when opened, so it has no place in a slot"
    return None


def _safetensors_problem(file: Path) -> str | None:
    """The format: 8 bytes little-endian header length, a JSON header with offsets, the data (safetensors README)."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > min(size - 8, 100 << 20):
            return "is cut short"
        try:
            header = json.loads(stream.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            return "is not a safetensors file"
    return None if max(ends, default=0) == size - 8 - length else "is cut short or has extra data"


def _npz_problem(file: Path) -> str | None:
    """Every member must be a whole .npy array without Python objects."""
    import numpy as np  # here: `wmplay --help` and the first paint do without

    try:
        with zipfile.ZipFile(file) as archive:
            broken = archive.testzip()
            if broken:
                return f"is damaged in {broken}"
        with np.load(file, allow_pickle=False) as arrays:
            for name in arrays.files:
                arrays[name]
    except (ValueError, OSError, zipfile.BadZipFile, EOFError, NotImplementedError) as why:
        return f"is not a plain array file ({why})"
    return None


def _linked(path: Path, name: str) -> bool:
    """Whether the file or a folder above it, inside the slot, is a symbolic link."""
    at = path
    for part in name.split("/"):
        at = at / part
        if at.is_symlink():
            return True
    return False


def _links(path: Path) -> list[Path]:
    return [p for p in path.rglob("*") if p.is_symlink()]
