"""CarRacing as users meet it: the same game as CarRacing-v3, and frames that look like its own."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RecordVideo, TimeLimit

import envs
from envs.car_racing import CarRacing, car_visible, road_mask
from envs.car_racing.compare import Undrawn, differences, first_unequal_step
from envs.car_racing.scene import Scene
from envs.errors import GameError

GAS = np.array([0.0, 0.4, 0.0], np.float32)


def drive(env: CarRacing, steps: int) -> np.ndarray:
    """Full frames after the opening second: straight on from the start."""
    frames = []
    for _ in range(steps):
        observation, _, _, _, _ = env.step(GAS)
        frames.append(observation)
    return np.array(frames)


@pytest.mark.parametrize("continuous", [True, False])
def test_physics_equal_the_original(continuous: bool) -> None:
    """Results on this game could not be compared with anybody's results on CarRacing-v3."""
    theirs, ours = Undrawn(continuous=continuous), CarRacing(continuous=continuous)
    for seed in (0, 7, 1_000_003):
        assert first_unequal_step(seed, 250, continuous, theirs, ours) is None


@pytest.mark.slow
@pytest.mark.parametrize("continuous", [True, False])
def test_physics_equal_the_original_on_a_hundred_tracks(continuous: bool) -> None:
    """A rare track (a retry, a kerb across the start, a crossing) could be laid or driven differently."""
    theirs, ours = Undrawn(continuous=continuous), CarRacing(continuous=continuous)
    assert [s for s in range(100) if first_unequal_step(s, 1000, continuous, theirs, ours) is not None] == []


def test_tracks_equal_the_original() -> None:
    """The same seed would lay another road: a kerb elsewhere, a tile more, another draw of the random numbers."""
    theirs, ours = Undrawn(), CarRacing()
    for seed in range(40):
        theirs.reset(seed=seed)
        ours.reset(seed=seed)
        assert theirs.track == ours.physics.track
        assert np.array_equal(np.array([corners for corners, _ in theirs.road_poly]), Scene(ours.physics).quads)
        assert theirs.np_random.bit_generator.state == ours.np_random.bit_generator.state


def touched(game: Any) -> list[set[int]]:
    """The numbers of the tiles that each wheel touches."""
    return [{tile.idx for tile in wheel.tiles} for wheel in game.car.wheels]


def test_wheels_touch_the_same_tiles_at_every_step_of_a_lap() -> None:
    """Tiles are made as the car comes near: one made too late would be grass, or pay its reward too late."""
    theirs, ours = Undrawn(), CarRacing()
    theirs.reset(seed=12)
    _, info = ours.reset(seed=12)
    seen = set()
    for _ in range(600):
        right, forward = info["ahead"][5]
        action = np.array([2 * right / forward, 0.3 * (info["speed"] < 45), 0.2 * (info["speed"] > 50)], np.float32)
        theirs.step(action)
        _, _, _, _, info = ours.step(action)
        assert touched(ours.physics) == touched(theirs)
        seen.add(info["tile"])
    assert len(seen) > 100


@pytest.mark.parametrize("settings", [{}, {"lap_complete_percent": 0.001}])
def test_rewards_are_the_originals_wherever_the_car_is_put(settings: dict) -> None:
    """Somebody who starts episodes elsewhere on the track would find no road there; or a lap that ends at once would
    not."""
    theirs, ours = Undrawn(**settings), CarRacing(**settings)
    for game in (theirs, ours):
        game.reset(seed=3)
    for index in (150, 20, 21, 80, 200):
        for game in (theirs, ours.physics):
            x, y = game.track[index][2:]
            for body in (game.car.hull, *game.car.wheels):
                body.position = (x, y)
        for _ in range(20):
            assert ours.step(GAS)[1:3] == theirs.step(GAS)[1:3]
            assert touched(ours.physics) == touched(theirs)
            assert ours.physics.new_lap == theirs.new_lap


def test_unseeded_resets_go_on_as_the_originals() -> None:
    """A run of episodes under one seed would leave CarRacing-v3's after the first."""
    theirs, ours = Undrawn(domain_randomize=True), CarRacing(domain_randomize=True)
    theirs.reset(seed=3)
    ours.reset(seed=3)
    for _ in range(2):
        theirs.reset()
        ours.reset()
        assert theirs.track == ours.physics.track
        assert np.array_equal(theirs.road_color, ours.physics.road_color)
        assert np.array_equal(theirs.grass_color, ours.physics.grass_color)


@pytest.mark.parametrize(("size", "through_96"), [(64, False), (64, True), (96, False)])
def test_frames_show_what_the_original_shows(size: int, through_96: bool) -> None:
    """A dream learned here would be of another picture than the game everybody knows."""
    found = differences([1, 2], 300, size, through_96=through_96)
    assert found.frames > 30
    assert found.mean_absolute <= 1.5 and found.largest_of_a_frame <= 3.0
    assert found.road_iou >= 0.98
    assert found.bar_mean_absolute <= 3.0


def test_gymnasium_renderer_gives_the_original_pixels() -> None:
    """Somebody who asks for CarRacing-v3's own pixels would get others."""
    theirs, ours = gymnasium.make("CarRacing-v3").unwrapped, CarRacing(size=96, renderer="gymnasium")
    expected, _ = theirs.reset(seed=5)
    observation, _ = ours.reset(seed=5)
    assert np.array_equal(observation, expected)
    assert np.array_equal(ours.step(GAS)[0], theirs.step(GAS)[0])


def test_action_repeat_adds_rewards_and_lands_on_the_same_pose() -> None:
    """Data taken at action repeat 2 would not be of the same game as at 1."""
    once, twice = CarRacing(), CarRacing(action_repeat=2)
    once.reset(seed=4)
    twice.reset(seed=4)
    for _ in range(60):
        rewards = [once.step(GAS)[1] for _ in range(2)]
        observation, reward, _, _, info = twice.step(GAS)
        assert reward == pytest.approx(sum(rewards), abs=1e-12)
    assert (info["x"], info["y"]) == tuple(once.physics.car.hull.position)
    assert observation.shape == (64, 64, 3)
    assert twice.metadata["render_fps"] == 25


def test_action_repeat_stops_where_the_episode_ends() -> None:
    """The penalty for leaving the field would be paid twice, or the car driven on after its end."""
    env = CarRacing(action_repeat=4)
    env.reset(seed=0)
    env.physics.car.hull.position = (400.0, 0.0)
    _, reward, terminated, truncated, info = env.step(GAS)
    assert (terminated, truncated, info["lap_finished"]) == (True, False, False)
    assert reward == -100.0


@pytest.mark.parametrize(
    "settings", [{}, {"continuous": False}, {"action_repeat": 2, "size": 96}, {"domain_randomize": True}]
)
def test_gymnasiums_checker_passes(settings: dict) -> None:
    """Somebody else's library would refuse the game."""
    envs.register()
    check_env(gymnasium.make("wmplay/CarRacing-v0", **settings).unwrapped)


@pytest.mark.filterwarnings("error")
def test_a_kerb_without_width_is_drawn_without_a_warning() -> None:
    """Collecting warned of a division by zero on rare tracks, and that kerb was missing. Seed 298 has two of them."""
    env = CarRacing()
    env.reset(seed=298)
    quads = Scene(env.physics).quads
    assert (np.ptp(quads[:, :2], axis=1) == 0).all(axis=1).any(), "another track now: find another seed"
    drive(env, 55)


def test_the_car_and_the_road_are_seen() -> None:
    """The report card's road overlap and staying power would measure nothing."""
    env = CarRacing()
    env.reset(seed=2)
    frames = drive(env, 70)[55:]
    assert car_visible(frames).all()
    assert not car_visible(np.full((64, 64, 3), (102, 204, 102), np.uint8))
    masks = road_mask(frames)
    assert masks.shape == (15, 56, 64)
    # The car is on the road, so the pixels before it are road, and the corners of a frame rarely are.
    assert masks[:, 38:42, 30:34].all()
    assert 0.05 < masks.mean() < 0.6
    noisy = np.clip(frames.astype(int) + np.random.default_rng(0).integers(-8, 9, frames.shape), 0, 255)
    other = road_mask(noisy.astype(np.uint8))
    assert (masks & other).sum() / (masks | other).sum() > 0.95


def test_frames_are_never_changed_afterwards() -> None:
    """A list of frames would end up holding one picture many times."""
    env = CarRacing()
    env.reset(seed=1)
    drive(env, 52)
    frame, _, _, _, _ = env.step(GAS)
    kept = frame.copy()
    drive(env, 3)
    assert np.array_equal(frame, kept)


def test_info_tells_a_driver_where_it_is() -> None:
    """The scripted driver and the report would be blind."""
    env = CarRacing()
    _, info = env.reset(seed=6)
    assert info["tile"] == 0 and info["ahead"].shape == (24, 2)
    assert np.allclose(info["ahead"][0], (0.0, 3.5), atol=0.3)
    drive(env, 60)
    _, _, _, _, info = env.step(GAS)
    assert info["tile"] > 3 and 0 < info["progress"] < 1 and info["speed"] > 10


def test_wrappers_and_large_pictures_work(tmp_path) -> None:
    """No video of a drive could be recorded, and a window would have nothing to show."""
    env = TimeLimit(CarRacing(render_mode="rgb_array"), 5)
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (600, 600, 3) and picture.dtype == np.uint8
    assert [env.step(GAS)[3] for _ in range(5)] == [False] * 4 + [True]
    pytest.importorskip("moviepy")
    recorded = RecordVideo(env, str(tmp_path), episode_trigger=lambda _: True)
    recorded.reset(seed=0)
    for _ in range(4):
        recorded.step(GAS)
    recorded.close()
    assert list(tmp_path.glob("*.mp4"))


def test_keys_cover_the_arrows() -> None:
    """`gymnasium.utils.play` could not steer the car."""
    pygame = pytest.importorskip("pygame")
    keys = CarRacing(continuous=False).get_keys_to_action()
    assert keys[(pygame.K_LEFT,)] == 2 and keys[(pygame.K_UP,)] == 3 and keys[()] == 0
    both = CarRacing().get_keys_to_action()[tuple(sorted((pygame.K_LEFT, pygame.K_UP)))]
    assert np.allclose(both, (-1, 1, 0))


@pytest.mark.parametrize("wrong", [{"size": 70}, {"action_repeat": 0}, {"renderer": "fast"}, {"render_mode": "ansi"}])
def test_wrong_settings_are_refused_in_a_sentence(wrong: dict) -> None:
    """A typing mistake would show up as a traceback deep in the drawing."""
    with pytest.raises(GameError, match=next(iter(wrong))):
        CarRacing(**wrong)
