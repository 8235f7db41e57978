"""The training loop's line to the world: metrics, events, heartbeat and commands, over the run's SQLite file."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from wmplay.core.errors import WmplayError
from wmplay.core.runs import RunStore

# Kept free for the last words of a run that ends because the disk is full: a few pages of SQLite and of its log.
RESERVE, RESERVE_FILE = 1 << 18, ".reserve"
# A heart beats so often, however long a step takes; four missed seconds mean death (core.jobs).
BEAT = 1.0


class RunLog(Protocol):
    """What the loop says and hears."""

    def pulse(self, **fields: Any) -> None:
        """Where the run stands now: state, phase, progress, message, ..."""

    def metrics(self, step: int, phase: str, values: Mapping[str, float]) -> None:
        """One point of each of these curves."""

    def event(self, level: str, text: str) -> None:
        """One line for the log."""

    def commands(self) -> list[str]:
        """What was asked since the last call, oldest first: pause, resume, save, stop."""

    def wait(self, seconds: float) -> None:
        """Sleep; cut short when the run is told to end."""


class StoreLog:
    """A RunLog over train/run.sqlite, with a thread that keeps the heartbeat going while the loop is busy.

    A write that fails in the thread (disk full) is raised at the loop's next word, so that the run ends there cleanly.
    """

    def __init__(self, file: Path, run: str) -> None:
        self._store = RunStore(file, write=True, run=run)
        self._store.attach()
        self._lock = threading.RLock()
        self._fields: dict[str, Any] = {}
        self._waiting: list[tuple[int, str, str, float]] = []
        self._failed: WmplayError | None = None
        self._end = threading.Event()
        self._reserve = file.with_name(RESERVE_FILE)
        with contextlib.suppress(OSError):  # a disk that is as full as that is told of by the first real write
            self._reserve.write_bytes(os.urandom(RESERVE))
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def options(self) -> dict[str, Any]:
        """What the run was asked to do."""
        with self._lock:
            return dict(self._store.run()["options"])

    def pulse(self, **fields: Any) -> None:
        with self._lock:
            self._fields.update(fields)
            if self._failed is not None:
                raise self._failed
            if "state" in fields or "phase" in fields:
                self._flush()

    def metrics(self, step: int, phase: str, values: Mapping[str, float]) -> None:
        with self._lock:
            self._waiting += [(step, phase, name, value) for name, value in values.items()]

    def event(self, level: str, text: str) -> None:
        with self._lock:
            self._store.event(level, text)

    def say(self, text: str) -> None:
        """An event that is also what the run shows it is doing."""
        self.event("info", text)
        self.pulse(message=text)

    def commands(self) -> list[str]:
        with self._lock:
            return self._store.take_commands()

    def wait(self, seconds: float) -> None:
        self._end.wait(seconds)

    def wake(self) -> None:
        """End every wait at once; safe in a signal handler."""
        self._end.set()

    def close(self, **fields: Any) -> None:
        """The last words: write what is waiting, with the final state."""
        self._end.set()
        self._thread.join(5.0)
        with self._lock:
            self._fields.update(fields)
            try:
                self._flush()
            finally:
                self._store.close()
                self._free()

    def fail(self, sentence: str) -> None:
        """The last words of a run that failed, in the room that was kept for them. Raises WmplayError."""
        self._free()
        with self._lock:
            self._waiting = []  # what the curves lack matters less than that it is known why
        with contextlib.suppress(WmplayError):  # the sentence stands in the run as well
            self.event("error", sentence)
        self.close(state="failed", message=sentence, seconds_left=None)

    def _free(self) -> None:
        with contextlib.suppress(OSError):
            self._reserve.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._end.wait(BEAT):
            with self._lock:
                try:
                    self._flush()
                except WmplayError as why:
                    self._failed = why

    def _flush(self) -> None:
        self._store.heartbeat(**self._fields)
        self._fields = {}
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._store.log_metrics(waiting)
