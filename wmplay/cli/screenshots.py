"""`wmplay screenshots`: the README's pictures, each made by the very command a person would type."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from wmplay.core.errors import WmplayError
from wmplay.core.slots import find_slot

# File name -> arguments of wmplay that make it; the file is put behind --screenshot.
_COMMANDS: dict[str, tuple[str, ...]] = {
    "play.png": ("play", "car_racing", "--agent", "driver", "--seed", "3", "--after", "90"),
    "dream.png": ("dream", "car_racing", "--seed", "6", "--after", "12"),
    "twin.png": ("dream", "car_racing", "--twin", "--agent", "driver", "--seed", "3", "--after", "50"),
    "grid_world.png": ("dream", "grid_world", "--agent", "random", "--seed", "5", "--after", "4"),
    "terminal.svg": ("dream", "car_racing", "--terminal", "--seed", "6", "--after", "12"),
}


def make(folder: str) -> list[Path]:
    """Write the pictures into a folder and return their paths. Raises WmplayError with what the command said."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    made = []
    for name, arguments in _COMMANDS.items():
        file = target / name
        command = [sys.executable, "-m", "wmplay", *arguments, "--screenshot", str(file)]
        # No window shall pop up where there is a display.
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "SDL_VIDEODRIVER": "dummy"}, check=False
        )
        if done.returncode:
            raise WmplayError(f"{name} was not made: {done.stderr.strip().splitlines()[-1]}")
        made.append(file)
    from wmplay.tui.screenshot import save_screenshot
    from wmplay.tui.snapshot import Subject

    made.append(save_screenshot(target / "dashboard.svg", (120, 36), Subject("slot", "car_racing")))
    for slot in ("car_racing", "grid_world", "cartpole"):
        strip = find_slot(slot).path / "report" / "strip-expert.png"
        if strip.exists():
            made.append(Path(shutil.copyfile(strip, target / f"strip-{slot}.png")))
    return made
