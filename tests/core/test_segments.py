"""Training batches: fair to every step, the same again under a seed, exact after a resume, never held-out data."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from core.conftest import VECTOR, record
from wmplay.core import rows
from wmplay.core.episodes import Dataset
from wmplay.core.errors import UsageError, WmplayError
from wmplay.core.segments import SegmentArrays, SegmentSampler

LENGTHS = [1, 2, 3, 7, 8, 9, 20, 60]


def same(a: SegmentArrays, b: SegmentArrays) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def row_numbers(data: Dataset) -> list[np.ndarray]:
    """Instead of pictures, each row shows its own number."""
    return [np.arange(data.rows, dtype=np.int64).reshape(-1, 1)]


@pytest.mark.parametrize("boundaries", ["cross", "pad"])
def test_every_step_is_equally_likely(tmp_path: Path, boundaries: str) -> None:
    """Uniform over episodes would show the short, lost games far more often than long, good play."""
    data = Dataset(record(tmp_path / "a", LENGTHS))
    sampler = SegmentSampler([data], 64, 8, 0, boundaries, row_numbers(data))  # type: ignore[arg-type]
    counts = np.zeros(data.rows)
    draws = 3000
    for _ in range(draws):
        batch = sampler.sample()
        np.add.at(counts, batch.observation[..., 0][batch.mask], 1)
    expected = counts.sum() / data.rows
    # Windows overlap, so rows are not independent draws: the bound is 6 deviations of a window's count.
    assert np.abs(counts - expected).max() < 6 * np.sqrt(8 * expected)


@pytest.mark.parametrize("boundaries", ["cross", "pad"])
def test_rows_belong_together(tmp_path: Path, boundaries: str) -> None:
    data = Dataset(record(tmp_path / "a", LENGTHS))
    batch = SegmentSampler([data], 200, 8, 0, boundaries, row_numbers(data)).sample()  # type: ignore[arg-type]
    row = batch.observation[..., 0]
    real = batch.mask
    assert (batch.action[real] == data.actions[row[real]]).all()
    assert (batch.reward[real] == data.rewards[row[real]]).all()
    assert (batch.first[real] == ((data.flags & 1) > 0)[row[real]]).all()
    assert (batch.terminated[real] == ((data.flags & 2) > 0)[row[real]]).all()
    steps = (row[:, 1:] - row[:, :-1]) % data.rows
    assert (steps[real[:, 1:]] == 1).all(), "consecutive in time"


def test_padded_segments_hold_one_episode_and_short_ones_whole(tmp_path: Path) -> None:
    data = Dataset(record(tmp_path / "a", LENGTHS))
    batch = SegmentSampler([data], 500, 8, 0, "pad", row_numbers(data)).sample()
    assert not batch.first[:, 1:].any(), "no second episode in a segment"
    assert not batch.terminated[~batch.mask].any()
    assert (batch.observation[~batch.mask] == 0).all()
    assert (batch.mask.cumsum(1) == np.arange(1, 9))[batch.mask].all(), "the padding is at the end"
    short = {e.start: e.length for e in data.episodes if e.length <= 8}
    for b in range(500):
        start = int(batch.observation[b, 0, 0])
        if start in short:
            assert batch.mask[b].sum() == short[start]


def test_crossing_segments_run_on_into_the_next_episode(tmp_path: Path) -> None:
    data = Dataset(record(tmp_path / "a", [3, 3, 3]))
    batch = SegmentSampler([data], 50, 30, 0).sample()
    assert batch.mask.all()
    assert batch.observation.shape == (50, 30, 8, 8, 3)
    assert batch.first.sum(1).min() >= 7, "more rows than there are: round the ring"
    assert (batch.observation[..., 0, 0, 0][batch.first] == 0).all()


def test_frames_come_from_several_shards_and_datasets(tmp_path: Path) -> None:
    """The picture of a row must be the one recorded with its action, wherever it lies on the disk."""
    first = record(tmp_path / "a", [5, 4])
    record(first, [6])
    data = [Dataset(first), Dataset(record(tmp_path / "b", [3, 9]))]
    batch = SegmentSampler(data, 300, 12, 3).sample()
    time_in_episode = batch.observation[..., 0, 0, 0].astype(int)
    assert ((time_in_episode == 0) == batch.first).all()
    inner = ~batch.first[:, 1:]
    assert (np.diff(time_in_episode, axis=1)[inner] == 1).all()
    assert (batch.action == np.where(batch.first, 0, time_in_episode % 2)).all()


def test_a_left_out_episode_never_appears(tmp_path: Path) -> None:
    folder = record(tmp_path / "a", [3, 4, 5])
    rewards = np.load(folder / "shard-00000" / "rewards.npy", mmap_mode="r+")
    rewards[6] = np.nan
    rewards.flush()
    batch = SegmentSampler([Dataset(folder)], 200, 6, 0).sample()
    assert set(np.unique(batch.reward)) == {0.0, 2.0}


def test_a_seed_gives_the_same_batches_and_another_seed_others(tmp_path: Path) -> None:
    data = [Dataset(record(tmp_path / "a", LENGTHS))]
    one, two, other = (SegmentSampler(data, 16, 8, seed) for seed in (5, 5, 6))
    assert all(same(one.sample(), two.sample()) for _ in range(5))
    assert not same(one.sample(), other.sample())


@pytest.mark.parametrize("boundaries", ["cross", "pad"])
def test_a_resumed_run_sees_the_very_same_batches(tmp_path: Path, boundaries: str) -> None:
    data = [Dataset(record(tmp_path / "a", LENGTHS))]
    sampler = SegmentSampler(data, 16, 8, 5, boundaries)  # type: ignore[arg-type]
    sampler.sample()
    kept = json.dumps(sampler.state_dict())
    unbroken = [sampler.sample() for _ in range(4)]
    resumed = SegmentSampler(data, 16, 8, 99, boundaries)  # type: ignore[arg-type]
    resumed.load_state_dict(json.loads(kept))
    assert all(same(resumed.sample(), batch) for batch in unbroken)


@pytest.mark.parametrize("boundaries", ["cross", "pad"])
def test_reading_ahead_of_a_large_dataset_changes_no_batch(
    tmp_path: Path, boundaries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = record(tmp_path / "a", LENGTHS)
    record(folder, [70, 5])
    data = [Dataset(folder), Dataset(record(tmp_path / "b", [9]))]
    plain = SegmentSampler(data, 16, 8, 5, boundaries)  # type: ignore[arg-type]
    monkeypatch.setattr(rows, "LARGE", 0)
    ahead = SegmentSampler(data, 16, 8, 5, boundaries)  # type: ignore[arg-type]
    assert all(same(plain.sample(), ahead.sample()) for _ in range(200))
    assert plain.state_dict() == ahead.state_dict()


def test_a_resume_on_other_data_is_refused(tmp_path: Path) -> None:
    state = SegmentSampler([Dataset(record(tmp_path / "a", LENGTHS))], 4, 8, 0).state_dict()
    other = SegmentSampler([Dataset(record(tmp_path / "b", [3]))], 4, 8, 0)
    with pytest.raises(WmplayError, match="The data has changed"):
        other.load_state_dict(state)


def test_held_out_data_is_never_trained_on(tmp_path: Path) -> None:
    held = Dataset(record(tmp_path / "a", [5], held_out=True))
    usual = Dataset(record(tmp_path / "b", [5]))
    with pytest.raises(UsageError, match="held out for reports"):
        SegmentSampler([usual, held], 4, 8, 0)
    with pytest.raises(UsageError, match="training data"):
        SegmentSampler([usual], 4, 8, 0, held_out=True)
    assert SegmentSampler([held], 4, 8, 0, held_out=True).sample().mask.all()


def test_data_of_different_kinds_is_not_mixed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="do not show or accept the same"):
        SegmentSampler([Dataset(record(tmp_path / "a", [5])), Dataset(record(tmp_path / "b", [5], VECTOR))], 4, 8, 0)


def test_no_data_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(WmplayError, match="no usable step"):
        SegmentSampler([Dataset(record(tmp_path / "a", []))], 4, 8, 0)


def test_stale_encodings_are_refused(tmp_path: Path) -> None:
    data = Dataset(record(tmp_path / "a", [5]))
    with pytest.raises(WmplayError, match="encodings do not belong"):
        SegmentSampler([data], 4, 8, 0, arrays=[np.zeros((3, 2))])


def test_batches_can_be_drawn_into_given_memory(tmp_path: Path) -> None:
    """So that a graphics card can fetch them from pinned memory without another copy."""
    data = [Dataset(record(tmp_path / "a", LENGTHS))]
    out = np.empty((4, 8, 8, 8, 3), np.uint8)
    batch = SegmentSampler(data, 4, 8, 0).sample(out)
    assert batch.observation is out
    assert same(batch, SegmentSampler(data, 4, 8, 0).sample())


def test_a_large_file_cut_short_while_it_is_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory map would end the whole training with a bus error."""
    monkeypatch.setattr(rows, "LARGE", 0)
    folder = record(tmp_path / "a", LENGTHS)
    sampler = SegmentSampler([Dataset(folder)], 16, 8, 5)
    os.truncate(folder / "shard-00000" / "observations.npy", 300)
    with pytest.raises(WmplayError, match=r"observations\.npy was cut short"):
        sampler.sample()


def test_a_large_dataset_keeps_no_file_open_once_its_sampler_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A phase after the other would run into the system's limit of open files."""
    monkeypatch.setattr(rows, "LARGE", 0)
    data = [Dataset(record(tmp_path / "a", LENGTHS))]
    SegmentSampler(data, 16, 8, 5).sample()
    kept = set(Path("/proc/self/fd").iterdir()) if Path("/proc/self/fd").exists() else set()
    for _ in range(5):
        SegmentSampler(data, 16, 8, 5).sample()
    assert not kept or set(Path("/proc/self/fd").iterdir()) <= kept
