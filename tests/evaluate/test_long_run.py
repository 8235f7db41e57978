"""Staying power and can-you-tell: what a dream is worth after a minute of play."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from evaluate.fakes import PerfectGrid, grid_starts
from wmplay import games
from wmplay.core.catalog import GAMES
from wmplay.evaluate import staying, tell, truths
from wmplay.evaluate.lingering import Errands
from wmplay.evaluate.pixel_driver import PixelDriver
from wmplay.evaluate.replay import replayed
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.staying import keys_of, measure_staying, still_the_game
from wmplay.evaluate.tell import judge
from wmplay.evaluate.words import sentences


def test_the_pixel_driver_stays_on_the_real_road():
    """If the expert's keys left the road in the real game, no dream could be blamed for it."""
    envs = [games.make(GAMES[1]) for _ in range(4)]
    driver = PixelDriver(games.specs(envs[0])[1])
    seen = [env.reset(seed=1_000_000 + i)[0] for i, env in enumerate(envs)]
    for _ in range(150):
        actions = driver.act(np.stack(seen))
        seen = [env.step(action)[0] for env, action in zip(envs, actions, strict=True)]
    assert truths.car_on_road(np.stack(seen)).all()
    assert not truths.car_on_road(np.zeros((1, 64, 64, 3), np.uint8)).any()


def test_the_pixel_driver_finds_back_to_the_road():
    """A dream that lost its road for a moment would count as lost for good, though it remembers where the road was."""
    envs = [games.make(GAMES[1]) for _ in range(4)]
    driver = PixelDriver(games.specs(envs[0])[1])
    seen = [env.reset(seed=1_000_000 + i)[0] for i, env in enumerate(envs)]
    away = []
    for step in range(350):
        astray = 100 <= step < 125
        actions = [np.array([0.6, 0.6, 0.0], np.float32)] * 4 if astray else driver.act(np.stack(seen))
        seen = [env.step(action)[0] for env, action in zip(envs, actions, strict=True)]
        if step == 124:
            away = [not on for on in truths.car_on_road(np.stack(seen))]
    assert all(away) and truths.car_on_road(np.stack(seen)).all()


def test_errands_keep_grid_players_alive():
    """Long dreams need long real play; a walker on errands neither ends the episode nor stands still."""
    env = games.make(GAMES[0], max_episode_steps=500)
    keys = keys_of(GAMES[0], "expert", games.specs(env)[1], 1, seed=0)
    assert keys is not None
    seen, info = env.reset(seed=1_000_003)
    places = set()
    for _ in range(200):
        seen, _, terminated, _, info = env.step(int(keys(seen[None])[0]))
        assert not terminated
        places.add(tuple(np.argwhere(info["board"] == 4)[0]))
    assert len(places) > 10


def test_errands_leave_harmless_moves_alone():
    """The regime is the player's: only what would end the episode is replaced."""
    board = np.zeros((1, 8, 8), np.int8)
    board[0, 4, 4], board[0, 4, 5] = 4, 3
    errands = Errands(0)
    assert [int(errands.instead(board, np.array([a]))[0]) for a in (0, 2, 3)] == [0, 2, 3]
    assert int(errands.instead(board, np.array([1]))[0]) != 1


def test_a_spoilt_board_is_not_the_game():
    """Two agents, or none, and the dream has come apart."""
    from envs.grid_world import draw_board

    board = np.zeros((3, 8, 8), np.int8)
    board[0, 1, 1] = board[1, 1, 1] = board[1, 6, 6] = 4
    assert still_the_game(GAMES[0], draw_board(board)).tolist() == [True, False, False]


def test_a_dream_is_exact_only_while_every_board_was_the_games():
    """A dream that went another way once is well-formed for ever after, and yet is not the game that is played."""
    starts = grid_starts(count=8)

    def measured(world: PerfectGrid) -> dict[str, Any]:
        subject: Any = SimpleNamespace(game=GAMES[0], world=world, place=torch.device("cpu"))
        row = measure_staying(subject, starts, "random", steps=100)
        assert row is not None
        return row

    perfect, careless = measured(PerfectGrid()), measured(PerfectGrid(noise=0.05))
    assert [perfect["exact"][k][0] for k in ("50", "100")] == [1.0, 1.0]
    assert careless["along"]["100"] == 1.0
    assert careless["exact"]["100"][0] <= careless["exact"]["50"][0] < 0.5


def exact_in_words(row: dict[str, Any]) -> str:
    card = {"staying_power": {"random": row}, "regimes": {}, "seconds": 1, "device": "CPU", "mean_frame_from": "it"}
    return next(line for line in sentences(card) if line.startswith("Exact at every step"))


class Marching:
    """Keys that keep nobody from an end: to the right or to the left until something stops the way, in turns."""

    def __init__(self) -> None:
        self.step = 0

    def __call__(self, seen: np.ndarray) -> np.ndarray:
        self.step += 1
        return np.full(len(seen), (1, 2, 3, 0)[self.step // 8 % 4])


def test_a_dream_whose_game_has_ended_is_exact_no_more(monkeypatch: pytest.MonkeyPatch):
    """A card would go on praising dreams for boards that nobody could compare with anything."""
    monkeypatch.setattr(staying, "keys_of", lambda *_: Marching())
    starts = grid_starts(count=16)
    with replayed(GAMES[0], starts) as replay:
        keys = Marching()
        for _ in range(100):
            replay.step(keys(replay.seen))
    going = int((~replay.over).sum())
    assert 0 < going < 16

    def measured(starts: Starts, noise: float = 0.0) -> tuple[dict[str, Any], str]:
        subject: Any = SimpleNamespace(game=GAMES[0], world=PerfectGrid(noise), place=torch.device("cpu"))
        row = measure_staying(subject, starts, "random", steps=100)
        assert row is not None and row["n"] == starts.count
        return row, exact_in_words(row)

    row, said = measured(starts)
    assert row["exact"]["100"][0] == 1.0 and row["exact_n"]["100"] == going
    assert said.endswith(f"of {going} after 100 steps.")
    del row["exact_n"]
    assert exact_in_words(row).endswith("] after 100 steps."), "a card from before it was there can still be read"

    row, said = measured(starts.take(replay.over))
    assert row["exact"]["100"] is None and row["exact_n"]["100"] == 0
    assert said.endswith("none to count after 100 steps.")

    row, _ = measured(starts, noise=1.0)
    assert row["exact"]["100"][0] == 0.0 and row["exact_n"]["100"] == 16, "a wrong dream's game ended: still wrong"


@pytest.fixture
def two_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the clips to learn from, and half the time."""
    monkeypatch.setattr(tell, "JUDGES", 2)


@pytest.mark.slow
@pytest.mark.usefixtures("two_judges")
def test_a_judge_tells_noise_from_play_and_cannot_tell_play_from_itself():
    """The scale of can-you-tell: near 100 % for an obvious dream, about 50 % for a perfect one."""
    starts = grid_starts(count=40, horizon=16)
    real = starts.observation[:, starts.context :]
    generator = np.random.default_rng(0)
    noisy = np.clip(real + generator.normal(0, 40, real.shape), 0, 255).astype(np.uint8)
    assert judge(real, noisy)["accuracy"][0] > 0.9
    same = judge(real, real.copy())
    assert same["accuracy"][1] <= 0.5 <= same["accuracy"][2]
    assert same["trained_accuracy"][0] == 0.5
    assert "they are the same, or it learned too little" in told_in_words(same)


def told_in_words(found: dict[str, Any]) -> str:
    card = {"can_you_tell": found, "regimes": {}, "seconds": 1, "device": "CPU", "mean_frame_from": "it"}
    return next(line for line in sentences(card) if line.startswith("Can you tell?"))


def test_a_judge_that_has_seen_no_difference_says_so():
    """50 % of a judge that learned nothing read like praise."""
    sure = {"n": 256, "judges": 4, "accuracy": [0.5, 0.4, 0.6], "trained_accuracy": [0.99, 0.96, 1.0]}
    assert "too little" not in told_in_words(sure)
    assert "too little" in told_in_words({**sure, "trained_accuracy": [0.52, 0.45, 0.59]})
    del sure["trained_accuracy"]
    assert "too little" not in told_in_words(sure), "a card from before it was there can still be read"


def test_every_clip_is_judged_once_by_one_that_has_not_learned_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a judge that knows its clips by heart would call every dream a fake."""

    def by_heart(_real: Any, _dreamed: Any, pairs: Any, _seed: int, _tick: Any) -> set[int]:
        return set(pairs.tolist())

    def right(known: set[int], _real: Any, _dreamed: Any, pairs: Any) -> int:
        return 2 * len(known.intersection(pairs.tolist()))

    monkeypatch.setattr(tell, "_trained", by_heart)
    monkeypatch.setattr(tell, "_right", right)
    clips = np.zeros((21, 16, 8, 8, 3), np.uint8)
    found = judge(clips, clips)
    assert found["n"] == 42
    assert (found["accuracy"][0], found["trained_accuracy"][0]) == (0.0, 1.0)


@pytest.mark.slow
@pytest.mark.usefixtures("two_judges")
def test_a_judge_tells_pictures_that_are_a_little_soft_from_the_games():
    """As a world model's are. Clips differ far more from each other than that: a judge that learned nothing from them
    called such dreams perfect, 50 %."""
    clips = []
    env = games.make(GAMES[1], seed=0)
    for seed in range(40):
        env.reset(seed=seed)
        env.action_space.seed(seed)
        frames = [env.step(env.action_space.sample())[0] for _ in range(56)]
        clips.append(np.stack(frames[-16:]))
    env.close()
    real = np.stack(clips)
    softer = (0.7 * real + 0.3 * np.roll(real, 1, axis=3)).astype(np.uint8)
    assert judge(real, softer)["accuracy"][0] > 0.8
