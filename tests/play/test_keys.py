"""The table of keys: a key that means two things, or a game nobody can steer, would make play useless."""

from __future__ import annotations

from typing import get_args

import pytest

from wmplay.core.spaces import ActionSpec
from wmplay.play.keys import COMMANDS, GAMES, Command, command_table, game_keys, read_combos
from wmplay.play.legend import legend

EVERY = frozenset(get_args(Command))


def test_no_key_gives_two_commands() -> None:
    keys = [key for entry in COMMANDS for key in entry.keys]
    assert len(keys) == len(set(keys))
    assert {entry.command for entry in COMMANDS} == EVERY, "every command can be given by a key"


@pytest.mark.parametrize("name", GAMES)
def test_our_games_and_the_commands_share_no_key(name: tuple[str, str]) -> None:
    commands = {key for entry in COMMANDS for key in entry.keys}
    assert not GAMES[name].keys & commands
    assert GAMES[name].legend, "the key line says how to play"


def test_a_foreign_game_may_claim_a_letter_but_never_a_whole_command() -> None:
    alphabet = frozenset("abcdefghijklmnopqrstuvwxyz")
    table = command_table(alphabet)
    assert not set(table) & alphabet
    assert set(table.values()) == EVERY


def test_commands_that_mean_nothing_here_are_not_shown() -> None:
    keys = GAMES["wmplay/CarRacing-v0", "box"]
    shown = dict(legend(keys, {"pause", "quit"}))
    assert shown == {"←→": "steer", "↑↓": "gas, brake", "P": "pause", "Q": "quit"}


@pytest.mark.parametrize(
    "table",
    [
        {"w": 2, "aw": 3, " ": 1, "": 0},
        {("w",): 2, ("a", "w"): 3, ("space",): 1, (): 0},
        {(ord("w"),): 2, (ord("a"), ord("w")): 3, (32,): 1, (): 0},
    ],
)
def test_gymnasium_key_tables_are_read_in_every_form(table: dict) -> None:
    assert read_combos(table) == {
        frozenset({"w"}): 2,
        frozenset({"a", "w"}): 3,
        frozenset({"space"}): 1,
        frozenset(): 0,
    }
    keys = game_keys("Some-v0", ActionSpec("discrete", n=4), table)
    assert keys.idle == 0
    assert keys.keys == {"a", "w", "space"}


@pytest.mark.parametrize(
    "action",
    [
        ActionSpec("discrete", n=14),
        ActionSpec("multi", counts=(3, 2, 3)),
        ActionSpec("box", low=(-2.0, float("-inf"), 0.0), high=(2.0, float("inf"), 1.0)),
    ],
)
def test_a_game_without_keys_gets_some(action: ActionSpec) -> None:
    keys = game_keys("Unknown-v0", action)
    if action.kind == "box":
        assert [axis.index for axis in keys.axes] == [0, 1, 2]
        assert all(axis.low <= axis.rest <= axis.high and axis.high < 1e4 for axis in keys.axes)
    elif action.kind == "multi":
        reached = [{value[index] for value in keys.combos.values()} | {0} for index in range(3)]
        assert reached == [{0, 1, 2}, {0, 1}, {0, 1, 2}]
    else:
        assert sorted(keys.combos.values()) == list(range(14))


def test_entries_that_go_one_way_share_a_pair_of_keys() -> None:
    """Gas up and brake down, as anybody would try first, and no key that does nothing."""
    axes = game_keys("CarRacing-v3", ActionSpec("box", low=(-1.0, 0.0, 0.0), high=(1.0, 1.0, 1.0))).axes
    assert [(axis.more[0], axis.less[:1]) for axis in axes] == [("right", ("left",)), ("up", ()), ("down", ())]
