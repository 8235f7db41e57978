"""`wmplay slots …` as a person or a script uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wmplay.core.slots import lock_slot

MakeSlot = Callable[..., Path]
Cli = Callable[..., object]

FIELDS = {"name", "game", "family", "preset", "steps", "created", "updated", "size_bytes", "ok"}


def mine(listed: list[dict]) -> list[dict]:
    return [row for row in listed if not row["shipped"]]


def test_list_as_json_has_the_fields_programs_rely_on(make_slot: MakeSlot, run_cli: Cli) -> None:
    make_slot("one")
    (make_slot("bad") / "slot.json").write_text("{")
    done = run_cli("slots", "--json")
    bad, good = mine(done.json)
    assert set(good) >= FIELDS
    assert (good["name"], good["ok"], good["steps"]) == ("one", True, 1)
    assert "why" not in good
    assert (bad["name"], bad["ok"]) == ("bad", False)
    assert "damaged" in bad["why"]


def test_list_for_people(make_slot: MakeSlot, run_cli: Cli) -> None:
    make_slot("one")
    done = run_cli("slots")
    assert done.code == 0
    assert "one" in done.stdout
    assert "cartpole" in done.stdout
    assert "state_vae" in run_cli("slots", "show", "one").stdout


@pytest.mark.parametrize("kind", ["slots", "jobs", "data", "games"])
def test_list_may_be_said(make_slot: MakeSlot, run_cli: Cli, kind: str) -> None:
    """`wmplay slots --help` speaks of listing: whoever types it gets what `wmplay slots` gives."""
    make_slot("one")
    said, plain = run_cli(kind, "list", "--json"), run_cli(kind, "--json")
    assert (said.code, said.json) == (0, plain.json)


def test_copy_rename_delete(make_slot: MakeSlot, run_cli: Cli) -> None:
    make_slot("one")
    assert run_cli("slots", "copy", "one", "two").code == 0
    assert run_cli("slots", "rename", "two", "three").code == 0
    assert run_cli("slots", "delete", "one", "--yes").code == 0
    assert [row["name"] for row in mine(run_cli("slots", "--json").json)] == ["three"]


def test_delete_asks_and_no_answer_means_no(make_slot: MakeSlot, run_cli: Cli, home: Path) -> None:
    """A script that forgot --yes must not lose a night's training."""
    make_slot("one")
    done = run_cli("slots", "delete", "one")
    assert done.code == 2
    assert "--yes" in done.stderr
    assert (home / "one").exists()


def test_out_to_a_file_and_in_again(make_slot: MakeSlot, run_cli: Cli, tmp_path: Path) -> None:
    make_slot("one")
    file = tmp_path / "one.wmplay"
    done = run_cli("slots", "export", "one", file)
    assert (done.code, done.stdout.strip()) == (0, str(file))
    done = run_cli("slots", "import", file, "--name", "back")
    assert (done.code, done.stdout.strip()) == (0, "back")
    assert run_cli("slots", "verify", "back").code == 0


def test_export_without_a_file_name_goes_to_the_folder_one_is_in(
    make_slot: MakeSlot, run_cli: Cli, tmp_path: Path
) -> None:
    make_slot("one")
    assert run_cli("slots", "export", "one").code == 0
    assert (tmp_path / "one.wmplay").exists()


def test_verify_answers_by_its_exit_code(make_slot: MakeSlot, run_cli: Cli) -> None:
    path = make_slot("one")
    assert run_cli("slots", "verify", "one").code == 0
    (path / "world.safetensors").write_bytes(b"x")
    done = run_cli("slots", "verify", "one", "--json")
    assert done.code == 1
    assert "world.safetensors is cut short or changed" in done.json["problems"][0]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("show", "none"), 3),
        (("copy", "none", "b"), 3),
        (("delete", "none", "--yes"), 3),
        (("verify", "none"), 3),
        (("import", "none.wmplay"), 3),
        (("copy", "one", "../b"), 2),
        (("rename", "one", "episodes"), 2),
        (("copy", "one", "one"), 2),
        (("copy", "one"), 2),
        (("nonsense",), 2),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    make_slot: MakeSlot, run_cli: Cli, args: tuple[str, ...], code: int
) -> None:
    make_slot("one")
    done = run_cli("slots", *args)
    assert done.code == code
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_slot_in_use_is_left_alone_kindly(make_slot: MakeSlot, run_cli: Cli) -> None:
    path = make_slot("one")
    with lock_slot(path):
        done = run_cli("slots", "delete", "one", "--yes")
    assert done.code == 1
    assert "wmplay jobs stop one" in done.stderr
    assert path.exists()
