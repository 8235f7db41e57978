"""A dream is an environment like any other: seeded, checked, batched, rewindable, with the spaces of its game."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from tests.training.helpers import order
from wmplay import games
from wmplay.core.errors import UsageError, WmplayError
from wmplay.dreams import DreamEnv, DreamVectorEnv


def walk(env: Any, steps: int, seed: int) -> list[np.ndarray]:
    """What `steps` fixed actions show after a reset with this seed."""
    env.action_space.seed(0)
    shown = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        shown.append(env.step(env.action_space.sample())[0])
    return shown


def test_any_library_can_use_it(slot: str) -> None:
    """`gymnasium.make` by its public name, and Gymnasium's own checker."""
    env = gymnasium.make("wmplay/Dream-v0", slot=slot, horizon=5, device="cpu", render_mode="rgb_array")
    check_env(env.unwrapped, skip_render_check=True)
    env.reset(seed=0)
    picture = env.render()
    assert isinstance(picture, np.ndarray)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3


def test_it_has_the_spaces_of_its_game(slot: str) -> None:
    """An agent of the game must fit into the dream without a change."""
    dream = DreamEnv(slot, device="cpu")
    real = games.make(dream.game)
    assert dream.observation_space == real.observation_space
    assert dream.action_space == real.action_space


def test_a_seed_fixes_everything(slot: str) -> None:
    """A dream that somebody reports can be dreamt again."""
    env = DreamEnv(slot, device="cpu")
    first, again, other = walk(env, 8, 3), walk(env, 8, 3), walk(env, 8, 4)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_rewind_and_branch(slot: str) -> None:
    """Coming back to a moment and doing the same gives the same; the temperature may change in mid-episode."""
    env = DreamEnv(slot, device="cpu")
    env.reset(seed=0)
    env.step(env.action_space.sample())
    moment = env.snapshot()
    once = [env.step(env.action_space.sample() * 0)[0] for _ in range(4)]
    env.temperature = 0.3
    seen = env.restore(moment)
    assert np.array_equal(seen, moment.observation)
    env.temperature = 1.0
    twice = [env.step(env.action_space.sample() * 0)[0] for _ in range(4)]
    assert all(np.array_equal(a, b) for a, b in zip(once, twice, strict=True))


def test_a_context_of_ones_own_and_by_number(slot: str) -> None:
    """Forking from the real game into the dream needs exactly this."""
    env = DreamEnv(slot, device="cpu")
    _, info = env.reset(options={"context": 2})
    assert info["context"] == 2
    real = games.make(env.game)
    seen, _ = real.reset(seed=5)
    action = np.zeros((1, *env.action_space.shape), env.dreamer.world.action.dtype)
    shown, info = env.reset(options={"context": {"observation": seen[None], "action": action}})
    assert info["context"] == -1
    assert shown.shape == seen.shape
    with pytest.raises(UsageError, match="from 0 to"):
        env.reset(options={"context": 999})
    with pytest.raises(UsageError, match="observations"):
        env.reset(options={"context": {"observation": seen[None, :1], "action": action}})


def test_the_horizon_truncates_and_a_foreign_action_is_refused(slot: str) -> None:
    env = DreamEnv(slot, horizon=3, temperature=0.0, device="cpu")
    env.reset(seed=0)
    outcomes = [env.step(env.action_space.sample()) for _ in range(3)]
    assert [outcome[3] for outcome in outcomes] == [False, False, True]
    assert all(0.0 <= outcome[4]["end_probability"] <= 1.0 for outcome in outcomes)
    with pytest.raises(ValueError, match="is not in"):
        env.step(99)


@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP", "DISABLED"])
def test_a_batch_of_dreams_is_a_vector_env(slot: str, mode: str) -> None:
    """Populations of agents learn in it, under each of Gymnasium's rules for resets."""
    env = DreamVectorEnv(6, slot, horizon=4, temperature=0.0, device="cpu", autoreset_mode=mode)
    seen, _ = env.reset(seed=1)
    assert seen.shape == env.observation_space.shape
    env.action_space.seed(0)
    ends, over = 0, np.zeros(6, bool)
    for _ in range(10):
        begins = over
        seen, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert env.observation_space.contains(seen)
        assert reward.shape == terminated.shape == truncated.shape == (6,)
        over = terminated | truncated
        ends += int(over.sum())
        if mode == "SAME_STEP" and over.any():
            assert info["final_obs"][np.flatnonzero(over)[0]].shape == seen.shape[1:]
        if mode == "DISABLED" and over.any():
            with pytest.raises(ValueError, match="reset_mask"):
                env.step(env.action_space.sample())
            env.reset(options={"reset_mask": over})
        if mode == "NEXT_STEP":
            assert not reward[begins].any()  # the step after an end is the reset
    assert ends >= 6


def test_a_batch_is_deterministic_under_a_seed(slot: str) -> None:
    env = DreamVectorEnv(4, slot, device="cpu")
    actions = env.action_space.sample()

    def dream(seed: int) -> list[np.ndarray]:
        return [env.reset(seed=seed)[0], *(env.step(actions)[0] for _ in range(5))]

    assert all(np.array_equal(a, b) for a, b in zip(dream(2), dream(2), strict=True))


def test_a_slot_without_weights_says_so(home: Path) -> None:
    """Opening a slot whose training has only just begun is a sentence, not a traceback."""
    order("cartpole", "state_vae", "young")
    with pytest.raises(WmplayError, match="no weights yet"):
        DreamEnv("young")


def test_weights_of_another_model_are_refused(slot: str, home: Path) -> None:
    """A slot whose config was edited by hand must not dream nonsense."""
    file = home / slot / "slot.json"
    old = '"hidden_size": 32'
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, '"hidden_size": 64'))
    with pytest.raises(WmplayError, match="do not fit its config"):
        DreamEnv(slot)
