"""The real games beside the dreams: every figure of the gap and of staying power stands on them."""

from dataclasses import replace

import numpy as np

from evaluate.fakes import PerfectGrid, grid_starts
from wmplay import games
from wmplay.core.catalog import GAMES
from wmplay.evaluate.replay import replayed
from wmplay.evaluate.returns import game_returns


class Keeping:
    """Walks about, and keeps what it was shown."""

    def __init__(self) -> None:
        self.player = games.make_player("random", GAMES[0], PerfectGrid().action, seed=0)
        self.kept: list[np.ndarray] = []
        self.copies: list[np.ndarray] = []

    def reset(self, count: int, seed: int | None = None) -> None:
        self.player.reset(count, seed)

    def act(self, observation: np.ndarray, info: dict, first: np.ndarray) -> np.ndarray:
        self.kept.append(observation)
        self.copies.append(observation.copy())
        return self.player.act(observation, info, first)


def test_what_an_agent_was_shown_stays_as_it_was():
    """An agent that remembers frames would find today's in their place, and its return would be of another agent."""
    agent = Keeping()
    game_returns(GAMES[0], agent, grid_starts(count=4), 12, seed=0)
    assert len(agent.kept) > 2
    assert all((kept == copy).all() for kept, copy in zip(agent.kept, agent.copies, strict=True))
    assert any((a != b).any() for a, b in zip(agent.kept, agent.kept[1:], strict=False)), "nothing moved"


def test_the_games_go_on_where_the_contexts_end():
    """The gap would compare dreams with games from elsewhere."""
    starts = grid_starts(count=6)
    with replayed(GAMES[0], starts) as replay:
        assert (replay.seen == starts.truth(0)).all() and set(replay.info) >= {"board"}
        for k in range(1, 13):
            replay.step(starts.actions(k))
            assert (replay.seen == starts.truth(k)).all()
            assert np.allclose(replay.reward, starts.reward[:, starts.context - 1 + k])
        assert not replay.over.any()


def test_a_game_that_is_not_ours_keeps_its_own_end():
    """MountainCar is over after 200 steps, climbed or not: its return would be that of another game."""
    starts = replace(grid_starts(count=2), prefix=(np.array([1, 1]), np.array([0])))
    with replayed(games.find("MountainCar-v0"), starts) as replay:
        lasted = np.zeros(2, int)
        for _ in range(205):
            lasted += ~replay.over
            replay.step(np.array([1, 1]))
        assert lasted.tolist() == [198, 199] and replay.reward.tolist() == [0.0, 0.0]
