"""The forms: what they refuse, and the command lines they amount to, which the real command line must understand."""

from __future__ import annotations

import pytest
import typer
from textual.widgets import Button, Input, Select

from tests.tui.fakes import state
from tests.tui.test_actions import FURTHER, NAMED, STARTS, VARIANT
from wmplay.tui.plans import CollectPlan, TrainPlan, free_name
from wmplay.tui.screens.collect_form import CollectForm
from wmplay.tui.screens.train_form import TrainForm

SETTINGS = "hidden_size=512 a='x y'"
GOOD = TrainPlan("car_racing", "vae_mdn", "small", "car-two", "10", "minutes", "mixed", "cpu", SETTINGS)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"slot": ""}, "Give the slot a name."),
        ({"slot": "../evil"}, "cannot name a slot"),
        ({"slot": "car-one"}, "being trained already"),
        ({"slot": "grid_world"}, "take another name"),
        ({"amount": "soon"}, "Minutes must be a number"),
        ({"amount": "0"}, "more than 0"),
        ({"amount": "nan"}, "more than 0"),
        ({"amount": "2.5", "unit": "steps"}, "whole number"),
        ({"family": "state_vae"}, "learns from vectors"),
        ({"overrides": "hidden_size"}, "write name=value"),
        ({"overrides": "a='x"}, "open quote"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(changes, sentence) -> None:
    from dataclasses import replace

    assert sentence in "\n".join(replace(GOOD, **changes).problems(state()))


def test_a_good_plan_is_a_command_line() -> None:
    assert GOOD.problems(state()) == []
    assert GOOD.args() == (
        "train", "car_racing", "--family", "vae_mdn", "--slot", "car-two", "--preset", "small", "--minutes", "10",
        "--data", "mixed", "--device", "cpu", "--set", "hidden_size=512", "--set", "a=x y",
    )  # fmt: skip


def test_a_free_name_is_free() -> None:
    assert free_name("car_racing", "vae_mdn", state()) == "car-racing-vae-mdn-1"


def test_the_real_command_line_understands_every_command_the_dashboard_starts() -> None:
    """A renamed option would make a key of the dashboard fail."""
    from wmplay.cli import app

    root = typer.main.get_command(app)
    lines = [args for *_, (_, args) in STARTS] + [args for _, _, args, _ in NAMED]
    lines += [FURTHER, VARIANT, GOOD.args(), CollectPlan("car_racing", "20000", "driver", "mixed").args()]
    lines += [("play", "cartpole", "--terminal"), ("dream", "x", "--terminal"), ("slots", "delete", "x", "--yes")]
    for line in lines:
        command, rest = root, list(line)
        context = root.make_context("wmplay", [], resilient_parsing=True)
        while rest and hasattr(command, "commands") and rest[0] in command.commands:
            command = command.commands[rest.pop(0)]
        context = command.make_context(line[0], rest, parent=context)
        assert context.args == [] or not rest, line


async def test_the_training_form_starts_a_training(opened, started) -> None:
    async with opened((80, 24)) as view:
        await view.select("game", "car_racing")
        await view.pilot.press("t")
        await view.until(lambda: isinstance(view.app.screen, TrainForm), "the form")
        form = view.app.screen
        assert form.query_one("#game", Select).value == "car_racing"
        text = view.text()
        for label in ("Game", "Family", "Preset", "For", "Data", "Slot", "Device", "Settings", "Cancel", "Start"):
            assert label in text, f"{label} is cut off"
        form.query_one("#amount", Input).value = "never"
        await view.until(lambda: "must be a number" in view.text(), "the mistake")
        assert form.query_one("#start", Button).disabled
        await view.pilot.press("ctrl+s")
        assert started.commands == []
        form.query_one("#amount", Input).value = "3"
        form.query_one("#slot", Input).value = "mine"
        form.query_one("#data", Select).value = "mixed"
        await view.pilot.pause()
        await view.pilot.press("ctrl+s")
        await view.until(lambda: view.app.screen is view.app.dashboard, "the form closes")
    assert started.commands == [
        ("call", ("train", "car_racing", "--family", "vae_mdn", "--slot", "mine", "--preset", "small", "--minutes", "3",
                  "--data", "mixed"))
    ]  # fmt: skip


async def test_another_game_offers_its_own_families(opened) -> None:
    async with opened() as view:
        await view.select("game", "car_racing")
        await view.pilot.press("t")
        await view.until(lambda: isinstance(view.app.screen, TrainForm), "the form")
        view.app.screen.query_one("#game", Select).value = "cartpole"
        await view.until(lambda: view.app.screen.plan().family == "state_vae", "the family follows")
        assert view.app.screen.plan().slot == "cartpole-state-vae-1"
        view.app.screen.query_one("#game", Select).value = "grid_world"
        await view.until(lambda: view.app.screen.plan().family == "vqvae_mdn", "the game's usual family")
        view.app.screen.query_one("#game", Select).value = "cartpole"
        await view.until(lambda: view.app.screen.plan().family == "state_vae", "back again")
        assert view.app.screen.plan().problems(state()) == []


async def test_a_refused_training_keeps_the_form_and_shows_the_sentence(opened, started) -> None:
    """What was typed is not lost to a mistake in it."""
    started.answer = (2, "wmplay: hidden_sise is no setting of vae_mdn; did you mean hidden_size?")
    async with opened() as view:
        await view.select("game", "car_racing")
        await view.pilot.press("t")
        await view.until(lambda: isinstance(view.app.screen, TrainForm), "the form")
        await view.pilot.press("ctrl+s")
        await view.until(lambda: "did you mean hidden_size?" in view.text(), "the sentence")
        assert isinstance(view.app.screen, TrainForm)


async def test_collecting_runs_on_its_own(opened, started) -> None:
    async with opened((80, 24)) as view:
        await view.select("game", "car_racing")
        await view.pilot.press("c")
        await view.until(lambda: isinstance(view.app.screen, CollectForm), "the form")
        view.app.screen.query_one("#player", Select).value = "driver"
        await view.pilot.pause()
        await view.pilot.press("ctrl+s")
        await view.until(lambda: bool(started.commands), "the collecting")
    assert started.commands == [
        ("task", ("collect", "car_racing", "--steps", "20000", "--name", "mixed", "--agent", "driver"))
    ]
