"""One file that a slot travels in: a zip with a manifest of checksums, of which nothing is believed unchecked."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wmplay.core import atomic, paths
from wmplay.core.errors import NotFoundError, WmplayError
from wmplay.core.slot_check import content_problem, verify_files
from wmplay.core.slot_store import SCHEMA, SLOT_FILE, digest, now, read_slot_json, safe_relative
from wmplay.core.slot_transfer import building, end_runs, take

MANIFEST = "wmplay.json"
FORMAT = "wmplay-slot"
_MAX_FILES = 10_000
_MAX_RATIO = 100  # weights hardly shrink; a file that grows a hundredfold is a bomb
_SMALL = 64 << 20  # bytes that any archive may unpack to, whatever its ratio
_STORED = {".safetensors", ".npz", ".png", ".gif"}  # do not shrink, so are not compressed


def export_folder(path: Path, file: Path) -> Path:
    """Pack a slot into one zip file with a manifest of checksums, whole or not at all; returns the file."""
    if file.is_dir():
        file = file / f"{path.name}.wmplay"
    with building(paths.home() / f"{path.name}.export", place=False) as built, atomic.writing(file):
        take(path, built)
        names = sorted(p.relative_to(built).as_posix() for p in built.rglob("*") if p.is_file())
        listed = {n: {"sha256": digest(built / n), "size": (built / n).stat().st_size} for n in names}
        manifest = {"format": FORMAT, "schema": SCHEMA, "name": path.name, "files": listed}
        beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
        try:
            with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(MANIFEST, atomic.to_json(manifest))
                for name in names:
                    stored = Path(name).suffix in _STORED
                    archive.write(built / name, name, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
            atomic.replace(beside, file)
        finally:
            beside.unlink(missing_ok=True)
    return file


def import_archive(file: Path, name: str | None, free: Callable[[str], Path]) -> Path:
    """Unpack an exported slot after checking every byte of it; `free` gives the folder of an unused name."""
    if not file.is_file():
        raise NotFoundError(f"There is no file {file}.")
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _manifest(archive, file)
            target = free(name or manifest["name"])
            _check_entries(archive, manifest, file)
            with building(target) as built:
                for entry, expected in manifest["files"].items():
                    _extract(archive, entry, expected, built / entry, file)
                _check_unpacked(built, file, target.name)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError) as why:
        raise WmplayError(f"{file} is damaged or cut short, or is no exported slot: {why}.") from why
    return target


def _manifest(archive: zipfile.ZipFile, file: Path) -> dict[str, Any]:
    try:
        entry = archive.getinfo(MANIFEST)
        if entry.file_size > 16 << 20:
            raise ValueError
        with archive.open(entry) as stream:
            found = json.loads(stream.read((16 << 20) + 1))
        if found["format"] != FORMAT or not isinstance(found["schema"], int) or not isinstance(found["files"], dict):
            raise ValueError
        sizes = [(e["size"] + 0, e["sha256"] + "") for e in found["files"].values()]
        if any(size < 0 for size, _ in sizes) or not isinstance(found["name"], str):
            raise ValueError
    except (KeyError, ValueError, TypeError, RecursionError) as why:
        raise WmplayError(f"{file} is no exported slot: it has no readable {MANIFEST}.") from why
    if found["schema"] > SCHEMA:
        raise WmplayError(
            f"{file} was made by a newer wmplay (schema {found['schema']}, this one reads {SCHEMA});"
            " upgrade to import it."
        )
    plain: dict[str, Any] = found
    return plain


def _check_entries(archive: zipfile.ZipFile, manifest: dict[str, Any], file: Path) -> None:
    """Names, kinds and sizes, before a byte is unpacked."""
    entries = [e for e in archive.infolist() if e.filename != MANIFEST]
    if len(entries) > _MAX_FILES:
        raise WmplayError(f"{file} is refused: it holds {len(entries)} files, more than any slot has.")
    for entry in entries:
        if not safe_relative(entry.filename):
            raise WmplayError(f"{file} is refused: {entry.filename!r} would be written outside the slot's folder.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise WmplayError(f"{file} is refused: {entry.filename} is a link, which a slot may not hold.")
    names = [e.filename for e in entries]
    if len({n.lower() for n in names}) != len(names):
        raise WmplayError(f"{file} is refused: it holds two files of the same name.")
    if set(names) != set(manifest["files"]):
        odd = sorted(set(names) ^ set(manifest["files"]))[0]
        raise WmplayError(f"{file} is refused: {odd} is missing, or is not in its list of checksums.")
    total = sum(e["size"] for e in manifest["files"].values())
    if total > max(_SMALL, _MAX_RATIO * file.stat().st_size):
        raise WmplayError(f"{file} is refused: it would unpack to {total / 1e9:.1f} GB, out of all proportion.")
    free = shutil.disk_usage(_existing(paths.home())).free
    if total > free:
        raise WmplayError(f"{file} needs {total / 1e6:.0f} MB, but only {free / 1e6:.0f} MB are free on the disk.")
    for entry in entries:
        if entry.file_size != manifest["files"][entry.filename]["size"]:
            raise WmplayError(f"{file} is refused: {entry.filename} is not as long as its list of checksums says.")


def _extract(archive: zipfile.ZipFile, entry: str, expected: dict[str, Any], target: Path, file: Path) -> None:
    """Unpack one file, never more bytes than announced, and compare its checksum."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as stream, target.open("wb") as out:
        left = expected["size"]
        while block := stream.read(1 << 20):
            left -= len(block)
            if left < 0:
                raise WmplayError(f"{file} is refused: {entry} unpacks to more than it announces.")
            out.write(block)
    if left or digest(target) != expected["sha256"]:
        raise WmplayError(f"{file} is refused: {entry} is not what its checksum says.")


def _check_unpacked(built: Path, file: Path, name: str) -> None:
    problems = verify_files(built)
    for path in (p for p in built.rglob("*") if p.is_file()):
        wrong = content_problem(path)
        if wrong:
            problems.append(f"{path.relative_to(built).as_posix()} {wrong}.")
    if problems:
        said = problems[0].replace(f"{built}{os.sep}", "").replace(built.name, name)  # as nobody knows that folder
        raise WmplayError(f"{file} is refused: {said}")
    store = built / "train" / "run.sqlite"
    if store.exists():
        end_runs(store, file, name)
    info = read_slot_json(built)
    lineage = {**info.get("lineage", {}), "imported_from": file.name, "imported": now()}
    atomic.write_json(built / SLOT_FILE, {**info, "name": name, "lineage": lineage})


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
