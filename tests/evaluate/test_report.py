"""`wmplay eval` and `wmplay compare` as they are typed: the fields other programs rely on, the files, the sentences."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from wmplay import games
from wmplay.core import catalog, config, slots
from wmplay.evaluate.outcomes import measure_outcomes
from wmplay.evaluate.subject import prepare

KS = ["1", "5", "15", "50"]


def make_slot(name: str, seed: int) -> Path:
    """A CartPole slot whose world was never trained."""
    family = catalog.load(catalog.family("state_vae").target)
    game = catalog.GAMES[2]
    settings = config.resolve(family.Config, family.presets, "tiny", [])
    env = games.make(game)
    observation, action = games.specs(env)
    path = slots.create_slot(name, game, observation, action, "state_vae", "tiny", config.to_json(settings))
    torch.manual_seed(seed)
    world = family(settings, observation, action)
    slots.save_slot(path, {"steps": 1}, {"world.safetensors": save(world.state_dict())})
    return path


@pytest.fixture(scope="module")
def carded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two slots, both with cards; made once."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WMPLAY_HOME", str(home))
        make_slot("one", 0)
        make_slot("two", 1)
    return home


@pytest.fixture
def there(carded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WMPLAY_HOME", str(carded))
    return carded


def test_eval_writes_the_card_and_its_pictures(there: Path, run_cli):
    """The JSON is an interface: scripts and the dashboard read these fields; the slot must stay sound."""
    done = run_cli("eval", "one", "--json", "--starts", "8", "--device", "cpu")
    assert done.code == 0, done.stderr
    card = done.json
    assert {"slot", "game", "family", "starts", "context", "horizon", "regimes", "gap"} <= card.keys()
    assert (card["slot"], card["game"], card["starts"], card["context"], card["horizon"]) == (
        "one",
        "cartpole",
        8,
        8,
        50,
    )
    for regime in ("player", "expert"):
        assert list(card["regimes"][regime]) == KS
        for name in ("mse", "psnr", "ssim", "skill", "state_error"):
            mean, low, high = card["regimes"][regime]["5"][name]
            assert low <= mean <= high
    folder = there / "one"
    assert json.loads((folder / "report" / "report.json").read_text())["ground"] == card["ground"]
    assert list(card["ranges"]) == ["position", "velocity", "angle", "angular_velocity"]
    for beside in card["beside"].values():
        assert len(beside["real"]) == len(beside["dream"]) >= 5
        assert len(beside["real"][0]) == 4
    for picture in ("horizon.png", "variables.png", "strip-player.png", "strip-expert.png", "reconstructions.png"):
        assert (folder / "report" / picture).read_bytes().startswith(b"\x89PNG")
    assert slots.verify_slot("one") == []
    assert any(name.startswith("skill player") for name in slots.find_slot("one").metrics)


def test_only_tails_that_end_are_walked_along(there: Path):
    """Of CarRacing's 128 tails one holds an end, and all of them took a seventh of the card's time."""
    subject = prepare("one", 8, False, "cpu")
    player, expert = subject.tails["player"], subject.tails["expert"]
    assert player.count and player.terminated.any(axis=1).all()
    assert not expert.count, "a balancer's episodes are cut off"
    starts = subject.regimes["expert"]
    assert measure_outcomes(subject.world, [starts, expert]) == measure_outcomes(subject.world, [starts])


def test_the_card_says_in_words_what_it_measured(there: Path, run_cli):
    """Each variable has its error, predicted stands beside real, and a frame that was merely copied is no merit."""
    said = run_cli("eval", "one", "--starts", "8", "--device", "cpu", "--no-save").stdout
    for words in ("angular velocity", "real  predicted", "no sampling noise", "takes real frames as they are", "% ["):
        assert words in said, words
    assert "most likely" not in said


def test_a_slot_keeps_what_its_skill_is_held_against(there: Path, run_cli):
    """The mean frame of the training data is one of the baselines: figures must not change where that data is gone."""
    asked = ("eval", "three", "--json", "--starts", "8", "--device", "cpu")
    assert run_cli("collect", "cartpole", "--steps", "500", "--name", "practice").code == 0
    slots.save_slot(make_slot("three", 2), {"lineage": {"data": ["practice"]}}, {})
    before = run_cli(*asked).json
    assert run_cli("data", "delete", "practice", "--yes").code == 0
    after = run_cli(*asked).json
    assert before["mean_frame_from"] == "training data"
    assert "kept" in after["mean_frame_from"]
    assert after["regimes"] == before["regimes"]
    assert slots.verify_slot("three") == []

    (there / "three" / "report" / "mean.npz").write_bytes(b"half a file")
    assert run_cli(*asked).json["mean_frame_from"] == "held-out play"


@pytest.mark.slow
def test_the_same_card_twice(there: Path, run_cli, tmp_path: Path):
    """Every slot of a game stands on the same starts, and a card can be had again to the last digit."""
    first, again = (
        run_cli("eval", "two", "--json", "--starts", "8", "--device", "cpu", "--no-save").json for _ in "ab"
    )
    for name in ("regimes", "sampled", "outcomes", "action_following", "gap", "ground"):
        assert first[name] == again[name], name
    assert not (there / "two" / "report").exists()


@pytest.mark.slow
def test_compare_lays_slots_side_by_side(there: Path, run_cli, tmp_path: Path):
    """Which of two is better must be one command; the missing card is made on the way."""
    done = run_cli("compare", "one", "two", "--starts", "8", "--output", tmp_path / "out", "--device", "cpu")
    assert done.code == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["figure", "one", "two"]
    assert any(line.startswith("skill (player) k=5") for line in lines)
    cards = run_cli("compare", "one", "two", "--starts", "8", "--json").json
    assert [card["slot"] for card in cards] == ["one", "two"]
    assert (tmp_path / "out" / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert run_cli("compare", "one").code == 2
    assert run_cli("eval", "nobody").code == 3


def test_slots_of_different_games_stand_side_by_side_and_in_markdown(there: Path, run_cli, tmp_path: Path):
    """The README's table of all families on all games is one command; a figure that a game lacks is a dash."""
    here = Path(__file__).parents[2] / "saves"
    for name in ("grid_world", "car_racing"):
        shutil.copytree(here / name, there / name, dirs_exist_ok=True)
    asked = ("compare", "grid_world", "car_racing", "--starts", "64")
    done = run_cli(*asked, "--markdown", "--output", tmp_path)
    assert done.code == 0, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
    assert rows[0] == ["figure", "grid_world", "car_racing"]
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["boards exact (player) k=5"][0].startswith("100 %")
    assert by_name["boards exact (player) k=5"][1] == "–"
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")
    for game in ("grid_world", "car_racing"):
        assert (tmp_path / f"lineup-{game}.png").read_bytes().startswith(b"\x89PNG")

    brief = run_cli(*asked, "--brief").stdout.splitlines()
    assert brief[0].split()[:4] == ["game", "slot", "family", "measure"]
    assert len(brief) == 3, "one row for each slot, so that twenty slots fit a terminal"
    assert "boards exact" in brief[1]
    assert "skill / road overlap" in brief[2]


def test_a_damaged_card_is_measured_again_and_shown_as_missing(there: Path, run_cli):
    """Half a report.json, as after a full disk elsewhere, is no reason for a traceback."""
    from wmplay.evaluate.comparison import usable_card

    path = make_slot("half", 2)
    (path / "report").mkdir()
    for text in ('{"schema": 1, "regimes": {"pla', "[]", "{}", "\ud7ff"):
        (path / "report" / "report.json").write_bytes(text.encode("utf-16"))
        assert usable_card("half", 8) is None
        (path / "report" / "report.json").write_text(text)
        assert usable_card("half", 8) is None
