"""A power cut in the best race ever driven must not lose the race."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from wmplay.core.episodes import Dataset

PLAYER = """
import sys, time
from wmplay.play.opening import Wish, open_game
session = open_game("cartpole", Wish(agent="balancer", record="cut", seed=1))
while True:
    session.tick()
    print(session.total_steps, flush=True)
    time.sleep(0.01)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_game_keeps_all_but_its_last_second(home: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", PLAYER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        played: list[tuple[float, int]] = []
        for line in process.stdout:
            played.append((time.monotonic(), int(line)))
            if played[-1][0] - played[0][0] > 2.5:
                break
        killed = time.monotonic()
    finally:
        process.kill()
        process.wait()
    data = Dataset(home / "episodes" / "cartpole" / "cut")
    assert not data.problems
    kept = data.rows - len(data.episodes)
    older = max(step for moment, step in played if moment < killed - 1.0)
    assert kept >= older > 20
