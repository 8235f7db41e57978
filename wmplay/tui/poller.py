"""The one thread that reads the state: a few snapshots a second, so that the screen never waits for a disk."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from textual.message import Message

from wmplay.core.errors import WmplayError
from wmplay.tui.messages import PollFailed, SnapshotArrived
from wmplay.tui.snapshot import Reader, Subject

INTERVAL_S = 0.35  # three looks a second: fresher than an eye asks for, 1 % of a core


class Poller:
    """Reads a snapshot, posts it, waits; wakes early when the selection changes."""

    def __init__(
        self, make_reader: Callable[[], Reader], post: Callable[[Message], object], interval_s: float = INTERVAL_S
    ) -> None:
        self._make_reader = make_reader
        self._post = post
        self._interval_s = interval_s
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._focus: Subject | None = None
        self._thread = threading.Thread(target=self._run, name="wmplay-poller", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns once it has let go of its files, or after a second."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def focus(self, subject: Subject | None) -> None:
        """Read this subject's details from now on."""
        self._focus = subject
        self._wake.set()

    def look(self) -> None:
        """Read again at once."""
        self._wake.set()

    def _run(self) -> None:
        reader: Reader | None = None
        while not self._stopping.is_set():
            try:
                reader = reader or self._make_reader()
                self._post(SnapshotArrived(reader.read(self._focus)))
            except WmplayError as error:
                self._post(PollFailed(str(error)))
            except Exception:  # noqa: BLE001 - nothing that is on disk may end the dashboard: it is shown, whole
                self._post(PollFailed(f"The state could not be read; trying again.\n\n{traceback.format_exc()}"))
            self._wake.wait(self._interval_s)
            self._wake.clear()
        if reader is not None:
            reader.close()
