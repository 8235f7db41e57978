"""What can go wrong ends in one sentence and leaves the last good state in place."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.helpers import MemoryLog, loop, order, weights
from wmplay import games
from wmplay.core import atomic, slots
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.dreams import DreamEnv
from wmplay.training import checkpoint
from wmplay.training.start import Order, prepare
from wmplay.worlds.protocol import Segment


def test_a_full_disk_leaves_the_last_good_checkpoint(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half-written file, a slot that loads, a sentence, and a run that goes on once there is room."""
    path, settings = order("cartpole", "state_vae", "x", checkpoint_every=0.0)
    running, log = loop(path, settings), MemoryLog()
    write, writes = atomic.write_flushed, []

    def refusing(target: Path, data: bytes) -> None:
        writes.append(target)
        if len(writes) > 30:
            target.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(target, data)

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_flushed", refusing)
        with pytest.raises(WmplayError, match="disk is full"):
            running.run()
    assert checkpoint.latest(path / "train") is not None
    assert not list((path / "train").glob(".*.part"))
    assert slots.verify_slot("x") == []
    again = loop(path, settings, log)
    assert again.run() == "done"
    assert any("going on from checkpoint" in line for line in log.events)


def test_a_loss_that_is_no_number_stops_with_advice(home: Path) -> None:
    """Hours of training on NaN help nobody."""
    path, settings = order("cartpole", "state_vae", "x", steps=200)
    running = loop(path, settings)
    real = running.shop.world.loss

    def spoilt(*args: Any) -> Any:
        loss, metrics = real(*args)
        return loss * float("nan"), metrics

    running.shop.world.loss = spoilt  # type: ignore[method-assign]
    with pytest.raises(WmplayError, match="learning_rate"):
        running.run()


@pytest.mark.parametrize(
    ("wish", "error", "words"),
    [
        ({"game": "grid_wrld"}, NotFoundError, "did you mean grid_world"),
        ({"family": "vae"}, NotFoundError, "There is no family"),
        ({"family": "state_vae"}, UsageError, "shows a frame: use vae_mdn"),
        ({"preset": "huge"}, UsageError, "tiny, small, base"),
        ({"sets": ("hiden_size=8",)}, UsageError, "hidden_size"),
        ({"steps": None}, UsageError, "--minutes or --steps"),
        ({"steps": 0}, UsageError, "at least 1"),
        ({"data": ("nothing",)}, NotFoundError, "There is no dataset"),
        ({"device": "tpu"}, UsageError, "no device"),
        ({"slot": "a/b"}, UsageError, "cannot name a slot"),
        ({"agent": "luck"}, UsageError, "--agent must be one of"),
    ],
)
def test_mistakes_are_told_before_anything_is_made(
    home: Path, wish: dict[str, Any], error: type[WmplayError], words: str
) -> None:
    """A typing error must not leave a half-made slot behind."""
    request = {"game": "grid_world", "slot": "x", "family": "vae_mdn", "preset": "tiny", "steps": 5, **wish}
    with pytest.raises(error, match=words):
        prepare(Order(**request))
    assert not (home / "x").exists()


def test_another_model_under_a_taken_name_is_refused(home: Path) -> None:
    """Nobody's trained slot is overwritten by a slip."""
    order("cartpole", "state_vae", "x")
    with pytest.raises(UsageError, match="add --resume"):
        order("cartpole", "state_vae", "x")
    with pytest.raises(UsageError, match=r"other settings .hidden_size."):
        order("cartpole", "state_vae", "x", sets=("hidden_size=64",), resume=True)
    with pytest.raises(UsageError, match="a state_vae on cartpole"):
        order("grid_world", "vae_mdn", "x", resume=True)


def test_a_strangers_dream_runs_at_the_pace_of_its_game(home: Path) -> None:
    """Acrobot is shown 15 times a second; at the usual 30 its dream would be twice too fast to play."""
    path, _ = order("Acrobot-v1", "vae_mdn", "swing")
    assert games.of_slot(path).fps == 15


NUMBERS = """
import gymnasium, numpy as np
class Numbers(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = gymnasium.spaces.Box(np.float32([-np.inf, 0.5]), np.float32([np.inf, 0.5]))
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.np_random.normal(size=3).astype(np.float32), {}
    def step(self, action):
        self.t += 1
        return self.np_random.normal(size=3).astype(np.float32), float(action[0]), self.t >= 30, False, {}
"""


@pytest.mark.parametrize("agent", ["policy_gradient", "evolution"])
def test_a_game_of_numbers_alone_is_learned_and_dreamt(home: Path, tmp_path: Path, agent: str) -> None:
    """It draws nothing, one of its actions has no bounds and another no choice: all that Gymnasium allows."""
    (tmp_path / "numbers_alone.py").write_text(NUMBERS)
    path, settings = order(f"{tmp_path / 'numbers_alone.py'}:Numbers", "state_vae", "x", agent=agent)
    assert loop(path, settings).run() == "done"
    assert all(torch.isfinite(tensor).all() for tensor in weights(path, "agent.safetensors").values())
    dream = DreamEnv("x", render_mode="rgb_array")
    dream.reset(seed=0)
    dream.step(np.array([0.3, 0.5], np.float32))
    assert dream.frame().shape == (64, 64, 3) and dream.frame().std() > 0


def test_a_training_that_falls_apart_goes_back_to_its_best_weights(home: Path) -> None:
    """CarRacing's memory fell apart after 21 minutes, and the other hour of the training was spent on ruins."""
    path, settings = order("grid_world", "vae_mdn", "x", steps=1000)
    log = MemoryLog()
    running = loop(path, settings, log)
    vision = next(phase for phase in running.phases if phase.name == "vision")
    real, thrown = running.shop.world.loss, []

    def loss(segment: Segment, phase: str, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        if phase == "vision" and vision.count == 200 and not thrown:
            thrown.append(phase)
            with torch.no_grad():
                for parameter in running.shop.world.get_submodule("vision").parameters():
                    parameter.mul_(30.0)
        return real(segment, phase, generator)

    running.shop.world.loss = loss  # type: ignore[method-assign]
    assert running.run() == "done"
    assert [text for text in log.events if "fell apart" in text and "0.5 times" in text]
    curve = [value for _, phase, name, value in log.points if phase == "vision" and name == "loss"]
    assert max(curve) > 100 * min(curve)
    assert curve[-1] < 2 * min(curve)
