"""CartPole: Gymnasium's physics, and a drawing in which every state can be seen."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from envs.cartpole import draw_state

ID = "wmplay/CartPole-v0"
_POLE = np.array([232, 120, 38])


def pole_mask(frames: np.ndarray) -> np.ndarray:
    """Where a frame is the pole's orange."""
    return np.abs(frames.astype(int) - _POLE).sum(axis=-1) < 60


@pytest.mark.filterwarnings("ignore:.*Box observation space.*")
def test_gymnasiums_checker_is_satisfied() -> None:
    """The same game as CartPole-v1 to every agent and wrapper."""
    check_env(gymnasium.make(ID).unwrapped, skip_render_check=True)


def test_the_physics_is_cartpole_v1s() -> None:
    """Else nothing published about CartPole would hold here."""
    ours, theirs = gymnasium.make(ID), gymnasium.make("CartPole-v1")
    assert ours.spec is not None
    assert ours.spec.max_episode_steps == 500
    for seed in range(5):
        a, b = ours.reset(seed=seed), theirs.reset(seed=seed)
        assert (a[0] == b[0]).all()
        theirs.action_space.seed(seed)
        done = False
        while not done:
            action = theirs.action_space.sample()
            one, other = ours.step(action), theirs.step(action)
            assert (one[0] == other[0]).all()
            assert one[1:4] == other[1:4]
            done = one[2] or one[3]


def test_a_batch_draws_like_its_members() -> None:
    """Dreams draw whole batches, the game one state at a time."""
    states = np.random.default_rng(0).normal(size=(5, 20, 4))
    frames = draw_state(states)
    assert frames.shape == (5, 20, 64, 64, 3)
    assert frames.dtype == np.uint8
    assert (frames[3, 7] == draw_state(states[3, 7])).all()
    assert draw_state(states[0, 0], 512).shape == (512, 512, 3)
    assert draw_state(np.zeros((0, 4))).shape == (0, 64, 64, 3)


def test_position_and_angle_can_be_read_off_the_frame() -> None:
    """A picture that hides the pole is the known trap of learning CartPole from pixels."""
    columns = np.arange(64) + 0.5
    angles = np.linspace(-0.2, 0.2, 9)
    masks = pole_mask(draw_state(np.stack([angles * 0, angles * 0, angles, angles * 0], axis=1)))
    assert (masks.sum(axis=(1, 2)) > 40).all(), "the pole covers at least 1 % of the picture"
    tips = [(mask * columns).sum() / mask.sum() for mask in masks]
    assert (np.diff(tips) > 0.3).all()
    places = np.linspace(-2.4, 2.4, 9)
    masks = pole_mask(draw_state(np.stack([places, places * 0, places * 0, places * 0], axis=1)))
    seen = np.array([(mask * columns).sum() / mask.sum() for mask in masks])
    assert np.allclose(np.diff(seen), 0.6 * 64 / 6.2, atol=0.3)


def test_edges_are_smooth() -> None:
    """A step of a tenth of a pixel must change the picture, else small differences of a dream cannot be seen."""
    still, moved = draw_state(np.array([[0.0, 0, 0, 0], [0.01, 0, 0, 0]]))
    assert np.abs(still.astype(int) - moved).sum() > 0
    assert np.abs(still.astype(int) - moved).max() < 60


@pytest.mark.parametrize("state", [[9.0, 0, 0, 0], [0, 0, 3.1, 0], [0, 0, -40.0, 0], [np.nan, np.inf, np.nan, 0]])
def test_any_state_can_be_drawn(state: list[float]) -> None:
    """A dream may wander where the game never goes; its picture must not crash."""
    assert draw_state(np.array(state)).shape == (64, 64, 3)


def test_speeds_do_not_change_the_picture_and_keys_are_there() -> None:
    """The drawing shows the pose; A and D push."""
    assert (draw_state(np.array([0.5, 9, 0.1, -9])) == draw_state(np.array([0.5, 0, 0.1, 0]))).all()
    env = gymnasium.make(ID, render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (512, 512, 3)
    keys = env.get_wrapper_attr("get_keys_to_action")()
    assert (keys[("a",)], keys[("d",)]) == (0, 1)
