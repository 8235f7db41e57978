"""The detached process that trains a slot: `python -m wmplay.training.worker --slot FOLDER --run ID`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from wmplay.core import atomic, slots
from wmplay.core.devices import device_turn
from wmplay.core.errors import WmplayError
from wmplay.core.processes import patient_threads
from wmplay.training.runlog import StoreLog
from wmplay.training.settings import Settings

DISK_FULL = "The disk is full: what was last saved is as it was; free some space and resume."


def main(arguments: list[str] | None = None) -> int:
    """Train until the recipe is done or somebody stops it. Exit code 0, or 1 with the reason in the run's log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slot", type=Path, required=True)
    parser.add_argument("--run", required=True)
    asked = parser.parse_args(arguments)
    patient_threads()
    log = StoreLog(asked.slot / "train" / "run.sqlite", asked.run)
    try:
        with slots.lock_slot(asked.slot):
            end = _train(asked.slot, log, asked.run)
        log.event("info", f"training is {end}")
        last = {"progress": 1.0, "seconds_left": 0.0} if end == "done" else {"seconds_left": None}
        log.close(state=end, message="", **last)
        return 0
    except WmplayError as why:
        return _fail(log, str(why))
    except OSError as why:
        traceback.print_exc()
        full = why.errno in atomic.FULL
        return _fail(log, DISK_FULL if full else f"The system refused: {why.strerror or why}.")
    except Exception as why:  # noqa: BLE001 - the last door: a worker must say why it died, then die
        traceback.print_exc()
        return _fail(log, f"{type(why).__name__}: {str(why)[:500]} (the whole story is in train/log.txt)")


def _fail(log: StoreLog, sentence: str) -> int:
    """Say why as loudly as is still possible; the last good checkpoint and slot stay as they are."""
    print(f"wmplay: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - stderr is train/log.txt
    try:
        log.fail(sentence)
    except WmplayError as why:
        print(f"wmplay: {why}", file=sys.stderr, flush=True)  # noqa: T201
    return 1


def _train(path: Path, log: StoreLog, run: str) -> str:
    """Wait for the device, then run the recipe; torch is imported here, so that a queued worker costs little."""
    settings = Settings.from_json(log.options())
    info = slots.read_slot(path)
    if not info.ok:
        raise WmplayError(f"The slot {info.name} cannot be trained: {info.why}")
    ending: list[Any] = []

    def ask_to_end(*_: Any) -> None:
        ending.append(True)
        log.wake()
        for loop in loops:
            loop.stop()

    loops: list[Any] = []
    signal.signal(signal.SIGTERM, ask_to_end)

    def waiting(ahead: int) -> bool:
        log.pulse(state="queued", message=f"waiting for the device: {ahead} before this one")
        return bool(ending) or "stop" in log.commands()

    from wmplay.devices import resolve

    device = resolve(settings.device)
    with device_turn(device.name, run, waiting) as held:
        if not held:
            return "stopped"
        from wmplay import games
        from wmplay.training.loop import Loop
        from wmplay.training.recipe import recipe
        from wmplay.training.workshop import Workshop, fresh_world

        shop = Workshop(
            path, info, settings, games.of_slot(info), device, fresh_world(info, device, settings.seed),
            say=log.say, working=lambda text: log.pulse(message=text),
        )  # fmt: skip
        log.event("info", f"training on {device.label}, process {os.getpid()}")
        phases = recipe(shop)
        log.pulse(state="running", phases=len(phases), device=device.name)
        loops.append(Loop(shop, phases, log))
        if ending:
            return "stopped"
        end: str = loops[0].run()
        return end


if __name__ == "__main__":
    sys.exit(main())
