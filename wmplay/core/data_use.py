"""Which trainings still need a dataset: those at work, and those that could go on from a checkpoint."""

from __future__ import annotations

from pathlib import Path

from wmplay.core.errors import WmplayError
from wmplay.core.jobs import JobInfo, list_jobs
from wmplay.core.slots import find_slot
from wmplay.core.variants import find_game

# Datasets that a training collects for itself begin so; it names them in its slot only once it has all of them.
_COLLECTED = ("auto-", "held-out-")


def users(folder: Path) -> list[JobInfo]:
    """The newest job of every slot that is trained on the dataset in this folder and is not done, at work first."""
    newest: dict[str, JobInfo] = {}
    for job in list_jobs():
        newest.setdefault(job.slot, job)
    return [job for job in newest.values() if job.state != "done" and _uses(job, folder)]


def _uses(job: JobInfo, folder: Path) -> bool:
    full = f"{folder.parent.name}/{folder.name}"
    try:
        same_game = find_game(job.game).slug == folder.parent.name
        named = {*(job.options.get("data") or ()), *find_slot(job.path).lineage.get("data", ())}
    except WmplayError:
        return False
    own = job.phase in ("", "collect") and not job.options.get("data") and folder.name.startswith(_COLLECTED)
    return full in named or (same_game and (folder.name in named or own))
