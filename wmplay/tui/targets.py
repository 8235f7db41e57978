"""What an action means for the present selection: the wmplay command it starts, or why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from wmplay.tui.snapshot import ACTIVE, GameRow, JobRow, SlotRow, Snapshot, Subject

# call: short, its answer is shown · task: takes its time, alone · window: opens one · terminal: takes this screen
How = Literal["call", "task", "window", "terminal"]


@dataclass(frozen=True)
class Order:
    """A wmplay command line to start: the arguments after `wmplay`, how, and what to call it."""

    how: How
    title: str
    args: tuple[str, ...]


class Refusal(Exception):
    """Why an action cannot be done now, as a sentence: an answer to the person, not an error of the program."""


def game_of(state: Snapshot, subject: Subject | None) -> GameRow:
    """The selection's game; Refusal if there is none."""
    name = ""
    if subject is not None:
        job, slot = state.job(subject.key), state.slot(subject.key)
        if subject.kind == "game":
            name = subject.key
        elif subject.kind == "job" and job:
            name = job.game
        elif subject.kind == "slot" and slot:
            name = slot.game
    found = state.game(name)
    if found is None:
        if name:
            # A slot of a game that the catalog does not list, for instance any Gymnasium id.
            return GameRow(name, name, name, "", "", 0)
        raise Refusal("Select a game first (key 1).")
    return found


def slot_of(state: Snapshot, subject: Subject | None, *, broken: bool = False, trained: bool = False) -> SlotRow:
    """The selection's slot: a job's own, a game's newest. Refusal if there is none, or it cannot be read."""
    found: SlotRow | None = None
    if subject is not None and subject.kind == "slot":
        found = state.slot(subject.key)
    elif subject is not None and subject.kind == "job":
        job = state.job(subject.key)
        found = state.slot(job.slot) if job else None
    elif subject is not None:
        game = state.game(subject.key)
        names = (game.short, game.id) if game else ()
        mine = [row for row in state.slots if row.game in names and row.ok and (row.trained or not trained)]
        if not mine:
            raise Refusal(f"{game.title if game else subject.key} has no slot yet; press t to train one.")
        found = max(mine, key=lambda row: row.updated)
    if found is None:
        raise Refusal("Select a slot first (key 3).")
    if not found.ok and not broken:
        raise Refusal(f"The slot {found.name} cannot be read: {found.why}")
    if trained and not found.trained:
        raise Refusal(f"{found.name} has learned nothing yet; wait for its first checkpoint.")
    return found


def job_of(state: Snapshot, subject: Subject | None) -> JobRow:
    """The selection's job: a slot's newest. Refusal if there is none."""
    found: JobRow | None = None
    if subject is not None and subject.kind == "job":
        found = state.job(subject.key)
    elif subject is not None and subject.kind == "slot":
        found = state.job_of(subject.key)
    if found is None:
        raise Refusal("Select a job first (key 2).")
    return found


def _control(verb: str, states: tuple[str, ...], reason: str) -> Callable[[Snapshot, Subject | None], Order]:
    def order(state: Snapshot, subject: Subject | None) -> Order:
        job = job_of(state, subject)
        if job.state not in states:
            raise Refusal(f"{job.slot} is {job.state}: {reason}.")
        return Order("call", f"{verb} {job.slot}", ("jobs", verb, job.id))

    return order


def _play(how: How, *extra: str) -> Callable[[Snapshot, Subject | None], Order]:
    def order(state: Snapshot, subject: Subject | None) -> Order:
        game = game_of(state, subject)
        return Order(how, f"play {game.short}", ("play", game.short, *extra))

    return order


def _dream(how: How, *extra: str) -> Callable[[Snapshot, Subject | None], Order]:
    def order(state: Snapshot, subject: Subject | None) -> Order:
        slot = slot_of(state, subject, trained=True)
        return Order(how, f"dream in {slot.name}", ("dream", slot.name, *extra))

    return order


def _watch(state: Snapshot, subject: Subject | None) -> Order:
    """A slot's trained agent in the real game; else the game's expert (for a slot: inside its dream)."""
    game = game_of(state, subject)
    if subject is not None and subject.kind != "game":
        slot = slot_of(state, subject)
        if slot.has_agent:
            return Order("window", f"watch {slot.name}'s agent", ("play", game.short, "--agent", slot.name))
    player = game.expert or (game.players[0] if game.players else "random")
    return Order("window", f"watch the {player} play {game.short}", ("play", game.short, "--agent", player))


def _report(state: Snapshot, subject: Subject | None) -> Order:
    slot = slot_of(state, subject, trained=True)
    return Order("task", f"report card of {slot.name}", ("eval", slot.name))


def _verify(state: Snapshot, subject: Subject | None) -> Order:
    slot = slot_of(state, subject, broken=True)
    return Order("call", f"verify {slot.name}", ("slots", "verify", slot.name))


ORDERS: dict[str, Callable[[Snapshot, Subject | None], Order]] = {
    "play": _play("window"),
    "play_terminal": _play("terminal", "--terminal"),
    "watch": _watch,
    "dream": _dream("window"),
    "twin": _dream("window", "--twin"),
    "dream_terminal": _dream("terminal", "--terminal"),
    "pause": _control("pause", ("running", "queued"), "only a running job can be paused"),
    "resume": _control("resume", ("paused", "stopped", "failed", "dead"), "there is nothing to resume"),
    "save": _control("save", ("running", "paused"), "only a running job has something to save"),
    "stop": _control("stop", ACTIVE, "it has ended already"),
    "report": _report,
    "verify": _verify,
}

# What each of the other commands acts on; asking raises the Refusal.
SUBJECTS: dict[str, Callable[[Snapshot, Subject | None], object]] = {
    "record": game_of,
    "variant": game_of,
    "further": lambda state, subject: done_slot(state, subject),
    "log": job_of,
    "copy": slot_of,
    "export": slot_of,
    "rename": lambda state, subject: own_slot(state, subject),
    "delete": lambda state, subject: own_slot(state, subject),
}


def own_slot(state: Snapshot, subject: Subject | None) -> SlotRow:
    """A slot that may be changed, broken or not: not one that ships with wmplay, not one that a job is writing."""
    slot = slot_of(state, subject, broken=True)
    if slot.shipped:
        raise Refusal(f"{slot.name} ships with wmplay and stays as it is; y copies it.")
    job = state.job_of(slot.name)
    if job is not None and job.state in ACTIVE:
        raise Refusal(f"{slot.name} is being trained; stop its job first (key x).")
    return slot


def done_slot(state: Snapshot, subject: Subject | None) -> SlotRow:
    """A slot that has been trained to the end of its budget and can be trained further."""
    slot = own_slot(state, subject)
    if not slot.ok:
        raise Refusal(f"The slot {slot.name} cannot be read: {slot.why}")
    job = state.job_of(slot.name)
    if job is not None and job.state != "done":
        raise Refusal(f"The training of {slot.name} is {job.state}, not done; r resumes it.")
    return slot


def refusal(id_: str, state: Snapshot, subject: Subject | None) -> str:
    """Why this command cannot be done now; empty if it can."""
    ask = ORDERS.get(id_) or SUBJECTS.get(id_)
    if ask is None:
        return ""
    try:
        ask(state, subject)
    except Refusal as why:
        return str(why)
    return ""
