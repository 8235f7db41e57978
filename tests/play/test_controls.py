"""From held keys to actions: without ramps a car spins at the first touch, without repeats a board is unplayable."""

from __future__ import annotations

import numpy as np
import pytest

from tests.play.tiny import Clock
from wmplay.core.spaces import ActionSpec
from wmplay.play.controls import Controls, Latch, Pointer
from wmplay.play.keys import GAMES, game_keys

CAR = ActionSpec("box", low=(-1.0, 0.0, 0.0), high=(1.0, 1.0, 1.0))
GRID = ActionSpec("discrete", n=4)


def car() -> Controls:
    return Controls(GAMES["wmplay/CarRacing-v0", "box"], CAR, fps=25)


def test_steering_ramps_and_recentres() -> None:
    controls = car()
    steers = [controls.read({"left"})[0] for _ in range(12)]
    assert -0.3 < steers[0] < 0 and steers == sorted(steers, reverse=True)
    assert steers[-1] == pytest.approx(-0.9), "full lock within half a second"
    back = [controls.read(set())[0] for _ in range(6)]
    assert back == sorted(back) and back[-1] == 0, "let go, it comes back to the middle by itself"


def test_gas_and_steering_act_together_within_the_bounds() -> None:
    controls = car()
    for _ in range(25):
        action = controls.read({"up", "d"})
    assert action.dtype == np.float32 and action.shape == (3,)
    assert action == pytest.approx([0.9, 1.0, 0.0])
    assert controls.read({"left", "right"})[0] < 0.9, "both at once let go"


def test_the_mouse_steers_and_goes() -> None:
    assert car().read(set(), pointer=Pointer(-0.5, more=True)) == pytest.approx([-0.45, 1.0, 0.0])
    turn_based = Controls(GAMES["wmplay/GridWorld-v0", "discrete"], GRID, fps=8)
    assert turn_based.read(set(), pointer=Pointer(0.9)) == 1


def test_a_board_waits_for_a_key_and_repeats_a_held_one_after_a_moment() -> None:
    controls = Controls(GAMES["wmplay/GridWorld-v0", "discrete"], GRID, fps=8)
    assert controls.waits and controls.read(set()) is None
    held = [controls.read({"up"}) is not None for _ in range(9)]
    assert held[0] and not held[1], "one press, one move"
    assert 2 <= sum(held[1:]) <= 7, "a key that stays down goes on moving"
    assert controls.read(set()) is None


def test_every_tap_is_a_move_even_in_consecutive_ticks() -> None:
    controls = Controls(GAMES["wmplay/GridWorld-v0", "discrete"], GRID, fps=8)
    moves = [controls.read(set(), tapped={"right"}) for _ in range(4)]
    assert [int(move) for move in moves] == [1, 1, 1, 1]


def test_a_cartpole_left_alone_is_pushed_neither_way() -> None:
    action = ActionSpec("discrete", n=2)
    controls = Controls(GAMES["wmplay/CartPole-v0", "discrete"], action, fps=50)
    assert sum(int(controls.read(set())) for _ in range(10)) == 5
    assert [int(controls.read({"right"})) for _ in range(3)] == [1, 1, 1]


def test_the_largest_combination_that_is_held_wins() -> None:
    table = {("left",): 1, ("left", "space"): 5, (): 0}
    controls = Controls(game_keys("X-v0", ActionSpec("discrete", n=6), table), ActionSpec("discrete", n=6), fps=30)
    assert int(controls.read({"left", "space", "x"})) == 5
    assert int(controls.read({"left"})) == 1
    assert int(controls.read(set())) == 0


def test_a_terminal_holds_a_key_for_a_moment(clock: Clock) -> None:
    latch = Latch(GAMES["wmplay/CarRacing-v0", "box"], clock)
    latch.press("left")
    assert latch.held() == {"left"}
    clock.now += 0.2
    latch.press("left")  # the terminal's own repeat
    clock.now += 0.15
    assert latch.held() == {"left"}
    latch.press("right")
    assert latch.held() == {"right"}, "the opposite takes over at once"
    clock.now += 1
    assert latch.held() == set()


def test_gas_stays_on_in_a_terminal_until_it_is_let_go(clock: Clock) -> None:
    latch = Latch(GAMES["wmplay/CarRacing-v0", "box"], clock)
    latch.press("up")
    clock.now += 10
    latch.press("left")
    assert latch.held() == {"up", "left"}, "a terminal repeats one key only: gas must last while steering"
    latch.press("down")
    assert "up" not in latch.held() and "down" not in latch.held(), "down once lets go"
    latch.press("down")
    assert "down" in latch.held(), "down again brakes"
