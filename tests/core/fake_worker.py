"""A worker that trains nothing but does all a worker does to be seen: heartbeat, metrics, commands, an end.

Its option `end` says how: done, fail (an exception), tell (a failure it reports), hang (it goes on until killed).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from wmplay.core.devices import device_turn
from wmplay.core.runs import RunStore


def main() -> None:
    slot = Path(sys.argv[sys.argv.index("--slot") + 1])
    run = sys.argv[sys.argv.index("--run") + 1]
    with RunStore(slot / "train" / "run.sqlite", write=True, run=run) as store:
        store.attach()
        options = store.run()["options"]

        def wait(ahead: int) -> bool:
            store.heartbeat(state="queued", message=f"waiting for the device, {ahead} before this one")
            return "stop" in store.take_commands()

        with device_turn("fake", run, wait, interval=0.05) as held:
            if not held:
                store.heartbeat(state="stopped")
                return
            store.heartbeat(state="running", phase="memory", phases=1, message="working")
            print("worker at work", flush=True)
            work(store, options)


def work(store: RunStore, options: dict[str, object]) -> None:
    """Steps of 20 ms that obey commands."""
    step, paused = 0, False
    while options.get("end") == "hang" or step < 20:
        for command in store.take_commands():
            if command == "stop":
                store.heartbeat(state="stopped", message="stopped as told")
                return
            if command == "save":
                store.event("info", "saved as told")
            else:
                paused = command == "pause"
                store.heartbeat(state="paused" if paused else "running")
        if not paused:
            step += 1
            store.log_metrics([(step, "memory", "loss", 1 / step)])
            store.heartbeat(progress=min(step / 20, 1.0))
        time.sleep(0.02)
    if options.get("end") == "fail":
        raise ValueError("the loss is not a number")
    if options.get("end") == "tell":
        store.heartbeat(state="failed", message="the disk is full")
        return
    store.heartbeat(state="done", progress=1.0)


if __name__ == "__main__":
    main()
