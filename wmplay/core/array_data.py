"""Anybody's recorded play as plain arrays, a folder of .npy files or one .npz, read into a dataset.

observations (or frames)  uint8 [N, H, W, 3], or any numbers [N, S]
actions                   integers [N], integers [N, A], or floats [N, A]
rewards                   floats [N]; zeros if left out
ends                      [N]: 0 the episode goes on, 1 it ended for good (terminated), 2 it was cut off (truncated)
seeds                     optional, one per episode
low, high                 optional, the bounds of float actions; else -1..1, or wider where the data is

Row t is what was seen, the action taken on seeing it, the reward that brought and whether that ended the episode. What
was seen after the last action of an episode is not among N rows; where `observations` has one row more for each episode
it is taken from there, else from `next_observations` [N, ...], else the last one is repeated.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wmplay.core import arrays
from wmplay.core.array_check import MOST_ACTIONS, check_arrays
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.recorder import HELD_OUT_SEED, Recorder
from wmplay.core.shard import action_problem
from wmplay.core.spaces import ActionSpec, ObservationSpec

_NAMES = ("observations", "frames", "actions", "rewards", "ends", "seeds", "next_observations", "low", "high")


@dataclass
class Play:
    """One episode as it comes in: n actions and n + 1 observations."""

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: bool
    truncated: bool
    seed: int | None = None
    player: str = "import"


@dataclass
class ArrayData:
    """The arrays of a folder or .npz (or Minari dataset) of this name, with what they show and accept."""

    observation: ObservationSpec
    action: ActionSpec
    episodes: Callable[[], Iterator[Play]]
    name: str


def read_arrays(path: Path, action: ActionSpec | None = None) -> ArrayData:
    """Open arrays as the module describes them; `action` is what the game accepts, where it is known.

    Raises WmplayError that names the file and the field if the arrays as a whole cannot be used.
    """
    found = _open(path)
    seen = found.get("observations", found.get("frames"))
    for field, value in (("observations", seen), ("actions", found.get("actions")), ("ends", found.get("ends"))):
        if value is None:
            raise WmplayError(f"{path} has no array {field!r}; it needs observations (or frames), actions and ends.")
    assert seen is not None
    check_arrays(found, path)
    ends = np.asarray(found["ends"]).astype(np.int64)
    count = len(ends)
    rewards = _narrow(found.get("rewards", np.zeros(count)))
    starts = np.concatenate([[0], np.flatnonzero(ends[:-1]) + 1])
    extra = len(seen) == count + len(starts)
    for field, length in (("actions", len(found["actions"])), ("rewards", len(rewards)), ("observations", len(seen))):
        if length != count and not (field == "observations" and extra):
            raise WmplayError(f"{path}: {field} has {length} rows, but ends has {count}.")
    following = found.get("next_observations")
    if following is not None and following.shape != seen.shape:
        raise WmplayError(f"{path}: next_observations must have the shape of observations, {list(seen.shape)}.")
    seeds = found.get("seeds")
    if seeds is not None and len(seeds) != len(starts):
        raise WmplayError(f"{path}: seeds has {len(seeds)} entries, but there are {len(starts)} episodes.")

    def episodes() -> Iterator[Play]:
        bounds = np.append(starts, count)
        for number, (a, b) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
            if extra:
                views = np.asarray(seen[a + number : b + number + 1])
            else:
                last = seen[b - 1 : b] if following is None else following[b - 1 : b]
                views = np.concatenate([seen[a:b], last])
            end = int(ends[b - 1])
            seed = None if seeds is None or int(seeds[number]) < 0 else int(seeds[number])
            yield Play(views, np.asarray(found["actions"][a:b]), rewards[a:b], end == 1, end == 2, seed)

    return ArrayData(_observation_spec(seen, path), action or _action_spec(found, path), episodes, path.name)


def record(data: ArrayData, folder: Path, game: str, game_params: dict[str, Any], held_out: bool) -> list[str]:
    """Write episodes into a new dataset; what is wrong with an episode leaves it out and is returned in words."""
    problems = []
    taken = 0
    with Recorder(folder, game, game_params, data.observation, data.action, held_out) as recorder:
        for number, play in enumerate(data.episodes()):
            wrong = _problem(data, play)
            if wrong:
                problems.append(f"{data.name}: episode {number}: {wrong}")
                continue
            if held_out and play.seed is None:
                play.seed = HELD_OUT_SEED + number
            try:
                _record_one(recorder, data, play)
            except UsageError as why:
                problems.append(f"{data.name}: episode {number}: {why}")
                continue
            taken += 1
    if not taken:
        raise WmplayError(f"No episode can be taken over: {(problems or ['there is none'])[0].rstrip('.')}.")
    return problems


def _record_one(recorder: Recorder, data: ArrayData, play: Play) -> None:
    seen = _narrow(play.observations) if data.observation.kind == "vector" else play.observations
    acted = play.actions.astype(data.action.dtype, copy=False)
    recorder.begin(0, seen[0], play.seed, play.player)
    for t in range(len(acted)):
        last = t == len(acted) - 1
        recorder.step(
            0, seen[t + 1], acted[t], float(play.rewards[t]), last and play.terminated, last and play.truncated
        )


def _narrow(values: np.ndarray) -> np.ndarray:
    """As float32; what is too large for it becomes infinite, and is refused as such."""
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(np.float32)


def _problem(data: ArrayData, play: Play) -> str | None:
    """The field and what is wrong with one episode; None if nothing."""
    if not len(play.actions):
        return "actions has no step at all"
    if play.observations.shape[1:] != data.observation.shape:
        return f"observations is of shape {list(play.observations.shape[1:])}, not {list(data.observation.shape)}"
    if data.observation.kind == "vector" and not np.isfinite(_narrow(play.observations)).all():
        return "observations is not a finite number somewhere"
    if not np.isfinite(play.rewards).all():
        return f"rewards is not a finite number at step {np.flatnonzero(~np.isfinite(play.rewards))[0]}"
    if play.actions.shape[1:] != data.action.shape:
        return f"actions is of shape {list(play.actions.shape[1:])}, not {list(data.action.shape)}"
    if data.action.kind != "box" and play.actions.dtype.kind not in "biu":
        return f"actions is {play.actions.dtype} and not whole numbers"
    wrong = action_problem(data.action, play.actions)
    return f"actions {wrong}" if wrong else None


def _open(path: Path) -> dict[str, np.ndarray]:
    """Every array of ours in a folder (memory-mapped) or an .npz, without pickles."""
    if path.is_dir():
        found = {}
        for name in _NAMES:
            file = path / f"{name}.npy"
            if file.exists():
                try:
                    found[name] = arrays.open_array(file)
                    if len(found[name]) < arrays.stated_rows(file):
                        raise WmplayError("is cut short")
                except WmplayError as why:
                    raise WmplayError(f"{file} {why}.") from why
        return found
    if not path.exists():
        raise NotFoundError(f"There is no file or folder {path}.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in _NAMES if name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as why:
        # numpy's own words for a file that is no archive recommend to load it unsafely.
        raise WmplayError(f"{path} is no .npz of plain arrays, or is damaged.") from why


def _observation_spec(seen: np.ndarray, path: Path) -> ObservationSpec:
    if seen.ndim == 4 and seen.shape[3] == 3 and seen.dtype == np.uint8:
        return ObservationSpec("frame", tuple(seen.shape[1:]))
    if seen.ndim == 2 and seen.dtype.kind in "fiu":
        return ObservationSpec("vector", tuple(seen.shape[1:]))
    raise WmplayError(
        f"{path}: observations is {seen.dtype} {list(seen.shape)}; it must be uint8 [N, H, W, 3] or numbers [N, S]."
    )


def _action_spec(found: dict[str, np.ndarray], path: Path) -> ActionSpec:
    """What the actions look like, where no game says what it accepts."""
    actions = found["actions"]
    if actions.dtype.kind in "biu":
        sane = np.asarray(actions).astype(np.int64)
        counts = np.where((sane >= 0) & (sane < MOST_ACTIONS), sane, 0).max(0) + 1
        if actions.ndim == 1:
            return ActionSpec("discrete", n=int(counts))
        return ActionSpec("multi", counts=tuple(counts.tolist()))
    if actions.dtype.kind == "f" and actions.ndim == 2:
        finite = np.where(np.isfinite(actions), actions, 0)
        low = np.asarray(found.get("low", np.minimum(finite.min(0), -1)), np.float64)
        high = np.asarray(found.get("high", np.maximum(finite.max(0), 1)), np.float64)
        return ActionSpec("box", low=tuple(low.tolist()), high=tuple(high.tolist()))
    raise WmplayError(
        f"{path}: actions is {actions.dtype} {list(actions.shape)}; it must be integers [N] or [N, A] or floats [N, A]."
    )
