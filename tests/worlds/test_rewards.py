"""Rewards of any size are learned beside the rest, and slots from before say what they said."""

from __future__ import annotations

import pytest
import torch

from tests.worlds.cases import Case, fit
from wmplay.worlds.protocol import Segment, World
from wmplay.worlds.rewards import RewardScale

SCALED = ("vae_mdn", "vqvae_mdn", "canvas")


def _lesson(case: Case, times: float) -> tuple[World, Segment, dict[str, torch.Tensor]]:
    """A fresh world's first look at a batch whose rewards were multiplied."""
    world = case.make()
    segment = case.data(8, 8)
    reward = segment.reward + 0.1 * torch.arange(8.0)  # no two batches of a game pay only 0 and 1
    segment = segment._replace(reward=reward * times)
    rows = segment.observation.flatten(0, 1)
    encoded = world.encode_after(torch.cat((rows[:1], rows[:-1])), rows).unflatten(0, segment.reward.shape)
    world.train()
    lesson = segment._replace(observation=encoded)
    return world, segment, world.loss(lesson, "memory", torch.Generator().manual_seed(0))[1]


@pytest.mark.parametrize("family", SCALED)
@pytest.mark.parametrize("times", [0.01, 100.0])
def test_a_games_scale_of_rewards_does_not_weigh_in_the_loss(family: str, times: float) -> None:
    """With LunarLander's −100 the memory would learn rewards and nothing else; of tiny ones it would learn nothing."""
    _, _, plain = _lesson(Case(family), 1.0)
    _, _, scaled = _lesson(Case(family), times)
    assert float(plain["reward"]) > 0.1
    assert float(scaled["reward"]) == pytest.approx(float(plain["reward"]), rel=1e-3)
    assert float(scaled["loss"]) == pytest.approx(float(plain["loss"]), rel=1e-3)


@pytest.mark.parametrize("family", SCALED)
def test_large_rewards_are_dreamt_as_large_as_they_are(family: str) -> None:
    """A controller would practise for the wrong prize, and the report card's reward error would be nonsense."""
    case = Case(family)
    world = case.make()
    segment = case.data(8, 8)
    segment = segment._replace(reward=segment.reward * 100.0 + 500.0)
    phase = next(phase for phase in world.phases if phase.name == "memory")
    fit(world, phase, segment, 5)
    with torch.no_grad():
        told = world.step(world.begin(segment), segment.action[:, 0], temperature=0.0)[1]
    assert abs(float(told.mean()) - float(segment.reward[:, 1:].mean())) < 100.0


@pytest.mark.parametrize("family", SCALED)
def test_a_slot_from_before_predicts_and_learns_the_rewards_it_did(family: str) -> None:
    """Weights without a scale load strictly, say what their head says, and stay in raw units when trained further."""
    case = Case(family)
    world = case.make(seed=1)
    old = {name: value for name, value in world.state_dict().items() if ".rewards." not in name}
    assert len(old) == len(world.state_dict()) - 3
    later = case.make(seed=2)
    later.train()
    later.get_submodule("memory.rewards").learn(torch.tensor([3.0, 40.0]))  # type: ignore[operator]
    later.load_state_dict(old)
    segment = case.data(4, 6)
    said = []
    for each in (world, later.eval()):
        state = each.begin(segment)
        said.append(each.step(state, segment.action[:, 0], temperature=0.0)[1])
    assert torch.equal(*said)
    scale = later.get_submodule("memory.rewards")
    assert isinstance(scale, RewardScale)
    scale.learn(torch.tensor([3.0, 40.0]))
    assert torch.equal(scale.restore(torch.tensor([2.5])), torch.tensor([2.5]))


def test_rewards_that_never_vary_or_only_once_are_no_trouble() -> None:
    """CartPole pays 1 always; dividing by its deviation of nothing would end the training."""
    scale = RewardScale()
    scale.learn(torch.ones(1000))
    assert float(scale.error(torch.zeros(4), torch.ones(4)).sum()) == 0.0
    assert torch.equal(scale.restore(torch.zeros(2)), torch.ones(2))
    assert float(scale.error(torch.zeros(1), torch.zeros(1))) == 1.0
    scale.learn(torch.cat((torch.ones(9), torch.tensor([-100.0]))))
    assert float(scale.error(torch.zeros(1), torch.tensor([-100.0]))) < 2000.0
