"""Minari datasets in and out, where the package minari is installed (https://minari.farama.org)."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from wmplay.core.array_data import ArrayData, Play
from wmplay.core.episodes import TERMINATED, TRUNCATED, Dataset
from wmplay.core.errors import NotFoundError, WmplayError
from wmplay.core.spaces import ActionSpec, ObservationSpec, space_of


def read_minari(name: str) -> ArrayData:
    """A Minari dataset from this machine's Minari folder. Raises WmplayError for spaces it cannot learn."""
    minari = _minari()
    try:
        data = minari.load_dataset(name)
    except (FileNotFoundError, ValueError, KeyError) as why:
        raise NotFoundError(f"There is no Minari dataset {name!r} on this machine ({why}).") from why
    observation, action = _observation(data.observation_space, name), _action(data.action_space, name)
    if not np.isfinite([*action.low, *action.high]).all():
        action = _bounded(action, (np.asarray(episode.actions) for episode in data.iterate_episodes()))

    def episodes() -> Iterator[Play]:
        for episode in data.iterate_episodes():
            ended = bool(episode.terminations[-1]) if len(episode.terminations) else False
            cut = bool(episode.truncations[-1]) if len(episode.truncations) else False
            yield Play(
                np.asarray(episode.observations), np.asarray(episode.actions), np.asarray(episode.rewards, np.float32),
                ended, cut and not ended,
            )  # fmt: skip

    return ArrayData(observation, action, episodes, name)


def write_minari(data: Dataset, name: str) -> str:
    """Write a dataset into this machine's Minari folder under a name such as `mine/game-v0`; returns the name."""
    minari = _minari()
    from_buffer = importlib.import_module("minari.data_collector").EpisodeBuffer
    buffers: list[Any] = []
    for episode in data.episodes:
        rows = slice(episode.start + 1, episode.start + episode.length)
        if episode.length < 2:
            continue
        terminations = (data.flags[rows] & TERMINATED) > 0
        truncations = (data.flags[rows] & TRUNCATED) > 0
        truncations[-1] |= not terminations[-1]
        buffers.append(
            from_buffer(
                id=len(buffers), seed=episode.seed,
                observations=list(data.read(episode.start, episode.start + episode.length)),
                actions=list(data.actions[rows]), rewards=data.rewards[rows].tolist(),
                terminations=terminations.tolist(), truncations=truncations.tolist(), infos=None,
            )
        )  # fmt: skip
    spaces = importlib.import_module("gymnasium.spaces")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it would like an author, a link and an environment
            minari.create_dataset_from_buffers(
                dataset_id=name, buffer=buffers, observation_space=space_of(spaces, data.observation),
                action_space=space_of(spaces, data.action), algorithm_name=", ".join(data.players) or "unknown",
                description=f"Recorded with wmplay from {data.game}.",
            )  # fmt: skip
    except ValueError as why:
        raise WmplayError(f"Minari did not take the dataset: {why}.") from why
    return name


def _minari() -> Any:
    try:
        return importlib.import_module("minari")
    except ImportError as why:
        raise WmplayError('Minari datasets need the package minari: pip install "minari[hdf5]".') from why


def _observation(space: Any, name: str) -> ObservationSpec:
    shape: tuple[int, ...] = tuple(getattr(space, "shape", None) or ())
    if type(space).__name__ == "Box" and len(shape) == 3 and shape[2] == 3 and space.dtype == np.uint8:
        return ObservationSpec("frame", tuple(shape))
    if type(space).__name__ == "Box" and len(shape) == 1:
        low, high = np.asarray(space.low, np.float32), np.asarray(space.high, np.float32)
        return ObservationSpec("vector", tuple(shape), tuple(low.tolist()), tuple(high.tolist()))
    raise WmplayError(f"wmplay learns uint8 frames [H, W, 3] or vectors [S]; the Minari dataset {name} shows {space}.")


def _action(space: Any, name: str) -> ActionSpec:
    kind = type(space).__name__
    if kind == "Discrete" and int(space.start) == 0:
        return ActionSpec("discrete", n=int(space.n))
    if kind == "MultiDiscrete" and space.nvec.ndim == 1:
        return ActionSpec("multi", counts=tuple(int(n) for n in space.nvec))
    if kind == "Box" and len(space.shape) == 1:
        return ActionSpec("box", low=tuple(map(float, space.low)), high=tuple(map(float, space.high)))
    raise WmplayError(
        f"wmplay acts through Discrete, MultiDiscrete or Box([A]); the Minari dataset {name} has {space}."
    )


def _bounded(action: ActionSpec, taken: Iterable[np.ndarray]) -> ActionSpec:
    """A box whose open bounds are −1 and 1, or wider where the actions taken [n, A] are: as for plain arrays."""
    low, high = np.full(action.shape, -1.0), np.full(action.shape, 1.0)
    for actions in taken:
        if len(actions):
            low, high = np.fmin(low, actions.min(0)), np.fmax(high, actions.max(0))
    lows, highs = np.array(action.low), np.array(action.high)
    low, high = np.where(np.isfinite(lows), lows, low), np.where(np.isfinite(highs), highs, high)
    return ActionSpec("box", low=tuple(low.tolist()), high=tuple(high.tolist()))
