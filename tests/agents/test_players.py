"""The players that make data: good, lasting, seeded, and batched."""

import dataclasses

import gymnasium
import numpy as np
import pytest

from wmplay.agents.players import CartBalancer, GridWalker, GridWanderer, PersistentPlayer, RandomPlayer
from wmplay.agents.protocol import Agent
from wmplay.core.catalog import PLAYERS, Game, builtin_game, load
from wmplay.core.spaces import ActionSpec

FOUR = ActionSpec("discrete", n=4)
BOX = ActionSpec("box", low=(-1.0, 0.0, 0.0), high=(1.0, 1.0, 1.0))
MULTI = ActionSpec("multi", counts=(3, 2))


def game(short: str) -> Game:
    found = builtin_game(short)
    assert found is not None
    return found


def play(player: Agent, env: gymnasium.vector.VectorEnv, steps: int, seed: int = 0) -> tuple[list[float], list[float]]:
    """Returns and last rewards of all episodes that ended."""
    count = env.num_envs
    observation, info = env.reset(seed=seed)
    player.reset(count, seed=seed)
    first, total = np.ones(count, bool), np.zeros(count)
    returns: list[float] = []
    last: list[float] = []
    for _ in range(steps):
        observation, reward, terminated, truncated, info = env.step(player.act(observation, info, first))
        total += reward
        first = terminated | truncated
        returns += total[first].tolist()
        last += reward[first].tolist()
        total[first] = 0
    return returns, last


def test_the_walker_reaches_the_goal_on_200_boards() -> None:
    """Else there is no good play in the data, and no yardstick for a controller."""
    env = gymnasium.make_vec("wmplay/GridWorld-v0", 200, autoreset_mode="SAME_STEP")
    returns, last = play(GridWalker(game("grid_world"), FOUR, noise=0.0), env, 30)
    assert len(returns) >= 200
    assert set(last) == {1.0}
    assert np.mean(returns) > 0.9


@pytest.mark.parametrize("size", [5, 8])
def test_the_walker_reads_frames_where_there_is_no_board(size: int) -> None:
    """In a dream there are only pictures."""
    there = dataclasses.replace(game("grid_world"), params={"size": size})
    walker, seeing = GridWalker(there, FOUR, noise=0.0), GridWalker(there, FOUR, noise=0.0)
    env = gymnasium.make_vec("wmplay/GridWorld-v0", 20, size=size, autoreset_mode="SAME_STEP")
    observation, info = env.reset(seed=1)
    first = np.ones(20, bool)
    for _ in range(20):
        actions = walker.act(observation, info, first)
        assert (seeing.act(observation, {}, first) == actions).all()
        observation, _, _, _, info = env.step(actions)


def test_noise_makes_the_walker_worse_but_not_lost() -> None:
    """Data needs mistakes and recoveries; the knob must do something."""
    env = gymnasium.make_vec("wmplay/GridWorld-v0", 100, autoreset_mode="SAME_STEP")
    returns = [np.mean(play(GridWalker(game("grid_world"), FOUR, noise=n), env, 60)[0]) for n in (0.0, 0.3, 1.0)]
    assert returns[0] > returns[1] > returns[2]


def test_the_wanderer_never_ends_an_episode() -> None:
    """Long recordings, for dreams of hundreds of steps, need a player that stays alive."""
    env = gymnasium.make_vec("wmplay/GridWorld-v0", 50, autoreset_mode="SAME_STEP", max_episode_steps=10_000)
    observation, info = env.reset(seed=0)
    player = GridWanderer(game("grid_world"), FOUR, seed=0)
    places = set()
    for _ in range(200):
        observation, _, terminated, _, info = env.step(player.act(observation, info, np.zeros(50, bool)))
        assert not terminated.any()
        places.add(info["board"][0].tobytes())
    assert len(places) > 5


def test_the_balancer_balances() -> None:
    """CartPole's expert regime needs whole episodes."""
    env = gymnasium.make_vec("wmplay/CartPole-v0", 20, autoreset_mode="SAME_STEP", max_episode_steps=300)
    returns, _ = play(CartBalancer(game("cartpole"), ActionSpec("discrete", n=2), noise=0.0), env, 300)
    assert returns == [300.0] * 20


@pytest.mark.parametrize("sight", [False, True])
def test_the_balancer_balances_what_it_sees_as_pictures(sight: bool) -> None:
    """In the game it reads the state beside the picture; in a dream there is only the picture."""
    env = gymnasium.make_vec("wmplay/CartPole-v0", 8, pictures=True, max_episode_steps=200, autoreset_mode="SAME_STEP")
    player = CartBalancer(game("cartpole"), ActionSpec("discrete", n=2), noise=0.0)
    observation, info = env.reset(seed=0)
    first = np.ones(8, bool)
    for step in range(1, 201):
        actions = player.act(observation, {} if sight else info, first)
        observation, _, terminated, truncated, info = env.step(actions)
        first = terminated | truncated
        assert not terminated.any(), f"a pole fell at step {step}"


@pytest.mark.parametrize("spec", [FOUR, BOX, MULTI], ids=str)
@pytest.mark.parametrize("kind", [RandomPlayer, PersistentPlayer])
def test_actions_fit_the_space_and_the_seed_decides(kind: type, spec: ActionSpec) -> None:
    """A recording is refused when an action lies outside the space, and repeated when the seed is."""
    runs = []
    for _ in range(2):
        player = kind(game("car_racing"), spec, seed=3)
        player.reset(16)
        runs.append([player.act(np.zeros((16, 1)), {}, np.zeros(16, bool)) for _ in range(50)])
    actions = np.stack(runs[0])
    assert (actions == np.stack(runs[1])).all()
    assert actions.shape == (50, 16, *spec.shape)
    assert actions.dtype == spec.dtype
    high = np.array(spec.high if spec.kind == "box" else np.array(spec.counts or spec.n) - 1)
    assert (actions >= np.array(spec.low if spec.kind == "box" else 0)).all()
    assert (actions <= high).all()
    assert (actions.reshape(50, -1).std(axis=0) > 0).any()


@pytest.mark.parametrize("spec", [FOUR, BOX], ids=str)
def test_persistent_actions_last(spec: ActionSpec) -> None:
    """White noise goes nowhere in CarRacing."""

    def likeness(player: Agent) -> float:
        """Share of equal neighbours (discrete) or correlation of neighbours (box, the steering)."""
        player.reset(64, seed=0)
        taken = np.stack([player.act(np.zeros((64, 1)), {}, np.zeros(64, bool)) for _ in range(100)])
        if spec.kind == "discrete":
            return float((taken[1:] == taken[:-1]).mean())
        steer = taken[..., 0]
        return float(np.corrcoef(steer[1:].ravel(), steer[:-1].ravel())[0, 1])

    assert likeness(PersistentPlayer(game("grid_world"), spec)) > 0.8
    assert likeness(RandomPlayer(game("grid_world"), spec)) < 0.35


def test_the_persistent_driver_gets_somewhere() -> None:
    """Gas more than brake, or the data shows a parked car."""
    player = PersistentPlayer(game("car_racing"), BOX, seed=0)
    player.reset(256)
    taken = np.stack([player.act(np.zeros((256, 1)), {}, np.zeros(256, bool)) for _ in range(50)])
    assert 0.05 < taken[..., 1].mean() < 0.4
    assert taken[..., 2].mean() < taken[..., 1].mean() / 2
    assert abs(taken[..., 0].mean()) < 0.1


def test_open_bounds_are_played_between_minus_one_and_one() -> None:
    """Somebody's game may have a Box without bounds."""
    spec = ActionSpec("box", low=(-np.inf,), high=(np.inf,))
    for kind in (RandomPlayer, PersistentPlayer):
        player = kind(game("car_racing"), spec, seed=0)
        player.reset(100)
        assert np.abs(player.act(np.zeros((100, 1)), {}, np.ones(100, bool))).max() <= 1


def test_the_catalogs_players_follow_the_protocol() -> None:
    """A name on the command line must give an agent."""
    for name in ("random", "persistent", "walker", "wanderer", "balancer"):
        assert isinstance(load(PLAYERS[name])(game("grid_world"), FOUR), Agent)
