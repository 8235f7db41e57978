"""From what a user asked to a running job: everything is checked in plain words first, then the worker starts."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wmplay import games
from wmplay.core import catalog, config, jobs, paths, slots
from wmplay.core.catalog import Game
from wmplay.core.episodes import Dataset, find_dataset
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.slots import SlotInfo
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.devices import resolve
from wmplay.training import checkpoint
from wmplay.training.collect_phase import default_frames
from wmplay.training.settings import Settings
from wmplay.training.workshop import observed


@dataclass(frozen=True)
class Order:
    """A request to train: names as the user typed them, none of them checked yet."""

    game: str
    slot: str
    family: str | None = None
    preset: str = "small"
    sets: tuple[str, ...] = ()
    config_file: Path | None = None
    resume: bool = False
    minutes: float | None = None
    steps: int | None = None
    data: tuple[str, ...] = ()
    frames: int | None = None
    device: str = "auto"
    seed: int = 0
    agent: str = "none"
    agent_in: str = "dream"
    agent_steps: int | None = None
    phases: tuple[str, ...] = ()
    precision: str = "auto"
    checkpoint_every: float = 15.0


def default_family(game: Game, observation: ObservationSpec) -> str:
    """The family a game is trained with where the user names none."""
    if game.family is not None:
        return game.family
    return "state_vae" if observation.kind == "vector" else "vae_mdn"


def start(order: Order, command: Sequence[str] = ()) -> str:
    """Check the order, make or continue the slot, start the worker; returns the job's id. Raises WmplayError."""
    path, settings = prepare(order, command)
    return jobs.start(path, device=resolve(order.device).name, command=command, options=settings.to_json())


def prepare(order: Order, command: Sequence[str] = ()) -> tuple[Path, Settings]:
    """All of `start` but the worker: the slot's folder, made if it is new, and what a worker shall do there."""
    paths.check_name(order.slot)
    game = games.find(order.game)
    resolve(order.device)
    observation, action, game = _specs(game, order.data)
    family = catalog.family(order.family or default_family(game, observation))
    if observation.kind not in family.observations:
        fitting = [f.name for f in catalog.FAMILIES if observation.kind in f.observations]
        raise UsageError(
            f"The family {family.name} learns games that show a {' or '.join(family.observations)}; "
            f"{game.short or game.id} shows a {observation.kind}: use {' or '.join(fitting)}."
        )
    world = catalog.load(family.target)
    chosen = config.resolve(world.Config, world.presets, order.preset, order.sets, order.config_file)
    with torch.device("meta"):
        net = world(chosen, observation, action)  # what only the finished network can tell, it tells here
    there = _existing(order.slot)
    _check_phases(order, there, family.name, [spec.name for spec in net.phases])
    frames, held_out = default_frames(game, observation.kind == "vector", order.preset)
    agent_steps = order.agent_steps or {"tiny": 3, "small": 60, "base": 200}.get(order.preset, 60)
    settings = Settings(
        minutes=order.minutes, steps=order.steps, data=order.data, frames=order.frames or frames,
        held_out_frames=held_out, device=order.device, seed=order.seed, agent=order.agent, agent_in=order.agent_in,
        agent_steps=agent_steps, phases=order.phases, precision=order.precision,
        checkpoint_every=order.checkpoint_every, command=tuple(command),
    )  # fmt: skip
    plain = config.to_json(chosen)
    path = paths.slot_dir(order.slot)
    if there is not None:
        settings = _continued(there, game, family.name, plain, order, settings)
    else:
        path = slots.create_slot(order.slot, game, observation, action, family.name, order.preset, plain, command)
    return path, settings


def _check_phases(order: Order, there: SlotInfo | None, family: str, known: Sequence[str]) -> None:
    """Raises UsageError for phases that the family does not have, or of a slot that is not there or kept as it is."""
    for name in order.phases:
        if name not in known:
            raise UsageError(f"The family {family} has no phase {name!r}; it has {', '.join(known)}.")
    if order.phases and not (order.resume and there):
        hint = "leave it out (a shipped slot: `wmplay slots copy` it first)" if there is None else "add --resume"
        raise UsageError(f"--phase trains a part of a slot of your own that is there already: {hint}.")


def _specs(game: Game, data: Sequence[str]) -> tuple[ObservationSpec, ActionSpec, Game]:
    """What the game shows and accepts, on which every named dataset must agree, and the game with its own pace."""
    sets = [Dataset(find_dataset(name, None if "/" in name else game.slug)) for name in data]
    if not sets:
        return observed(game)
    with contextlib.suppress(WmplayError):  # the data may be all there is
        game = observed(game)[2]
    specs = sets[0].observation, sets[0].action
    for dataset in sets:
        if dataset.held_out:
            raise UsageError(f"The dataset {dataset.name} is held out for reports; training must never see it.")
        if dataset.rows < 2:
            raise WmplayError(
                f"The dataset {dataset.name} holds no usable step ({(dataset.problems or ['it is empty'])[0]})."
            )
        if (dataset.observation.shape, dataset.action) != (specs[0].shape, specs[1]):
            raise UsageError(f"The datasets {sets[0].name} and {dataset.name} do not show or accept the same things.")
    return *specs, game


def _existing(name: str) -> SlotInfo | None:
    try:
        info = slots.find_slot(name)
    except NotFoundError:
        return None
    return None if info.shipped else info


def _continued(
    info: SlotInfo, game: Game, family: str, wanted: dict[str, Any], order: Order, settings: Settings
) -> Settings:
    """The settings that go on training this slot. Raises UsageError if it is another model or nobody asked for it."""
    if not info.ok:
        raise WmplayError(f"The slot {info.name} cannot be trained: {info.why}")
    same = info.game == (game.short or game.id) and info.family == family
    if same and not order.sets and order.config_file is None and info.preset == order.preset:
        wanted = info.config
    if not same or info.config != wanted:
        changed = sorted(k for k in {*wanted, *info.config} if wanted.get(k) != info.config.get(k))
        what = f"{info.family} on {info.game}" if not same else f"{family} with other settings ({', '.join(changed)})"
        raise UsageError(
            f"There is a slot {info.name!r} already, a {what}; train under another name, or delete it first."
        )
    if not order.resume:
        raise UsageError(
            f"There is a slot {info.name!r} with this very model already; add --resume to train it further, "
            "or use another name."
        )
    found = checkpoint.latest(info.path / "train")
    rounds = 0 if found is None else int(found.numbers["round"])
    return Settings.from_json({**settings.to_json(), "round": rounds + (found is not None)})
