"""The form that starts a training: eight short rows, checked as they are filled in, and the command they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from wmplay.core import devices
from wmplay.core.catalog import FAMILIES, PRESETS
from wmplay.tui import launch, targets
from wmplay.tui.messages import CommandEnded
from wmplay.tui.plans import PRESET_HINTS, TrainPlan, free_name
from wmplay.tui.snapshot import GameRow, Snapshot, Subject
from wmplay.tui.text import count

if TYPE_CHECKING:
    from wmplay.tui.app import WmplayApp


class TrainForm(ModalScreen[None]):
    """Stays open until the worker has started, so that a refusal can be mended at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel"),
        Binding("ctrl+s", "start", "Start"),
    ]
    app: WmplayApp

    def __init__(self, state: Snapshot, subject: Subject | None) -> None:
        super().__init__()
        self._state = state
        try:
            self._game = targets.game_of(state, subject).short
        except targets.Refusal:
            self._game = state.games[0].short if state.games else ""
        self._suggested = ""
        self._busy = False

    def compose(self) -> ComposeResult:
        families = self._families(self._game)
        with Vertical(id="box", classes="form") as box:
            box.border_title = " Train a world model "
            yield from row("Game", game_select(self._state.games, self._game))
            yield from row(
                "Family",
                Select(families, value=self._usual(self._game), id="family", allow_blank=False, compact=True),
            )
            yield from row(
                "Preset",
                Select(
                    [(PRESET_HINTS.get(name, name), name) for name in PRESETS],
                    id="preset",
                    value="small",
                    allow_blank=False,
                    compact=True,
                ),
            )
            yield from row(
                "For",
                Input("10", id="amount", compact=True),
                Select(
                    [("minutes", "minutes"), ("steps", "steps")],
                    id="unit",
                    classes="unit",
                    allow_blank=False,
                    compact=True,
                ),
            )
            yield from row("Data", Select(self._datasets(self._game), id="data", allow_blank=False, compact=True))
            yield from row("Slot", Input(id="slot", compact=True))
            yield from row(
                "Device",
                Select([(name, name) for name in devices.choices()], id="device", allow_blank=False, compact=True),
            )
            yield from row(
                "Settings", Input(id="overrides", placeholder="hidden_size=512 learning_rate=3e-4", compact=True)
            )
            yield Static(id="command", classes="command", markup=False)
            yield Static(id="wrong", classes="wrong", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel (esc)", id="cancel", compact=True)
                yield Button("Start (ctrl+s)", id="start", compact=True, variant="primary")

    def on_mount(self) -> None:
        self._suggest_name()
        self._check()
        self.query_one("#game").focus()

    # --- what the rows offer ---

    def _families(self, game: str) -> list[tuple[str, str]]:
        entry = self._state.game(game)
        shows = entry.observation if entry else ""
        return [(f"{fam.name}: {fam.title}", fam.name) for fam in FAMILIES if not shows or shows in fam.observations]

    def _usual(self, game: str) -> str:
        """The family a game is usually trained with."""
        entry = self._state.game(game)
        names = [name for _, name in self._families(game)]
        return entry.family if entry and entry.family in names else names[0]

    def _datasets(self, game: str) -> list[tuple[str, str]]:
        entry = self._state.game(game)
        names = (entry.short, entry.id) if entry else ()
        mine = [row for row in self._state.datasets if row.game in names and not row.held_out]
        return [("collect new", ""), *((f"{row.name} ({count(row.steps)} steps)", row.name) for row in mine)]

    def _suggest_name(self) -> None:
        """Fill in a free name, unless the person has written one."""
        slot = self.query_one("#slot", Input)
        if slot.value == self._suggested:
            self._suggested = free_name(self._text("game"), self._text("family"), self._state)
            with self.prevent(Input.Changed):
                slot.value = self._suggested

    # --- what changes ---

    @on(Select.Changed, "#game")
    def _game_changed(self) -> None:
        game = self._text("game")
        if game != self._game:
            self._game = game
            with self.prevent(Select.Changed):
                self.query_one("#family", Select).set_options(self._families(game))
                self.query_one("#family", Select).value = self._usual(game)
                self.query_one("#data", Select).set_options(self._datasets(game))
        self._changed()

    @on(Select.Changed, "#family,#preset,#unit,#data,#device")
    def _changed(self) -> None:
        self._suggest_name()
        self._check()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._check()

    def _text(self, id_: str) -> str:
        widget = self.query_one(f"#{id_}")
        value = widget.value if isinstance(widget, Input | Select) else ""
        return value.strip() if isinstance(value, str) else ""

    def plan(self) -> TrainPlan:
        """The form as it is filled in."""
        return TrainPlan(**{
            name: self._text(name)
            for name in ("game", "family", "preset", "slot", "amount", "unit", "data", "device", "overrides")
        })  # fmt: skip

    def _check(self) -> list[str]:
        plan = self.plan()
        problems = plan.problems(self._state)
        self.query_one("#wrong", Static).update("\n".join(problems))
        self.query_one("#command", Static).update("" if problems else launch.shown(plan.args()))
        self.query_one("#start", Button).disabled = bool(problems) or self._busy
        return problems

    # --- starting ---

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss()

    @on(Button.Pressed, "#start")
    @on(Input.Submitted)
    def action_start(self) -> None:
        """Start the worker, if nothing is wrong and it is not starting already."""
        if not self._busy and not self._check():
            self._busy = True
            self.query_one("#start", Button).disabled = True
            self.query_one("#wrong", Static).update("starting…")
            self._launch(self.plan())

    @work(thread=True, exit_on_error=False)
    def _launch(self, plan: TrainPlan) -> None:
        code, said = launch.call(plan.args())
        self.app.call_from_thread(self._launched, plan, code, said)

    def _launched(self, plan: TrainPlan, code: int, said: str) -> None:
        self._busy = False
        if code == 0:
            self.app.post_message(CommandEnded(f"train {plan.slot}", 0, said))
            self.app.dashboard.awaited = plan.slot
            if self.is_attached:
                self.dismiss()
        elif self.is_current:
            self._check()
            self.query_one("#wrong", Static).update("\n".join(said.splitlines()[-6:]) or "It did not start.")
        else:
            self.app.post_message(CommandEnded(f"train {plan.slot}", code, said))


def row(label: str, *fields: Input | Select[str]) -> ComposeResult:
    """A label and its fields on one line."""
    with Horizontal(classes="row"):
        yield Label(label)
        yield from fields


def game_select(games: tuple[GameRow, ...], chosen: str) -> Select[str]:
    """The choice of a game; the chosen one is offered also where the list does not have it (any Gymnasium id)."""
    offered = [(entry.title, entry.short) for entry in games]
    if chosen not in [key for _, key in offered]:
        offered.append((chosen or "none yet", chosen))
    return Select(offered, value=chosen, id="game", allow_blank=False, compact=True)
