"""Draws training segments from memory-mapped episodes: uniform over steps, exact to repeat and to resume."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from wmplay.core.episodes import FIRST, TERMINATED, Dataset
from wmplay.core.errors import UsageError, WmplayError
from wmplay.core.rows import Rows

# Batches that are drawn ahead, so that the disk fetches their rows while others compute: more of small ones, because
# a disk is fast only if it is asked for much at once, up to so many bytes.
_AHEAD, _MOST_AHEAD, _AHEAD_BYTES = 2, 8, 16 << 20


class SegmentArrays(NamedTuple):
    """B segments of T rows; the fields of `worlds.protocol.Segment`, as numpy arrays.

    observation: uint8 [B, T, H, W, 3] or float32 [B, T, S] (or rows of the override); action: [B, T, ...] as stored;
    reward: float32 [B, T]; terminated, first, mask: bool [B, T]
    """

    observation: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    first: np.ndarray
    mask: np.ndarray


class _Drawn(NamedTuple):
    """A batch to come: first row [B] of each segment, how many of its rows [B] are real, and where the generator stood
    before the batch was drawn."""

    starts: np.ndarray
    counts: np.ndarray
    state: dict[str, Any]


class SegmentSampler:
    """Draws B×T segments in which every recorded row is equally likely to appear, whatever the lengths of episodes.

    boundaries `cross`: all rows form one ring, a segment runs over the end of an episode into the next (see `first`).
    boundaries `pad`: a segment holds rows of one episode. One of at most T rows comes whole; of a longer one
    any window that touches it, so that its edges are as likely as its middle; the rest is zeros, `mask` False.
    arrays: instead of the observations on disk, one array per dataset with a row for each of its rows (latents).
    """

    def __init__(
        self,
        datasets: Sequence[Dataset],
        batch: int,
        length: int,
        seed: int,
        boundaries: Literal["cross", "pad"] = "cross",
        arrays: Sequence[np.ndarray] | np.ndarray | None = None,
        held_out: bool = False,
    ) -> None:
        self.batch, self.length, self.boundaries = batch, length, boundaries
        self.datasets = tuple(datasets)
        _check(self.datasets, held_out)
        self.rows = sum(data.rows for data in self.datasets)
        if not self.rows:
            raise WmplayError("There is nothing to learn from: the dataset holds no usable step.")
        self._actions = np.concatenate([data.actions for data in self.datasets])
        self._rewards = np.concatenate([data.rewards for data in self.datasets])
        flags = np.concatenate([data.flags for data in self.datasets])
        self._first = (flags & FIRST) > 0
        self._terminated = (flags & TERMINATED) > 0
        self._sources, self._starts, self._offsets = _sources(self.datasets, arrays)
        self._stops = np.append(self._starts[1:], self.rows)
        firsts = np.flatnonzero(self._first)
        self._episode_starts, self._episode_stops = firsts, np.append(firsts[1:], self.rows)
        lengths = self._episode_stops - self._episode_starts
        # How many windows an episode has; see the class for why this makes every row equally likely.
        self._windows = np.cumsum(np.where(lengths <= length, length, lengths + length - 1))
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._drawn: deque[_Drawn] = deque()
        self._observations = Rows(self._sources)
        size = batch * length * self._sources[0][:1].nbytes
        self._ahead = min(max(_AHEAD_BYTES // max(1, size), _AHEAD), _MOST_AHEAD)

    def sample(self, out: np.ndarray | None = None) -> SegmentArrays:
        """The next batch. out: where to put the observations, for instance pinned memory; else new memory."""
        while len(self._drawn) <= self._ahead:
            self._drawn.append(self._draw())
            self._announce(self._drawn[-1])
        starts, counts, _ = self._drawn[0]
        if out is None:
            out = np.empty((self.batch, self.length, *self._observations.shape), self._observations.dtype)
        columns = np.arange(self.length)
        mask = columns < counts[:, None]
        index = (starts[:, None] + columns) % self.rows
        index[~mask] = 0
        for b in range(self.batch):
            self._copy(out[b], int(starts[b]), int(counts[b]))
        action, reward = self._actions[index], self._rewards[index]
        terminated, first = self._terminated[index] & mask, self._first[index] & mask
        if self.boundaries == "pad":
            action[~mask], reward[~mask] = 0, 0
        self._drawn.popleft()  # last: what could not be read is still to come
        return SegmentArrays(out, action, reward, terminated, first, mask)

    def state_dict(self) -> dict[str, Any]:
        """Where the sampler is, as JSON-ready data; loading it makes the next batches the same ones."""
        return {"rows": self.rows, "random": _plain(self._state())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken. Raises WmplayError if the data is not the same any more."""
        if state["rows"] != self.rows:
            raise WmplayError(
                f"The data has changed since the checkpoint ({state['rows']} rows then, {self.rows} now),"
                " so the run cannot go on exactly as before."
            )
        self._random.bit_generator.state = dict(state["random"])
        self._drawn.clear()

    def _state(self) -> dict[str, Any]:
        """Where the generator stood before the next batch, which may be drawn already."""
        return self._drawn[0].state if self._drawn else dict(self._random.bit_generator.state)

    def _draw(self) -> _Drawn:
        state = dict(self._random.bit_generator.state)
        if self.boundaries == "cross":
            return _Drawn(self._random.integers(0, self.rows, self.batch), np.full(self.batch, self.length), state)
        ticket = self._random.integers(0, int(self._windows[-1]), self.batch)
        episode = np.searchsorted(self._windows, ticket, side="right")
        begin, stop = self._episode_starts[episode], self._episode_stops[episode]
        whole = stop - begin <= self.length
        slack = self.length - 1
        window = begin - slack + self._random.integers(0, np.where(whole, 1, stop - begin + slack))
        starts = np.where(whole, begin, np.maximum(window, begin))
        counts = np.where(whole, stop - begin, np.minimum(window + self.length, stop) - starts)
        return _Drawn(starts, counts, state)

    def _announce(self, drawn: _Drawn) -> None:
        """Let the disk fetch the rows of a batch to come. Rows over the end of a piece are left to chance: few are."""
        pieces = np.searchsorted(self._starts, drawn.starts, side="right") - 1
        firsts = self._offsets[pieces] + drawn.starts - self._starts[pieces]
        counts = np.minimum(drawn.counts, self._stops[pieces] - drawn.starts)
        for piece, first, count in zip(pieces.tolist(), firsts.tolist(), counts.tolist(), strict=True):
            self._observations.announce(piece, first, count)

    def _copy(self, out: np.ndarray, start: int, count: int) -> None:
        """Observations of `count` rows from `start` on, over shards and round the ring, into out; zeros after."""
        done = 0
        piece = int(np.searchsorted(self._starts, start, side="right")) - 1
        while done < count:
            row = start + done - int(self._starts[piece])
            take = min(count - done, int(self._stops[piece] - self._starts[piece]) - row)
            at = int(self._offsets[piece]) + row
            self._observations.read(piece, at, out[done : done + take])
            done += take
            piece += 1
            if piece == len(self._sources):
                piece, start = 0, -done
        out[count:] = 0


def _check(datasets: Sequence[Dataset], held_out: bool) -> None:
    for data in datasets:
        if data.held_out != held_out:
            raise UsageError(
                f"The dataset {data.name} is held out for reports; training on it would make every figure a lie."
                if data.held_out
                else f"The dataset {data.name} is training data; a report needs held-out episodes."
            )
        if data.observation.shape != datasets[0].observation.shape or data.action != datasets[0].action:
            raise UsageError(f"The datasets {datasets[0].name} and {data.name} do not show or accept the same things.")


def _sources(
    datasets: Sequence[Dataset], override: Sequence[np.ndarray] | np.ndarray | None
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The arrays observations come from, the global row at which each begins, and its first row inside the array."""
    sources: list[np.ndarray] = []
    starts: list[int] = []
    offsets: list[int] = []
    total = 0
    given = [override] if isinstance(override, np.ndarray) else override
    for number, data in enumerate(datasets):
        if given is not None:
            if len(given) != len(datasets) or len(given[number]) != data.rows:
                raise WmplayError(f"The stored encodings do not belong to the dataset {data.name} any more.")
            sources.append(given[number])
            starts.append(total)
            offsets.append(0)
        else:
            for piece in data.pieces:
                sources.append(data.shards[piece.shard])
                starts.append(total + piece.start)
                offsets.append(piece.shard_row)
        total += data.rows
    keep = [i for i, source in enumerate(sources) if len(source)]
    return [sources[i] for i in keep], np.array(starts)[keep], np.array(offsets)[keep]


def _plain(value: Any) -> Any:
    """Generator state with plain ints and dicts only."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return int(value) if isinstance(value, np.integer) else value
