"""Finds a readable font that is on every machine wmplay is installed on."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def font_path(name: str) -> str | None:
    """Where a font is that matplotlib ships (DejaVu), found without importing it; None if it is not there."""
    spec = importlib.util.find_spec("matplotlib")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root) / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf"
        if path.exists():
            return str(path)
    return None
