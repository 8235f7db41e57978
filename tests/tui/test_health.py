"""The light beside a model: a person who trains one must see that it is ill without asking."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tui.fakes import FakeReader, detail
from wmplay.core import slots
from wmplay.tui.app import WmplayApp
from wmplay.tui.health import HealthWatch, verdict
from wmplay.tui.snapshot import Health, SlotRow, Snapshot, Subject
from wmplay.tui.tasks import TaskStore

ILL = {
    "name": "actions", "status": "problem", "found": "51% of 40 starts answer rightly",
    "meaning": "The dream ignores the keys.", "remedy": "Train longer.",
}  # fmt: skip
FINE = {"name": "latents", "status": "ok", "found": "0% dead", "meaning": "", "remedy": ""}


class ReaderWithLight(FakeReader):
    """The made-up state with a verdict on whatever is selected."""

    health: Health | None = None

    def read(self, focus: Subject | None) -> Snapshot:
        return replace(super().read(focus), detail=replace(detail(focus), health=self.health) if focus else None)


@pytest.fixture
def reader() -> ReaderWithLight:
    return ReaderWithLight()


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_job_screen_shows_the_light_with_its_sentence(opened, reader, size) -> None:
    """Red and amber say what is wrong and what to change; green is one short line."""
    reader.health = verdict([FINE, ILL])
    async with opened(size) as view:
        await view.select("job", "j1")
        await view.until(lambda: "● bad" in view.text(), "the red light")
        said = " ".join(view.text().split())
        assert "51%" in said
        assert "Train longer" in said
        reader.health = verdict([FINE])
        await view.until(lambda: "● ok" in view.text(), "the green light")
        assert "● bad" not in view.text()


def test_the_worst_finding_speaks_and_nothing_seen_is_no_green_light() -> None:
    """A green light over a model that nobody could look at would be worse than none."""
    assert verdict([FINE, {**ILL, "status": "warning"}, ILL]).light == "bad"
    assert verdict([FINE, {**ILL, "status": "warning"}]).light == "look"
    assert verdict([{**FINE, "status": "unknown", "found": "no game here"}]) == Health("unknown", "no game here")


def test_a_slot_whose_doctor_fails_says_why_and_is_not_asked_again_and_again(home: Path) -> None:
    """A damaged slot must neither end the dashboard nor keep a core busy with one failing process after the other."""
    watch = HealthWatch(home / "health")
    row = SlotRow("gone", "cartpole", "state_vae", "tiny", 9, path=str(home / "gone"), weights="ab" * 32)
    told = _until(watch, row, lambda health: health is not None and health.light == "unknown")
    assert "no slot in the folder" in told.sentence
    assert watch.look(row, {"gone": row}) == told
    assert watch._at_work is None
    watch.close()


def _until(watch: HealthWatch, row: SlotRow, done) -> Health:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        health = watch.look(row, {row.name: row})
        if done(health):
            return health
        time.sleep(0.05)  # another process is awaited: there is no event of ours to wait for
    raise AssertionError("no verdict came")


def _slot(name: str, broken: bool) -> None:
    """A copy of the shipped CartPole model; broken: with weights that are all zero."""
    from safetensors.numpy import load, save

    path = slots.copy_slot("cartpole", name)
    if broken:
        weights = load((path / "world.safetensors").read_bytes())
        slots.save_slot(
            path, {}, {"world.safetensors": save({key: np.zeros_like(value) for key, value in weights.items()})}
        )


@pytest.mark.slow
async def test_a_broken_model_turns_the_light_red_and_a_fine_one_green(home: Path, tmp_path: Path) -> None:
    """The whole way: the dashboard asks the real doctor about real slots, and keeps the verdicts when it is closed."""
    _slot("fine", broken=False)
    _slot("ill", broken=True)
    lights = {}
    app = WmplayApp(TaskStore(tmp_path / "tasks"))
    async with app.run_test(size=(120, 36)) as pilot:
        for name in ("fine", "ill"):
            await _wait(pilot, lambda name=name: app.dashboard.state.slot(name) is not None)
            app.dashboard.choose(Subject("slot", name))
            await _wait(pilot, lambda name=name: _light(app, name) in ("ok", "look", "bad", "unknown"))
            lights[name] = _light(app, name)
    assert lights == {"fine": "ok", "ill": "bad"}
    kept = HealthWatch(home / ".cache" / "health")
    for row in slots.list_slots():
        if row.name in lights:
            seen = SlotRow(row.name, weights=row.files["world.safetensors"]["sha256"], path=str(row.path))
            told = kept.look(seen, {row.name: seen})
            assert told is not None
            assert told.light == lights[row.name]


def _light(app: WmplayApp, name: str) -> str:
    shown = app.dashboard.state.detail
    if shown is None or shown.subject != Subject("slot", name) or shown.health is None:
        return ""
    return shown.health.light


async def _wait(pilot, done) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if done():
            return
        await pilot.pause(0.05)
        await asyncio.sleep(0)
    raise AssertionError("it did not happen in two minutes")
