"""The held-out play that every slot of a game is measured on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from wmplay import games
from wmplay.core import episodes
from wmplay.evaluate.heldout import folder

ASK = """
from wmplay import games
from wmplay.evaluate.heldout import starts

print(starts(games.find("cartpole"), "expert", 8, 50).count)
"""


def test_two_evaluations_at_once_do_not_disturb_each_other(home: Path) -> None:
    """The second threw away what the first was writing: "could not be written: No such file or directory"."""
    asking = [
        subprocess.Popen([sys.executable, "-c", ASK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = [process.communicate(timeout=300) for process in asking]
    assert [process.returncode for process in asking] == [0, 0, 0], told
    assert [out.split() for out, _ in told] == [["8"]] * 3
    assert len(episodes.Dataset(folder(games.find("cartpole"), "expert", 50)).episodes) >= 8
