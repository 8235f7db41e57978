"""The light: what `wmplay doctor SLOT` says of the model on the screen, asked once for its weights, quietly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from wmplay.tui.launch import argv
from wmplay.tui.snapshot import Health, Light, SlotRow
from wmplay.tui.text import last_line

DWELL_S = 1.5  # how long a slot must be looked at: nobody waits for a verdict while moving through the lists
REST_S = 45.0  # between two examinations of a slot whose weights change all the time
PATIENCE_S = 600.0
LIGHTS: dict[str, Light] = {"problem": "bad", "warning": "look", "ok": "ok", "unknown": "unknown"}


class _Examination:
    """One running `wmplay doctor SLOT --json`."""

    def __init__(self, slot: SlotRow, folder: Path) -> None:
        self.slot, self.checksum, self.began = slot.name, slot.weights, time.monotonic()
        self.answer, self.words = folder / f".{slot.weights[:16]}.out", folder / f".{slot.weights[:16]}.err"
        # One thread, on the CPU and last in line: whatever is training goes on as fast as before.
        quiet = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        with self.answer.open("wb") as out, self.words.open("wb") as err:
            self.child = subprocess.Popen(
                argv(("doctor", slot.path, "--json", "--device", "cpu")), stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, env=quiet,
            )  # fmt: skip
        _lower(self.child.pid)

    @property
    def over(self) -> bool:
        if self.child.poll() is None and time.monotonic() - self.began > PATIENCE_S:
            self.stop()
        return self.child.poll() is not None

    def findings(self) -> list[dict[str, Any]]:
        """What it found; where it could not look, one finding that says why."""
        try:
            if self.child.returncode == 0:
                return checked(json.loads(self.answer.read_text(encoding="utf-8")))
            why = last_line(self.words.read_text(encoding="utf-8", errors="replace"))
        except (OSError, ValueError) as error:
            why = str(error)
        return [{"name": "examination", "status": "unknown", "found": why or "it ended without a word"}]

    def stop(self) -> None:
        """End the process and wait for it."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def clean(self) -> None:
        for file in (self.answer, self.words):
            file.unlink(missing_ok=True)


class HealthWatch:
    """Examines the slot that is being looked at, one at a time, and remembers verdicts by the checksum of the weights.

    folder: where verdicts are kept between dashboards. Used from the poller's thread alone.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder, clock
        self._known: dict[str, Health] = {}  # by checksum
        self._latest: dict[str, Health] = {}  # by slot: what was said of weights it had before
        self._ended: dict[str, float] = {}
        self._at_work: _Examination | None = None
        self._looked_at, self._since = "", 0.0

    def look(self, slot: SlotRow | None, slots: Mapping[str, SlotRow]) -> Health | None:
        """The verdict on this slot's model as far as there is one; None for a slot without a model."""
        self._finish(slots)
        if slot is None or not slot.ok or not slot.trained or not slot.weights:
            return None
        now = self._clock()
        if slot.name != self._looked_at:
            self._looked_at, self._since = slot.name, now
        found = self._of(slot)
        if found is not None:
            self._latest[slot.name] = found
            return found
        rested = now - self._ended.get(slot.name, -REST_S) >= REST_S
        if self._at_work is None and rested and now - self._since >= DWELL_S:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._at_work = _Examination(slot, self._folder)
        before = self._latest.get(slot.name)
        return (
            Health("examining", "") if before is None else Health(before.light, before.sentence, before.remedy, False)
        )

    def close(self) -> None:
        """End an examination that is under way."""
        if self._at_work is not None:
            self._at_work.stop()
            self._at_work.clean()
            self._at_work = None

    def _finish(self, slots: Mapping[str, SlotRow]) -> None:
        """Take in the answer of an examination that has ended."""
        work = self._at_work
        if work is None or not work.over:
            return
        self._at_work = None
        findings = work.findings()
        work.clean()
        self._latest[work.slot] = verdict(findings)
        self._ended[work.slot] = self._clock()
        now = slots.get(work.slot)
        # A worker may have published others while the doctor looked: then nobody knows which ones it saw.
        if now is not None and now.weights == work.checksum:
            self._known[work.checksum] = self._latest[work.slot]
            if any(finding["status"] != "unknown" for finding in findings):
                beside = self._file(work.checksum).with_suffix(".part")
                beside.write_text(json.dumps(findings), encoding="utf-8")
                beside.replace(self._file(work.checksum))

    def _of(self, slot: SlotRow) -> Health | None:
        if slot.weights not in self._known:
            try:
                kept = checked(json.loads(self._file(slot.weights).read_text(encoding="utf-8")))
            except (OSError, ValueError):
                return None  # not there, or cut short: it is asked again
            self._known[slot.weights] = verdict(kept)
        return self._known[slot.weights]

    def _file(self, checksum: str) -> Path:
        return self._folder / f"{checksum[:32]}.json"


def verdict(findings: Sequence[Mapping[str, Any]]) -> Health:
    """The light and its sentence: the worst finding speaks, and how many more there are."""
    for status in ("problem", "warning"):
        told = [finding for finding in findings if finding["status"] == status]
        if told:
            more = f" (and {len(told) - 1} more: wmplay doctor)" if len(told) > 1 else ""
            said = f"{told[0]['name']}: {told[0]['found']}. {told[0].get('meaning', '')}".strip()
            return Health(LIGHTS[status], said + more, str(told[0].get("remedy", "")))
    fine = sum(finding["status"] == "ok" for finding in findings)
    if not fine:
        return Health("unknown", str(findings[0]["found"]) if findings else "the doctor said nothing")
    unseen = [str(finding["name"]) for finding in findings if finding["status"] == "unknown"]
    return Health("ok", f"{fine} checks passed" + (f"; not looked at: {', '.join(unseen)}" if unseen else ""))


def checked(findings: Any) -> list[dict[str, Any]]:
    """The doctor's JSON, or ValueError if it is something else."""
    if isinstance(findings, list) and findings and all(
        isinstance(one, dict) and one.get("status") in LIGHTS and "name" in one and "found" in one for one in findings
    ):  # fmt: skip
        return findings
    raise ValueError("the doctor's answer is not a list of findings")


def _lower(pid: int) -> None:
    """Last in line for the processor."""
    low = 15
    if sys.platform == "win32":
        low = psutil.BELOW_NORMAL_PRIORITY_CLASS
    try:
        psutil.Process(pid).nice(low)
    except psutil.Error:
        return  # it has ended already, or the system keeps priorities to itself: then it runs as all others do
