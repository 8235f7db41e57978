"""Where commands become deeds: starts processes, opens forms, asks before what cannot be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from wmplay.tui import launch, targets
from wmplay.tui.messages import CommandEnded
from wmplay.tui.snapshot import Snapshot, Subject
from wmplay.tui.targets import How, Order, Refusal
from wmplay.tui.text import plain_name, size

if TYPE_CHECKING:
    from wmplay.tui.app import WmplayApp


class Desk:
    """Carries out the commands of the table. Nothing here waits: processes are started from threads."""

    def __init__(self, app: WmplayApp) -> None:
        self._app = app

    def do(self, id_: str, state: Snapshot, subject: Subject | None) -> None:
        """Carry out one command; a refusal is shown as a short notice."""
        try:
            ask = targets.ORDERS.get(id_)
            if ask is not None:
                self.start(ask(state, subject))
            else:
                getattr(self, f"_{id_}")(state, subject)
        except Refusal as why:
            self._app.notify(str(why), severity="warning", title="Not now")

    def start(self, order: Order) -> None:
        """Start a wmplay command the way its kind asks for."""
        if order.how == "window" and not launch.has_display():
            self._app.notify("There is no display here, so it plays in this terminal.", title=order.title)
            order = Order("terminal", order.title, (*order.args, "--terminal"))
        if order.how == "terminal":
            self._take_terminal(order)
        elif order.how == "call":
            self._app.run_worker(lambda: self._call(order), thread=True, exit_on_error=False)
        else:
            self._app.run_worker(lambda: self._spawn(order), thread=True, exit_on_error=False)

    def _call(self, order: Order) -> None:
        code, said = launch.call(order.args)
        self._app.post_message(CommandEnded(order.title, code, said))

    def _spawn(self, order: Order) -> None:
        try:
            self._app.tasks.start(order.title, order.args)
        except OSError as error:
            self._app.post_message(CommandEnded(order.title, 1, f"{launch.shown(order.args)} could not start: {error}"))

    def _take_terminal(self, order: Order) -> None:
        """Give the terminal to the command until it ends: here the loop does wait, for nothing is on the screen."""
        try:
            with self._app.suspend():
                code, said = launch.in_this_terminal(order.args)
        except SuspendNotSupported:
            code, said = 1, f"This terminal cannot be lent; run it yourself: {launch.shown(order.args)}"
        self._app.post_message(CommandEnded(order.title, code, said))

    # --- forms and questions; each is the command of that name ---

    def _train(self, state: Snapshot, subject: Subject | None) -> None:
        from wmplay.tui.screens.train_form import TrainForm

        self._app.push_screen(TrainForm(state, subject))

    def _collect(self, state: Snapshot, subject: Subject | None) -> None:
        from wmplay.tui.screens.collect_form import CollectForm

        def answer(args: tuple[str, ...] | None) -> None:
            if args:
                self.start(Order("task", f"collect {args[1]}", args))

        self._app.push_screen(CollectForm(state, subject), answer)

    def _record(self, state: Snapshot, subject: Subject | None) -> None:
        game = targets.game_of(state, subject)
        self._ask(
            f"Play {game.title} and record",
            "Name of the data",
            "mine",
            "window",
            lambda name: ("play", game.short, "--record", name),
        )

    def _further(self, state: Snapshot, subject: Subject | None) -> None:
        slot = targets.done_slot(state, subject)
        line = ("train", slot.game, "--family", slot.family, "--slot", slot.name, "--preset", slot.preset, "--resume")
        self._ask(f"Train {slot.name} further", "Minutes", "10", "call", lambda minutes: (*line, "--minutes", minutes))

    def _variant(self, state: Snapshot, subject: Subject | None) -> None:
        from wmplay.tui.screens.variant_prompt import VariantPrompt

        game = targets.game_of(state, subject)
        held = " ".join(f"{name}={value}" for name, value in game.params.items())
        title = f"Save a variant of {game.title}"

        def answer(text: str | None) -> None:
            if text:
                name, *params = text.split()
                given = (part for param in params for part in ("--param", param))
                self.start(Order("call", title[0].lower() + title[1:], ("games", "save", name, game.short, *given)))

        prompt = VariantPrompt(title, f"{plain_name(game.short)}-2 {held}".strip())

        def look_up() -> None:
            code, said = launch.call(("games", "show", game.short, "--json"))
            self._app.call_from_thread(prompt.tell, code, said)

        self._app.push_screen(prompt, answer)
        self._app.run_worker(look_up, thread=True, exit_on_error=False)

    def _copy(self, state: Snapshot, subject: Subject | None) -> None:
        slot = targets.slot_of(state, subject)
        self._ask(
            f"Copy {slot.name}", "New name", f"{slot.name}-2", "call", lambda name: ("slots", "copy", slot.name, name)
        )

    def _rename(self, state: Snapshot, subject: Subject | None) -> None:
        slot = targets.own_slot(state, subject)
        self._ask(
            f"Rename {slot.name}", "New name", slot.name, "call", lambda name: ("slots", "rename", slot.name, name)
        )

    def _export(self, state: Snapshot, subject: Subject | None) -> None:
        slot = targets.slot_of(state, subject)
        self._ask(
            f"Export {slot.name}", "File", f"{slot.name}.wmplay", "call",
            lambda file: ("slots", "export", slot.name, file),
        )  # fmt: skip

    def _import(self, _state: Snapshot, _subject: Subject | None) -> None:
        self._ask("Import a slot", "File", "", "call", lambda file: ("slots", "import", file))

    def _delete(self, state: Snapshot, subject: Subject | None) -> None:
        from wmplay.tui.screens.prompt import Confirm

        slot = targets.own_slot(state, subject)
        question = f"Delete the slot {slot.name} ({size(slot.size_bytes)})? It cannot be brought back."

        def answer(yes: bool | None) -> None:
            if yes:
                self.start(Order("call", f"delete {slot.name}", ("slots", "delete", slot.name, "--yes")))

        self._app.push_screen(Confirm(question, "Delete"), answer)

    def _log(self, state: Snapshot, subject: Subject | None) -> None:
        job = targets.job_of(state, subject)
        self._read(f"Log of {job.slot}", ("jobs", "logs", job.id), "The worker has printed nothing.")

    def _game_keys(self, state: Snapshot, subject: Subject | None) -> None:
        game = targets.game_of(state, subject)
        self._read(f"Keys of {game.title}", ("keys", game.short))

    def _change_keys(self, state: Snapshot, subject: Subject | None) -> None:
        game = targets.game_of(state, subject)

        def line(text: str) -> tuple[str, ...]:
            changes = ("--reset",) if text.strip() == "reset" else tuple(f"--set={part}" for part in text.split())
            return ("keys", game.short, *changes)

        label = "KEY=ACTION, several with spaces between, or reset (the actions: key K)"
        self._ask(f"Change the keys of {game.title}", label, "", "call", line)

    def _menu(self, state: Snapshot, subject: Subject | None) -> None:
        from wmplay.tui.screens.menu import Menu

        def chosen(id_: str | None) -> None:
            if id_:
                self._app.dashboard.action_do(id_)

        self._app.push_screen(Menu(state, subject, self._app.user_keys), chosen)

    def _problems(self, _state: Snapshot, _subject: Subject | None) -> None:
        said = "\n\n".join(self._app.problems) or "No problems so far."
        self._app.show_text("Messages of this session", said)

    def _help(self, _state: Snapshot, _subject: Subject | None) -> None:
        from wmplay.tui.screens.help import HelpScreen

        self._app.push_screen(HelpScreen(self._app.user_keys))

    def _read(self, title: str, args: tuple[str, ...], empty: str = "") -> None:
        """Show what a short command says in a box."""

        def show() -> None:
            code, said = launch.call(args)
            self._app.call_from_thread(self._app.show_text, title, said or empty, code != 0)

        self._app.run_worker(show, thread=True, exit_on_error=False)

    def _ask(self, title: str, label: str, value: str, how: How, make: Callable[[str], tuple[str, ...]]) -> None:
        """Ask for one text, then start the command that `make` builds from it."""
        from wmplay.tui.screens.prompt import Prompt

        def answer(text: str | None) -> None:
            if text:
                self.start(Order(how, title[0].lower() + title[1:], make(text)))

        self._app.push_screen(Prompt(title, label, value), answer)
