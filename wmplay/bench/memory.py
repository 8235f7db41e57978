"""Runs a command with little memory, the system's cache of its files included: in a control group, where one can be."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wmplay.core.errors import WmplayError


@contextmanager
def memory_group(size: int) -> Iterator[Path | None]:
    """A control group of this many bytes, as the file a process writes its id to in order to join it.

    None where this system or this user cannot make one: not Linux, or not root. It goes when the context ends.
    """
    found = _make(size)
    try:
        yield None if found is None else found / "cgroup.procs"
    finally:
        if found is not None:
            found.rmdir()


def run_in(group: Path | None, command: Sequence[str]) -> str:
    """What the command prints, run to its end inside the group (None: in none). Raises WmplayError if it fails."""
    joined = command if group is None else ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group), *command]
    done = subprocess.run(joined, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        killed = "it was killed, perhaps for want of memory" if done.returncode < 0 else f"exit code {done.returncode}"
        raise WmplayError(f"The measurement did not finish ({killed}); give it more memory.")
    return done.stdout


def _make(size: int) -> Path | None:
    for root, limit in _roots():
        folder = root / f"wmplay-bench-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / limit).write_text(str(size))
        except OSError:
            folder.rmdir()
            continue
        return folder
    return None


def _roots() -> list[tuple[Path, str]]:
    """Where groups that limit memory are made on this system, and the file that takes the limit."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return []
    old = [(Path(m[1]), "memory.limit_in_bytes") for m in mounts if m[2] == "cgroup" and "memory" in m[3].split(",")]
    return old + [(Path(m[1]), "memory.max") for m in mounts if m[2] == "cgroup2"]
