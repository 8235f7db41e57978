"""A person's own keys, kept once, play the game, its dream and the terminal alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.play.tiny import ACTION, KEYS, Clock, TinyGame
from wmplay.core.errors import UsageError
from wmplay.core.spaces import ActionSpec
from wmplay.play import kept_keys
from wmplay.play.controls import Controls, Latch
from wmplay.play.engine import Settings
from wmplay.play.keys import GAMES, command_table, game_keys
from wmplay.play.legend import legend
from wmplay.play.lines import Lines
from wmplay.play.opening import Wish, open_dream, open_game
from wmplay.play.own_keys import applied, changed, written
from wmplay.play.session import Session
from wmplay.play.terminal import PlayTerminal

GRID = ActionSpec("discrete", n=4)
CAR = ActionSpec("box", low=(-1.0, 0.0, 0.0), high=(1.0, 1.0, 1.0))
MANY = ActionSpec("multi", counts=(3, 3, 2))
CAR_KEYS = GAMES["wmplay/CarRacing-v0", "box"]


@pytest.mark.parametrize("action", [GRID, CAR, MANY, ActionSpec("box", low=(-1.2345678,) * 9, high=(0.0,) * 9)])
def test_what_is_written_means_the_same_keys(action: ActionSpec) -> None:
    """Else changing one key would change others."""
    keys = game_keys("Some-v0", action)
    again = applied(keys, written(keys, action), action)
    assert again.combos == keys.combos and again.keys == keys.keys and again.idle == keys.idle
    for axis, same in zip(keys.axes, again.axes, strict=True):
        assert (axis.more, axis.less, axis.rest) == (same.more, same.less, same.rest)
        assert (same.low, same.high) == pytest.approx((axis.low, axis.high), rel=1e-5)


@pytest.mark.parametrize("game", ["grid_world", "twin of it"])
def test_a_kept_mapping_plays_the_game_and_its_dream(home: Path, game: str) -> None:
    texts = changed(written(GAMES["wmplay/GridWorld-v0", "discrete"], GRID), {"j": "3"}, ("left", "a"))
    kept_keys.keep("wmplay/GridWorld-v0", GRID, texts)
    session = open_game("grid_world", Wish(seed=1)) if game == "grid_world" else open_dream("grid_world", Wish(seed=1))
    try:
        session.tick({"left"})
        assert session.steps == 0, "the old key is free"
        session.tick({"j"})
        assert session.steps == 1 and session.status().action == (3,)
        assert ("J", "left") in legend(session.controls.keys, session.offered)
    finally:
        session.close()


def test_a_dream_of_a_foreign_game_has_the_games_keys(home: Path) -> None:
    """A dream has no keys of its own: LunarLander's dream must be flown like LunarLander."""
    from wmplay.core.variants import find_game
    from wmplay.play.opening import controls_of

    pytest.importorskip("Box2D")
    controls = controls_of(None, find_game("LunarLander-v3"), GRID, 50)
    assert [int(controls.read({key})) for key in ("left", "up", "right")] == [1, 2, 3]
    assert controls.read(()) == 0


async def test_the_terminal_plays_and_shows_them(clock: Clock) -> None:
    keys = applied(KEYS, {"j": "1", "p": "2", "idle": "0"}, ACTION)
    session = Session(TinyGame(), Controls(keys, ACTION, 50), Settings("tiny", 50.0, seed=1, clock=clock))
    app = PlayTerminal(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("P")
        await pilot.pause(0.1)
        assert 2 in session.env.actions and not session.paused
        assert "P action 2" in app.query_one("#keys", Lines).render().plain
        await pilot.press("f2")
        assert session.paused, "pause went to its other key"
        assert session.view().detail.startswith("F2 goes on")


def test_keys_of_many_entries_act_together() -> None:
    """An arm that can only move one joint at a time, or a fight without a jump and a blow at once, is not the game."""
    keys = applied(
        game_keys("Some-v0", MANY), {"a": "1:2", "w": "2:1", "e": "0,0,1", "a+e": "1:1", "idle": "0,0,0"}, MANY
    )
    controls = Controls(keys, MANY, fps=30)
    assert controls.read({"a", "w"}).tolist() == [2, 1, 0]
    assert controls.read({"w", "e"}).tolist() == [0, 1, 1]
    assert controls.read({"a", "e"}).tolist() == [1, 0, 1], "keys set together have the say over each alone"
    assert controls.read(()).tolist() == [0, 0, 0]


def test_a_car_on_other_keys_ramps_and_latches_as_before(clock: Clock) -> None:
    texts = changed(written(CAR_KEYS, CAR), {"i": "2:1", "k": "3:0.8"}, ("up", "w", "down", "s"))
    keys = applied(CAR_KEYS, texts, CAR)
    latch = Latch(keys, clock)
    latch.press("i")
    clock.now += 60
    assert latch.held() == {"i"}, "gas stays, as the arrow's did"
    latch.press("k")
    assert latch.held() == set(), "and the brake lets it go"
    controls = Controls(keys, CAR, fps=25)
    for _ in range(25):
        action = controls.read({"i", "d"})
    assert action == pytest.approx(np.array([0.9, 1.0, 0.0]))
    alone = applied(CAR_KEYS, {"i": "2:1"}, CAR)
    assert not alone.sticky, "gas without a key that lets it go would never end"


def test_commands_are_never_locked_out() -> None:
    base = game_keys("Some-v0", ActionSpec("discrete", n=26))
    letters = {letter: str(number) for number, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
    keys = applied(base, letters, ActionSpec("discrete", n=26))
    assert {"quit", "pause", "help", "reset"} <= set(command_table(keys.keys).values())
    for key in ("escape", "+", "?", "tab", "f2"):
        with pytest.raises(UsageError, match="gives a command"):
            applied(base, {key: "1"}, ActionSpec("discrete", n=26))
