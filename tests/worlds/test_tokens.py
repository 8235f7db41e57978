"""The token world's promises: exact where the game is exact, jointly consistent where the future is open."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from envs.grid_board import make_boards
from envs.grid_tiles import draw_board
from wmplay.worlds.codes import Vision
from wmplay.worlds.patches import PatchBook
from wmplay.worlds.protocol import Segment
from wmplay.worlds.sampling import settle
from wmplay.worlds.values import ValueBook, symexp, symlog

from .cases import Case, fit


def boards(count: int, size: int) -> Tensor:
    cells = size * size
    keys = np.arange(count, dtype=np.uint64)
    return torch.from_numpy(draw_board(make_boards(keys, size, cells // 5, cells // 16)))


@pytest.mark.parametrize("size", [5, 6, 8, 10])
def test_boards_of_any_size_are_seen_without_loss(size: int) -> None:
    """Else a dream of a board could not be exact, however well it is predicted."""
    frames = boards(64, size)
    book = PatchBook(64, 512)
    book.learn(frames[:32])
    assert book.cells == size
    assert int(book.count) == 5
    assert torch.equal(book.decode(book.encode(frames)), frames)


def test_a_book_travels_with_the_weights() -> None:
    """Else a saved slot would draw other tiles than the ones it was trained on."""
    frames = boards(32, 8)
    book, other = PatchBook(64, 64), PatchBook(64, 64)
    book.learn(frames)
    other.load_state_dict(book.state_dict())
    assert torch.equal(other.decode(other.encode(frames)), frames)


def test_pictures_without_tiles_are_given_to_the_vqvae() -> None:
    """Else the family would only learn games made of tiles, or turn others into mosaics."""
    vision = Vision("auto", 64, 8, 8, 64, 8, 0.25)
    frames = torch.randint(0, 256, (16, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    loss, metrics = vision.loss(frames, torch.Generator().manual_seed(0))
    assert not vision.exact
    assert "commitment" in metrics
    loss.backward()
    assert vision.encode(frames).shape == (16, 64)
    assert vision.decode(vision.encode(frames)).shape == frames.shape


def test_counting_ends_when_nothing_new_is_seen() -> None:
    """Else a third of a minute's training would go into looking at five tiles."""
    world = Case("tokens").make()
    world.train()
    frames = boards(64, 8)
    for _ in range(40):
        world.vision.loss(frames, torch.Generator())
    assert world.learned("vision")
    assert not world.learned("memory")


def _one_agent(decided: Tensor, rows: Tensor) -> Tensor:
    """Logits [N, 4, 2] of a board whose agent is in cell 0, 1 or 2 with chances 0.8, 0.1 and 0.1, never in cell 3."""
    chance = torch.tensor([0.8, 0.1, 0.1, 1e-9]).expand(len(decided), -1).clone()
    chance[decided == 0] = 0.0
    there = (decided == 1).any(-1)
    chance[there] = (decided[there] == 1).float()
    chance = (chance / chance.sum(-1, keepdim=True)).clamp(1e-9, 1 - 1e-9)
    return torch.stack((torch.log(1 - chance), torch.log(chance)), dim=-1)


def test_an_agent_that_may_slip_never_vanishes_and_never_doubles() -> None:
    """Else a player loses sight of the agent within a few steps of a slippery game; and the odds must be the game's."""
    codes = settle(_one_agent, 20_000, 4, 2, 8, 0.01, 0.05, 1.0, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert torch.equal(codes.sum(-1), torch.ones(20_000, dtype=torch.int64))
    share = codes.float().mean(0)
    torch.testing.assert_close(share, torch.tensor([0.8, 0.1, 0.1, 0.0]), atol=0.01, rtol=0.0)


def test_the_most_likely_outcome_is_taken_without_chance() -> None:
    """Else the report card, which dreams at temperature 0, would change from run to run."""
    codes = settle(_one_agent, 5, 4, 2, 8, 0.01, 0.05, 0.0, None, torch.device("cpu"))
    assert codes.tolist() == [[1, 0, 0, 0]] * 5


def test_few_rewards_are_told_apart_exactly() -> None:
    """Else the return of a dream drifts from what its steps are worth."""
    book = ValueBook(31)
    rewards = torch.tensor([-0.01, 1.0, -1.0, -0.01])
    book.learn(rewards)
    logits = torch.full((4, 31), -9.0)
    logits[torch.arange(4), (rewards[:, None] - book.values[:3]).abs().argmin(-1)] = 9.0
    assert torch.equal(book.value(logits), rewards)


def test_many_rewards_become_bins_whose_mean_is_exact() -> None:
    """Else a game with finely graded rewards could not be learned."""
    book = ValueBook(31)
    rewards = torch.linspace(-1.0, 1.0, 200)
    book.learn(rewards)
    assert bool(book.full)
    torch.testing.assert_close(symexp(symlog(rewards)), rewards)
    logits = torch.zeros(200, 31, requires_grad=True)
    optimiser = torch.optim.Adam([logits], 0.3)
    for _ in range(200):
        loss = book.loss(logits, rewards)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.testing.assert_close(book.value(logits.detach()), rewards, atol=0.02, rtol=0.0)


@pytest.mark.slow
def test_a_walk_is_predicted_pixel_by_pixel_after_seconds() -> None:
    """The point of the family: a glance of training, and nearly every next frame is the game's without any error."""
    case = Case("tokens")
    world = case.make(channels=32, recent=1)
    for seed in range(5):
        fit(world, world.phases[1], case.data(16, 8, seed), 40, rate=5e-3 * 0.6**seed)
    truth = case.data(64, 3, seed=77)
    with torch.no_grad():
        state = world.begin(Segment(*(part[:, :2] for part in truth)))
        state, _, _ = world.step(state, truth.action[:, 2], 1.0, torch.Generator().manual_seed(0))
    same = (world.observe(state) == truth.observation[:, 2]).flatten(1).all(-1)
    assert float(same.float().mean()) > 0.9
