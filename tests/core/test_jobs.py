"""Background training as a user sees it: real processes, really stopped, paused and killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.conftest import FAKE_WORKER
from wmplay.core import jobs
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.job_state import describe_all
from wmplay.core.jobs import JobInfo
from wmplay.core.runs import RunStore

MakeSlot = Callable[..., Path]
Start = Callable[..., str]


@pytest.fixture
def start(make_slot: MakeSlot) -> Iterator[Start]:
    """`start("slot", end="hang")` starts a fake worker; whatever still runs at the end of the test is killed."""
    started: list[str] = []

    def begin(slot: str = "one", **options: object) -> str:
        started.append(jobs.start(make_slot(slot), FAKE_WORKER, options=options, command=["wmplay", "train"]))
        return started[-1]

    yield begin
    for job in jobs.list_jobs(active_only=True):
        if job.id in started and job.pid:
            os.kill(job.pid, signal.SIGKILL)


def until(job: str, condition: Callable[[JobInfo], bool], seconds: float = 20) -> JobInfo:
    """The job as soon as it fulfils a condition."""
    deadline = time.monotonic() + seconds
    for seen in jobs.watch(job, 0.02):
        if condition(seen):
            return seen
        assert time.monotonic() < deadline, f"still {seen}"
    raise AssertionError(f"it ended as {jobs.find_job(job)}")


def running(job: JobInfo) -> bool:
    return job.state == "running" and job.progress > 0


def test_from_start_to_done(start: Start) -> None:
    job = start()
    states = [seen.state for seen in jobs.watch(job, 0.02)]
    assert states[-1] == "done"
    assert set(states) <= {"queued", "running", "done"}
    ended = jobs.find_job(job)
    assert (ended.slot, ended.game, ended.family, ended.progress) == ("one", "cartpole", "state_vae", 1.0)
    assert "worker at work" in jobs.logs(job)


def test_a_worker_is_its_own_session_and_outlives_its_starter(start: Start) -> None:
    """Closing the terminal or the dashboard must not end a night's training."""
    job = until(start(end="hang"), running)
    assert job.pid is not None
    assert os.getsid(job.pid) == job.pid != os.getsid(0)
    assert Path(f"/proc/{job.pid}/fd/0").readlink() == Path(os.devnull)


def test_pause_resume_save_stop(start: Start) -> None:
    job = until(start(end="hang"), running)
    jobs.control(job.id, "pause")
    until(job.id, lambda j: j.state == "paused")
    jobs.control(job.id, "resume")
    until(job.id, lambda j: j.state == "running")
    jobs.control(job.id, "save")
    jobs.control(job.id, "stop")
    assert list(jobs.watch(job.id, 0.02))[-1].state == "stopped"
    with RunStore(job.path / "train" / "run.sqlite") as store:
        assert [event["text"] for event in store.events()] == ["saved as told"]
    with pytest.raises(UsageError, match="is stopped: there is nothing to pause"):
        jobs.control(job.id, "pause")


def test_a_killed_worker_shows_as_dead_within_five_seconds(start: Start) -> None:
    """A status word in a file would claim for ever that it runs."""
    job = until(start(end="hang"), running)
    assert job.pid is not None
    os.kill(job.pid, signal.SIGKILL)
    killed = time.monotonic()
    dead = list(jobs.watch(job.id, 0.02))[-1]
    assert dead.state == "dead"
    assert time.monotonic() - killed < 5
    assert dead.last_error is not None
    assert "killed, or out of memory" in dead.last_error
    assert "worker at work" in dead.last_error


def test_a_last_word_said_while_the_record_was_being_read_counts(start: Start) -> None:
    """Read as running, gone by the time its process is looked for: such a job was shown as dead."""
    job = until(start(end="hang"), running)
    process = psutil.Process(job.pid)
    with RunStore(job.path / "train" / "run.sqlite") as store:
        early = store.runs()
        jobs.control(job.id, "stop")
        assert list(jobs.watch(job.id, 0.02))[-1].state == "stopped"
        process.wait(20)  # it lives on for a moment after its last word
        readings = iter((early, store.runs()))
        assert [seen.state for seen in describe_all(job.path, lambda: next(readings))] == ["stopped"]


def test_an_exception_is_told_by_its_last_line(start: Start) -> None:
    dead = list(jobs.watch(start(end="fail"), 0.02))[-1]
    assert (dead.state, dead.last_error) == ("dead", "ValueError: the loss is not a number")


def test_a_failure_the_worker_reports(start: Start) -> None:
    failed = list(jobs.watch(start(end="tell"), 0.02))[-1]
    assert (failed.state, failed.last_error) == ("failed", "the disk is full")


def test_a_dead_job_goes_on_under_its_own_id(start: Start) -> None:
    job = until(start(end="hang"), running)
    assert job.pid is not None
    os.kill(job.pid, signal.SIGKILL)
    list(jobs.watch(job.id, 0.02))
    jobs.resume(job.id)
    again = until(job.id, lambda j: running(j) and j.pid != job.pid)
    assert again.id == job.id
    with pytest.raises(UsageError, match="is running already"):
        jobs.resume(job.id)
    jobs.control(job.id, "stop")
    assert list(jobs.watch(job.id, 0.02))[-1].state == "stopped"


def test_a_dead_job_can_be_laid_to_rest(start: Start) -> None:
    dead = list(jobs.watch(start(end="fail"), 0.02))[-1]
    jobs.control(dead.id, "stop")
    assert jobs.find_job(dead.id).state == "stopped"


def test_a_done_job_is_not_resumed(start: Start) -> None:
    done = list(jobs.watch(start(), 0.02))[-1]
    with pytest.raises(UsageError, match="is done"):
        jobs.resume(done.id)


def test_a_process_id_that_was_given_to_another_process_is_not_mistaken(start: Start) -> None:
    """After a reboot some other program has the worker's old id; it must be neither believed nor spoken to."""
    done = list(jobs.watch(start(), 0.02))[-1]
    with RunStore(done.path / "train" / "run.sqlite", write=True, run=done.id) as store:
        store.heartbeat(state="running", pid=os.getpid(), pid_started=psutil.Process().create_time() - 1000)
    assert jobs.find_job(done.id).state == "dead"


def test_a_second_training_of_a_slot_is_refused(start: Start) -> None:
    job = until(start(end="hang"), running)
    with pytest.raises(WmplayError, match=f"being trained by the job {job.id}"):
        jobs.start(job.path, FAKE_WORKER)


def test_a_job_is_named_by_id_the_start_of_it_or_its_slot(start: Start) -> None:
    job = start("racing")
    assert jobs.find_job(job[:3]).id == jobs.find_job("racing").id == job
    assert len(job) <= 5
    with pytest.raises(NotFoundError, match=f"{job} \\(racing\\)"):
        jobs.find_job("nothing")
    list(jobs.watch(job, 0.02))


def test_two_jobs_on_one_device_run_one_after_the_other(start: Start) -> None:
    first = until(start("one", end="hang"), running)
    second = until(start("two"), lambda j: "waiting" in j.message)
    assert second.state == "queued"
    assert "1 before this one" in second.message
    jobs.control(first.id, "stop")
    assert list(jobs.watch(second.id, 0.02))[-1].state == "done"


def test_a_dead_holder_frees_the_device(start: Start) -> None:
    first = until(start("one", end="hang"), running)
    second = until(start("two"), lambda j: "waiting" in j.message)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    assert list(jobs.watch(second.id, 0.02))[-1].state == "done"


def test_a_waiting_job_can_be_stopped(start: Start) -> None:
    until(start("one", end="hang"), running)
    second = until(start("two"), lambda j: "waiting" in j.message)
    jobs.control(second.id, "stop")
    assert list(jobs.watch(second.id, 0.02))[-1].state == "stopped"


def test_a_log_is_followed_to_its_end(start: Start) -> None:
    text = "".join(jobs.follow_log(start(end="fail"), interval=0.02))
    assert "worker at work" in text
    assert text.rstrip().endswith("is dead: ValueError: the loss is not a number")


def test_one_ruined_record_hides_no_other_job(start: Start, home: Path) -> None:
    job = start("good")
    (home / "bad" / "train").mkdir(parents=True)
    (home / "bad" / "train" / "run.sqlite").write_bytes(b"ruined" * 1000)
    assert [seen.id for seen in jobs.list_jobs()] == [job]
    list(jobs.watch(job, 0.02))
