"""A slot from a stranger either comes in whole or is refused in one sentence, and leaves nothing behind."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.conftest import FAKE_WORKER, weights
from wmplay.core import jobs
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.runs import RunStore
from wmplay.core.slot_store import digest
from wmplay.core.slots import export_slot, find_slot, import_slot, list_slots, save_slot, verify_slot

MakeSlot = Callable[..., Path]


@pytest.fixture
def exported(make_slot: MakeSlot, tmp_path: Path) -> Path:
    path = make_slot("one")
    with io.BytesIO() as buffer:
        np.savez(buffer, observation=np.zeros((2, 4), np.float32))
        save_slot(path, {}, {"context.npz": buffer.getvalue(), "report/report.json": b"{}"})
    return export_slot("one", tmp_path / "one.wmplay")


def test_a_slot_whose_card_is_damaged_dreams_all_the_same(make_slot: MakeSlot) -> None:
    """Hours of training would be lost for want of a picture; `verify` still tells, and a copy needs it whole."""
    path = make_slot("one")
    save_slot(path, {}, {"report/report.json": b"{}", "thumb.png": b"picture"})
    (path / "report" / "report.json").write_bytes(b"")
    (path / "thumb.png").unlink()
    assert find_slot("one").ok
    assert any("report.json is cut short" in problem for problem in verify_slot("one"))
    with pytest.raises(WmplayError, match="damaged"):
        export_slot("one", path.parent / "one.wmplay")


def rewrite(file: Path, **changes: bytes | None) -> Path:
    """The archive with entries added, replaced or (None) left out; the manifest follows unless it is given."""
    with zipfile.ZipFile(file) as archive:
        content: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    content.update({name.replace("__", "/").replace("_dot_", "."): data for name, data in changes.items()})
    manifest = json.loads(content["wmplay.json"] or b"")
    if "wmplay_dot_json" not in changes:
        manifest["files"] = {
            name: {"sha256": digest(data), "size": len(data)}
            for name, data in content.items()
            if data is not None and name != "wmplay.json"
        }
        content["wmplay.json"] = json.dumps(manifest).encode()
    out = file.with_name("changed.wmplay")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            if data is not None:
                archive.writestr(name, data)
    return out


def refused(file: Path, words: str, home: Path) -> None:
    before = sorted(p.name for p in home.iterdir())
    with pytest.raises(WmplayError, match=words) as caught:
        import_slot(file, "stranger")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert ".building-" not in str(caught.value), "a name that nobody gave"
    assert sorted(p.name for p in home.iterdir()) == before, "nothing may be left behind"


def test_out_and_in_again(exported: Path, home: Path) -> None:
    path = import_slot(exported, "back")
    assert verify_slot("back") == []
    assert (path / "world.safetensors").read_bytes() == weights(1.0)
    assert find_slot("back").lineage["imported_from"] == "one.wmplay"
    with pytest.raises(UsageError, match="already"):
        import_slot(exported)


def test_every_truncation_is_refused(exported: Path, home: Path, tmp_path: Path) -> None:
    """A download that broke off must never become a slot."""
    data = exported.read_bytes()
    for length in {0, 1, 10, len(data) // 3, len(data) // 2, len(data) - 30, len(data) - 1}:
        cut = tmp_path / "cut.wmplay"
        cut.write_bytes(data[:length])
        refused(cut, "damaged or cut short|no exported slot", home)


def test_every_flipped_byte_of_the_weights_is_refused(exported: Path, home: Path, tmp_path: Path) -> None:
    data = exported.read_bytes()
    at = data.index(weights(1.0)[-8:])
    bad = tmp_path / "bad.wmplay"
    bad.write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
    refused(bad, "damaged|checksum", home)


def test_a_newer_schema_is_refused(exported: Path, home: Path) -> None:
    with zipfile.ZipFile(exported) as archive:
        manifest = json.loads(archive.read("wmplay.json"))
        slot = json.loads(archive.read("slot.json"))
    newer = json.dumps({**manifest, "schema": 2}).encode()
    refused(rewrite(exported, wmplay_dot_json=newer), "newer wmplay", home)
    refused(rewrite(exported, slot_dot_json=json.dumps({**slot, "schema": 2}).encode()), "newer wmplay", home)


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:/evil", ".hidden/x", "a//b", "./a"]
)
def test_a_path_that_leaves_the_folder_is_refused(exported: Path, home: Path, name: str) -> None:
    with zipfile.ZipFile(exported, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"evil")
    refused(exported, "outside the slot's folder", home)
    assert not list(home.parent.glob("**/evil"))


def test_a_link_is_refused(exported: Path, home: Path) -> None:
    entry = zipfile.ZipInfo("link.json")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(exported, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    refused(exported, "is a link", home)


def test_an_unannounced_and_a_missing_file_are_refused(exported: Path, home: Path) -> None:
    refused(rewrite(exported, world_dot_safetensors=None), "slot.json|missing", home)
    with zipfile.ZipFile(exported, "a") as archive:
        archive.writestr("extra.json", "{}")
    refused(exported, "not in its list of checksums", home)


def test_slot_json_cannot_lie_about_checksums(exported: Path, home: Path) -> None:
    """The archive's own list may be forged together with the file; slot.json still says what was trained."""
    refused(rewrite(exported, world_dot_safetensors=weights(6.0)), "not what its checksum says", home)


def test_bombs_are_refused(exported: Path, home: Path) -> None:
    refused(rewrite(exported, report__bomb_dot_json=b" " * (80 << 20)), "out of all proportion", home)
    with zipfile.ZipFile(exported) as archive:
        manifest = json.loads(archive.read("wmplay.json"))
    manifest["files"]["world.safetensors"]["size"] = 10
    refused(rewrite(exported, wmplay_dot_json=json.dumps(manifest).encode()), "not as long", home)


def test_pickles_and_object_arrays_are_refused(exported: Path, home: Path) -> None:
    """Opening a slot must never run somebody's code."""
    refused(rewrite(exported, model_dot_pt=b"\x80\x02"), "could run code", home)
    with io.BytesIO() as buffer:
        np.savez(buffer, observation=np.array([{}], dtype=object))
        refused(rewrite(exported, train__x_dot_npz=buffer.getvalue()), "plain array file", home)


def test_other_files_are_told_apart(home: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no file"):
        import_slot(tmp_path / "nowhere.wmplay")
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(other, "no exported slot", home)


def test_a_damaged_slot_is_not_exported(make_slot: MakeSlot, tmp_path: Path) -> None:
    path = make_slot("one")
    (path / "world.safetensors").write_bytes(b"")
    with pytest.raises(WmplayError, match="damaged"):
        export_slot("one", tmp_path / "x.wmplay")
    assert not (tmp_path / "x.wmplay").exists()


def test_training_travels_but_not_as_a_running_job(make_slot: MakeSlot, tmp_path: Path) -> None:
    """On the other machine the curves are there and `jobs resume` takes up the checkpoint; nothing claims to run."""
    path = make_slot("one")
    job = jobs.start(path, FAKE_WORKER, options={"end": "hang"})
    try:
        next(j for j in jobs.watch(job, 0.01) if j.progress > 0)
        export_slot("one", tmp_path / "x.wmplay")
    finally:
        jobs.control(job, "stop")
    list(jobs.watch(job, 0.01))
    import_slot(tmp_path / "x.wmplay", "two")
    (travelled,) = jobs.slot_jobs(find_slot("two").path)
    assert (travelled.state, travelled.slot) == ("stopped", "two")
    assert travelled.id != job, "two jobs of one name could not be told apart"
    with RunStore(find_slot("two").path / "train" / "run.sqlite") as store:
        assert store.latest()["loss"] > 0
    assert {slot.name for slot in list_slots() if not slot.shipped} == {"one", "two"}
