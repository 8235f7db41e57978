"""What a session hands to a screen, as plain data: pictures, HUD, a notice, a curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wmplay.play.hud import Hud


@dataclass(frozen=True)
class Panel:
    """A picture, uint8 [H, W, 3], with its title (empty for the only one)."""

    title: str
    frame: np.ndarray


@dataclass(frozen=True)
class View:
    """All that a screen draws: pictures side by side, the HUD, a notice over the picture, a curve under it."""

    panels: tuple[Panel, ...]
    hud: Hud
    notice: str = ""
    detail: str = ""
    curve: tuple[float, ...] = ()
    curve_title: str = ""
