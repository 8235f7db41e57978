"""Writes a slot in one transaction: after a kill at any instant it is wholly as before or wholly as after.

The order is what makes it safe. New files and the new slot.json are written into a hidden staging folder and flushed. A
journal renamed into place is the commit. Then each file is renamed to its place, slot.json last, and the journal goes.
Whoever finds a journal finishes the renames (they may be repeated); whoever finds staging without one throws it away.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock, Timeout

from wmplay.core import atomic
from wmplay.core.errors import NotFoundError, UsageError, WmplayError

SCHEMA = 1
SLOT_FILE = "slot.json"
_JOURNAL = ".journal.json"
_STAGING = ".new-"
_PATIENCE = 60.0  # seconds; a save, a copy or a check of a large slot holds the lock for a few


def now() -> str:
    """The time as slots write it: UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def digest(source: Path | bytes) -> str:
    """sha256 of a file or of bytes, in hex."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def safe_relative(name: str) -> bool:
    """Whether a name of a file in a slot stays inside the slot on every platform and is not hidden or special."""
    path = PurePosixPath(name)
    bad = not name or "\\" in name or ":" in name or "\0" in name or path.is_absolute() or name != str(path)
    return not bad and all(not part.startswith(".") for part in path.parts)


@contextlib.contextmanager
def lock_slot(path: Path) -> Iterator[None]:
    """Hold the slot as its only writer for as long as the context lasts. Raises WmplayError if somebody else does."""
    with _locked(path, "writer", 0):
        recover(path)
        yield


def is_locked(path: Path) -> bool:
    """Whether a writer (a training run) holds the slot now."""
    lock = FileLock(_lock_file(path, "writer"))
    if not Path(lock.lock_file).exists():
        return False
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a read-only folder has no writers
        return False


def recover(path: Path) -> None:
    """Finish a transaction whose writer was killed after its commit. Cheap when there is nothing to do."""
    if not (path / _JOURNAL).exists():
        return
    with _locked(path, "transaction", _PATIENCE), atomic.writing(path):
        _roll_forward(path)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Hold off saves while several files of a slot are read that must belong together. Free where nobody can write."""
    if not os.access(path, os.W_OK):
        yield
        return
    with _locked(path, "transaction", _PATIENCE), atomic.writing(path):
        _roll_forward(path)
        yield


def save_slot(
    path: Path,
    info_updates: Mapping[str, Any],
    files: Mapping[str, bytes | Path] | None = None,
    remove: Sequence[str] = (),
) -> None:
    """Update a slot's slot.json fields and files in one transaction; the caller holds `lock_slot` if others may write.

    files: name inside the slot ("world.safetensors", "report/report.json") to its bytes or a file to copy.
    remove: names of files that go. Raises WmplayError (disk full, read-only), then the slot is as it was.
    """
    files = files or {}
    for name in [*files, *remove]:
        if not safe_relative(name) or name == SLOT_FILE:
            raise UsageError(f"{name!r} is no name for a file in a slot.")
    with _locked(path, "transaction", _PATIENCE), atomic.writing(path):
        _roll_forward(path)
        _throw_away_staging(path)
        info = read_slot_json(path)
        staging = path / f"{_STAGING}{secrets.token_hex(4)}"
        try:
            listed = {name: entry for name, entry in info.get("files", {}).items() if name not in remove}
            for name, source in files.items():
                listed[name] = _stage(staging / name, source)
            plain = {k: v for k, v in info_updates.items() if k not in ("schema", "files", "created")}
            info = {**info, **plain, "updated": now(), "files": dict(sorted(listed.items()))}
            _stage(staging / SLOT_FILE, atomic.to_json(info).encode())
            for folder in {staging, *((staging / name).parent for name in files)}:
                atomic.sync_folder(folder)
            journal = {"staging": staging.name, "files": [*files, SLOT_FILE], "remove": list(remove)}
            atomic.write_json(path / _JOURNAL, journal)
        except BaseException:
            # Not committed: nothing of the slot has been touched yet.
            if not (path / _JOURNAL).exists():
                shutil.rmtree(staging, ignore_errors=True)
            raise
        _roll_forward(path)


def read_slot_json(path: Path) -> dict[str, Any]:
    """slot.json as it stands, its schema checked. Raises NotFoundError or WmplayError in one sentence."""
    info = atomic.read_json(path / SLOT_FILE)
    if not isinstance(info, dict) or not isinstance(info.get("schema"), int):
        raise WmplayError(f"{path / SLOT_FILE} is damaged: it is not the description of a slot.")
    if info["schema"] > SCHEMA:
        raise WmplayError(
            f"The slot {path.name} was made by a newer wmplay (schema {info['schema']}, this one reads {SCHEMA});"
            " upgrade wmplay to open it."
        )
    return info


def _stage(target: Path, source: bytes | Path) -> dict[str, Any]:
    """Write one file of the transaction, flushed, and return its entry for slot.json."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, bytes):
        atomic.write_flushed(target, source)
    else:
        shutil.copyfile(source, target)
        with target.open("r+b") as file:
            os.fsync(file.fileno())
    return {"sha256": digest(source if isinstance(source, bytes) else target), "size": target.stat().st_size}


def _roll_forward(path: Path) -> None:
    """Carry out the journal, if there is one. Every step may be repeated after a kill."""
    journal_path = path / _JOURNAL
    if not journal_path.exists():
        return
    journal = atomic.read_json(journal_path)
    staging = path / journal["staging"]
    if not journal["staging"].startswith(_STAGING) or staging.parent != path:
        raise WmplayError(f"{journal_path} is damaged: it names a folder outside the slot.")
    for name in journal["files"]:  # slot.json is the last of them
        if name != SLOT_FILE and not safe_relative(name):
            raise WmplayError(f"{journal_path} is damaged: it names a file outside the slot.")
        if (staging / name).exists():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            atomic.replace(staging / name, path / name)
    for name in journal["remove"]:
        if safe_relative(name):
            (path / name).unlink(missing_ok=True)
    atomic.sync_folder(path)
    journal_path.unlink()
    shutil.rmtree(staging, ignore_errors=True)


def _throw_away_staging(path: Path) -> None:
    for left in path.glob(f"{_STAGING}*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in path.glob(".*.part"):
        left.unlink(missing_ok=True)


def _lock_file(path: Path, kind: str) -> Path:
    return path.parent / ".locks" / f"{path.name}.{kind}.lock"


@contextlib.contextmanager
def _locked(path: Path, kind: str, timeout: float) -> Iterator[None]:
    """One of the slot's two locks: `writer` for a whole training run, `transaction` for one save."""
    if not path.is_dir():
        raise NotFoundError(f"There is no slot folder {path}.")
    if not os.access(path, os.W_OK):
        raise WmplayError(f"The slot {path.name} is read-only; copy it first: wmplay slots copy {path.name} NEW.")
    file = _lock_file(path, kind)
    with atomic.writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, timeout=timeout)
    try:
        lock.acquire()
    except Timeout as why:
        raise WmplayError(
            f"The slot {path.name} is being written by another process; see `wmplay jobs`, or stop it first:"
            f" wmplay jobs stop {path.name}."
        ) from why
    try:
        yield
    finally:
        lock.release()
