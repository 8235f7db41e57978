"""Writes that happen wholly or not at all: beside the target, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wmplay.core.errors import NotFoundError, WmplayError

# The errors that mean "no room": disk full, quota used up, file larger than allowed.
FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}

# What Python writes and JSON does not know; strings are matched first, so that their insides stay as they are.
_NOT_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|-?Infinity|NaN')
_IN_JSON = {"Infinity": "1e999", "-Infinity": "-1e999", "NaN": "null"}


def explain(why: OSError, path: Path) -> WmplayError:
    """The one sentence for a failed write to `path`."""
    if why.errno in FULL:
        return WmplayError(
            f"The disk is full: {path} could not be written and is as it was; free some space and try again."
        )
    if why.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WmplayError(f"{path} may not be written ({why.strerror}); choose another home with --home.")
    return WmplayError(f"{path} could not be written: {why.strerror or why}.")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError while writing `path` into one sentence."""
    try:
        yield
    except OSError as why:
        raise explain(why, path) from why


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that a rename survives a power cut. Windows has no such call."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(source: Path, target: Path) -> None:
    """Rename over the target, patient on Windows, where an open target makes it fail for a moment. Raises OSError.

    A device, a pipe or a folder is not replaced: `export … /dev/full` would put a file where the system has a device.
    """
    if target.exists() and not target.is_file():
        raise FileExistsError(errno.EEXIST, "there is something else than a file of that name", str(target))
    for attempt in range(20):
        try:
            source.replace(target)
            return
        except PermissionError:
            if os.name != "nt" or attempt == 19:
                raise
            time.sleep(0.05)


def write_flushed(path: Path, data: bytes) -> None:
    """Write a new file and flush it to disk. Not atomic; a building stone. Raises OSError."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data`, whole or not at all; its folder is made if missing. Raises WmplayError."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            write_flushed(beside, data)
            replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Like `write_bytes`, for UTF-8 text."""
    write_bytes(path, text.encode())


def to_json(value: Any) -> str:
    """A JSON document that every reader takes: infinity as 1e999 (which reads as infinity), NaN as null."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _NOT_JSON.sub(lambda found: _IN_JSON.get(found[0], found[0]), text) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Like `write_bytes`, for a JSON document as `to_json` makes it."""
    write_text(path, to_json(value))


def read_json(path: Path) -> Any:
    """The JSON document in a file. Raises NotFoundError if it is missing, WmplayError if it is damaged."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as why:
        raise NotFoundError(f"{path} does not exist.") from why
    except OSError as why:
        raise WmplayError(f"{path} cannot be read: {why.strerror or why}.") from why
    except (ValueError, RecursionError) as why:
        raise WmplayError(f"{path} is damaged: it is not the JSON document it should be.") from why
