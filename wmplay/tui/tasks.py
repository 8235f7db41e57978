"""Commands that take their time: started detached and written down, so that a reopened dashboard knows them again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from wmplay.tui.launch import argv
from wmplay.tui.snapshot import TaskRow, TaskState
from wmplay.tui.text import last_line

KEEP_S = 24 * 3600.0
TAIL_BYTES = 8192


class TaskStore:
    """A folder with a note and an output file per task. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, title: str, args: Sequence[str]) -> str:
        """Start `wmplay ARGS…` in a session of its own, output to a file; returns its id. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        key = f"{int(time.time() * 1000):x}-{uuid.uuid4().hex[:4]}"
        detached: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        with (self._folder / f"{key}.log").open("wb") as output:
            child = subprocess.Popen(
                argv(args), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **detached
            )
        note = {"title": title, "args": list(args), "pid": child.pid, "started": time.time(), "code": None}
        note["pid_started"] = _birth(child.pid)
        with self._lock:
            self._children[key] = child
            self._write(key, note)
        return key

    def rows(self) -> tuple[TaskRow, ...]:
        """Every task of the last day, newest first."""
        if not self._folder.is_dir():
            return ()
        with self._lock:
            found = [self._row(note) for note in sorted(self._folder.glob("*.json"), reverse=True)]
        return tuple(row for row in found if row is not None)

    def output(self, key: str) -> str:
        """The end of what the task has printed."""
        try:
            with (self._folder / f"{key}.log").open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - TAIL_BYTES))
                # Progress bars rewrite their line by carriage returns: only what is left standing counts.
                text = log.read().decode(errors="replace").replace("\r\n", "\n")
        except OSError:
            return ""
        return "\n".join(line.rsplit("\r", 1)[-1] for line in text.splitlines())

    def _row(self, path: Path) -> TaskRow | None:
        try:
            note = json.loads(path.read_text())
            key, code = path.stem, note["code"]
            child = self._children.get(key)
            if code is None and child is not None and child.poll() is not None:
                code = note["code"] = child.returncode
                del self._children[key]
                self._write(key, note)
            if time.time() - note["started"] > KEEP_S and key not in self._children:
                path.unlink()
                path.with_suffix(".log").unlink(missing_ok=True)
                return None
            alive = code is None and (child is not None or _birth(note["pid"]) == note["pid_started"])
            state: TaskState = "running" if alive else "ended" if code is None else "done" if code == 0 else "failed"
            return TaskRow(key, note["title"], state, note["started"], last_line(self.output(key)), note["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            # A note cut short by a crash tells nothing; the command itself is not touched by that.
            path.unlink(missing_ok=True)
            return None

    def _write(self, key: str, note: dict[str, Any]) -> None:
        beside = self._folder / f".{key}.part"
        beside.write_text(json.dumps(note))
        beside.replace(self._folder / f"{key}.json")


def _birth(pid: int) -> float | None:
    """When the process started, so that a reused process id is not mistaken for it; None if there is none."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None
