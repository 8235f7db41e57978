"""The card of CartPole seen as pictures: cart and pole are read off the dream, and a pole that is forgotten is told."""

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from envs.cartpole import draw_state
from evaluate.fakes import FRAME, RepeatWorld
from wmplay.core.catalog import Game, builtin_game
from wmplay.core.spaces import ActionSpec
from wmplay.evaluate.comparison import in_brief, side_by_side
from wmplay.evaluate.fidelity import mean_observation, measure
from wmplay.evaluate.report import headline, variable_rows
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.staying import can_measure, keys_of, still_the_game

TWO = ActionSpec("discrete", n=2)
COUNT, ROWS = 8, 8 + 5


@pytest.fixture(scope="module")
def game() -> Game:
    plain = builtin_game("cartpole")
    assert plain is not None
    return plain.having({"pictures": True})


@pytest.fixture(scope="module")
def starts() -> Starts:
    """Carts that go 0.048 to the right at every step, a hundredth of the range, with a pole at rest."""
    states = np.zeros((COUNT, ROWS, 4))
    states[..., 0] = np.linspace(-1.5, 1.5, COUNT)[:, None] + 0.048 * np.arange(ROWS)
    states[..., 2] = np.linspace(-0.1, 0.1, COUNT)[:, None]
    blank = np.zeros((COUNT, ROWS), np.float32)
    return Starts(
        8, draw_state(states), np.zeros((COUNT, ROWS), np.int64), blank, blank.astype(bool), blank.astype(bool),
        np.full(COUNT, ROWS), np.arange(COUNT), tuple(np.zeros(7, np.int64) for _ in range(COUNT)),
    )  # fmt: skip


class Forgetful(RepeatWorld):
    """The known trap: shows the background as it is, and of the first `poleless` dreams no pole."""

    def __init__(self, poleless: int) -> None:
        super().__init__(FRAME, TWO)
        self.poleless = poleless

    def observe(self, state: Any) -> Tensor:
        frames = state.frame.clone()
        frames[: self.poleless, :43] = frames[: self.poleless, :1, :1]
        return frames


def card_of(world: RepeatWorld, game: Game, starts: Starts) -> dict[str, dict[str, Any]]:
    mean = mean_observation(starts.observation.reshape(-1, 64, 64, 3))
    return measure(world, game, starts, mean, horizons=(1, 5))[0]


def test_errors_are_shares_of_the_range(game: Game, starts: Starts) -> None:
    """A dream that stands still while the cart goes on is off by a hundredth a step, and its pole is right."""
    card = card_of(RepeatWorld(FRAME, TWO), game, starts)
    for k, row in card.items():
        assert row["state_errors"]["position"][0] == pytest.approx(0.01 * int(k), abs=1e-3)
        assert row["state_errors"]["angle"][0] < 0.01
        assert (row["pole_seen"][0], row["state_n"]) == (1.0, COUNT)
    assert card["5"]["state_error"] == card["5"]["state_errors"]["position"]
    assert [line["error of"] for line in variable_rows(card)] == ["position", "angle"]


def test_a_forgotten_pole_is_told_and_its_error_not_made_up(game: Game, starts: Starts) -> None:
    """Else the trap would look like a model with a middling error, or like a good one where most dreams drop out."""
    some, none = (card_of(Forgetful(count), game, starts) for count in (3, COUNT))
    assert some["5"]["pole_seen"][0] == pytest.approx(1 - 3 / COUNT)
    assert some["5"]["state_n"] == COUNT - 3
    assert some["5"]["state_error"][0] == pytest.approx(0.05, abs=1e-3)
    assert none["5"]["pole_seen"][0] == 0.0
    assert "state_error" not in none["5"]
    assert variable_rows(none) == []


def test_both_figures_stand_side_by_side(game: Game, starts: Starts) -> None:
    """An error without the share of dreams it stands for flatters whoever loses the hard ones."""
    follows = {"player": {"share": None, "end_recall": None}}
    reports = [
        {
            "slot": name, "game": "seen", "family": "fake", "preset": "", "ground": {}, "action_following": follows,
            "outcomes": follows, "regimes": {"player": card_of(world, game, starts)},
        }
        for name, world in (("good", RepeatWorld(FRAME, TWO)), ("bad", Forgetful(COUNT)))
    ]  # fmt: skip
    table = {row["figure"]: row for row in side_by_side(reports)}
    assert table["pole and cart seen (player) k=5"]["good"].startswith("100 %")
    assert table["pole and cart seen (player) k=5"]["bad"].startswith("0 %")
    assert table["worst variable's error (player) k=5"]["bad"] == "–"
    assert in_brief(reports)[0]["measure"] == "pole and cart seen / worst variable's error"
    assert headline(reports[0])["pole_seen player k=5"] == 1.0


def test_staying_power_is_a_pole_that_stands(game: Game) -> None:
    """1,000 steps on, a dream is still CartPole if a cart holds a pole up inside the limits."""
    assert can_measure(game)
    frames = draw_state(np.array([[0.0, 0, 0.1, 0], [0, 0, 0.4, 0], [2.6, 0, 0, 0], [-2.0, 0, -0.15, 0]]))
    assert still_the_game(game, frames).tolist() == [True, False, False, True]
    frames[:, :43] = frames[:, :1, :1]
    assert not still_the_game(game, frames).any()
    assert keys_of(game, "random", TWO, 4, 0) is None, "a random CartPole falls for real"
    assert keys_of(game, "expert", TWO, 4, 0) is not None
