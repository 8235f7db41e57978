"""Own data without an environment, and back out for other programs: nothing lost, mistakes named by field."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gymnasium import spaces

from core.conftest import VECTOR, record
from wmplay.core import paths
from wmplay.core.data_transfer import export_dataset, import_dataset
from wmplay.core.episodes import Dataset
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.spaces import ActionSpec
from wmplay.core.variants import find_game


def arrays(rows: int = 10, **changes: np.ndarray | None) -> dict[str, np.ndarray]:
    """Two episodes of 4 and 6 steps; row t shows t."""
    frames = np.tile(np.arange(rows, dtype=np.uint8)[:, None, None, None], (1, 8, 8, 3))
    ends = np.zeros(rows, np.uint8)
    ends[3], ends[9] = 1, 2
    found = {"frames": frames, "actions": np.arange(rows) % 3, "rewards": np.arange(rows, dtype=float), "ends": ends}
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


def save(path: Path, content: dict[str, np.ndarray]) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **content)
    else:
        path.mkdir()
        for name, array in content.items():
            np.save(path / f"{name}.npy", array)
    return path


@pytest.mark.parametrize("name", ["own.npz", "own"])
def test_the_readmes_recipe_works(home: Path, tmp_path: Path, name: str) -> None:
    folder, problems = import_dataset(save(tmp_path / name, arrays()), "my_robot")
    assert problems == []
    data = Dataset(folder)
    assert [(e.length, e.terminated, e.complete) for e in data.episodes] == [(5, True, True), (7, False, True)]
    assert data.actions.tolist() == [0, 0, 1, 2, 0, 0, 1, 2, 0, 1, 2, 0]
    assert data.rewards.tolist() == [0, 0, 1, 2, 3, 0, 4, 5, 6, 7, 8, 9]
    shown = data.read(0, 12)[:, 0, 0, 0].tolist()
    assert shown == [0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 9], "the last one seen is repeated where it is not given"
    assert find_game("my_robot").actions == "Discrete(3)"


def test_the_last_observations_are_taken_where_they_are_given(home: Path, tmp_path: Path) -> None:
    frames = np.tile(np.arange(12, dtype=np.uint8)[:, None, None, None], (1, 8, 8, 3))
    folder, _ = import_dataset(save(tmp_path / "a.npz", arrays(frames=frames)), "my_robot")
    assert Dataset(folder).read(0, 12)[:, 0, 0, 0].tolist() == list(range(12))
    following = arrays()["frames"] + 100
    folder, _ = import_dataset(save(tmp_path / "b.npz", arrays(next_observations=following)), "my_robot")
    assert Dataset(folder).read(0, 12)[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 103, 4, 5, 6, 7, 8, 9, 109]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"actions": None}, "no array 'actions'"),
        ({"frames": None}, "no array 'observations'"),
        ({"actions": np.zeros(9, int)}, "actions has 9 rows, but ends has 10"),
        ({"rewards": np.zeros(3)}, "rewards has 3 rows"),
        ({"frames": np.zeros((10, 8, 8, 3), np.float32)}, "observations is float32"),
        ({"actions": np.zeros(10, complex)}, "actions must be integers .* but is complex128"),
        ({"ends": np.zeros((10, 2))}, "ends must be one number for each row"),
        ({"ends": np.full(10, np.nan)}, "ends is nan at row 0"),
        ({"ends": np.full(10, 7)}, "ends is 7 at row 0"),
        ({"ends": np.array(["a"] * 10)}, "ends must be one number"),
        ({"rewards": np.ones((10, 1))}, "rewards must be one number"),
        ({"rewards": np.array(["a"] * 10)}, "rewards must be one number"),
        ({"actions": np.array(3)}, "actions must be integers"),
        ({"frames": np.array(3)}, "frames is int64"),
        ({"frames": np.zeros((10, 0, 8, 3), np.uint8)}, r"frames is uint8 \[10, 0, 8, 3\]"),
        ({"frames": np.zeros((10, 3, 8, 8), np.uint8)}, r"observations is uint8 \[10, 3, 8, 8\]"),
        ({"seeds": np.array(["a", "b"])}, "seeds must be one whole number"),
        ({"actions": np.zeros((10, 2)), "low": np.zeros(1)}, "low must be a finite bound"),
        ({"actions": np.zeros((10, 2)), "low": np.ones(2), "high": np.ones(2)}, "low is not below high"),
        ({"frames": None, "observations": np.full((10, 4), 1e300)}, "episode 0: observations is not a finite"),
        ({name: np.zeros((0, 8), np.uint8)[:, 0] for name in ("actions", "rewards", "ends")}, "there is none"),
        ({"seeds": np.zeros(7, int)}, "seeds has 7 entries, but there are 2 episodes"),
        ({"actions": np.array([{}] * 10, dtype=object)}, "plain arrays|Python objects"),
        ({"rewards": np.full(10, np.nan)}, "No episode can be taken over: own.npz: episode 0: rewards is not a finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_field(
    home: Path, tmp_path: Path, changes: dict[str, np.ndarray | None], words: str
) -> None:
    with pytest.raises(WmplayError, match=words):
        import_dataset(save(tmp_path / "own.npz", arrays(**changes)), "my_robot")
    assert not list((home / "episodes").glob("*/*"))


def test_a_bad_episode_is_left_out_and_named(home: Path, tmp_path: Path) -> None:
    rewards = np.arange(10.0)
    rewards[2] = np.inf
    folder, problems = import_dataset(save(tmp_path / "own.npz", arrays(rewards=rewards)), "my_robot")
    assert problems == ["own.npz: episode 0: rewards is not a finite number at step 2"]
    assert [e.length for e in Dataset(folder).episodes] == [7]


def test_actions_outside_a_known_game_are_refused(home: Path, tmp_path: Path) -> None:
    content = arrays(actions=np.full(10, 9), frames=np.zeros((10, 64, 64, 3), np.uint8))
    with pytest.raises(WmplayError, match="actions is outside the action space"):
        import_dataset(save(tmp_path / "own.npz", content), "grid_world")


@pytest.mark.parametrize("action", [-1, 1_000_000])
def test_an_action_that_no_game_has_costs_its_episode(home: Path, tmp_path: Path, action: int) -> None:
    """One slip of a logger must not make a network with a million outputs."""
    actions = np.arange(10) % 3
    actions[2] = action
    folder, problems = import_dataset(save(tmp_path / "own.npz", arrays(actions=actions)), "my_robot")
    assert problems == ["own.npz: episode 0: actions is outside the action space"]
    assert Dataset(folder).action.n == 3


def test_a_file_cut_short_is_refused(home: Path, tmp_path: Path) -> None:
    folder = save(tmp_path / "own", arrays())
    whole = (folder / "frames.npy").read_bytes()
    (folder / "frames.npy").write_bytes(whole[:-100])
    with pytest.raises(WmplayError, match=r"frames\.npy is cut short"):
        import_dataset(folder, "my_robot")
    npz = save(tmp_path / "own.npz", arrays())
    npz.write_bytes(npz.read_bytes()[:-100])
    with pytest.raises(WmplayError, match="damaged"):
        import_dataset(npz, "my_robot")


@pytest.mark.parametrize("form", ["out.zip", "out.npz", "out"])
def test_out_and_in_again_loses_nothing(home: Path, tmp_path: Path, form: str) -> None:
    folder = record(paths.episodes_dir("cartpole") / "mine", [3, 9, 1], VECTOR)
    where = export_dataset(folder, tmp_path / form)
    back, problems = import_dataset(where, "cartpole", "back")
    assert problems == []
    one, two = Dataset(folder), Dataset(back)
    assert (one.read(0, 99) == two.read(0, 99)).all()
    assert (one.actions == two.actions).all()
    assert (one.rewards == two.rewards).all()
    assert (one.flags == two.flags).all()
    assert [e.seed for e in one.episodes] == [e.seed for e in two.episodes]


def test_held_out_data_stays_held_out(home: Path, tmp_path: Path) -> None:
    folder = record(paths.episodes_dir("cartpole") / "mine", [3, 4], VECTOR, held_out=True)
    back, _ = import_dataset(export_dataset(folder, tmp_path / "x.zip"), None, "back")
    assert Dataset(back).held_out
    own, _ = import_dataset(save(tmp_path / "own.npz", arrays()), "my_robot", held_out=True)
    assert all(e.seed is not None and e.seed >= 1_000_000 for e in Dataset(own).episodes)


@pytest.mark.parametrize("name", ["../evil", "shard-00000/../../evil", "/evil", "shard-00000/x.py", "evil.sh"])
def test_a_dataset_from_a_stranger_cannot_write_elsewhere(home: Path, tmp_path: Path, name: str) -> None:
    where = export_dataset(record(paths.episodes_dir("cartpole") / "mine", [3], VECTOR), tmp_path / "x.zip")
    with zipfile.ZipFile(where, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), "evil")
    with pytest.raises(WmplayError, match="is no file of a dataset"):
        import_dataset(where, name="back")
    assert not list(tmp_path.glob("**/evil*"))


def test_what_is_not_there_or_taken_is_said(home: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        import_dataset(tmp_path / "nowhere.npz", "my_robot")
    npz = save(tmp_path / "own.npz", arrays())
    with pytest.raises(UsageError, match="--game"):
        import_dataset(npz)
    import_dataset(npz, "my_robot")
    with pytest.raises(UsageError, match="already"):
        import_dataset(npz, "my_robot")


def test_minari_is_asked_for_by_its_pip_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(WmplayError, match=r"pip install"):
        import_dataset("minari:some/data-v0", "my_robot")


def test_minari_out_and_in_again(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    folder = record(paths.episodes_dir("cartpole") / "mine", [3, 9], VECTOR)
    where = export_dataset(folder, "minari:wmplay/cartpole-v0")
    back, problems = import_dataset(where, "cartpole", "back")
    assert problems == []
    one, two = Dataset(folder), Dataset(back)
    assert (one.read(0, 99) == two.read(0, 99)).all()
    assert (one.actions == two.actions).all()
    assert (one.flags == two.flags).all()


def test_minari_actions_without_bounds_are_given_those_of_the_data(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller spreads what it puts out over the bounds: over infinite ones it would do nothing but NaN."""
    actions = np.array([[0.5, 0.1], [-3.0, 0.2], [0.0, 0.9]], np.float32)
    ends = np.array([False, False, True])
    episode = SimpleNamespace(
        observations=np.zeros((4, 2), np.float32), actions=actions, rewards=np.zeros(3),
        terminations=ends, truncations=ends & False,
    )  # fmt: skip
    data = SimpleNamespace(
        observation_space=spaces.Box(-1, 1, (2,)), iterate_episodes=lambda: iter([episode]),
        action_space=spaces.Box(np.float32([-np.inf, 0]), np.float32([np.inf, np.inf])),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "minari", SimpleNamespace(load_dataset=lambda _: data))
    folder, problems = import_dataset("minari:some/data-v0", "my_robot", "mine")
    assert problems == []
    assert Dataset(folder).action == ActionSpec("box", low=(-3.0, 0.0), high=(1.0, 1.0))
