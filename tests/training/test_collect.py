"""Collecting that is really killed goes on where it was, and the data is what it would have been."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wmplay import games
from wmplay.core import paths
from wmplay.core.episodes import Dataset
from wmplay.core.recorder import MARK
from wmplay.training import collect as collecting
from wmplay.training import collect_play
from wmplay.training.collect import collect

# Marks at every step or as often as told, says when there are enough rows, and goes on until it is killed.
KILLED = """
import sys
from wmplay.training import collect
collect.EVERY = float(sys.argv[5])
game, players, frames, rows = sys.argv[1], sys.argv[2].split(","), int(sys.argv[3]), int(sys.argv[4])
for there in collect.collecting(game, frames, players, "broken"):
    if there >= rows:
        print(there, flush=True)
        sys.stdin.read()
"""


def kill_at(rows: int, game: str, players: list[str], frames: int, every: float = 0.0) -> Path:
    """Collect in a process that is killed for real as soon as it has so many rows; the dataset it leaves.

    every: seconds between two marks.
    """
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, game, ",".join(players), str(frames), str(rows), str(every)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert int(child.stdout.readline()) >= rows
    child.kill()
    child.communicate()
    folder = paths.episodes_dir(games.find(game).slug) / "broken"
    assert not Dataset(folder).info()["complete"]
    return folder


def same(one: Dataset, two: Dataset) -> bool:
    """Equal rows, seeds and places on disk."""
    rows = one.rows == two.rows and all(
        np.array_equal(getattr(one, field), getattr(two, field)) for field in ("actions", "rewards", "flags")
    )
    return rows and one.episodes == two.episodes and np.array_equal(one.read(0, one.rows), two.read(0, two.rows))


@pytest.mark.parametrize(
    ("game", "frames", "rows"),
    [
        ("grid_world", 1200, 300),
        ("grid_world", 1200, 1000),  # in the second player's part
        ("cartpole", 1200, 500),
        pytest.param("car_racing", 1000, 320, marks=pytest.mark.slow),
        pytest.param("Acrobot-v1", 900, 500, marks=pytest.mark.slow),
    ],
)
def test_a_killed_collection_ends_as_an_unbroken_one(home: Path, game: str, frames: int, rows: int) -> None:
    """Else a model would depend on when the power went, or an hour of play in a slow game would be lost."""
    players = list(games.find(game).players)
    broken = kill_at(rows, game, players, frames)
    kept = json.loads((broken / MARK).read_text())["recorder"]["rows"]
    first = next(collecting.collecting(game, frames, players, "broken"))
    assert first == kept > rows / 2, "nothing but the last moment is collected again"
    collect(game, frames, players, "broken")
    whole = collect(game, frames, players, "whole")
    assert same(Dataset(broken), Dataset(whole))
    assert Dataset(broken).info()["complete"]
    assert not (broken / MARK).exists()


def test_a_collection_killed_before_its_first_mark_ends_as_an_unbroken_one(home: Path) -> None:
    """The first seconds are when a person sees that it is the wrong game, and breaks off."""
    collect("grid_world", 500, ["walker"], "broken")
    broken = kill_at(800, "grid_world", ["random", "walker"], 1200, every=1e9)
    collect("grid_world", 1200, ["random", "walker"], "broken")
    collect("grid_world", 500, ["walker"], "whole")
    whole = collect("grid_world", 1200, ["random", "walker"], "whole")
    assert same(Dataset(broken), Dataset(whole))


def test_where_a_replay_would_take_too_long_what_was_played_is_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow game's running episodes are cut off, but nobody waits for them a second time."""
    monkeypatch.setattr(collect_play, "LONGEST", -1.0)
    broken = kill_at(500, "cartpole", ["balancer"], 1200)
    before = Dataset(broken)
    rows = before.read(0, before.rows)
    collect("cartpole", 1200, ["balancer"], "broken")
    after = Dataset(broken)
    assert after.rows >= 1200
    assert after.problems == []
    assert len({e.seed for e in after.episodes}) == len(after.episodes), "no seed is played twice"
    kept = {row.tobytes() for row in after.read(0, after.rows)}
    assert sum(row.tobytes() in kept for row in rows) > 0.9 * len(rows)


GAME = """
import numpy as np
class Chance:
    action_space = 3
    def reset(self):
        self.t = 0
        return np.random.default_rng().integers(0, 256, (3, 64, 64)).astype(np.uint8)
    def step(self, action):
        self.t += 1
        return np.random.default_rng().integers(0, 256, (3, 64, 64)).astype(np.uint8), 0.0, self.t >= 40, {}
"""


def test_a_game_that_is_never_the_same_again_is_cut_off_and_goes_on(home: Path, tmp_path: Path) -> None:
    """Frames of two different episodes must never be joined into one."""
    (tmp_path / "chance.py").write_text(GAME)
    game = f"{tmp_path / 'chance.py'}:Chance"
    broken = kill_at(350, game, ["random"], 600)
    collect(game, 600, ["random"], "broken")
    data = Dataset(broken)
    assert data.rows >= 600
    assert data.problems == []
    assert any(not episode.complete and episode.length < 41 for episode in data.episodes)
    assert max(episode.length for episode in data.episodes) == 41


def test_another_recording_into_a_killed_collection_is_not_lost(home: Path) -> None:
    """What a person played into the dataset since is theirs, whatever was marked before."""
    broken = kill_at(300, "grid_world", ["walker"], 1200)
    collect("grid_world", 1500, ["random"], "broken")
    there = Dataset(broken).rows
    collect("grid_world", 1200, ["walker"], "broken")
    assert Dataset(broken).rows == there >= 1500
