"""Where things live, that the home can be moved, and that a write happens wholly or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wmplay.core import atomic, paths
from wmplay.core.devices import choices
from wmplay.core.errors import NotFoundError, UsageError, WmplayError


def test_the_home_is_the_variable_else_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WMPLAY_HOME", str(tmp_path / "own"))
    assert paths.home() == tmp_path / "own"
    monkeypatch.delenv("WMPLAY_HOME")
    root = paths.checkout()
    assert root is not None
    assert paths.home() == paths.shipped() == root / "saves"


def test_an_installed_package_lives_in_the_users_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WMPLAY_HOME", raising=False)
    monkeypatch.setattr(paths, "checkout", lambda: None)
    assert paths.home().name == "wmplay"
    assert paths.shipped().parts[-2:] == ("wmplay", "shipped")


def test_asking_for_folders_makes_none(home: Path) -> None:
    for folder in (paths.slot_dir("a"), paths.episodes_dir("b"), paths.cache_dir(), paths.locks_dir()):
        assert home in folder.parents
        assert not folder.exists()


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "2024", "x" * 100])
def test_usual_names_are_fine(name: str) -> None:
    assert paths.check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a b", "é", "nul", "NUL.txt", "x.", "-x", "a\n"])
def test_names_that_some_system_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        paths.check_name(name)


KILLED = """
import os, sys
from pathlib import Path
from wmplay.core import atomic
target = Path(sys.argv[1])
os.fsync = lambda handle: os.kill(os.getpid(), 9)
atomic.write_text(target, "new " * 1000)
"""


def test_a_kill_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "x.json", "old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "x.json")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "x.json").read_text() == "old"


def test_a_folder_that_may_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WmplayError, match="could not be written"):
        atomic.write_text(tmp_path / "file" / "below.json", "x")


def test_a_missing_and_a_damaged_document_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        atomic.read_json(tmp_path / "x.json")
    for content in (b"{", b"\xff\xfe", b"[" * 100_000):
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(WmplayError, match="is damaged"):
            atomic.read_json(tmp_path / "x.json")


def test_devices_are_offered_without_torch() -> None:
    assert choices()[:2] == ["auto", "cpu"]
    loaded = (
        "import sys, wmplay.core.devices, wmplay.core.jobs, wmplay.core.data_transfer; print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True).stdout == "False\n"
