"""What a detector says: how it is, what was found, what it means, what to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line of `wmplay doctor SLOT`. status: ok, warning, problem, or unknown where it could not be looked at."""

    name: str
    status: Literal["ok", "warning", "problem", "unknown"]
    found: str
    meaning: str = ""
    remedy: str = ""
