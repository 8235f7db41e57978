"""Who acts: random and scripted players, controllers trained on a world model, planners."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wmplay.agents.controller import LatentAgent


def make_agent(slot: str | Path, device: str = "auto") -> LatentAgent:
    """The controller that was trained in a slot, ready for its game or its dream. Raises WmplayError if none was."""
    from wmplay.agents.controller import load_agent

    return load_agent(slot, device)
