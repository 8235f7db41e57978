"""The 2018 controller and its evolution: the sizes of the paper, actions in bounds, a search that finds its goal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from wmplay.agents.evolution import Evolution
from wmplay.agents.linear import LinearPolicy, from_action, squashes, to_action
from wmplay.agents.policy_gradient import ActorCritic, Experience, advantages, imitate, learn
from wmplay.core.spaces import ActionSpec

CAR = ActionSpec("box", low=(-1.0, 0.0, 0.0), high=(1.0, 1.0, 1.0))
FOUR = ActionSpec("discrete", n=4)
SPECS = [CAR, FOUR, ActionSpec("multi", counts=(3, 2))]


def learner(spec: ActionSpec) -> tuple[ActorCritic, torch.optim.Optimizer, torch.Generator]:
    """A small policy on three features, its optimiser and its random numbers, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ActorCritic(3, spec, 16)
    return model, torch.optim.Adam(model.parameters(), 1e-2), torch.Generator().manual_seed(0)


def one_step(
    model: ActorCritic,
    features: torch.Tensor,
    reward: Callable[[torch.Tensor], torch.Tensor],
    draws: torch.Generator,
) -> Experience:
    """One step of N episodes from features [N, F], without an end, and what its actions were worth."""
    with torch.no_grad():
        raw, value = model(features)
        choice, action = model.draw(raw, draws)
        chance, _ = model.judge(raw, choice)
    over, values = torch.zeros(1, len(features)), torch.stack([value, value])
    return Experience(features[None], choice[None], chance[None], reward(action)[None].float(), over, values)


def test_the_papers_controller_has_867_parameters() -> None:
    """z of 32 and h of 256 to three actions, as in Ha and Schmidhuber's table."""
    assert LinearPolicy(288, CAR).size == 867


@pytest.mark.parametrize("spec", SPECS)
def test_every_action_is_one_the_game_accepts(spec: ActionSpec) -> None:
    """A policy that leaves its bounds would stop the game."""
    policy = LinearPolicy(5, spec)
    draws = torch.Generator().manual_seed(0)
    parameters = 3 * torch.randn(7, policy.size, generator=draws)
    actions = policy.act(parameters, torch.randn(7, 11, 5, generator=draws)).numpy()
    assert actions.shape == (7, 11, *spec.shape)
    if spec.kind == "box":
        assert (actions >= np.array(spec.low)).all()
        assert (actions <= np.array(spec.high)).all()
        assert (actions[..., 2] == 0).mean() > 0.3  # the brake is off half of the time
    else:
        assert (actions >= 0).all()
        assert (actions < np.array(spec.n if spec.kind == "discrete" else spec.counts)).all()


@pytest.mark.parametrize("size", [12, 300])
def test_evolution_finds_an_optimum_and_resumes_exactly(size: int) -> None:
    """Both for full and for separable covariances; a search resumed from its fitness table asks the same questions."""
    goal = np.linspace(-1, 1, size)
    search = Evolution(size, 16, sigma=0.3, seed=4)

    def fitness(candidates: np.ndarray) -> np.ndarray:
        return -((candidates - goal) ** 2).mean(1)

    before = fitness(search.mean[None])[0]
    for _ in range(60):
        search.tell(fitness(search.ask()))
    assert fitness(search.mean[None])[0] > 0.5 * before
    resumed = Evolution(size, 16, sigma=0.3, seed=4)
    resumed.load_state(search.state())
    assert np.array_equal(resumed.ask(), search.ask())
    assert resumed.best_fitness == search.best_fitness


def test_evolution_leaves_numpys_own_random_numbers_alone() -> None:
    """A library that reseeds the whole process makes other people's experiments lie."""
    np.random.seed(1)
    wanted = np.random.random(3)
    np.random.seed(1)
    search = Evolution(5, 6, seed=0)
    search.tell(np.arange(6.0) + search.ask().sum(1))
    assert np.array_equal(np.random.random(3), wanted)


def test_a_broken_fitness_is_refused() -> None:
    """One NaN would poison the whole search silently."""
    search = Evolution(3, 4)
    search.ask()
    with pytest.raises(ValueError, match="finite"):
        search.tell(np.array([1.0, 2.0, np.nan, 0.0]))


def test_advantages_stop_at_the_end_of_an_episode() -> None:
    """What happens in the next episode must not count for the last one."""
    on = torch.tensor([[1.0], [0.0], [1.0]])
    reward = torch.tensor([[0.0], [1.0], [100.0]])
    nothing = torch.zeros(3, 1)
    found = advantages(Experience(nothing, nothing, nothing, reward, on, torch.zeros(4, 1)), 0.9, 1.0)
    assert found[:, 0].tolist() == pytest.approx([0.9, 1.0, 100.0])


@pytest.mark.parametrize("spec", SPECS)
def test_policy_gradient_learns_what_pays(spec: ActionSpec) -> None:
    """A bandit whose best arm is obvious: after some updates the policy takes it."""
    model, optimiser, draws = learner(spec)
    features = torch.randn(64, 3, generator=draws)

    def reward(action: torch.Tensor) -> torch.Tensor:
        return action.float() if spec.kind == "discrete" else action[..., 0].float()

    for _ in range(40):
        learn(model, optimiser, one_step(model, features, reward, draws), draws, repeats=3, batch=16)
    best = {"box": 1.0, "discrete": 3.0, "multi": 2.0}[spec.kind]
    assert float(reward(model.act(features)).mean()) > 0.8 * best


@pytest.mark.parametrize("spec", SPECS)
def test_imitation_prefers_what_paid(spec: ActionSpec) -> None:
    """A recorded player that does now this, now that: what is copied is what earned something."""
    model, optimiser, draws = learner(spec)
    features = torch.randn(2, 512, 3, generator=draws)
    good = torch.rand(1, 512, generator=draws) > 0.5
    if spec.kind == "box":
        action = torch.where(good, 0.8, 0.2)[..., None].expand(1, 512, len(spec.low))
    else:
        one = torch.where(good, 1, 0)
        action = one if spec.kind == "discrete" else one[..., None].expand(1, 512, len(spec.counts))
    nothing = torch.zeros(1, 512)
    played = Experience(features, action, nothing, good.float(), nothing, torch.zeros(2, 512))
    for _ in range(40):
        imitate(model, optimiser, played, torch.ones(1, 512, dtype=torch.bool), draws)
    done = model.act(features[0]).float()
    first = done if spec.kind == "discrete" else done[:, 0]
    assert float(first.mean()) > 0.55


def test_imitation_leaves_out_the_step_from_one_episode_to_the_next() -> None:
    """It was no action of the player's: learning it would teach to do whatever happens to be recorded there."""
    model, optimiser, draws = learner(FOUR)
    real = torch.arange(64).view(8, 8) % 4 > 0
    action = torch.where(real, 2, 0)
    played = Experience(
        torch.zeros(9, 8, 3), action, torch.zeros(8, 8), torch.zeros(8, 8), torch.ones(8, 8), torch.zeros(9, 8)
    )
    for _ in range(60):
        imitate(model, optimiser, played, real, draws)
    chances = model(torch.zeros(1, 3))[0].softmax(-1)[0]
    assert float(chances[2]) > 0.95


def test_actions_and_what_they_come_from_agree() -> None:
    """Imitation reads recorded actions backwards through the squash."""
    spec = ActionSpec("box", low=(-1.0, 0.0, 0.0), high=(1.0, 1.0, 1.0))
    squash = squashes(spec)
    taken = torch.tensor([[-0.5, 0.2, 0.0], [0.9, 0.7, 0.4], [0.0, 0.5, 0.9]])
    assert torch.allclose(to_action(from_action(taken, spec, squash), spec, squash), taken, atol=1e-5)


def test_a_controller_that_reads_a_grid_finds_its_way_on_boards_it_never_saw() -> None:
    """Where the goal lies seen from the player: learned on some boards, it must hold on all."""
    draws = torch.Generator().manual_seed(0)

    def boards(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        column = torch.randint(6, (count, 2), generator=draws)
        column[:, 1] = (column[:, 0] + torch.randint(1, 6, (count,), generator=draws)) % 6
        row = torch.randint(6, (count, 2), generator=draws)
        cells = torch.zeros(count, 6, 6, 3)
        for thing in range(2):
            cells[torch.arange(count), row[:, thing], column[:, thing], thing] = 3.0
        return cells.flatten(1), (column[:, 1] > column[:, 0]).long()

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ActorCritic(6 * 6 * 3, ActionSpec("discrete", n=2), 32, (6, 6, 3))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    # The rate falls, as it does in practice: kept up, it throws away now and then what was learned.
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.1, 40)
    for _ in range(40):
        features, right = boards(128)
        learn(model, optimiser, one_step(model, features, right.eq, draws), draws, repeats=3, batch=32)
        falling.step()
    features, right = boards(512)
    assert float((model.act(features) == right).float().mean()) > 0.9
