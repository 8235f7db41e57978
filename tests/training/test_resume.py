"""A kill at any instant costs nothing but seconds: the resumed run ends with the same weights, bit for bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.helpers import Killed, MemoryLog, kill_after, loop, order, same, weights
from wmplay.core import catalog, slots
from wmplay.core.config import resolve
from wmplay.core.errors import UsageError
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.training import checkpoint, collect
from wmplay.training.collect_phase import CollectPhase
from wmplay.training.settings import Settings


def phases() -> list[tuple[str, str, str]]:
    """Every phase of every family of the catalog, with a game it can learn."""
    found = []
    for family in catalog.FAMILIES:
        world = catalog.load(family.target)
        game = "cartpole" if "vector" in family.observations else "grid_world"
        observation = ObservationSpec("vector", (4,)) if game == "cartpole" else ObservationSpec("frame", (64, 64, 3))
        made = world(resolve(world.Config, world.presets, "tiny"), observation, ActionSpec("discrete", n=2))
        found += [(game, family.name, spec.name) for spec in made.phases]
    return found


@pytest.mark.parametrize(("game", "family", "phase"), phases())
def test_a_resumed_run_equals_an_unbroken_one(home: Path, game: str, family: str, phase: str) -> None:
    """Else a user's model would depend on when the power went."""
    whole, settings = order(game, family, "whole", checkpoint_every=0.0)
    assert loop(whole, settings).run() == "done"
    broken, settings = order(game, family, "broken", checkpoint_every=0.0)
    first = loop(broken, settings)
    kill_after(first, phase, 1)
    with pytest.raises(Killed):
        first.run()
    assert loop(broken, settings).run() == "done"
    assert same(weights(whole), weights(broken))
    assert slots.verify_slot("broken") == []
    assert slots.read_slot(broken).steps == slots.read_slot(whole).steps == 12


@pytest.mark.parametrize("how", ["of another shape", "fewer"])
def test_what_an_older_version_knew_of_other_weights_is_left_behind(home: Path, how: str) -> None:
    """A run that was paused before an update would else break down when it goes on after it."""
    path, settings = order("grid_world", "vae_mdn", "paused", checkpoint_every=0.0)
    first = loop(path, settings)
    kill_after(first, "memory", 2)
    with pytest.raises(Killed):
        first.run()
    saved = checkpoint.latest(path / "train")
    assert saved is not None
    if how == "fewer":
        last = max(int(name.partition(".")[0]) for name in saved.tensors if name[0].isdigit())
        about = (f"guard {last}", f"{last}.")
        older = {name: value for name, value in saved.tensors.items() if not name.startswith(about)}
    else:
        moments = [name for name, value in saved.tensors.items() if name.endswith("exp_avg") and value.ndim == 2]
        older = {name: value[:-1] if name in moments else value for name, value in saved.tensors.items()}
    assert any(older.get(name) is not value for name, value in saved.tensors.items()), "it is another state"
    checkpoint.write(path / "train", replace(saved, number=saved.number + 1, tensors=older))
    log = MemoryLog()
    assert loop(path, settings, log).run() == "done"
    assert any("an older wmplay began this" in event for event in log.events)
    assert slots.verify_slot("paused") == []


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_a_kill_while_collecting_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch, every: float) -> None:
    """The data goes on from its last mark, be it that of the very beginning, and is the same; a half-made dataset is
    not mistaken for a whole one."""
    monkeypatch.setattr(collect, "EVERY", every)
    whole, settings = order("grid_world", "vae_mdn", "whole")
    loop(whole, settings).run()
    (home / "episodes").rename(home / ".elsewhere")
    broken, settings = order("grid_world", "vae_mdn", "broken")
    first = loop(broken, settings)
    collecting = first.phases[0]
    assert isinstance(collecting, CollectPhase)
    collecting.start(first.shop)
    assert len(list(islice(collecting._work, 40))) == 40  # in the middle of the first dataset
    collecting.finish()
    assert len(list((home / "episodes").glob("*/*/collecting.json"))) == 1
    loop(broken, settings).run()
    assert same(weights(whole), weights(broken))
    assert not list((home / "episodes").glob("*/*/collecting.json"))


def test_a_checkpoint_cut_short_is_passed_over(home: Path) -> None:
    """A damaged newest checkpoint must not cost the whole training: the one before it serves."""
    path, settings = order("cartpole", "state_vae", "x", checkpoint_every=0.0)
    loop(path, settings).run()
    found = checkpoint.latest(path / "train")
    assert found is not None
    newest = path / "train" / f"checkpoint-{found.number:08d}" / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:100])
    before = checkpoint.latest(path / "train")
    assert before is not None
    assert before.number == found.number - 1


def test_only_two_checkpoints_are_kept(home: Path) -> None:
    """A long training must not fill the disk."""
    path, settings = order("cartpole", "state_vae", "x", checkpoint_every=0.0)
    loop(path, settings).run()
    assert len(list((path / "train").glob("checkpoint-*"))) == checkpoint.KEEP
    assert not list((path / "train").glob(".checkpoint*"))


def test_a_finished_slot_is_trained_further(home: Path) -> None:
    """`--resume` on a finished slot goes on from its weights and counts its steps on."""
    path, settings = order("cartpole", "state_vae", "x")
    loop(path, settings).run()
    before = weights(path)
    path, settings = order("cartpole", "state_vae", "x", resume=True)
    loop(path, settings).run()
    assert slots.read_slot(path).steps == 24
    assert not same(before, weights(path))


def test_some_of_the_phases_are_trained_further(home: Path) -> None:
    """What the others know is not touched, down to the last bit, and the budget is all theirs."""
    path, settings = order("grid_world", "vae_mdn", "x")
    loop(path, settings).run()
    before = weights(path)
    with pytest.raises(UsageError, match="add --resume"):
        order("grid_world", "vae_mdn", "x", phases=("memory",))
    path, settings = order("grid_world", "vae_mdn", "x", resume=True, phases=("memory",))
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    log = MemoryLog()
    assert loop(path, settings, log).run() == "done"
    after = weights(path)
    changed = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"memory"}
    assert {phase for _, phase, _, _ in log.points} == {"collect", "memory"}
    assert slots.read_slot(path).steps == 24


def test_a_slot_names_every_command_and_all_data_it_was_trained_with(home: Path, run_cli: Callable[..., Any]) -> None:
    """A slot trained further showed its first command alone, which does not make it."""
    train = ("train", "cartpole", "--slot", "x", "--preset", "tiny", "--steps", "5", "--wait")
    assert run_cli(*train, "--frames", "300").code == 0
    first = slots.find_slot("x")
    assert first.continued == []
    for frames in ("400", "500"):
        assert run_cli(*train, "--frames", frames, "--resume").code == 0
    info = slots.find_slot("x")
    assert info.command == first.command
    assert [entry["steps"] for entry in info.continued] == [5, 10]
    assert [entry["command"][-2:] for entry in info.continued] == [["400", "--resume"], ["500", "--resume"]]
    assert set(first.lineage["data"]) < set(info.lineage["data"])
    shown = " ".join(run_cli("slots", "show", "x").stdout.split())
    assert "--frames 300, then wmplay" in shown
    assert "--frames 500 --resume" in shown
    slots.save_slot(info.path, {"lineage": {"continued": [{"steps": "?"}, 3]}}, {})
    assert run_cli("slots", "show", "x").code == 0
