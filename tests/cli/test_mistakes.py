"""What people get wrong at the prompt: one sentence, an exit code that scripts can rely on, and no traceback."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wmplay.cli import main
from wmplay.core.episodes import Dataset

Typed = Callable[..., tuple[int, str]]


@pytest.fixture
def typed(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """`typed("slots", "show", "x")` is the exit code and stderr of the command; what is not caught there fails."""

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["wmplay", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err  # type: ignore[return-value]

    return run


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("collect", "grid_world", "--steps", "10", "--agent", "driver"), 2, "choose one of random, walker"),
        (("collect", "cartpole", "--steps", "10", "--noise", "nan"), 2, "between 0 and 1"),
        (("collect", "cartpole", "--steps", "10", "--noise", "7"), 2, "between 0 and 1"),
        (("collect", "cartpole", "--steps", "10", "--seed", "-1"), 2, "--seed"),
        (("play", "cartpole", "--terminal", "--steps", "1", "--seed", "-1"), 2, "--seed"),
        (("dream", "x", "--seed", "-1"), 2, "--seed"),
        (("eval", "x", "--seed", "-1"), 2, "--seed"),
        (("train", "cartpole", "--slot", "x", "--steps", "2", "--seed", "-1"), 2, "--seed"),
        (("train", "cartpole", "--slot", "x", "--steps", "2", "--frames", "0"), 2, "--frames"),
        (("train", "cartpole", "--slot", "x", "--steps", "2", "--agent-steps", "-1"), 2, "--agent-steps"),
        (("demo", "cartpole", "--minutes", "0"), 2, "--minutes must be more than 0"),
        (("demo", "cartpole", "--slot", "a/b"), 2, "cannot name a slot"),
        (("play", "grid_world", "--agent", "driver", "--terminal", "--steps", "1"), 2, "plays wmplay/CarRacing"),
        (("slots", "import", "."), 3, "no file"),
        (("jobs", "resume", "nowhere"), 3, "no job"),
        (("families", "nowhere"), 2, "nowhere"),
        (("nonsense",), 2, "nonsense"),
        (("dream", "x" * 300), 3, "There is no slot 'xxxx"),
        (("eval", "x" * 300), 3, "There is no slot"),
        (("compare", "x" * 300, "y"), 3, "There is no slot"),
        (("doctor", "x" * 300), 3, "There is no slot"),
        (("slots", "show", "é" * 200), 2, "400 bytes"),
        (("slots", "import", "x" * 300), 2, "300 bytes"),
        (("play", "x" * 300, "--terminal", "--steps", "1"), 2, "too long for a name"),
    ],
)
def test_one_sentence_and_an_exit_code(typed: Typed, words: tuple[str, ...], code: int, hint: str) -> None:
    """Whoever mistypes is told what to type instead, and a script can tell the kinds of failure apart."""
    ended, said = typed(*words)
    assert ended == code, said
    assert hint in said


def test_nothing_is_left_of_a_training_that_could_not_start(typed: Typed, home: Path) -> None:
    """A refused order that left a slot behind would be in the way of the right one."""
    typed("train", "cartpole", "--slot", "x", "--steps", "2", "--minutes", "1")
    typed("train", "cartpole", "--slot", "x", "--steps", "2", "--set", "nonsense=1")
    assert typed("slots", "show", "x")[0] == 3


def test_nothing_is_left_of_a_collecting_that_could_not_start(typed: Typed, home: Path) -> None:
    """Else an empty dataset, which nobody asked for, stands in every list."""
    for player, code in (("nobody", 3), ("driver", 2)):
        assert typed("collect", "grid_world", "--steps", "10", "--agent", player)[0] == code
    assert not (home / "episodes" / "grid_world" / "collected").exists()


def test_comparing_with_a_slot_that_is_not_there_is_told_before_the_measuring(
    typed: Typed, make_slot: Callable[..., Path]
) -> None:
    """Nobody waits a minute for the first card to hear that the second name was mistyped."""
    make_slot("one")
    code, said = typed("compare", "one", "nowhere")
    assert code == 3 and "'nowhere'" in said and "measuring" not in said


def test_a_file_that_is_no_archive_is_refused_without_unsafe_advice(typed: Typed, tmp_path: Path) -> None:
    """numpy's own words for such a file tell people to load it unsafely."""
    file = tmp_path / "junk.npz"
    file.write_text("junk")
    code, said = typed("data", "import", str(file), "--game", "grid_world", "--name", "x")
    assert code == 1 and "junk.npz is no .npz of plain arrays" in said and "pickle" not in said


@pytest.mark.skipif(sys.platform == "win32", reason="makes a pipe in a folder")
def test_an_export_never_replaces_a_device_or_pipe(
    typed: Typed, make_slot: Callable[..., Path], tmp_path: Path
) -> None:
    """`export … /dev/null`, run by root, would put a file where the system has its device."""
    make_slot("one")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code, said = typed("slots", "export", "one", str(pipe))
    assert code == 1 and "could not be written" in said
    assert pipe.is_fifo()


def test_a_home_that_is_a_file(typed: Typed, tmp_path: Path) -> None:
    """A mistyped --home is told as that, not as a failure inside."""
    file = tmp_path / "a file"
    file.write_text("")
    for words in (("slots",), ("jobs",), ("data",), ("games",)):
        code, said = typed("--home", str(file), *words)
        assert code in (0, 1), said
        assert "Traceback" not in said
    code, said = typed("--home", str(file), "collect", "cartpole", "--steps", "10")
    assert code == 1 and str(file) in said


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder that not even root may write in")
def test_a_home_that_may_not_be_written(typed: Typed) -> None:
    """Looking works anywhere; what wants to write says that it may not, and where to go instead."""
    for words in (("slots",), ("jobs",), ("data",), ("games",)):
        assert typed("--home", "/sys/wmplay", *words)[0] == 0
    for words in (
        ("collect", "cartpole", "--steps", "10"),
        ("train", "cartpole", "--slot", "x", "--steps", "2", "--preset", "tiny"),
        ("games", "save", "small", "grid_world", "-p", "size=5"),
        ("play", "cartpole", "--record", "x", "--terminal", "--steps", "2"),
    ):
        code, said = typed("--home", "/sys/wmplay", *words)
        assert code == 1 and "/sys/wmplay" in said and "--home" in said, (words, said)


def test_a_home_with_spaces(typed: Typed, tmp_path: Path) -> None:
    """Folders of people are called My Files."""
    folder = tmp_path / "My Files" / "wörlds"
    assert typed("--home", str(folder), "collect", "cartpole", "--steps", "20", "--agent", "random")[0] == 0
    assert (folder / "episodes" / "cartpole" / "collected" / "dataset.json").is_file()


def test_ctrl_c_keeps_what_was_collected_and_says_so(typed: Typed, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of collecting is not lost to a key, and the person knows how to go on."""

    @contextlib.contextmanager
    def bar(total: int) -> Iterator[Callable[[int], None]]:
        def press_ctrl_c(rows: int) -> None:
            if rows >= 200:
                raise KeyboardInterrupt

        yield press_ctrl_c

    monkeypatch.setattr("wmplay.training.watch.collecting_bar", bar)
    code, said = typed("collect", "cartpole", "--steps", "100000", "--name", "mine", "--agent", "random")
    kept = Dataset(home / "episodes" / "cartpole" / "mine").rows
    assert code == 130 and kept >= 200
    assert f"mine keeps the {kept:,} frames" in said


def test_ctrl_c_anywhere_else_is_a_sentence_too(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a command has nothing to add."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wmplay.core.slots.list_slots", interrupted)
    assert typed("slots") == (130, "wmplay: interrupted.\n")
