"""Each detector against a model broken in just that way and one that is well: a doctor who is wrong does harm."""

import numpy as np
import pytest
import torch

from evaluate.fakes import FrameState, GridState, PerfectGrid, RepeatWorld, grid_starts
from wmplay.evaluate.diagnosis import (
    collapsed_latents,
    frozen_foreground,
    ignored_actions,
    loss_spikes,
    overfitting,
    reward_is_mean,
    unused_codes,
)
from wmplay.evaluate.fidelity import mean_observation
from wmplay.evaluate.outcomes import measure_outcomes
from wmplay.evaluate.starts import Starts


@pytest.fixture(scope="module")
def starts() -> Starts:
    return grid_starts()


class CollapsedWorld(RepeatWorld):
    """Sees the same grey whatever it is shown."""

    def read(self, observation):
        return FrameState(torch.full_like(observation, 90))


class CodesState(GridState):
    """A grid state whose board counts as codes."""


class CodedGrid(PerfectGrid):
    """Boards as int64 codes, all the same if `collapsed`."""

    def __init__(self, collapsed: bool) -> None:
        super().__init__()
        self.collapsed = collapsed

    def read(self, observation):
        board = super().read(observation).board.long()
        return GridState(torch.zeros_like(board) if self.collapsed else board)


class MeanReward(PerfectGrid):
    """Knows the board, and says the same reward always."""

    def step(self, state, action, temperature=1.0, generator=None):
        state, reward, end = super().step(state, action, temperature, generator)
        return state, torch.full_like(reward, -0.01), end


class Memoriser(PerfectGrid):
    """Right on the boards it has seen, and blind to moves elsewhere."""

    def __init__(self, known: Starts) -> None:
        super().__init__()
        self.known = {starts.tobytes() for starts in self._walls(known.truth(0))}

    @staticmethod
    def _walls(frames):
        from envs.grid_world import decode_board

        return [np.ascontiguousarray(board == 1) for board in decode_board(frames, 8)]

    def step(self, state, action, temperature=1.0, generator=None):
        new, reward, end = super().step(state, action, temperature, generator)
        seen = [np.ascontiguousarray(b == 1).tobytes() in self.known for b in state.board.numpy()]
        return GridState(torch.where(torch.tensor(seen)[:, None, None], new.board, state.board)), reward, end


def test_loss_spikes_are_seen_and_a_quiet_loss_is_not():
    """A user would train on for hours after the model has broken."""
    quiet = (np.exp(-np.arange(300) / 60) + np.random.default_rng(0).normal(0, 0.01, 300)).tolist()
    spiky = list(quiet)
    for t in (100, 150, 200, 250):
        spiky[t] = 9.0
    higher = [value + (t >= 150) for t, value in enumerate(quiet)]
    assert loss_spikes({"joint": quiet}).status == "ok"
    assert loss_spikes({"joint": higher}).found == "1 jumps"  # a harder lesson from there on, not a model that breaks
    assert loss_spikes({"joint": spiky}).status == "warning"
    often = [value + 9.0 * (t % 10 == 0) for t, value in enumerate(quiet)]
    assert loss_spikes({"joint": often}).found.startswith("28 jumps")
    noise = np.random.default_rng(1).normal(1, 0.01, 12_000)
    for count, status in ((3, "ok"), (30, "warning")):  # three in two hours are no illness
        noise[100 : 100 + 50 * count : 50] = 9.0
        assert loss_spikes({"joint": noise.tolist()}).status == status
    assert loss_spikes({"joint": [*quiet, float("nan")]}).status == "problem"
    assert loss_spikes({}).status == "unknown"


def test_collapsed_latents(starts: Starts):
    """A collapsed model dreams one picture for ever; its loss curve looks calm all the same."""
    assert collapsed_latents(CollapsedWorld(), starts).status == "problem"
    assert collapsed_latents(RepeatWorld(), starts).status == "ok"


def test_unused_codes(starts: Starts):
    """With one code in use nothing can be told apart."""
    assert unused_codes(CodedGrid(collapsed=True), starts).status == "problem"
    assert unused_codes(CodedGrid(collapsed=False), starts).status == "ok"
    assert unused_codes(RepeatWorld(), starts).found == "this family has no codebook"


def test_frozen_foreground(starts: Starts):
    """The CartPole trap: a low error, and the one thing that matters never moves."""
    mean = mean_observation(starts.observation.reshape(-1, 64, 64, 3))
    frozen, moving = (frozen_foreground(world, starts, mean) for world in (RepeatWorld(), PerfectGrid()))
    assert frozen.status == "problem" and "background" in frozen.meaning
    assert moving.status == "ok"


def test_ignored_actions():
    """A dream that does not answer the keys cannot be played."""
    deaf = {"n": 60, "share": [0.5, 0.4, 0.6], "size": [0.02, 0.01, 0.03]}
    good = {"n": 60, "share": [0.98, 0.95, 1.0], "size": [0.9, 0.8, 1.0]}
    assert ignored_actions(deaf).status == "problem"
    assert ignored_actions(good).status == "ok"


def test_reward_head_that_says_the_mean(starts: Starts):
    """An agent trained in such a dream learns nothing, and nobody knows why."""
    ended = starts_with_ends()
    assert reward_is_mean(measure_outcomes(MeanReward(), [ended])).status == "problem"
    well = measure_outcomes(PerfectGrid(), [ended])
    assert reward_is_mean(well).status == "ok"
    assert well["end_precision"][0] == well["end_recall"][0] == 1.0 and well["ends"] == 12


def starts_with_ends() -> Starts:
    """Twelve starts whose next step is onto the goal: the boards are made by hand."""
    from envs.grid_board import AGENT, FLOOR, GOAL
    from envs.grid_world import draw_board

    part = grid_starts(horizon=2)
    seen, action = part.observation.copy(), part.action.copy()
    reward, terminated = part.reward.copy(), part.terminated.copy()
    for i in range(part.count):
        board = np.zeros((8, 8), np.int8)
        board[3, 3], board[3, 4] = AGENT, GOAL
        seen[i, : part.context] = draw_board(board)
        board[3, 3], board[3, 4] = FLOOR, AGENT
        seen[i, part.context :] = draw_board(board)
        action[i, part.context] = 1
        reward[i, part.context], terminated[i, part.context] = 1.0, True
        # One harmless step before, so that the reward varies.
        action[i, part.context + 1], reward[i, part.context + 1] = 3, -0.01
    return Starts(
        part.context, seen, action, reward, terminated, part.first, part.valid, part.seeds, part.prefix
    )  # fmt: skip


def test_overfitting():
    """Learned by heart: splendid on the training data, useless on a new board."""
    every = grid_starts(count=24, horizon=6)
    trained, new = every.take(slice(0, 12)), every.take(slice(12, 24))
    assert overfitting(Memoriser(trained), new, trained, None).status in ("warning", "problem")
    assert overfitting(PerfectGrid(), new, trained, None).status == "ok"
    assert overfitting(PerfectGrid(), new, None, None).status == "unknown"
