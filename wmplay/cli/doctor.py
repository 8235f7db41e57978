"""`wmplay doctor`: what is installed, what works, and what to do about the rest; with a slot, why its model is bad."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Annotated, Literal

import typer

from wmplay.cli.output import emit_json, say, table
from wmplay.core import paths
from wmplay.core.errors import WmplayError

Status = Literal["ok", "note", "problem"]
_MARK: dict[Status, str] = {"ok": "✓", "note": "·", "problem": "✗"}
_NEEDED_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report: what was looked at, how it is, and what to do where it is not well."""

    what: str
    status: Status
    found: str
    remedy: str = ""


def _python() -> Check:
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Check("Python", "ok", version)
    return Check("Python", "problem", version, "install Python 3.11, 3.12 or 3.13 and build .venv anew")


def _packages() -> Check:
    missing = []
    for requirement in metadata.requires("wmplay") or []:
        if "extra ==" in requirement:
            continue
        name = requirement.split(";")[0].split("[")[0]
        for sign in "<>=!~ ":
            name = name.split(sign)[0]
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", "problem", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return Check("packages", "ok", "all there")


def _pygame() -> Check:
    try:
        metadata.version("pygame")
    except metadata.PackageNotFoundError:
        return Check("pygame-ce", "ok", metadata.version("pygame-ce"))
    return Check(
        "pygame-ce", "problem", "the other pygame is installed beside it and they overwrite each other",
        "pip uninstall -y pygame pygame-ce && pip install pygame-ce",
    )  # fmt: skip


def _device() -> Check:
    from wmplay.devices import resolve

    label = resolve("auto").label
    if label.lower().startswith("cpu"):
        return Check("device", "note", label, "fine for the small presets; base wants a GPU")
    return Check("device", "ok", label)


def _compiler() -> Check:
    from wmplay.compiling import possible

    if possible():
        return Check("compiler", "ok", "long trainings may be compiled")
    return Check(
        "compiler", "note", "no C++ compiler", "with one (g++, clang++) long trainings of some families are faster"
    )


def _display() -> Check:
    if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return Check("display", "ok", "windows can open")
    return Check("display", "note", "no display", "play and dream with --terminal, or connect by ssh -X")


def _terminal() -> Check:
    size = shutil.get_terminal_size()
    colours = os.environ.get("COLORTERM", "")
    found = f"{size.columns}×{size.lines}, {colours or 'no COLORTERM'}"
    if size.columns < 80 or size.lines < 24:
        return Check("terminal", "note", found, "the dashboard wants at least 80×24")
    if colours not in ("truecolor", "24bit"):
        return Check("terminal", "note", found, "set COLORTERM=truecolor if your terminal can show 16 million colours")
    return Check("terminal", "ok", found)


def _home() -> Check:
    folder = paths.home()
    parent = next((p for p in (folder, *folder.parents) if p.exists()), folder)
    if not os.access(parent, os.W_OK):
        return Check("home", "problem", f"{folder} cannot be written", "pass --home, or set WMPLAY_HOME")
    free = shutil.disk_usage(parent).free
    found = f"{folder} ({free / 1024**3:.0f} GB free)"
    if free < _NEEDED_FREE_BYTES:
        return Check("home", "problem", found, "make room, or choose another folder with --home or WMPLAY_HOME")
    return Check("home", "ok", found)


def _games() -> Check:
    import gymnasium

    from wmplay.core.catalog import GAMES

    missing = [game.id for game in GAMES if game.id not in gymnasium.registry]
    if missing:
        return Check("games", "problem", f"missing: {', '.join(missing)}", "pip install -e . in the project")
    return Check("games", "ok", ", ".join(game.short for game in GAMES))


def _slots() -> Check:
    from wmplay.core.slots import list_slots

    slots = list_slots()
    broken = [slot.name for slot in slots if not slot.ok]
    if broken:
        return Check("slots", "problem", f"unreadable: {', '.join(broken)}", f"wmplay slots verify {broken[0]}")
    return Check("slots", "ok", f"{len(slots)} readable")


CHECKS: tuple[Callable[[], Check], ...] = (
    _python, _packages, _pygame, _device, _compiler, _display, _terminal, _home, _games, _slots,
)  # fmt: skip


def examine() -> list[Check]:
    """Run every check; one that itself fails becomes a problem line instead of ending the report."""
    found = []
    for check in CHECKS:
        try:
            found.append(check())
        except (ImportError, OSError, WmplayError, metadata.PackageNotFoundError) as error:
            found.append(Check(check.__name__.strip("_"), "problem", f"{type(error).__name__}: {error}"))
    return found


def _examine_slot(slot: str, json: bool, device: str) -> None:
    from wmplay.evaluate.diagnosis import diagnose

    findings = diagnose(slot, device)
    if json:
        emit_json([asdict(finding) for finding in findings])
        return
    table((asdict(finding) for finding in findings), ["name", "status", "found", "meaning", "remedy"])


def register(app: typer.Typer) -> None:
    """Add `doctor` to the app."""

    @app.command()
    def doctor(
        slot: Annotated[str | None, typer.Argument(help="A slot: say what is wrong with its model.")] = None,
        json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
        device: Annotated[str, typer.Option(help="For a slot: auto, cpu, cuda or mps.")] = "auto",
    ) -> None:
        """What is installed, what works, what to do about the rest; with a slot, what ails its model."""
        if slot is not None:
            _examine_slot(slot, json, device)
            return
        checks = examine()
        if json:
            emit_json([asdict(check) for check in checks])
        else:
            rows = ({"": _MARK[c.status], "what": c.what, "found": c.found, "what to do": c.remedy} for c in checks)
            table(rows, ["", "what", "found", "what to do"])
        if any(check.status == "problem" for check in checks):
            say("Some things need attention: see the lines marked ✗.")
            raise typer.Exit(1)
