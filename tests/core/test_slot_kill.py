"""A slot survives kill -9 at any instant of a save: else a crash costs a user the world they trained for hours."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.conftest import weights
from wmplay.core.slots import find_slot, save_slot, verify_slot

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills real processes made by fork")

OLD = {"world.safetensors": weights(1.0), "context.json": b"[1]", "gone.json": b"{}", "report/report.json": b'{"n": 1}'}
NEW = {"world.safetensors": weights(2.0, 500), "report/report.json": b'{"n": 2}', "report/curve.json": b"[2]"}
# Whatever changes a file or a folder, as Python tells it to an audit hook just before it happens.
WATCHED = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree", "shutil.copyfile"}


def save_and_die(path: Path, instant: int) -> bool:
    """Save in a process of its own that kills itself before its n-th change of the slot; False if it got through."""
    child = os.fork()
    if child == 0:
        try:
            _save(path, instant)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the save itself failed"
    return False


def _save(path: Path, instant: int) -> None:
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in WATCHED and str(path) in str(arguments[0]):
            seen += 1
            if seen == instant:
                os.kill(os.getpid(), signal.SIGKILL)

    flush = os.fsync

    def flush_watched(handle: int) -> None:
        hook("open", (str(path),))  # a kill before the flush, too
        flush(handle)

    os.fsync = flush_watched  # type: ignore[assignment]
    sys.addaudithook(hook)
    save_slot(path, {"steps": 2}, NEW, remove=["gone.json"])
    os._exit(0)


def test_killed_at_every_instant_the_slot_is_wholly_old_or_wholly_new(
    home: Path, make_slot: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_slot("one")
    save_slot(path, {"steps": 1}, OLD)
    template = tmp_path / "template"
    shutil.copytree(path, template)
    outcomes = []
    for instant in range(1, 500):
        shutil.rmtree(path)
        shutil.copytree(template, path)
        died = save_and_die(path, instant)
        assert verify_slot("one") == [], f"damaged by a kill before change {instant}"
        steps = find_slot("one").steps
        expected = {**OLD, **NEW} if steps == 2 else OLD
        for name, content in expected.items():
            if not (steps == 2 and name == "gone.json"):
                assert (path / name).read_bytes() == content, f"{name} after a kill before change {instant}"
        assert (path / "gone.json").exists() == (steps == 1)
        outcomes.append(steps)
        # and the next save works and leaves nothing of the dead one behind
        save_slot(path, {"steps": 3}, {"context.json": b"[3]"})
        assert verify_slot("one") == []
        assert not [p.name for p in path.iterdir() if p.name.startswith(".")]
        if not died:
            break
    assert len(outcomes) > 25, "the kills must cover the whole save"
    assert outcomes == sorted(outcomes), "once committed, a save stays"
    assert outcomes[0] == 1
    assert outcomes[-1] == 2


def test_a_reader_in_mid_save_waits_instead_of_seeing_a_mixture(home: Path, make_slot: Callable[..., Path]) -> None:
    """A dream opened while training publishes must not load new weights with an old description."""
    path = make_slot("one")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for round_ in range(2, 62):  # after the slot's own, which may be seen first
                save_slot(path, {"steps": round_}, {"world.safetensors": weights(round_, 2000 + 100 * round_)})
            status = 0
        finally:
            os._exit(status)
    seen, (ended, status) = [], (0, 0)
    while ended == 0:
        ended, status = os.waitpid(child, os.WNOHANG)
        slot = find_slot("one")
        assert slot.ok, slot.why
        seen.append(slot.steps)
    assert status == 0, "the child could not save"
    assert seen == sorted(seen)
    assert seen[-1] == 61, "the last look is after the last save"
