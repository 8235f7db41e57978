"""The rules of play, without a screen: what pausing, settings, agents and recordings may and may not do."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.play.tiny import ACTION, OBSERVATION, Always, Clock, TinyDream, TinyGame
from wmplay.core.catalog import Game
from wmplay.core.episodes import FIRST, Dataset
from wmplay.core.errors import WmplayError
from wmplay.play.keys import GameKeys
from wmplay.play.recording import HumanRecording
from wmplay.play.session import Session

Open = Callable[..., Session]
GAME = Game("tests/Tiny-v0", "tiny", "Tiny", "frame", "Discrete(3)", fps=10)


def pixel(session: Session) -> int:
    return int(session.view().panels[0].frame[0, 0, 0])


def hud(session: Session) -> dict[str, str]:
    return {item.label: item.value for column in session.view().hud for item in column}


def test_the_rules_need_no_screen_and_no_torch() -> None:
    """Else the dashboard, which uses them, would start slowly or not at all on a machine without a display."""
    code = (
        "import sys, wmplay.play.session, wmplay.play.hud, wmplay.play.keys\n"
        "print([m for m in ('torch', 'pygame', 'gymnasium', 'textual') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_held_keys_act_and_the_newest_frame_is_shown(open_session: Open) -> None:
    session = open_session()
    for keys in ({"left"}, {"right"}, set()):
        assert session.tick(keys)
    assert session.env.actions == [1, 2, 0]
    assert pixel(session) == 3, "not the frame before last"
    assert hud(session)["step"] == "3" and hud(session)["return"] == "1.00" and hud(session)["driver"] == "you"


def test_an_action_is_shown_by_its_name(open_session: Open) -> None:
    """Nobody knows what action 1 is."""
    keys = GameKeys({frozenset({"left"}): 1}, idle=0, names=("nothing", "push left", "push right"))
    session = open_session(keys=keys)
    session.tick({"left"})
    assert hud(session)["action"] == "push left"


def test_a_larger_picture_is_shown_where_the_game_has_one(open_session: Open) -> None:
    session = open_session(TinyGame(render_mode="rgb_array"))
    assert session.view().panels[0].frame.shape == (32, 32, 3)
    assert session.observation.shape == (8, 8, 3), "what is recorded and what agents see stays small"


def test_paused_time_stands_still_and_single_steps_count(open_session: Open) -> None:
    session = open_session()
    session.tick()
    session.command("pause")
    assert not session.tick({"right"}) and session.steps == 1
    assert math.isinf(session.wait), "a paused screen may sleep until a key is pressed"
    assert session.view().notice == "paused" and hud(session)["fps"] == "paused"
    session.command("step", {"right"})
    assert session.steps == 2 and session.env.actions == [0, 2] and session.paused
    session.command("pause")
    assert session.tick() and session.steps == 3


def test_settings_never_reset_the_episode(open_session: Open) -> None:
    session = open_session(TinyDream(), agent=Always(2), drive=False)
    session.tick()
    for command in ("warmer", "warmer", "cooler", "driver", "pause", "pause", "mark"):
        session.command(command)
        assert session.steps == 1 and pixel(session) == 1
    assert session.env.temperature == pytest.approx(1.1)
    assert hud(session)["temperature"] == "1.10"
    session.command("reset")
    assert session.steps == 0 and session.env.temperature == pytest.approx(1.1), "and a reset keeps the settings"


def test_the_temperature_stays_in_its_range(open_session: Open) -> None:
    session = open_session(TinyDream())
    for _ in range(20):
        session.command("cooler")
    assert session.env.temperature == 0
    for _ in range(50):
        session.command("warmer")
    assert session.env.temperature == 3


def test_a_real_game_offers_no_dream_commands(open_session: Open) -> None:
    session = open_session()
    assert session.offered == {"pause", "step", "reset", "help", "quit"}
    session.command("warmer")  # a key that means nothing here does nothing
    assert not hasattr(session.env, "temperature")


def test_person_and_agent_change_over_in_mid_episode(open_session: Open) -> None:
    agent = Always(2)
    session = open_session(agent=agent)
    session.tick({"left"})
    session.command("driver")
    session.tick({"left"})
    session.command("driver")
    session.tick()
    assert session.env.actions == [2, 1, 2] and session.steps == 3
    assert agent.firsts == [True, True], "after a change it must not trust what it remembers"
    assert agent.shapes == [(1, 8, 8, 3)] * 2
    assert hud(session)["driver"] == "always"


def test_the_end_is_shown_and_a_new_episode_begins_after_a_moment(open_session: Open, clock: Clock) -> None:
    session = open_session(TinyGame(length=2))
    session.tick({"right"})
    session.tick()
    assert "return 1.00 in 2 steps" in session.view().notice and session.view().detail
    assert pixel(session) == 2, "the last picture stays"
    assert not session.tick() and 0 < session.wait < 5
    clock.now += session.wait
    assert session.tick() and session.steps == 0 and not session.over
    assert session.seed == 8, "with the next seed"


def test_a_game_without_an_idle_action_waits(open_session: Open) -> None:
    session = open_session(keys=GameKeys({frozenset({"left"}): 1}))
    assert not session.tick() and session.steps == 0 and math.isinf(session.wait)
    assert session.tick({"left"}) and session.steps == 1 and session.wait == 0


def test_a_dream_can_be_rewound_and_branched(open_session: Open) -> None:
    session = open_session(TinyDream())
    for _ in range(12):
        session.tick({"right"})
    session.command("rewind")
    assert (session.steps, session.returned, pixel(session)) == (7, 7.0, 7)
    session.command("mark")
    for _ in range(3):
        session.tick({"left"})
    session.command("recall")
    assert (session.steps, session.returned, pixel(session)) == (7, 7.0, 7)
    for _ in range(9):
        session.command("rewind")
    assert session.steps == 0, "back to the beginning and no further"


def test_a_world_of_numbers_shows_bars_and_one_of_neither_is_refused_in_words(open_session: Open) -> None:
    """Many a game draws nothing, and its player would see nothing of it."""

    class Numbers(TinyGame):
        def _frame(self) -> np.ndarray:
            return np.ones(4, np.float32)

    class Blind(TinyGame):
        def _frame(self) -> np.ndarray:
            return np.zeros((4, 4), np.float32)

    assert open_session(Numbers()).view().panels[0].frame.std() > 0
    with pytest.raises(WmplayError, match="no picture"):
        open_session(Blind())


def recorder(home: Path) -> Callable[[], HumanRecording]:
    return lambda: HumanRecording("human", GAME, {}, OBSERVATION, ACTION)


def test_a_recording_holds_the_frames_that_the_player_saw(open_session: Open, home: Path) -> None:
    session = open_session(TinyGame(length=5), open_recording=recorder(home), restart_seconds=0.0)
    session.start_recording()
    seen, actions = [session.observation], []
    for number in range(20):
        session.tick({"right"} if number % 2 else {"left"})
        seen.append(session.observation)
        actions.append(session.steps and session.env.actions[-1])
    assert "human" in hud(session)["● rec"]
    session.close()
    data = Dataset(home / "episodes" / "tiny" / "human")
    assert not data.problems
    assert (data.read(0, data.rows) == np.stack(seen)).all()
    assert [int(a) for a, f in zip(data.actions, data.flags, strict=True) if not f & FIRST] == [a for a in actions if a]
    assert [(e.seed, e.player, e.length) for e in data.episodes[:2]] == [(7, "human", 6), (8, "human", 6)]


def test_recording_from_the_middle_of_an_episode(open_session: Open, home: Path) -> None:
    session = open_session(open_recording=recorder(home))
    for _ in range(3):
        session.tick()
    session.command("record")
    assert session.steps == 3, "it does not reset"
    session.tick({"right"})
    session.command("record")
    session.tick()
    session.close()
    data = Dataset(home / "episodes" / "tiny" / "human")
    assert data.rows == 2 and data.flags[0] & FIRST
    assert data.episodes[0].seed is None, "the seed does not tell how this one began"


def test_a_dataset_that_cannot_be_written_is_said_in_the_game(open_session: Open, home: Path) -> None:
    first = open_session(open_recording=recorder(home))
    first.command("record")
    second = open_session(open_recording=recorder(home))
    second.command("record")
    assert "use another name" in second.view().notice
    assert second.tick(), "the game goes on"
    first.close()
