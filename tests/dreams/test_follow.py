"""Playing a model while it trains: the dream that is open takes up what the worker has learned since."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.training.helpers import loop, order
from wmplay.core import slots
from wmplay.dreams import DreamEnv
from wmplay.play.opening import Wish, open_dream

GAMES = {"grid_world": "vae_mdn", "cartpole": "state_vae"}


def _train(slot: str, game: str, steps: int = 4) -> None:
    """What a worker would publish next."""
    path, settings = order(game, GAMES[game], slot, steps=steps, resume=True)
    loop(path, settings).run()


def test_a_reset_takes_up_newer_weights_and_one_that_follows_nothing_keeps_its_own(slot: str) -> None:
    """Who has a dream open while the model trains sees it get better without opening it again."""
    info = slots.find_slot(slot)
    following, keeping, old = (DreamEnv(slot, device="cpu", temperature=0.0, follow=f) for f in (True, False, False))
    options = {"context": 1}
    for env in (following, keeping, old):
        env.reset(seed=3, options=options)
    _train(slot, info.game, 8)
    _, told = following.reset(seed=3, options=options)
    assert told["model_steps"] == info.steps + 8
    assert "newer weights" in told["news"]
    new = DreamEnv(slot, device="cpu", temperature=0.0)
    for env in (keeping, new):
        env.reset(seed=3, options=options)
    for _ in range(3):
        seen = [env.step(1)[0] for env in (following, new, keeping, old)]
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[2], seen[3])
    assert not following.reset(seed=4)[1]["news"]


def test_a_bookmark_of_the_older_model_can_still_be_recalled(slot: str) -> None:
    """Weights change under it; the moment one marked stays."""
    env = DreamEnv(slot, device="cpu")
    env.reset(seed=0)
    env.step(1)
    mark, shown = env.snapshot(), env.frame()
    _train(slot, slots.find_slot(slot).game)
    env.reset(seed=0)
    env.restore(mark)
    np.testing.assert_array_equal(env.frame(), shown)
    env.step(0)


def test_an_open_session_outlives_whatever_becomes_of_its_slot(slot: str) -> None:
    """Damaged, deleted or made anew as another model: the dream goes on with what it has, and says so once."""
    session = open_dream(slot, Wish(seed=1, device="cpu"))
    info = slots.find_slot(slot)
    weights = info.path / "world.safetensors"
    whole = weights.read_bytes()
    slots.save_slot(info.path, {}, {"world.safetensors": whole[: len(whole) // 2]})
    session.command("reset")
    assert "cannot be read" in session.notice
    slots.delete_slot(slot)
    session.notice = ""
    session.command("reset")
    assert not session.notice  # told already
    other = next(game for game in GAMES if game != info.game)
    path, settings = order(other, GAMES[other], slot, steps=4)
    loop(path, settings).run()
    session.command("reset")
    assert "another model" in session.notice
    before = session.total_steps
    session.tick({"left"}, {"left"})
    assert session.total_steps == before + 1
    session.close()


def test_a_copy_is_trained_on_from_its_weights(slot: str, home: Path) -> None:
    """A copy without its checkpoints (a shipped or imported slot) would else be trained anew, silently."""
    import shutil

    copied = slots.copy_slot(slot, "y")
    shutil.rmtree(copied / "train", ignore_errors=True)
    info = slots.read_slot(copied)
    path, settings = order(info.game, info.family, "y", steps=1, resume=True)
    running = loop(path, settings)
    running._resume()
    loaded = DreamEnv(slot, device="cpu").dreamer.world.state_dict()
    assert all(bool((running.shop.world.state_dict()[name] == value).all()) for name, value in loaded.items())


def test_further_training_keeps_the_figures_of_other_phases(slot: str) -> None:
    """The summary of an agent trained before must not vanish because the world is trained on; a card's figures do."""
    info = slots.find_slot(slot)
    metrics = {**info.metrics, "agent/return": 7.5, "skill player k=5": 0.9}
    slots.save_slot(info.path, {"metrics": metrics})
    _train(slot, info.game)
    after = slots.find_slot(slot).metrics
    assert after["agent/return"] == 7.5
    assert {name for name in info.metrics if not name.startswith("collect/")} <= set(after)
    assert "skill player k=5" not in after
