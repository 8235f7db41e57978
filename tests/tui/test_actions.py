"""Every action by key, by mouse and by palette, and what it starts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from textual.command import CommandPalette
from textual.widgets import Input

from wmplay.tui import commands, launch, targets
from wmplay.tui.palette import CommandProvider
from wmplay.tui.screens.collect_form import CollectForm
from wmplay.tui.screens.help import HelpScreen
from wmplay.tui.screens.menu import Menu
from wmplay.tui.screens.prompt import Confirm, Prompt
from wmplay.tui.screens.textbox import TextBox
from wmplay.tui.screens.train_form import TrainForm
from wmplay.tui.text import plain_name

STARTS = [
    ("game", "car_racing", "p", ("task", ("play", "car_racing"))),
    ("game", "car_racing", "a", ("task", ("play", "car_racing", "--agent", "driver"))),
    ("game", "car_racing", "d", ("task", ("dream", "car-one"))),
    ("slot", "grid_world", "a", ("task", ("play", "grid_world", "--agent", "grid_world"))),
    ("slot", "grid_world", "d", ("task", ("dream", "grid_world"))),
    ("slot", "grid_world", "w", ("task", ("dream", "grid_world", "--twin"))),
    ("slot", "grid_world", "e", ("task", ("eval", "grid_world"))),
    ("slot", "grid_world", "k", ("call", ("slots", "verify", "grid_world"))),
    ("slot", "car-one", "space", ("call", ("jobs", "pause", "j1"))),
    ("job", "j1", "space", ("call", ("jobs", "pause", "j1"))),
    ("job", "j1", "s", ("call", ("jobs", "save", "j1"))),
    ("job", "j1", "x", ("call", ("jobs", "stop", "j1"))),
    ("job", "j1", "d", ("task", ("dream", "car-one"))),
    ("job", "j3", "r", ("call", ("jobs", "resume", "j3"))),
    ("job", "j1", "l", ("call", ("jobs", "logs", "j1"))),
]


@pytest.mark.parametrize(("kind", "key", "press", "expected"), STARTS)
async def test_a_key_starts_its_command(opened, started, kind, key, press, expected) -> None:
    async with opened() as view:
        await view.select(kind, key)
        await view.pilot.press(press)
        await view.until(lambda: bool(started.commands), f"{press} starts something")
    assert started.commands == [expected]


OPENS = [
    ("t", TrainForm), ("c", CollectForm), ("question_mark", HelpScreen), ("y", Prompt), ("o", Prompt), ("i", Prompt),
    ("n", Prompt), ("delete", Confirm), ("enter", Menu), ("exclamation_mark", TextBox), ("ctrl+p", CommandPalette),
    ("R", Prompt), ("V", Prompt),
]  # fmt: skip


@pytest.mark.parametrize(("press", "screen"), OPENS)
async def test_a_key_opens_its_box_and_escape_closes_it(opened, started, press, screen) -> None:
    """At 80 by 24 every box fits and can be left without harm."""
    async with opened((80, 24)) as view:
        await view.select("slot", "pole-three")
        await view.pilot.press(press)
        await view.until(lambda: isinstance(view.app.screen, screen), f"{press} opens {screen.__name__}")
        await view.pilot.press("escape")
        await view.until(lambda: view.app.screen is view.app.dashboard, "it closes")
    assert [args for _, args in started.commands if args[:2] != ("games", "show")] == []


NAMED = [
    ("y", "copy", ("slots", "copy", "pole-three", "fresh"), "call"),
    ("n", "rename", ("slots", "rename", "pole-three", "fresh"), "call"),
    ("o", "export", ("slots", "export", "pole-three", "fresh"), "call"),
    ("i", "import", ("slots", "import", "fresh"), "call"),
    ("R", "record", ("play", "cartpole", "--record", "fresh"), "task"),
]


@pytest.mark.parametrize(("press", "what", "args", "how"), NAMED)
async def test_a_question_answered_becomes_a_command(opened, started, press, what, args, how) -> None:
    async with opened() as view:
        await view.select("slot", "pole-three")
        await view.pilot.press(press)
        await view.until(lambda: isinstance(view.app.screen, Prompt), what)
        view.app.screen.query_one(Input).value = "fresh"
        await view.pilot.press("enter")
        await view.until(lambda: bool(started.commands), what)
    assert started.commands == [(how, args)]


def test_a_strangers_variant_is_proposed_a_name_that_can_be_one() -> None:
    """The first thing a person sees in the box would be refused."""
    assert [plain_name(game) for game in ("ALE/Pong-v5", "maze.py:Maze")] == ["ALE-Pong-v5", "maze.py-Maze"]


FURTHER = (
    "train", "cartpole", "--family", "state_vae", "--slot", "pole-three", "--preset", "tiny", "--resume",
    "--minutes", "25",
)  # fmt: skip
VARIANT = ("games", "save", "fast", "car_racing", "--param", "action_repeat=4", "--param", "size=96")


@pytest.mark.parametrize(("kind", "key"), [("job", "j3"), ("slot", "pole-three")])
async def test_a_slot_whose_training_is_done_is_trained_further(opened, started, reader, kind, key) -> None:
    """A model that is not good enough yet would have to be trained anew, or from the command line."""
    jobs = tuple(replace(row, state="done") if row.id == "j3" else row for row in reader.snapshot.jobs)
    reader.snapshot = replace(reader.snapshot, jobs=jobs)
    async with opened() as view:
        await view.select(kind, key)
        await view.pilot.press("f")
        await view.until(lambda: isinstance(view.app.screen, Prompt), "the question")
        view.app.screen.query_one(Input).value = "25"
        await view.pilot.press("enter")
        await view.until(lambda: bool(started.commands), "the training")
    assert started.commands == [("call", FURTHER)]


@pytest.mark.parametrize(("key", "why"), [("pole-three", "resumes"), ("grid_world", "ships with wmplay")])
async def test_what_cannot_be_trained_further_says_why(opened, started, key, why) -> None:
    async with opened() as view:
        await view.select("slot", key)
        await view.pilot.press("f")
        await view.until(lambda: why in view.text(), "the reason")
    assert started.commands == []


async def test_a_game_is_saved_with_other_parameters(opened, started) -> None:
    """Variants could only be made on the command line. The box begins with what the game has now."""
    async with opened() as view:
        await view.select("game", "car_racing")
        await view.pilot.press("V")
        await view.until(lambda: isinstance(view.app.screen, Prompt), "the question")
        field = view.app.screen.query_one(Input)
        assert field.value == "car_racing-2 action_repeat=2"
        field.value = "fast action_repeat=4 size=96"
        await view.pilot.press("enter")
        await view.until(lambda: ("call", VARIANT) in started.commands, "the saving")
    assert [args for _, args in started.commands if args[:2] != ("games", "show")] == [VARIANT]


SETTABLE = [
    {"name": "slip", "type": "number", "default": 0.25},
    {"name": "renderer", "type": "direct or gymnasium", "default": "direct"},
    *({"name": f"parameter_{n}", "type": "true or false", "default": False} for n in range(12)),
]


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_the_box_of_a_variant_lists_what_can_be_set(opened, started, size) -> None:
    """Who does not know the game's source would have to guess the names; a long list must not hide the buttons."""
    started.answer = (0, f"a warning\n{json.dumps({'short': 'car_racing', 'parameters': SETTABLE})}\nanother")
    async with opened(size) as view:
        await view.select("game", "car_racing")
        await view.pilot.press("V")
        await view.until(lambda: "0.25" in view.text(), "the parameters")
        lines = [" ".join(line.split()) for line in view.text().splitlines()]
        assert any("slip 0.25 number" in line for line in lines)
        assert any("renderer direct direct or gymnasium" in line for line in lines)
        assert "OK" in view.text() and view.app.focused is view.app.screen.query_one(Input)
        view.app.screen.query_one(Input).value = "icy slip=0.5"
        await view.pilot.press("enter")
        saved = ("call", ("games", "save", "icy", "car_racing", "--param", "slip=0.5"))
        await view.until(lambda: saved in started.commands, "the saving")
    assert started.commands[0] == ("call", ("games", "show", "car_racing", "--json"))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((3, "There is no module 'maze'."), "There is no module 'maze'."),
        ((0, '{"parameters": []}'), "nothing that can be set"),
        ((1, ""), "could not be looked up"),
    ],
)
async def test_a_variant_can_be_saved_where_nothing_is_known_of_its_parameters(opened, started, answer, says) -> None:
    started.answer = answer
    async with opened() as view:
        await view.select("game", "grid_world")
        await view.pilot.press("V")
        await view.until(lambda: says in view.text(), "why there is no list")
        await view.pilot.press("enter")
        await view.until(lambda: len(started.commands) == 2, "the saving")
    assert started.commands[1] == ("call", ("games", "save", "grid_world-2", "grid_world"))


async def test_the_keys_of_a_game_are_read_and_changed(opened, started) -> None:
    """Who cannot reach the arrow keys should not need the command line to play."""
    started.answer = (0, "left  3  left")
    async with opened() as view:
        await view.select("game", "grid_world")
        await view.pilot.press("K")
        await view.until(lambda: isinstance(view.app.screen, TextBox) and "left  3" in view.text(), "the keys")
        await view.pilot.press("escape")
        for typed in ("j=3 l=1", "reset"):
            await view.until(lambda: view.app.screen is view.app.dashboard, "it closes")
            await view.pilot.press("C")
            await view.until(lambda: isinstance(view.app.screen, Prompt), "the question")
            view.app.screen.query_one(Input).value = typed
            await view.pilot.press("enter")
        await view.until(lambda: len(started.commands) == 3, "the changes")
    assert [args for _, args in started.commands] == [
        ("keys", "grid_world"),
        ("keys", "grid_world", "--set=j=3", "--set=l=1"),
        ("keys", "grid_world", "--reset"),
    ]


async def test_a_refused_command_says_why_and_starts_nothing(opened, started) -> None:
    async with opened() as view:
        await view.select("job", "j3")
        await view.pilot.press("space")
        await view.until(lambda: "pole-three is dead" in view.text() and "Not now" in view.text(), "the reason")
    assert started.commands == []


async def test_a_failed_command_shows_its_sentence_in_a_box(opened, started) -> None:
    started.answer = (1, "wmplay: The slot pole-three is being written.")
    async with opened() as view:
        await view.select("slot", "pole-three")
        await view.pilot.press("k")
        await view.until(lambda: isinstance(view.app.screen, TextBox), "the box")
        assert "is being written" in view.text()
        await view.pilot.press("escape", "exclamation_mark")
        await view.until(lambda: isinstance(view.app.screen, TextBox), "the messages")
        assert "is being written" in view.text()


async def test_without_a_display_it_plays_in_the_terminal_or_says_how(opened, started, monkeypatch) -> None:
    """A missing display shows as a message; where the terminal cannot be lent the command to type is shown."""
    monkeypatch.setattr(launch, "has_display", lambda: False)
    async with opened() as view:
        await view.select("slot", "grid_world")
        await view.pilot.press("d")
        await view.until(lambda: isinstance(view.app.screen, TextBox), "the message")
        assert "wmplay dream grid_world --terminal" in view.app.problems[0]


async def test_the_palette_offers_every_command(opened) -> None:
    async with opened() as view:
        await view.select("slot", "grid_world")
        provider = CommandProvider(view.app.screen)
        offered = {title.split("  (")[0] for _, title, _ in provider._entries()}
    assert offered == {entry.title for entry in commands.COMMANDS if entry.id != "menu"}


async def test_the_palette_carries_out_what_is_chosen(opened, started) -> None:
    async with opened() as view:
        await view.select("slot", "grid_world")
        await view.pilot.press("ctrl+p")
        await view.until(lambda: isinstance(view.app.screen, CommandPalette), "the palette")
        await view.pilot.press(*"twin")
        await view.pilot.pause(0.4)
        await view.pilot.press("enter")
        await view.until(lambda: bool(started.commands), "the twin")
    assert started.commands == [("task", ("dream", "grid_world", "--twin"))]


async def test_a_click_in_the_footer_does_what_the_key_does(opened, started) -> None:
    async with opened((80, 24)) as view:
        await view.select("job", "j1")
        line = view.text().splitlines()[-1]
        await view.pilot.click("#keys", offset=(line.index("Pause"), 0))
        await view.until(lambda: bool(started.commands), "the click")
    assert started.commands == [("call", ("jobs", "pause", "j1"))]


async def test_a_click_on_a_row_selects_it(opened) -> None:
    async with opened((80, 24)) as view:
        await view.select("job", "j1")
        lines = view.text().splitlines()
        row = next(index for index, line in enumerate(lines) if "◇ pole-three" in line)
        await view.pilot.click(offset=(6, row))
        await view.until(lambda: view.app.dashboard.subject.key == "pole-three", "the selection")
        assert view.app.dashboard.subject.kind == "slot"


async def test_number_keys_and_tab_go_from_list_to_list(opened) -> None:
    async with opened() as view:
        for press, kind in (("1", "game"), ("3", "slot"), ("2", "job"), ("tab", "slot")):
            await view.pilot.press(press)
            await view.until(lambda kind=kind: view.app.dashboard.subject.kind == kind, f"{press} goes to {kind}s")


async def test_a_keymap_moves_a_command_to_another_key(opened, started) -> None:
    async with opened(keymap={"dream": "f5"}) as view:
        await view.select("slot", "grid_world")
        assert "f5 Dream" in view.text()
        await view.pilot.press("d")
        await view.pilot.press("f5")
        await view.until(lambda: bool(started.commands), "the dream")
    assert started.commands == [("task", ("dream", "grid_world"))]


async def test_the_help_names_every_key(opened) -> None:
    async with opened() as view:
        page = HelpScreen({}).page().plain
        assert view.app.is_running
    for entry in commands.COMMANDS:
        assert entry.title in page
        assert entry.help in page


def test_keys_are_not_used_twice() -> None:
    used = [entry.key for entry in commands.COMMANDS]
    assert len(used) == len(set(used))


def test_every_command_means_something() -> None:
    from wmplay.tui.desk import Desk

    by_screen = {"games", "jobs", "slots", "view", "metric", "quit"}
    for entry in commands.COMMANDS:
        assert entry.id in targets.ORDERS or entry.id in by_screen or hasattr(Desk, f"_{entry.id}")
