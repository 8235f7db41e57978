"""A game by any name: ours, a saved variant, anybody's; and a name that is none of these gets the near ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.variants import delete_variant, find_game, save_data_game, save_variant, variants


def test_ours_by_short_name_and_id(home: Path) -> None:
    assert find_game("car_racing") == find_game("wmplay/CarRacing-v0")


@pytest.mark.parametrize(
    "name", ["LunarLander-v3", "ALE/Pong-v5", "MiniGrid-Empty-8x8-v0", "my_games:Maze", "my_games.sub:Maze", "a:B/C-v1"]
)
def test_anybodys_game_is_taken_at_its_word(home: Path, name: str) -> None:
    game = find_game(name)
    assert (game.id, game.observation) == (name, "")
    assert "/" not in game.slug
    assert ":" not in game.slug


def test_a_misspelt_name_gets_the_near_ones(home: Path) -> None:
    with pytest.raises(NotFoundError, match="did you mean car_racing"):
        find_game("car_racin")


def test_a_variant_is_a_game_everywhere(home: Path) -> None:
    save_variant("ice", "grid_world", {"slip": 0.2})
    game = find_game("ice")
    assert (game.id, game.short, game.slug) == ("wmplay/GridWorld-v0", "ice", "ice")
    assert game.params == {"slip": 0.2}
    assert "slip=0.2" in game.title
    save_variant("big_ice", "ice", {"size": 12})
    assert find_game("big_ice").params == {"slip": 0.2, "size": 12}
    assert [g.short for g in variants()] == ["ice", "big_ice"]


def test_a_variant_that_shows_pictures_is_a_game_of_pictures(home: Path) -> None:
    """Else it would be offered the families of vectors only, and be drawn and measured as four numbers."""
    save_variant("seen", "cartpole", {"pictures": True})
    seen, plain = find_game("seen"), find_game("cartpole")
    assert (seen.observation, seen.truth, seen.draw, seen.family) == ("frame", "pole", None, "rssm")
    assert (seen.players, seen.expert) == (plain.players, plain.expert)
    save_variant("numbers", "seen", {"pictures": False})
    numbers = find_game("numbers")
    assert (numbers.observation, numbers.truth, numbers.draw) == (plain.observation, plain.truth, plain.draw)
    assert (numbers.family, numbers.minutes) == (plain.family, plain.minutes)


def test_a_variants_own_parameters_win(home: Path) -> None:
    save_variant("single", "car_racing", {"action_repeat": 1})
    assert find_game("single").params["action_repeat"] == 1


def test_names_of_our_own_games_cannot_be_taken(home: Path) -> None:
    with pytest.raises(UsageError, match="a game of wmplay's own"):
        save_variant("cartpole", "grid_world", {})
    with pytest.raises(UsageError, match="cannot name a variant"):
        save_variant("../x", "grid_world", {})


def test_a_variant_others_build_on_is_kept(home: Path) -> None:
    save_variant("ice", "grid_world", {"slip": 0.2})
    save_variant("big_ice", "ice", {"size": 12})
    with pytest.raises(UsageError, match="big_ice builds on 'ice'"):
        delete_variant("ice")
    delete_variant("big_ice")
    delete_variant("ice")
    with pytest.raises(NotFoundError):
        find_game("ice")


def test_a_game_of_which_only_data_exists(home: Path) -> None:
    save_data_game("my_robot", "frame", "Box(2)")
    assert find_game("my_robot").observation == "frame"
    assert find_game("my_robot").slug == "my_robot"


def test_a_hand_edited_circle_does_not_hang(home: Path) -> None:
    entry = {"params": {}, "observation": "", "actions": ""}
    circle = {"a": {"game": "b", **entry}, "b": {"game": "a", **entry}}
    (home / "variants.json").write_text(json.dumps({"schema": 1, "variants": circle}))
    with pytest.raises(NotFoundError):
        find_game("a")
    assert variants() == []


def test_a_ruined_file_is_one_sentence(home: Path) -> None:
    (home / "variants.json").write_text("{")
    with pytest.raises(WmplayError, match=r"variants\.json is damaged"):
        find_game("ice")
    assert find_game("cartpole").short == "cartpole", "our own games need no file"
