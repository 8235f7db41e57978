"""CartPole: Gymnasium's physics, and a drawing in which every state can be seen."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from envs.cartpole import draw_state, read_pose

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


@pytest.mark.parametrize(
    "state", [[9.0, 0, 0, 0], [0, 0, 3.1, 0], [0, 0, -40.0, 0], [1e25, 0, 1e300, 0], [np.nan, np.inf, np.nan, 0]]
)
def test_any_state_can_be_drawn(state: list[float]) -> None:
    """A dream may wander where the game never goes; its picture must not crash."""
    with np.errstate(all="raise", under="ignore"):
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


def blurred(frames: np.ndarray, radius: int = 1) -> np.ndarray:
    """Frames [N, H, W, 3] with every pixel the mean of its surroundings, as a model of little training paints them."""
    padded = np.pad(frames.astype(float), ((0, 0), (radius, radius), (radius, radius), (0, 0)), mode="edge")
    width = 2 * radius + 1
    parts = [padded[:, y : y + 64, x : x + 64] for y in range(width) for x in range(width)]
    return np.mean(parts, axis=0).round().astype(np.uint8)


@pytest.mark.filterwarnings("ignore:.*Box observation space.*")
def test_pictures_are_the_drawing_of_the_same_game() -> None:
    """Every family of world model can learn it then, and it still is CartPole: what is shown changes, nothing else."""
    check_env(gymnasium.make(ID, pictures=True).unwrapped, skip_render_check=True)
    plain, drawn = gymnasium.make(ID), gymnasium.make(ID, pictures=True)
    assert drawn.observation_space == gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    state, _ = plain.reset(seed=3)
    frame, info = drawn.reset(seed=3)
    for _ in range(30):
        assert (frame == draw_state(state)).all()
        assert (info["state"] == state).all()
        state, *results, _ = plain.step(1)
        frame, *same, info = drawn.step(1)
        assert results == same
        if results[1]:
            break


def test_pictures_is_true_or_false() -> None:
    """A "no" on the command line would mean yes."""
    for make in (gymnasium.make, gymnasium.make_vec):
        with pytest.raises(ValueError, match="pictures is 'no'; it is true or false"):
            make(ID, pictures="no")


@pytest.mark.parametrize(("radius", "place", "lean"), [(0, 0.001, 0.005), (1, 0.005, 0.01), (2, 0.02, 0.03)])
def test_a_picture_is_read_back_even_where_it_is_blurred(radius: int, place: float, lean: float) -> None:
    """The report card's errors are only worth something if the reader's own is far smaller."""
    generator = np.random.default_rng(0)
    states = np.zeros((300, 4))
    states[:, 0], states[:, 2] = generator.uniform(-2.4, 2.4, 300), generator.uniform(-0.21, 0.21, 300)
    frames = draw_state(states)
    poses, found = read_pose(blurred(frames, radius) if radius else frames)
    assert found.all()
    assert np.abs(poses[:, 0] - states[:, 0]).max() < place
    assert np.abs(poses[:, 1] - states[:, 2]).max() < lean


def test_a_picture_without_its_pole_or_cart_is_told() -> None:
    """The known trap: a beautiful background and no pole. A pose that is made up would hide it."""
    states = np.zeros((40, 4))
    states[:, 0], states[:, 2] = np.linspace(-2, 2, 40), np.linspace(0.2, -0.2, 40)
    frames = draw_state(states)
    no_pole, no_cart, empty = frames.copy(), frames.copy(), frames.copy()
    no_pole[:, :43], no_cart[:, 43:], empty[:] = frames[:, :1, :1], frames[:, :1, :1], frames[:, :1, :1]
    mean = np.broadcast_to(frames.mean(axis=0).astype(np.uint8), frames.shape)
    two = np.minimum(frames[:15], frames[25:])
    lying = draw_state(np.array([[0, 0, 1.5, 0], [0, 0, 3.1, 0], [9.0, 0, 0, 0]]))
    for spoilt in (no_pole, no_cart, empty, mean, two, lying):
        assert not read_pose(spoilt)[1].any()
    assert read_pose(frames)[1].all()
    assert read_pose(frames[:0])[0].shape == (0, 2)
