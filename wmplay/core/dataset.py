"""Recorded play read through memory maps, every episode checked; `recorder` writes it, `episodes` finds it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from wmplay.core import arrays
from wmplay.core.catalog import builtin_game
from wmplay.core.dataset_info import read_info
from wmplay.core.errors import WmplayError
from wmplay.core.recorder import HELD_OUT_SEED
from wmplay.core.shard import FIRST, TERMINATED, TRUNCATED, action_problem
from wmplay.core.spaces import ActionSpec, ObservationSpec

_ALL_FLAGS = FIRST | TERMINATED | TRUNCATED


@dataclass(frozen=True)
class Episode:
    """One play in a dataset's rows [start, start + length); `length` counts rows, the first observation included.

    complete: it ended by itself; False if it was cut off (the recorder was stopped) or is still being played.
    """

    start: int
    length: int
    seed: int | None
    player: str
    complete: bool
    terminated: bool
    shard: str
    shard_row: int


@dataclass(frozen=True)
class Piece:
    """A run of usable rows that lie together in one shard: rows [start, start + length) of the dataset."""

    start: int
    length: int
    shard: int
    shard_row: int


class Dataset:
    """A dataset as it is on disk now, read-only. Its rows are the usable ones, episode after episode.

    observations stay on disk; `actions` [N, ...], `rewards` float32 [N] and `flags` uint8 [N] are in memory. What is
    damaged is left out and told in `problems` (file, episode, field); the rest stays usable. A dataset that is being
    recorded can be opened at any time; open it again to see more.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.name = self.folder.name
        self.meta = read_info(self.folder)
        self.game: str = self.meta["game"]
        self.game_params: dict[str, Any] = self.meta.get("game_params", {})
        self.held_out: bool = bool(self.meta.get("held_out", False))
        self.observation = ObservationSpec.from_json(self.meta["observation"])
        self.action = ActionSpec.from_json(self.meta["action"])
        self.problems: list[str] = []
        self.episodes: list[Episode] = []
        self.pieces: list[Piece] = []
        self.shards: list[np.ndarray] = []  # the observations of each shard, memory-mapped, damaged rows included
        self.rows = 0
        kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for shard in sorted(p for p in self.folder.glob("shard-*") if p.is_dir()):
            self._read_shard(shard, kept)
        empty = np.zeros((0, *self.action.shape), self.action.dtype), np.zeros(0, np.float32), np.zeros(0, np.uint8)
        joined = [np.concatenate([part[i] for part in kept]) if kept else empty[i] for i in range(3)]
        self.actions: np.ndarray = joined[0]
        self.rewards: np.ndarray = joined[1]
        self.flags: np.ndarray = joined[2]

    @property
    def steps(self) -> int:
        """How many actions were taken: the rows without the first of each episode."""
        return self.rows - len(self.episodes)

    @cached_property
    def players(self) -> list[str]:
        """Who played the usable episodes."""
        return sorted({episode.player for episode in self.episodes if episode.player})

    def info(self) -> dict[str, Any]:
        """The row of `wmplay data --json`. A game goes by one name, whether its short one or its id was recorded."""
        known = builtin_game(self.game)
        return {
            "name": self.name,
            "game": known.short if known else self.game,
            "steps": self.steps,
            "episodes": len(self.episodes),
            "size_bytes": folder_size(self.folder),
            "created": self.meta.get("created", ""),
            "held_out": self.held_out,
            "players": self.players,
            "complete": bool(self.meta.get("complete", False)),
        }

    def read(self, start: int, stop: int) -> np.ndarray:
        """A copy of the observations of rows [start, stop), dtype as the spec says."""
        start, stop = max(start, 0), min(stop, self.rows)
        out = np.empty((max(stop - start, 0), *self.observation.shape), self.observation.dtype)
        for piece in self.pieces:
            a, b = max(start, piece.start), min(stop, piece.start + piece.length)
            if a < b:
                row = piece.shard_row + a - piece.start
                out[a - start : b - start] = self.shards[piece.shard][row : row + b - a]
        return out

    def _read_shard(self, folder: Path, kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
        """Check one shard and take over its sound episodes."""
        found = self._open_shard(folder)
        if found is None:
            return
        observations, actions, rewards, flags = found
        rows = min(len(a) for a in found)
        flags = np.array(flags[:rows])
        actions, rewards = np.array(actions[:rows]), np.array(rewards[:rows])
        starts = np.flatnonzero(flags & FIRST)
        if rows and (not len(starts) or starts[0] != 0):
            lost = rows if not len(starts) else int(starts[0])
            self._problem(folder, None, "flags", f"the first {lost} rows belong to no episode")
        labels = _read_labels(folder / "episodes.jsonl")
        bounds = np.append(starts, rows)
        number = len(self.shards)
        self.shards.append(observations)
        clean = self._all_clean(observations[:rows], actions, rewards, flags)
        for index, (start, stop) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
            span = slice(start, stop)
            wrong = (
                None if clean else self._episode_problem(observations[span], actions[span], rewards[span], flags[span])
            )
            if wrong:
                self._problem(folder, index, *wrong)
                continue
            label = labels.get(start, {})
            seed = label.get("seed") if isinstance(label.get("seed"), int) else None
            if seed is not None and (seed >= HELD_OUT_SEED) != self.held_out:
                self._problem(
                    folder, index, "seed", f"{seed} belongs to {'training' if self.held_out else 'held-out'} data"
                )
                continue
            ends = int(flags[stop - 1])
            last = self.pieces[-1] if self.pieces else None
            if last and last.shard == number and last.shard_row + last.length == start:
                self.pieces[-1] = Piece(last.start, last.length + stop - start, number, last.shard_row)
            else:
                self.pieces.append(Piece(self.rows, stop - start, number, start))
            complete = bool(ends & (TERMINATED | TRUNCATED))
            player = str(label.get("player", ""))
            self.episodes.append(
                Episode(self.rows, stop - start, seed, player, complete, bool(ends & TERMINATED), folder.name, start)
            )
            kept.append((actions[span], rewards[span], flags[span]))
            self.rows += stop - start

    def _open_shard(self, folder: Path) -> list[np.ndarray] | None:
        """The four arrays of a shard, or None if one cannot be used at all."""
        wanted = {
            "observations": (self.observation.dtype, self.observation.shape),
            "actions": (self.action.dtype, self.action.shape),
            "rewards": (np.dtype(np.float32), ()),
            "flags": (np.dtype(np.uint8), ()),
        }
        found = []
        for name, (dtype, shape) in wanted.items():
            path = folder / f"{name}.npy"
            try:
                array = arrays.open_array(path)
                stated = arrays.stated_rows(path)
            except WmplayError as why:
                self._problem(folder, None, name, str(why))
                return None
            if array.dtype != dtype or array.shape[1:] != shape:
                self._problem(
                    folder, None, name, f"is {array.dtype} {list(array.shape[1:])}, not {dtype} {list(shape)}"
                )
                return None
            if len(array) < stated:
                self._problem(folder, None, name, f"is cut short: {len(array)} of {stated} rows are there")
            found.append(array)
        return found

    def _all_clean(self, observations: np.ndarray, actions: np.ndarray, rewards: np.ndarray, flags: np.ndarray) -> bool:
        """Whether no episode of a shard can have a problem: the usual case, seen at once instead of one by one."""
        first = (flags & FIRST) > 0
        ended = (flags & (TERMINATED | TRUNCATED)) > 0
        return bool(
            np.isfinite(rewards).all()
            and not (ended[:-1] & ~first[1:]).any()
            and not (first & ended).any()
            and not (flags > _ALL_FLAGS).any()
            and action_problem(self.action, actions[~first]) is None
            and (self.observation.kind == "frame" or np.isfinite(observations).all())
        )

    def _episode_problem(
        self, observations: np.ndarray, actions: np.ndarray, rewards: np.ndarray, flags: np.ndarray
    ) -> tuple[str, str] | None:
        """The field and what is wrong with it, or None."""
        if not np.isfinite(rewards).all():
            return "rewards", f"is not a finite number at row {np.flatnonzero(~np.isfinite(rewards))[0]}"
        wrong = action_problem(self.action, actions[1:]) if len(actions) > 1 else None
        if wrong:
            return "actions", wrong
        if (flags > _ALL_FLAGS).any():
            return "flags", f"is {flags.max()}, which means nothing"
        if (flags[:-1] & (TERMINATED | TRUNCATED)).any():
            return "flags", "goes on after its end"
        if len(flags) == 1 and flags[0] & (TERMINATED | TRUNCATED):
            return "flags", "has no step at all"
        if self.observation.kind == "vector" and not np.isfinite(observations).all():
            return "observations", "is not a finite number"
        return None

    def _problem(self, folder: Path, episode: int | None, field: str, what: str) -> None:
        where = f"{folder.name}/{field}.npy" if field != "seed" else f"{folder.name}/episodes.jsonl"
        self.problems.append(f"{where}: {f'episode {episode}: ' if episode is not None else ''}{field} {what}")


def _read_labels(path: Path) -> dict[int, dict[str, Any]]:
    """Seed and player of each episode by its first row; a torn last line (a kill while writing) is passed over."""
    labels: dict[int, dict[str, Any]] = {}
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return labels
    for line in lines:
        try:
            label = json.loads(line)
            labels[int(label["start"])] = label
        except (ValueError, KeyError, TypeError):
            continue
    return labels


def folder_size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
