"""GridWorld through Gymnasium's surface: rules, seeds, drawing and reading boards back."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RenderCollection, TimeLimit

from envs.grid_board import AGENT, FLOOR, GOAL, HAZARD, WALL, distances, make_boards
from envs.grid_world import GridWorld, decode_board, draw_board, shortest_path_action, well_formed

ID = "wmplay/GridWorld-v0"
UP, RIGHT, DOWN, LEFT = range(4)


def board(*rows: str) -> np.ndarray:
    """A board from a picture of it: . floor, # wall, x hazard, G goal, A agent."""
    return np.array([[".#xGA".index(c) for c in row] for row in rows], dtype=np.int8)


SMALL = board("A#G", "..x", ".#.")


def start(layout: np.ndarray, **params: object) -> GridWorld:
    env = GridWorld(size=layout.shape[0], **params)  # type: ignore[arg-type]
    env.reset(seed=0, options={"board": layout})
    return env


@pytest.mark.parametrize("params", [{}, {"size": 5}, {"size": 10, "slip": 0.3}, {"frame": 96}])
def test_gymnasiums_checker_is_satisfied(params: dict[str, float]) -> None:
    """Else other people's agents and wrappers would stumble over the game."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(ID, **params).unwrapped, skip_render_check=True)
    assert gymnasium.make(ID, render_mode="rgb_array").spec is not None


def test_moves_walls_goal_and_hazard() -> None:
    """The rules themselves: a player would not understand a move that does something else."""
    env = start(SMALL)
    _, reward, terminated, _, info = env.step(RIGHT)  # a wall
    assert (info["board"] == SMALL).all()
    assert (reward, terminated) == (-0.01, False)
    _, _, _, _, info = env.step(UP)  # the rim
    assert (info["board"] == SMALL).all()
    _, _, _, _, info = env.step(DOWN)
    assert info["board"][1, 0] == AGENT
    assert info["board"][0, 0] == FLOOR
    env.step(RIGHT)
    _, reward, terminated, truncated, info = env.step(RIGHT)  # the hazard
    assert (reward, terminated, truncated) == (-1.0, True, False)
    assert info["board"][1, 2] == AGENT
    env = start(board("AG.", "...", "..."))
    _, reward, terminated, _, _ = env.step(RIGHT)
    assert (reward, terminated) == (1.0, True)


def test_the_frame_always_shows_the_board_of_info() -> None:
    """Else a dream could not be scored exactly against the game."""
    env = gymnasium.make(ID, size=7)
    env.action_space.seed(1)
    observation, info = env.reset(seed=1)
    for _ in range(200):
        assert (decode_board(observation, 7) == info["board"]).all()
        observation, _, terminated, truncated, info = env.step(env.action_space.sample())
        if terminated or truncated:
            observation, info = env.reset()


def test_same_seed_same_play_and_other_seed_other_board() -> None:
    """Else nothing recorded or reported could be repeated."""

    def play(seed: int) -> list[np.ndarray]:
        env = gymnasium.make(ID, slip=0.5)
        frames = [env.reset(seed=seed)[0]]
        for action in (0, 1, 2, 3) * 10:
            frames.append(env.step(action)[0])
        return frames

    assert all((a == b).all() for a, b in zip(play(3), play(3), strict=True))
    boards = {GridWorld().reset(seed=seed)[1]["board"].tobytes() for seed in range(100)}
    assert len(boards) == 100


@pytest.mark.parametrize("size", [3, 4, 8, 13])
def test_every_board_is_solvable_without_touching_a_hazard(size: int) -> None:
    """Else a player, and the walker that makes training data, could be stuck."""
    keys = np.arange(500, dtype=np.uint64)
    walls, hazards = round(0.2 * size * size), round(0.1 * size * size)
    boards = make_boards(keys, size, walls, hazards)
    assert (distances(boards)[boards == AGENT] > 0).all()
    for kind, count in ((WALL, walls), (HAZARD, hazards), (GOAL, 1), (AGENT, 1)):
        assert ((boards == kind).sum(axis=(1, 2)) == count).all()


@pytest.mark.parametrize("size", [3, 5, 8, 10, 16, 32])
def test_reading_a_drawn_board_gives_the_board(size: int) -> None:
    """Else exactness of dreams on this board size would be measured wrongly."""
    boards = np.random.default_rng(size).integers(0, 5, size=(2, 3, size, size)).astype(np.int8)
    frames = draw_board(boards)
    assert frames.shape == (2, 3, 64, 64, 3)
    assert frames.dtype == np.uint8
    assert (decode_board(frames, size) == boards).all()


def test_reading_survives_noise_and_blur() -> None:
    """A reconstruction is never exact; a board must still be read right from one that looks right."""
    boards = make_boards(np.arange(50, dtype=np.uint64), 8, 13, 4)
    frames = draw_board(boards).astype(np.float32)
    noisy = frames + np.random.default_rng(0).normal(0, 30, frames.shape)
    assert (decode_board(np.clip(noisy, 0, 255).astype(np.uint8), 8) == boards).all()
    blurred = sum(np.roll(frames, (y, x), axis=(1, 2)) for y in (-1, 0, 1) for x in (-1, 0, 1)) / 9
    assert (decode_board(blurred, 8) == boards).all()


def test_the_tiles_look_different_at_every_size() -> None:
    """Else a player could not tell a goal from a hazard on a large board."""
    for side in (2, 4, 8, 64):
        frames = draw_board(np.arange(5, dtype=np.int8).reshape(5, 1, 1), side)
        means = frames.reshape(5, -1, 3).mean(axis=1)
        apart = np.linalg.norm(means[:, None] - means[None], axis=-1)[~np.eye(5, dtype=bool)]
        assert apart.min() > 30, side


def test_slip_goes_sideways_as_often_as_it_says() -> None:
    """Else the stochastic world would not be the one that was asked for."""
    centre = np.zeros((5, 5), dtype=np.int8)
    centre[2, 2], centre[0, 0] = AGENT, GOAL
    env = GridWorld(size=5, slip=0.2)
    env.reset(seed=0)
    landed = {(1, 2): 0, (3, 2): 0, (2, 1): 0, (2, 3): 0}
    for _ in range(3000):
        env.reset(options={"board": centre})
        info = env.step(UP)[4]
        landed[tuple(np.argwhere(info["board"] == AGENT)[0].tolist())] += 1  # type: ignore[index]
    assert landed[(3, 2)] == 0
    assert abs(landed[(1, 2)] / 3000 - 0.8) < 0.03
    assert abs(landed[(2, 1)] / 3000 - 0.1) < 0.02
    assert abs(landed[(2, 3)] / 3000 - 0.1) < 0.02


def test_the_shortest_way_goes_around_hazards() -> None:
    """Else the walker would not be the good play that the training data needs."""
    env = start(board("Ax.G", "....", "....", "...."))
    taken = []
    layout, terminated = env.reset(options={"board": board("Ax.G", "....", "....", "....")})[1]["board"], False
    while not terminated:
        action = shortest_path_action(layout)
        assert action is not None
        taken.append(action)
        _, reward, terminated, _, info = env.step(action)
        layout = info["board"]
    assert reward == 1.0
    assert len(taken) == 5
    assert shortest_path_action(board("A#G", "##.", "...")) is None


def test_well_formed_means_one_agent() -> None:
    """Staying power of a dream is counted by this."""
    assert well_formed(SMALL)
    assert not well_formed(board("AA", "G."))
    assert not well_formed(board("..", "G."))


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"size": 2}, "size is 2"),
        ({"walls": 0.7}, "walls is 0.7"),
        ({"slip": 2}, "slip is 2"),
        ({"walls": 0.4, "hazards": 0.4}, "together"),
    ],
)
def test_impossible_parameters_are_refused_in_words(params: dict[str, float], says: str) -> None:
    """Else a variant that was mistyped would fail later and elsewhere."""
    with pytest.raises(ValueError, match=says):
        GridWorld(**params)  # type: ignore[arg-type]


def test_wrong_actions_and_boards_are_refused() -> None:
    """Else a slip of an agent would be taken for a move."""
    env = GridWorld(size=3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action 4"):
        env.step(4)
    with pytest.raises(ValueError, match="exactly one agent"):
        env.reset(options={"board": np.zeros((3, 3))})


def test_wrappers_and_pictures() -> None:
    """Gymnasium's own wrappers are how people cut episodes and look at them."""
    env = RenderCollection(TimeLimit(GridWorld(size=3, render_mode="rgb_array"), 3))
    env.reset(seed=0, options={"board": SMALL})
    assert [env.step(LEFT)[3] for _ in range(3)] == [False, False, True]
    pictures = env.render()
    assert len(pictures) == 4
    assert all(picture.shape == (512, 512, 3) and picture.dtype == np.uint8 for picture in pictures)
    assert gymnasium.make(ID).get_wrapper_attr("get_keys_to_action")()[("w",)] == UP


def test_a_window_shows_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """`render_mode="human"` opens a window and closes it again."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = gymnasium.make(ID, render_mode="human")
    env.reset(seed=0)
    env.step(0)
    import pygame

    assert pygame.display.get_surface() is not None
    assert pygame.display.get_surface().get_size() == (512, 512)
    env.close()
    assert pygame.display.get_surface() is None
