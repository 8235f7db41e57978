"""Writes episodes to disk while they happen: many streams at once, readable all the time, a crash costs a second."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from wmplay.core import atomic
from wmplay.core.dataset_info import open_info
from wmplay.core.errors import UsageError, WmplayError
from wmplay.core.shard import FIRST, TERMINATED, TRUNCATED, Stream, action_problem
from wmplay.core.spaces import ActionSpec, ObservationSpec

# Episodes with a seed from here on are for reports and are never trained on.
HELD_OUT_SEED = 1_000_000
# The file beside the shards in which a collection that is under way keeps its mark.
MARK = "collecting.json"

_FLUSH_SECONDS = 0.8
_BUFFER_BYTES = 32 << 20  # over all streams together
_SHARD_BYTES = 512 << 20  # a stream goes on in a new shard at the first episode after this


class Recorder:
    """Records interleaved episodes of N parallel environments into one dataset folder. A context manager.

    A row holds what arrived: the observation, the action that led to it (zeros where first), the reward that came with
    it. Each stream has a shard of its own, so that every episode is contiguous on disk. What is older than a second is
    on disk as plain .npy files, whatever happens to the process. Opening an existing dataset adds to it; with the mark
    of an earlier recorder (see `shard.holds`) it goes on from there as if it were that one.
    """

    def __init__(
        self,
        folder: Path,
        game: str,
        game_params: dict[str, Any],
        observation: ObservationSpec,
        action: ActionSpec,
        held_out: bool = False,
        mark: dict[str, Any] | None = None,
    ) -> None:
        self.folder, self.observation, self.action, self.held_out = Path(folder), observation, action, held_out
        with atomic.writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout as why:
            raise WmplayError(
                f"The dataset {self.folder.name} is being recorded to right now; use another name."
            ) from why
        try:
            self.info = open_info(self.folder, game, game_params, observation, action, held_out)
            self._prepare(mark)
        except BaseException:
            self._lock.release()
            raise

    def _prepare(self, mark: dict[str, Any] | None) -> None:
        self.rows = 0  # taken in so far by this recorder
        self.steps = 0  # of those, steps (rows that are not the first of their episode)
        self.episodes = 0
        self._streams: dict[int, Stream] = {}
        self._seeded: set[int] = set()
        self._next_shard = 1 + max(
            (int(p.name[6:]) for p in self.folder.glob("shard-*") if p.name[6:].isdigit()), default=-1
        )
        self._capacity = 256
        self._flushed = time.monotonic()
        self._closed = False
        if mark is None:
            (self.folder / MARK).unlink(missing_ok=True)  # what is recorded now is not what it knows
            return
        self._next_shard = mark["next_shard"]
        for shard in self.folder.glob("shard-*"):
            if shard.name[6:].isdigit() and int(shard.name[6:]) >= self._next_shard:
                shutil.rmtree(shard)
        self.rows, self.steps, self.episodes = mark["rows"], mark["steps"], mark["episodes"]
        self._seeded = set(mark["seeded"])
        for stream, (name, rows, is_open) in enumerate(mark["streams"]):
            state = self._streams[stream] = self._new_stream(name)
            with atomic.writing(state.folder):
                state.cut(rows)
            state.open = is_open

    def mark(self) -> dict[str, Any]:
        """All rows so far brought to disk, and where that is, as JSON-ready data; the streams must be 0, 1, 2, …"""
        self.flush()
        return {
            "rows": self.rows, "steps": self.steps, "episodes": self.episodes, "next_shard": self._next_shard,
            "seeded": sorted(self._seeded),
            "streams": [[s.folder.name, s.written, s.open] for _, s in sorted(self._streams.items())],
        }  # fmt: skip

    def begin(self, stream: int, observation: np.ndarray, seed: int | None, player: str) -> None:
        """A new episode starts in this stream with its first observation, from this seed, played by this player.

        The seed decides between training and held-out data; None is allowed only where the data is not held out, or
        in a stream whose earlier seed showed that it is. An unfinished episode of the stream counts as cut off.
        """
        self._check_seed(stream, seed)
        seen = np.asarray(observation)
        self._check_observations(seen[None])
        state = self._streams.get(stream)
        if state is None or (state.written + state.filled) * self._row_bytes >= _SHARD_BYTES:
            if state is not None:
                self._flush_stream(state)
            state = self._streams[stream] = self._new_stream()
        if player not in self.info["players"]:
            self.info["players"].append(player)
            atomic.write_json(self.folder / "dataset.json", self.info)
        state.labels.append({"start": state.written + state.filled, "seed": seed, "player": player})
        state.open = True
        self.episodes += 1
        self._put(state, seen, 0, 0.0, FIRST)
        self._flush_in_time()

    def step(
        self, stream: int, observation: np.ndarray, action: Any, reward: float, terminated: bool, truncated: bool
    ) -> None:
        """One step of this stream's episode: the action taken and what arrived. Raises UsageError for a wrong value."""
        self.step_batch(
            (stream,),
            np.asarray(observation)[None],
            np.asarray(action)[None],
            np.array([reward], np.float64),
            np.array([terminated]),
            np.array([truncated]),
        )

    def begin_batch(
        self, streams: Sequence[int], observations: np.ndarray, seeds: Sequence[int | None], player: str
    ) -> None:
        """`begin` for several streams: observations [K, ...], one seed each."""
        for row, (stream, seed) in enumerate(zip(streams, seeds, strict=True)):
            self.begin(stream, observations[row], seed, player)

    def step_batch(
        self,
        streams: Sequence[int],
        observations: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
    ) -> None:
        """`step` for several streams: every argument has the leading axis K of `streams`. One wrong row refuses all."""
        self._check_observations(observations)
        acted = np.asarray(actions)
        if acted.shape[1:] != self.action.shape:
            raise UsageError(f"An action has shape {list(acted.shape[1:])}, not {list(self.action.shape)}.")
        acted = acted.astype(self.action.dtype, copy=False)
        wrong = action_problem(self.action, acted)
        if wrong:
            raise UsageError(f"An action {wrong} ({acted.tolist()}); the game accepts {self.action}.")
        if not np.isfinite(rewards).all():
            raise UsageError(f"A reward is not a finite number ({np.asarray(rewards).tolist()}).")
        states = [self._streams.get(stream) for stream in streams]
        flags = (np.asarray(terminated) * TERMINATED + np.asarray(truncated) * TRUNCATED).astype(np.uint8).tolist()
        for row, state in enumerate(states):
            if state is None or not state.open:
                raise UsageError(f"Stream {streams[row]} has no running episode; begin one before its first step.")
        for row, state in enumerate(states):
            assert state is not None
            state.open = not flags[row]
            self._put(state, observations[row], acted[row], rewards[row], flags[row])
        self.steps += len(states)
        self._flush_in_time()

    def flush(self) -> None:
        """Bring every row taken in so far to disk. Raises WmplayError if it cannot (disk full): earlier rows stay."""
        for state in self._streams.values():
            self._flush_stream(state)
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Flush, mark the dataset complete, let go of it."""
        if self._closed:
            return
        try:
            self.flush()
            self.info["complete"] = True
            atomic.write_json(self.folder / "dataset.json", self.info)
        finally:
            self._closed = True
            self._lock.release()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _row_bytes(self) -> int:
        return int(np.prod(self.observation.shape)) * self.observation.dtype.itemsize

    def _check_seed(self, stream: int, seed: int | None) -> None:
        if seed is None:
            if self.held_out and stream not in self._seeded:
                raise UsageError(f"Held-out episodes need seeds of {HELD_OUT_SEED} and above, to keep them apart.")
            return
        if self.held_out != (seed >= HELD_OUT_SEED):
            kind, place = ("held-out", "training") if seed >= HELD_OUT_SEED else ("training", "held-out")
            raise UsageError(f"Seed {seed} belongs to {kind} episodes and may not enter {place} data.")
        self._seeded.add(stream)

    def _new_stream(self, shard: str | None = None) -> Stream:
        # Fewer rows each where there are many streams: all buffers together stay small.
        self._capacity = int(np.clip(_BUFFER_BYTES // (self._row_bytes * (len(self._streams) + 1)), 8, self._capacity))
        folder = self.folder / (shard or f"shard-{self._next_shard:05d}")
        self._next_shard += shard is None
        return Stream(folder, self._capacity, self.observation, self.action)

    def _check_observations(self, seen: np.ndarray) -> None:
        if seen.shape[1:] != self.observation.shape or seen.dtype != self.observation.dtype:
            raise UsageError(
                f"An observation is {seen.dtype} {list(seen.shape[1:])}, but the dataset {self.folder.name} holds"
                f" {self.observation.dtype} {list(self.observation.shape)}."
            )

    def _put(self, state: Stream, seen: np.ndarray, action: Any, reward: Any, flags: int) -> None:
        row = state.filled
        state.observations[row] = seen
        state.actions[row] = action
        state.rewards[row] = reward
        state.flags[row] = flags
        state.filled = row + 1
        self.rows += 1
        if state.filled == state.capacity:
            self._flush_stream(state)

    def _flush_in_time(self) -> None:
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def _flush_stream(self, state: Stream) -> None:
        with atomic.writing(state.folder):
            state.flush()
