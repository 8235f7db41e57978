"""Whether a dream answers the keys is the first thing a player feels; the figure for it must be right."""

from pathlib import Path

import pytest

from evaluate.fakes import PerfectGrid, RepeatWorld, grid_starts
from wmplay.core.catalog import GAMES
from wmplay.evaluate.following import branched, measure_following, opposites
from wmplay.evaluate.starts import Starts


@pytest.fixture(scope="module")
def starts() -> Starts:
    return grid_starts()


def test_a_perfect_world_answers_and_a_still_one_does_not(home: Path, starts: Starts):
    """100 % at the game's own size for the rules themselves, 0 for a picture that stands still."""
    good = measure_following(PerfectGrid(), GAMES[0], starts)
    assert good["n"] > starts.count / 2
    assert good["share"][0] == 1.0 and good["size"][0] == pytest.approx(1.0) and good["alike"][0] == pytest.approx(1.0)
    deaf = measure_following(RepeatWorld(), GAMES[0], starts)
    assert deaf["n"] == good["n"] and deaf["share"][0] == 0.0 and deaf["size"][0] == 0.0


class Mirrored(PerfectGrid):
    """Goes left for right and up for down."""

    def step(self, state, action, temperature=1.0, generator=None):
        return super().step(state, (action + 2) % 4, temperature, generator)


def test_mirrored_keys_are_counted_as_wrong(home: Path, starts: Starts):
    """A dream that goes the other way answers strongly, and wrongly."""
    wrong = measure_following(Mirrored(), GAMES[0], starts)
    assert wrong["share"][0] == 0.0 and wrong["size"][0] > 0.5


def test_a_replay_arrives_where_the_recording_was(home: Path, starts: Starts):
    """The branches of the real game must leave from the very start the dream leaves from."""
    pairs = opposites(GAMES[0], PerfectGrid().action)
    seen, there = branched(GAMES[0], starts, pairs, 1)
    assert there.any() and seen.shape == (2, 2, starts.count, 64, 64, 3)
    for i in range(starts.count):
        taken = int(starts.actions(1)[i])
        pair, branch = next((p, b) for p, both in enumerate(pairs) for b, a in enumerate(both) if a == taken)
        assert (seen[pair, branch, i] == starts.truth(1)[i]).all()
    assert (branched(GAMES[0], starts, pairs, 1)[0] == seen).all(), "the cached answer differs"
