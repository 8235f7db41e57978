"""The form that lets a player play and record: game, steps, player, name."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Select, Static

from wmplay.tui import launch, targets
from wmplay.tui.plans import CollectPlan
from wmplay.tui.screens.train_form import game_select, row
from wmplay.tui.snapshot import Snapshot, Subject

MIX = ""  # let `wmplay collect` mix the game's players as it does by default


class CollectForm(ModalScreen[tuple[str, ...]]):
    """Gives back the arguments of the `wmplay collect` to start, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel"),
        Binding("ctrl+s", "start", "Start"),
    ]

    def __init__(self, state: Snapshot, subject: Subject | None) -> None:
        super().__init__()
        self._state = state
        try:
            self._game = targets.game_of(state, subject).short
        except targets.Refusal:
            self._game = state.games[0].short if state.games else ""

    def compose(self) -> ComposeResult:
        with Vertical(id="box", classes="form small") as box:
            box.border_title = " Collect episodes "
            yield from row("Game", game_select(self._state.games, self._game))
            yield from row("Steps", Input("20000", id="steps", compact=True))
            yield from row("Player", Select(self._players(), id="player", allow_blank=False, compact=True))
            yield from row("Name", Input("mixed", id="name", compact=True))
            yield Static(id="command", classes="command", markup=False)
            yield Static(id="wrong", classes="wrong", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel (esc)", id="cancel", compact=True)
                yield Button("Start (ctrl+s)", id="start", compact=True, variant="primary")

    def on_mount(self) -> None:
        self._check()
        self.query_one("#game").focus()

    def _players(self) -> list[tuple[str, str]]:
        game = self._state.game(self._game)
        return [("the game's usual mix", MIX), *((name, name) for name in (game.players if game else ()))]

    @on(Select.Changed)
    @on(Input.Changed)
    def _changed(self) -> None:
        game = str(self.query_one("#game", Select).value)
        if game != self._game:
            self._game = game
            with self.prevent(Select.Changed):
                self.query_one("#player", Select).set_options(self._players())
        self._check()

    def plan(self) -> CollectPlan:
        """The form as it is filled in."""
        player = self.query_one("#player", Select).value
        return CollectPlan(
            self._game,
            self.query_one("#steps", Input).value,
            player if isinstance(player, str) else MIX,
            self.query_one("#name", Input).value.strip(),
        )

    def _check(self) -> list[str]:
        plan = self.plan()
        problems = plan.problems()
        self.query_one("#wrong", Static).update("\n".join(problems))
        self.query_one("#command", Static).update("" if problems else launch.shown(plan.args()))
        self.query_one("#start", Button).disabled = bool(problems)
        return problems

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#start")
    @on(Input.Submitted)
    def action_start(self) -> None:
        """Start collecting, if nothing is wrong."""
        if not self._check():
            self.dismiss(self.plan().args())
