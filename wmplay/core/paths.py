"""Where things live: the home of slots and episodes, the slots that ship, caches and locks."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from wmplay.core.errors import UsageError

# The slots that ship with the project; pyproject.toml puts the same folders into the wheel.
SHIPPED_NAMES = ("grid_world", "car_racing", "cartpole")

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
# Folders of the home that are no slots, and names that Windows keeps for devices.
_RESERVED = {"episodes", "con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}


@cache
def checkout() -> Path | None:
    """The folder of the source checkout this package runs from, or None when it was installed as a wheel."""
    folder = Path(__file__).resolve().parents[2]
    try:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        return None
    return folder if re.search(r'^name\s*=\s*"wmplay"', text, re.MULTILINE) else None


def home() -> Path:
    """The folder of slots and episodes: $WMPLAY_HOME, else `saves/` of the checkout, else the user's data folder."""
    named = os.environ.get("WMPLAY_HOME")
    if named:
        return Path(named).expanduser().absolute()
    root = checkout()
    if root is not None:
        return root / "saves"
    import platformdirs

    return Path(platformdirs.user_data_dir("wmplay", appauthor=False))


def shipped() -> Path:
    """The folder of the slots that ship: `saves/` of the checkout, else `shipped` inside the installed package."""
    root = checkout()
    return root / "saves" if root is not None else Path(__file__).resolve().parents[1] / "shipped"


def check_name(name: str, what: str = "slot") -> str:
    """The name itself if a slot, dataset or variant can be called that; raises UsageError otherwise."""
    if not _NAME.fullmatch(name) or name.endswith(".") or name.lower().split(".")[0] in _RESERVED:
        raise UsageError(
            f"{name!r} cannot name a {what}: use letters, digits, '-', '_' and '.', starting with a letter or digit"
            f"{', and not a reserved word' if _NAME.fullmatch(name) else ''}."
        )
    return name


def slot_dir(name: str) -> Path:
    """Where the slot with this name lies in the home, whether it exists or not."""
    return home() / check_name(name)


def episodes_dir(game_slug: str) -> Path:
    """The folder of a game's datasets."""
    return home() / "episodes" / game_slug


def cache_dir() -> Path:
    """Things that can be made again: measurements, thumbnails."""
    return home() / ".cache"


def locks_dir() -> Path:
    """Lock files of slots and devices."""
    return home() / ".locks"
