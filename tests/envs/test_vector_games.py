"""Many GridWorlds and CartPoles at once are the single ones, in every autoreset mode of Gymnasium."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

GRID, POLE = "wmplay/GridWorld-v0", "wmplay/CartPole-v0"


def pair(name: str, mode: AutoresetMode, count: int = 8, **params: object) -> tuple[gymnasium.vector.VectorEnv, ...]:
    """Our batched form, and Gymnasium's own SyncVectorEnv of the single form."""
    ours = gymnasium.make_vec(name, count, autoreset_mode=mode, **params)
    theirs = gymnasium.make_vec(
        name, count, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **params
    )
    return ours, theirs


def same(ours: object, theirs: object, tolerance: float) -> None:
    """Equal values under equal keys; batched cosines may differ from single ones in the last bit."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict)
        assert set(ours) == set(theirs)
        for key in theirs:
            same(ours[key], theirs[key], tolerance)
    elif isinstance(theirs, np.ndarray) and theirs.dtype.hasobject:
        for a, b in zip(ours, theirs, strict=True):  # type: ignore[call-overload]
            assert (a is None) == (b is None)
            if b is not None:
                np.testing.assert_allclose(a, b, atol=tolerance)
    else:
        np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), atol=tolerance)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize(
    ("name", "params", "tolerance"),
    [
        (GRID, {"max_episode_steps": 15}, 0),
        (GRID, {"size": 5, "slip": 0.4}, 0),
        (POLE, {"max_episode_steps": 25}, 1e-5),
        (POLE, {"max_episode_steps": 25, "pictures": True}, 1.0),  # a grey level, where a state is at its last bit
    ],
)
def test_batched_equals_single(name: str, params: dict[str, float], tolerance: float, mode: AutoresetMode) -> None:
    """Else data collected fast would come from another game than the one that is played."""
    ours, theirs = pair(name, mode, **params)
    assert ours.metadata["autoreset_mode"] is mode
    ours.action_space.seed(0)
    for a, b in zip(ours.reset(seed=5), theirs.reset(seed=5), strict=True):
        same(a, b, tolerance)
    ended = 0
    for _ in range(150):
        actions = ours.action_space.sample()
        one, other = ours.step(actions), theirs.step(actions)
        for a, b in zip(one, other, strict=True):
            same(a, b, tolerance)
        assert ours.observation_space.contains(one[0])
        ended += int((one[2] | one[3]).sum())
    assert ended > 20


@pytest.mark.parametrize(("name", "tolerance"), [(GRID, 0), (POLE, 1e-5)])
def test_disabled_autoreset_waits_for_the_mask(name: str, tolerance: float) -> None:
    """Collection gives every episode its own seed this way; a wrong mask would mix episodes up."""
    ours, theirs = pair(name, AutoresetMode.DISABLED, max_episode_steps=20)
    ours.action_space.seed(1)
    ours.reset(seed=2)
    theirs.reset(seed=2)
    seed = 100
    for _ in range(60):
        actions = ours.action_space.sample()
        one, other = ours.step(actions), theirs.step(actions)
        for a, b in zip(one, other, strict=True):
            same(a, b, tolerance)
        done = one[2] | one[3]
        if done.any():
            with pytest.raises(ValueError, match="reset_mask"):
                ours.step(actions)
            seeds = [seed + i if d else None for i, d in enumerate(done)]
            seed += 10
            mine = ours.reset(seed=seeds, options={"reset_mask": done.copy()})  # type: ignore[arg-type]
            its = theirs.reset(seed=seeds, options={"reset_mask": done.copy()})  # type: ignore[arg-type]
            same(mine[0], its[0], tolerance)
    assert seed > 100


@pytest.mark.parametrize("name", [GRID, POLE])
def test_seeds_alone_decide(name: str) -> None:
    """Else a collection could not be repeated or resumed."""
    runs = []
    for _ in range(2):
        env = gymnasium.make_vec(name, 4, max_episode_steps=10)
        env.action_space.seed(0)
        frames = [env.reset(seed=[7, 1, 7, 9])[0]]
        frames += [env.step(env.action_space.sample())[0] for _ in range(40)]
        runs.append(np.stack(frames))
    assert (runs[0] == runs[1]).all()
    assert (runs[0][0, 0] == runs[0][0, 2]).all()
    assert (runs[0][0, 0] != runs[0][0, 1]).any()


@pytest.mark.parametrize("name", [GRID, POLE])
def test_mistakes_are_told(name: str) -> None:
    """Wrong shapes are the commonest mistake with batches."""
    env = gymnasium.make_vec(name, 3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="3 numbers"):
        env.step(np.array([0, 9, 0]))
    with pytest.raises(ValueError, match="3 numbers"):
        env.step(np.zeros(2, int))
    with pytest.raises(ValueError, match="reset_mask"):
        env.reset(options={"reset_mask": np.zeros(3, bool)})
    with pytest.raises(ValueError, match="seeds"):
        env.reset(seed=[1, 2])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="autoreset_mode"):
        gymnasium.make_vec(name, 2, autoreset_mode="sometimes")


def test_returned_frames_are_the_callers_own() -> None:
    """Else a frame that was kept would change under the next step; copy=False says that it may."""
    env = gymnasium.make_vec(GRID, 16)
    first = env.reset(seed=0)[0]
    kept = first.copy()
    env.step(np.ones(16, int))
    assert (first == kept).all()
    shared = gymnasium.make_vec(GRID, 16, copy=False)
    assert shared.reset(seed=0)[0] is shared.step(np.ones(16, int))[0]


def test_pictures_of_all() -> None:
    """A contact sheet of a batch needs one large picture of each."""
    for name in (GRID, POLE):
        env = gymnasium.make_vec(name, 2, render_mode="rgb_array")
        env.reset(seed=0)
        pictures = env.render()
        assert pictures is not None
        assert [picture.shape for picture in pictures] == [(512, 512, 3)] * 2


def test_making_them_warns_of_nothing() -> None:
    """Gymnasium warns about vector environments that do not state their autoreset mode."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in (GRID, POLE):
            gymnasium.make_vec(name, 2, vectorization_mode="vector_entry_point")


@pytest.mark.bench
def test_speed() -> None:
    """Issue 3: at least 300,000 GridWorld frames a second at 1,024 boards, 10,000 CartPole drawings."""
    from envs.bench import measure

    report = measure(6)
    assert report["grid_world x1024"]["high"] >= 300_000
    assert report["cartpole drawings"]["high"] >= 10_000
