"""What a user does with slots: find, copy, rename, delete, and have one writer at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.conftest import CARTPOLE, TWO, VECTOR, weights
from wmplay.core import paths
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.slots import (
    copy_slot,
    create_slot,
    delete_slot,
    find_slot,
    is_locked,
    list_slots,
    lock_slot,
    rename_slot,
    save_slot,
    verify_slot,
)

MakeSlot = Callable[..., Path]


def test_what_was_saved_is_what_is_found(make_slot: MakeSlot) -> None:
    make_slot("one")
    slot = find_slot("one")
    assert (slot.ok, slot.game, slot.family, slot.steps) == (True, "cartpole", "state_vae", 1)
    assert slot.observation_spec == VECTOR, "infinite bounds must survive the JSON"
    assert slot.action_spec == TWO
    assert slot.command == ["wmplay", "train"]
    assert slot.trained


def test_slot_json_can_be_read_by_any_json_reader(make_slot: MakeSlot) -> None:
    """Other programs read slots; `Infinity` and `NaN` are not JSON and would stop them."""
    path = make_slot("one")
    save_slot(path, {"metrics": {"loss": float("nan"), "text": "NaN and Infinity stay in text"}})

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    found = json.loads((path / "slot.json").read_text(), parse_constant=refuse)
    assert found["metrics"] == {"loss": None, "text": "NaN and Infinity stay in text"}


def test_a_misspelt_name_gets_the_near_ones(make_slot: MakeSlot) -> None:
    make_slot("racing")
    with pytest.raises(NotFoundError, match="did you mean racing"):
        find_slot("racign")


@pytest.mark.parametrize("name", ["", "..", "../out", "a/b", ".hidden", "episodes", "a b", "con", "x" * 200, "-rf"])
def test_names_that_would_leave_the_home_or_confuse_are_refused(home: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a slot"):
        create_slot(name, CARTPOLE, VECTOR, TWO, "state_vae", "tiny", {})


def test_a_taken_name_is_refused_and_the_slot_there_stays(make_slot: MakeSlot) -> None:
    make_slot("one", value=1.0)
    make_slot("two", value=2.0)
    for act in (lambda: copy_slot("one", "two"), lambda: rename_slot("one", "two"), lambda: make_slot("two")):
        with pytest.raises(UsageError, match="already"):
            act()
    assert (find_slot("two").path / "world.safetensors").read_bytes() == weights(2.0)


def test_a_copy_is_whole_knows_its_origin_and_is_independent(make_slot: MakeSlot) -> None:
    make_slot("one")
    path = copy_slot("one", "two")
    save_slot(path, {"steps": 9}, {"world.safetensors": weights(9.0)})
    assert verify_slot("two") == []
    assert find_slot("two").lineage["copied_from"] == "one"
    assert find_slot("one").steps == 1
    assert (find_slot("one").path / "world.safetensors").read_bytes() == weights(1.0)


def test_a_copy_can_be_trained_on(make_slot: MakeSlot) -> None:
    """Only the newest checkpoint travels; without one, training would start over."""
    path = make_slot("one")
    for number in (1, 2):
        folder = path / "train" / f"checkpoint-{number}"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(weights(number))
    copied = copy_slot("one", "two")
    assert [p.name for p in (copied / "train").iterdir()] == ["checkpoint-2"]


def test_rename_and_delete(make_slot: MakeSlot, home: Path) -> None:
    make_slot("one")
    rename_slot("one", "two")
    assert json.loads((home / "two" / "slot.json").read_text())["name"] == "two"
    assert [s.name for s in list_slots() if not s.shipped] == ["two"]
    delete_slot("two")
    assert [s.name for s in list_slots() if not s.shipped] == []
    assert not (home / "two").exists()


def test_one_writer_at_a_time(make_slot: MakeSlot) -> None:
    """Two trainings of one slot would overwrite each other; and nobody may move it away under a training."""
    path = make_slot("one")
    with lock_slot(path):
        assert is_locked(path)
        for act in (lambda: lock_slot(path).__enter__(), lambda: delete_slot("one"), lambda: rename_slot("one", "b")):
            with pytest.raises(WmplayError, match="wmplay jobs stop one"):
                act()
        save_slot(path, {"steps": 2})  # the writer itself saves
        copy_slot("one", "snapshot")  # and a copy may be taken while it trains
    assert not is_locked(path)
    assert find_slot("snapshot").steps == 2


def test_one_broken_slot_hides_no_other(make_slot: MakeSlot, home: Path) -> None:
    make_slot("good")
    (make_slot("cut") / "world.safetensors").write_bytes(weights(1.0)[:-5])
    (make_slot("garbled") / "slot.json").write_bytes(b"{ not json")
    newer = make_slot("newer")
    (newer / "slot.json").write_text(json.dumps({"schema": 99}))
    (home / "empty").mkdir()
    (home / "nothing").mkdir()
    (home / "nothing" / "world.safetensors").write_bytes(b"")
    found = {slot.name: slot for slot in list_slots() if not slot.shipped}
    assert set(found) == {"good", "cut", "garbled", "newer", "nothing"}, "an empty folder is no slot"
    assert [name for name, slot in found.items() if slot.ok] == ["good"]
    assert "cut short" in str(found["cut"].why)
    assert "newer wmplay" in str(found["newer"].why)


def test_a_changed_byte_is_found_by_verify(make_slot: MakeSlot) -> None:
    path = make_slot("one")
    data = bytearray((path / "world.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "world.safetensors").write_bytes(data)
    assert verify_slot("one") == ["world.safetensors is not what its checksum says."]


def test_verify_refuses_links_and_what_could_run_code(make_slot: MakeSlot, tmp_path: Path) -> None:
    path = make_slot("one")
    save_slot(path, {}, {"notes.pkl": b"x"})
    assert verify_slot("one") == ["notes.pkl could run code when opened, so it has no place in a slot."]
    linked = make_slot("two")
    target = tmp_path / "elsewhere"
    (linked / "world.safetensors").rename(target)
    (linked / "world.safetensors").symlink_to(target)
    assert verify_slot("two") == ["world.safetensors is a link, which a slot may not hold."]


def test_shipped_slots_are_listed_beside_mine_and_are_read_only(
    make_slot: MakeSlot, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In an installed package a newcomer finds the shipped slots, dreams in them, and copies one to train on."""
    make_slot("cartpole")
    package = tmp_path / "package"
    package.mkdir()
    (home / "cartpole").rename(package / "cartpole")
    monkeypatch.setattr(paths, "shipped", lambda: package)
    make_slot("mine")
    assert [(s.name, s.shipped) for s in list_slots()] == [("mine", False), ("cartpole", True)]
    for act in (lambda: delete_slot("cartpole"), lambda: rename_slot("cartpole", "b")):
        with pytest.raises(UsageError, match="ships with wmplay"):
            act()
    copy_slot("cartpole", "own")
    assert not find_slot("own").shipped
    make_slot("cartpole")
    assert [s.name for s in list_slots()] == ["cartpole", "mine", "own"], "a slot of mine hides a shipped one"


def test_a_slot_begins_in_a_placeholder_folder(home: Path) -> None:
    """`saves/grid_world/.gitkeep` in a checkout must not be in the way of training the slot that ships."""
    (home / "grid").mkdir()
    (home / "grid" / ".gitkeep").touch()
    create_slot("grid", CARTPOLE, VECTOR, TWO, "state_vae", "tiny", {})
    assert find_slot("grid").ok
    (home / "other").mkdir()
    (home / "other" / ".gitkeep").touch()
    copy_slot("grid", "other")
    assert find_slot("other").ok


def test_a_file_may_not_be_saved_outside_the_slot(make_slot: MakeSlot) -> None:
    path = make_slot("one")
    for name in ("../x", "/x", "a/../../x", "slot.json", ".hidden", "C:x", "a\\b"):
        with pytest.raises(UsageError, match="no name for a file"):
            save_slot(path, {}, {name: b""})
