"""Dreams in batches may be computed with rounded products: only where that cannot be seen, and on request."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from wmplay import devices
from wmplay.core.errors import UsageError
from wmplay.devices import Precision
from wmplay.dreams import precision as measuring
from wmplay.dreams.dreamer import Dreamer
from wmplay.dreams.load import load_dreamer, slot_info


def batch(slot: str, precision: str) -> tuple[np.ndarray, gymnasium.vector.VectorEnv]:
    """What two dreams show after three steps, the last observation first."""
    env = gymnasium.make_vec(
        "wmplay/Dream-v0",
        num_envs=2,
        slot=slot,
        precision=precision,
        vectorization_mode="vector_entry_point",
        temperature=0.0,
    )
    seen, _ = env.reset(seed=3, options={"context": [0, 1]})
    actions = np.zeros((3, *env.action_space.shape), env.action_space.dtype)
    for action in actions:
        seen = env.step(action)[0]
    return seen, env


def test_rounded_dreams_are_the_same_to_the_eye_and_exact_ones_are_not_rounded(slot: str) -> None:
    plain, _ = batch(slot, "float32")
    rounded, env = batch(slot, "bf16")
    if slot_info(slot).family == "state_vae":
        assert np.array_equal(plain, rounded)
        return
    assert env.unwrapped.dreamer.precision == Precision(bf16=True)
    assert not np.array_equal(plain, rounded)  # it was computed otherwise
    assert np.abs(plain.astype(int) - rounded).mean() < 3


def test_a_precision_that_there_is_not_is_refused_with_those_there_are(slot: str) -> None:
    with pytest.raises(UsageError, match="no precision 'half'; choose one of auto, float32, bf16"):
        batch(slot, "half")


def test_measuring_leaves_the_dreams_where_they_were(slot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent's training could not be repeated."""
    monkeypatch.setattr(devices, "_busy", lambda: False)

    def after(measured: bool) -> tuple[Dreamer, np.ndarray]:
        dreamer = load_dreamer(slot, "cpu")
        dreamer.reset(measuring.MANY, seed=1)
        if measured:
            monkeypatch.setattr(measuring, "seconds", _slower_rounded)
            dreamer.precision = measuring.precision(dreamer, "auto")
        dreamer.step(np.zeros((dreamer.count, *dreamer.world.action.shape), dreamer.world.action.dtype))
        return dreamer, dreamer.observe()

    taken: list[float] = []
    real = measuring.seconds

    def _slower_rounded(dreamer: Dreamer, tried: Precision) -> float:
        taken.append(real(dreamer, tried))
        return taken[-1] + 1000.0 * tried.bf16

    (_, without), (dreamer, with_it) = after(False), after(True)
    assert np.array_equal(without, with_it)
    assert dreamer.precision == Precision()
    assert bool(taken) == dreamer.world.drawn  # exact worlds have no choice to measure
