"""Anybody's game through one door: what is made is strict, and what is wrong is told in one sentence with its place."""

import importlib
import importlib.util
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from envs.adapters import ApartGames, GameError, action_names, make_game, make_game_vec, propose_keys
from envs.adapters.actions import adapt_actions
from envs.adapters.pictures import picture_reader, resize
from envs.bars import draw_bars

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def in_the_folder_of_the_games(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users start wmplay where their module lies."""
    monkeypatch.chdir(HERE)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def own(name: str, **params: object) -> gymnasium.Env:
    return make_game(f"own_games:{name}", **params)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["own_games:Small", "own_games:Full", "own_games:Duck", "Acrobot-v1", "FrozenLake-v1"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_game_becomes_a_strict_env_of_frames(name: str) -> None:
    """Whatever the game, everything behind the door may rely on uint8 64×64 frames and Gymnasium's rules."""
    env = make_game(name)
    check_env(env, skip_render_check=True)
    observation, _ = env.reset(seed=0)
    assert env.observation_space == spaces.Box(0, 255, (64, 64, 3), np.uint8)
    assert env.observation_space.contains(observation)
    assert observation.std() > 0 or name.endswith("Duck")
    assert isinstance(env.action_space, spaces.Discrete)
    assert env.action_space.start == 0


def test_the_small_style_plays() -> None:
    """MISSION row 4: the smallest class anybody can write is a game, with parameters and a time limit."""
    env = own("Small", speed=8)
    frame, _ = env.reset(seed=0)
    assert (frame[30, 12] == (255, 0, 0)).all()
    assert (frame[0, 0] == 0).all()
    steps = [env.step(2) for _ in range(6)]
    assert [(reward, end) for _, reward, end, _, _ in steps] == [(0.0, False)] * 5 + [(1.0, True)]
    assert steps[-1][4] == {"x": 56}
    env = own("Small", max_episode_steps=2)
    env.reset()
    assert [env.step(1)[3] for _ in range(2)] == [False, True]


def test_seeds_reach_a_small_game() -> None:
    """Else a recording of one's own game could not be repeated."""
    env = own("Seeded")
    frames = [env.reset(seed=seed)[0] for seed in (3, 9, 3)]
    assert (frames[0] == frames[2]).all()
    assert (frames[0] != frames[1]).any()


def test_a_file_by_its_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`path/to/game.py:Class` needs no package and no PYTHONPATH."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    text = (HERE / "own_games.py").read_text()
    (tmp_path / "elsewhere" / "a_file_of_mine.py").write_text(text)
    env = make_game("elsewhere/a_file_of_mine.py:Small")
    assert env.reset()[0].shape == (64, 64, 3)


def test_vectors_stay_vectors_when_asked() -> None:
    """State models learn numbers; the picture is still at hand."""
    env = make_game("Acrobot-v1", observation="vector", render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    assert (observation.shape, observation.dtype) == ((6,), np.float32)
    assert env.observation_space.contains(observation)
    frame = env.frame()  # type: ignore[attr-defined]
    assert (frame.shape, frame.dtype) == ((64, 64, 3), np.uint8)
    assert env.game_info.observation == "vector"  # type: ignore[attr-defined]


def test_numbers_of_any_kind_become_one_vector_and_open_boxes_are_closed() -> None:
    """A Dict of numbers cannot be drawn, but it can be learned."""
    env = own("Numbers")
    observation, _ = env.reset(seed=0)
    assert sorted(observation.tolist()) == [-0.5, 0.0, 0.5, 1.0, 1.0]
    assert env.observation_space.contains(observation)
    box = env.action_space
    assert isinstance(box, spaces.Box)
    assert box.is_bounded()
    assert (box.low == -2).all()
    assert (box.high == 1).all()
    env.step(np.array([9.0, -9.0], np.float32))
    taken = env.unwrapped.game.taken[-1]  # type: ignore[attr-defined]
    assert taken.tolist() == [1.0, -2.0]
    assert taken.dtype == np.float64
    assert env.game_info.actions == "Box(2)"  # type: ignore[attr-defined]


def test_actions_are_translated() -> None:
    """A combination that arrives as another one would make the game unplayable."""
    env = own("Full")
    env.reset(seed=0)
    assert env.action_space == spaces.Discrete(6)
    for action in range(6):
        env.step(action)
    assert [a.tolist() for a in env.unwrapped.game.taken] == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]]  # type: ignore[attr-defined]
    duck = own("Duck")
    duck.reset()
    assert duck.step(0)[0][0, 0, 0] == 1
    many, convert = adapt_actions(spaces.MultiDiscrete([[5, 5], [5, 5]], start=np.ones((2, 2), int)), "x")
    assert many == spaces.MultiDiscrete([5, 5, 5, 5])
    assert convert(np.array([0, 1, 2, 3])).tolist() == [[1, 2], [3, 4]]
    huge, _ = adapt_actions(spaces.Box(-3e38, 3e38, (2,)), "x")
    assert huge == spaces.Box(-1, 1, (2,)), "an open bound, however it is written"
    binary, convert = adapt_actions(spaces.MultiBinary(3), "x")
    assert binary == spaces.Discrete(8)
    assert convert(5).tolist() == [1, 0, 1]


WRONG = {
    "FlatImage": r"FlatImage.reset\(\) returned an image of shape \[64, 64\]",
    "WideRange": r"WideRange.reset\(\) returned an image with values from 200 to 200",
    "NotANumber": r"NotANumber.step\(\) returned the reward nan",
    "TextReward": r"TextReward.step\(\) returned the reward 'one'; it must be a number",
    "FiveValues": r"FiveValues.step\(\) returned 5 values; .* four",
    "PairFromReset": r"PairFromReset.reset\(\) returned a tuple",
    "TextDone": r"TextDone.step\(\) returned done = 'no'",
    "NoInfo": r"NoInfo.step\(\) returned an info of type NoneType",
    "Crash": r"Crash.step\(0\) failed: ZeroDivisionError: division by zero \(own_games.py, line \d+\)",
    "Shrinks": r"Shrinks.step\(\) returned an image of \(32, 32\) pixels; those before had \(64, 64\)",
    "NoActions": r"NoActions has no action_space",
    "NoStep": r"NoStep has no method step\(\)",
    "TextActions": r"TextActions.action_space is 'left'",
    "ZeroActions": r"ZeroActions.action_space is 0",
    "NoSeed": r"NoSeed.reset\(\) must take seed and options: def reset\(self, \*, seed=None",
    "Inherited": r"Inherited has no method step\(\)",
    "NanSeen": r"float32 \[3\] with values that are not finite\) that is not in its observation_space",
    "DrawsFloats": r"DrawsFloats.render\(\) returned float64 \[80, 100, 3\]; a picture is uint8",
    "DrawsNothing": r"DrawsNothing.render\(\) returned NoneType, no picture .*render_mode",
    "Leaves": r"Leaves.step\(0\) failed: SystemExit: 3 \(own_games.py, line \d+\)",
    "MethodActions": r"MethodActions.action_space is a method",
    "WantsArgument": r"WantsArgument\(\) failed: TypeError: .*level",
    "FourValues": r"FourValues.step\(\) returned 4 values; .* five",
    "Outside": r"Outside.step\(\) returned an observation .* not in its observation_space",
    "OneFromReset": r"OneFromReset.reset\(\) must return two values",
    "NestedActions": r"NestedActions is steered by Dict",
    "NoObservationSpace": r"NoObservationSpace has a Gymnasium action_space but no .* observation_space",
    "value": r"own_games:value is a int, not a class",
    "Nobody": r"own_games has no class 'Nobody'; it has Small, ",
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_in_a_class_are_told_with_their_place(name: str) -> None:
    """A user's first class is never right at once; the sentence must lead to the line that is wrong."""
    with pytest.raises(GameError, match=WRONG[name]) as caught:
        env = own(name)
        env.reset()
        env.step(0)
    assert "\n" not in str(caught.value)


def test_modules_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error must say which of the many reasons for a failed import it was."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken_game.py").write_text("x = 1\ndef f(:\n")
    (tmp_path / "needing_game.py").write_text("import no_such_package\n")
    (tmp_path / "failing_game.py").write_text("\nraise OSError('no joystick')\n")
    for spec, says in {
        "no_such_game:X": "There is no module 'no_such_game'",
        "broken_game:X": r"not valid Python: .* \(broken_game.py, line 2\)",
        "needing_game:X": r"needs the module no_such_package \(needing_game.py, line 1\); try: pip install",
        "failing_game:X": r"importing failing_game failed: OSError: no joystick \(failing_game.py, line 2\)",
        "nothing.py:X": "There is no file nothing.py",
    }.items():
        with pytest.raises(GameError, match=says):
            make_game(spec)


def test_games_that_are_not_there() -> None:
    """One sentence with what to type, not Gymnasium's traceback."""
    for spec, says in {
        "Nobody-v0": "knows no game 'Nobody-v0'",
        "CartPole-v9": "Did you mean CartPole-v1",
        "MiniGrid-Empty-8x8-v0": "pip install minigrid",
        "ALE/Pong-v5": "pip install ale-py",
    }.items():
        package = {"MiniGrid-Empty-8x8-v0": "minigrid", "ALE/Pong-v5": "ale_py"}.get(spec)
        if package is None or importlib.util.find_spec(package) is None:
            with pytest.raises(GameError, match=says):
                make_game(spec)
    with pytest.raises(GameError, match="wings"):
        make_game("CartPole-v1", wings=2)
    with pytest.raises(GameError, match="choose auto, frame or vector"):
        make_game("CartPole-v1", observation="smell")


@pytest.mark.parametrize(
    ("low", "high", "shape", "dtype"),
    [
        (0, 255, (48, 40), np.uint8),
        (0, 255, (48, 40, 1), np.uint8),
        (0, 255, (48, 40, 4), np.uint8),
        (0, 255, (3, 48, 40), np.uint8),
        (0, 255, (4, 48, 40), np.uint8),
        (0, 255, (48, 40, 9), np.uint8),
        (0, 1, (48, 40, 3), np.float32),
        (-1, 1, (1, 48, 40), np.float32),
        (0, 255, (48, 40, 3), np.float64),
    ],
)
def test_pictures_of_every_make_are_read(low: float, high: float, shape: tuple[int, ...], dtype: type) -> None:
    """White at the top must come out as white at the top, however the picture is laid out."""
    reader = picture_reader(spaces.Box(low, high, shape, dtype))
    assert reader is not None
    observation = np.full(shape, low, dtype)
    rows = shape.index(48)
    observation[(slice(None),) * rows + (slice(0, 24),)] = high
    picture = reader(observation)
    assert (picture.shape, picture.dtype) == ((48, 40, 3), np.uint8)
    assert (picture[:24] == 255).all()
    assert (picture[24:] == 0).all()


@pytest.mark.parametrize("shape", [(7, 7, 3), (10, 10, 6), (128,), (4, 4)])
def test_maps_of_symbols_are_not_taken_for_pictures(shape: tuple[int, ...]) -> None:
    """MiniGrid's 7×7×3 codes, drawn as colours, would be a picture of nothing."""
    assert picture_reader(spaces.Box(0, 255, shape, np.uint8)) is None


def test_resizing_keeps_thin_things() -> None:
    """A ball of one pixel must not fall between the samples."""
    picture = np.zeros((210, 160, 3), np.uint8)
    picture[101, 81] = 255
    assert resize(picture, 64).max() > 20
    assert resize(picture, 64).flags.writeable, "torch complains to the user of frames that are not"
    small = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert (resize(small, 64) == small.repeat(16, 0).repeat(16, 1)).all()


def test_numbers_are_drawn_as_bars() -> None:
    """A game that draws nothing could not be played, nor its dream be seen."""
    up, down, flat = draw_bars(np.array([[0.5], [-np.inf], [0.0]]))
    assert up.shape == (64, 64, 3) and up.dtype == np.uint8
    assert (up[:16] == up[0, 0]).all() and (up[24:32, 10] != up[0, 0]).all(), "up from the middle"
    assert (down[:31] == down[0, 0]).all() and (down[33:60, 10] != down[0, 0]).all()
    assert len(np.unique(flat.reshape(-1, 3), axis=0)) == 2, "the background and the line of nothing"
    assert draw_bars(np.random.default_rng(0).normal(size=(2, 500))).shape == (2, 64, 64, 3)


class Named(gymnasium.Env):
    """Six actions with Atari's names."""

    action_space = spaces.Discrete(6)
    observation_space = spaces.Box(0, 255, (64, 64, 3), np.uint8)

    def get_action_meanings(self) -> list[str]:
        return ["NOOP", "FIRE", "RIGHT", "LEFT", "UPRIGHTFIRE", "MOVE_DOWN"]


class Keyed(Named):
    """The same with keys of its own, in Gymnasium's form."""

    def get_keys_to_action(self) -> dict[object, int]:
        return {"d": 2, (ord("a"), ord(" ")): 3, 1073741906: 4}


def test_keys_come_from_the_game_else_its_words_else_a_proposal() -> None:
    """Else nobody could play a game that wmplay has never heard of."""
    assert propose_keys(Named()) == {
        (): 0, ("space",): 1, ("right",): 2, ("left",): 3, ("up", "right", "space"): 4, ("down",): 5,
    }  # fmt: skip
    keyed = propose_keys(Keyed())
    assert keyed[("d",)] == 2
    assert keyed[("a", "space")] == 3
    assert keyed[("up",)] == 4
    assert keyed[()] == 0
    assert propose_keys(make_game("LunarLander-v3")) == {(): 0, ("left",): 1, ("up",): 2, ("right",): 3}
    assert propose_keys(make_game("Acrobot-v1")) == {(): 1, ("left",): 0, ("right",): 2}
    assert propose_keys(make_game("Pendulum-v1")) == {}
    unknown = propose_keys(own("Full"))
    assert sorted(unknown.values()) == list(range(6))
    assert len(set(unknown)) == 6
    ours = propose_keys(make_game("wmplay/GridWorld-v0"))
    assert (ours[("up",)], ours[("d",)]) == (0, 1)


def test_a_class_of_ones_own_says_its_keys_and_actions() -> None:
    """What somebody writes into a class for the sake of its players must reach them."""
    keyed = own("WithKeys")
    assert propose_keys(keyed) == {("j",): 0, ("left",): 2, ("space",): 1, (): 1}
    assert action_names(keyed) == ("go west", "stay", "fire")
    assert propose_keys(own("WithMeanings")) == {("left",): 0, (): 1, ("right",): 2}
    for name, says in {"WrongKeys": "'b' is given the action 7", "NoneKeys": "returned NoneType instead of"}.items():
        with pytest.raises(GameError, match=rf"{name}.get_keys_to_action\(\) failed: .*{says}"):
            propose_keys(own(name))


def test_a_class_of_ones_own_that_draws_by_render_mode_is_drawn() -> None:
    """Gymnasium's own pattern, a render_mode in the constructor: without it render() gives None and nobody sees it."""
    env = own("Draws")
    assert env.reset()[0].mean() == 9
    assert env.render().shape == (80, 100, 3)


def test_the_three_games_pass_the_checkers_and_take_wrappers(tmp_path: Path) -> None:
    """Other people's libraries train on these games only if they are what those expect."""
    for name in ("GridWorld", "CarRacing", "CartPole"):
        env = gymnasium.make(f"wmplay/{name}-v0", render_mode="rgb_array")
        check_env(env.unwrapped, skip_render_check=False)
        limited = gymnasium.wrappers.TimeLimit(env, 3)
        limited.reset(seed=0)
        assert [limited.step(limited.action_space.sample())[3] for _ in range(3)] == [False, False, True]
        if importlib.util.find_spec("moviepy"):
            film = gymnasium.wrappers.RecordVideo(limited, str(tmp_path), lambda _: True, name_prefix=name)
            film.reset(seed=0)
            while not film.step(film.action_space.sample())[3]:
                pass
            film.close()
            assert list(tmp_path.glob(f"{name}*.mp4"))
        if importlib.util.find_spec("stable_baselines3"):
            checker = importlib.import_module("stable_baselines3.common.env_checker")
            checker.check_env(gymnasium.make(f"wmplay/{name}-v0").unwrapped, skip_render_check=True)
        env.close()


def test_many_of_anybodys_game() -> None:
    """Collection runs many at once, whoever made the game."""
    batch = make_game_vec("own_games:Small", 3, autoreset_mode="DISABLED")
    assert batch.reset(seed=0)[0].shape == (3, 64, 64, 3)
    assert batch.step(np.array([2, 1, 0]))[0].shape == (3, 64, 64, 3)
    batch.close()
    ours = make_game_vec("wmplay/GridWorld-v0", 3, autoreset_mode="SAME_STEP")
    assert ours.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.SAME_STEP
    apart = make_game_vec("own_games:Small", 2, asynchronous=True)
    assert apart.reset(seed=0)[0].shape == (2, 64, 64, 3)
    apart.close()


def test_games_apart_give_the_data_of_games_at_home() -> None:
    """Whether a machine has two cores must not change what is recorded."""
    makers = [partial(make_game, "Acrobot-v1")] * 3
    home = gymnasium.vector.SyncVectorEnv(makers, autoreset_mode="Disabled")
    apart = ApartGames(makers, home.envs[0], workers=2)
    first = np.array([False, True, False])
    try:
        seen = [games.reset(seed=[3, 4, 5])[0] for games in (home, apart)]
        assert (seen[0] == seen[1]).all() and seen[0].shape == (3, 64, 64, 3)
        for action in (0, 2, 1):
            told = [games.step(np.full(3, action)) for games in (home, apart)]
            assert all((mine == its).all() for mine, its in zip(told[0][:4], told[1][:4], strict=True))
        seen = [games.reset(seed=[None, 9, None], options={"reset_mask": first.copy()})[0] for games in (home, apart)]
        assert (seen[0] == seen[1]).all()
    finally:
        home.close()
        apart.close()


def test_a_mistake_in_a_game_apart_is_told_as_at_home() -> None:
    makers = [partial(make_game, "own_games:NotANumber")] * 2
    apart = ApartGames(makers, makers[0](), workers=2)
    try:
        apart.reset(seed=1)
        with pytest.raises(GameError, match=r"NotANumber.step\(\) returned the reward nan"):
            apart.step(np.zeros(2, int))
    finally:
        apart.close()


@pytest.mark.parametrize(
    ("package", "name", "keys"),
    [
        ("minigrid", "MiniGrid-Empty-8x8-v0", {("left",), ("right",), ("up",), ("space",)}),
        ("ale_py", "ALE/Pong-v5", {(), ("space",), ("right",), ("left",)}),
        ("Box2D", "LunarLander-v3", {("left",), ("up",), ("right",)}),
    ],
)
def test_real_games_where_they_are_installed(package: str, name: str, keys: set[tuple[str, ...]]) -> None:
    """The games that users try first."""
    pytest.importorskip(package)
    env = make_game(name)
    frame, _ = env.reset(seed=0)
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 4
    assert keys <= set(propose_keys(env))
    assert env.observation_space.contains(env.step(env.action_space.sample())[0])
