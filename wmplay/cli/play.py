"""Commands: play a game, or play inside the dream of a slot."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wmplay.cli.output import say
from wmplay.core.errors import UsageError, WmplayError

if TYPE_CHECKING:
    from wmplay.play.session import Session

Agent = Annotated[str | None, typer.Option(help="Who drives: a player (see `wmplay games`) or a slot's agent.")]
Terminal = Annotated[bool, typer.Option("--terminal", help="Play in this terminal instead of a window.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of the first episode.")]
Steps = Annotated[int | None, typer.Option(min=1, help="End after so many moments; for scripts.")]
Screenshot = Annotated[
    Path | None, typer.Option(help="Write a picture of the screen (.png; in the terminal .svg too) and end.")
]
After = Annotated[int, typer.Option(min=0, help="Moments to play before the screenshot.")]
# Names that many constructors have, and that are settled elsewhere.
SETTLED = {"render_mode": "the window or the terminal decides how it draws", "seed": "give it as --seed"}
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]


def play(
    game: Annotated[str, typer.Argument(help="A game's short name, Gymnasium id, variant or module:Class.")],
    agent: Agent = None,
    record: Annotated[str | None, typer.Option(help="Record into this dataset from the start.")] = None,
    terminal: Terminal = False,
    seed: Seed = None,
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter of the game, key=value; may be repeated.")
    ] = None,
    device: Device = "auto",
    steps: Steps = None,
    screenshot: Screenshot = None,
    after: After = 60,
) -> None:
    """Play a game in a window (or in the terminal), or watch an agent play it."""
    from wmplay.play.opening import Wish, open_game

    _check_screen(terminal, steps, screenshot)
    wish = Wish(
        agent=agent, seed=seed, record=record, params=parameters(param or []), device=device, large=not terminal
    )
    session = open_game(game, wish)
    _show(session, terminal, steps, screenshot, after)
    for name, count in (+session.kept).items():
        say(f"Kept {count:,} steps in {name}: wmplay train {game} --data {name} --slot NAME learns from them.")


def dream(
    slot: Annotated[str, typer.Argument(help="A slot's name, see `wmplay slots`.")],
    twin: Annotated[
        bool, typer.Option("--twin", help="The real game, the dream and their difference, in step.")
    ] = False,
    agent: Agent = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="Boldness of the dream; 0 takes the likeliest.")] = 1.0,
    horizon: Annotated[int | None, typer.Option(min=1, help="End a dream after so many steps.")] = None,
    terminal: Terminal = False,
    seed: Seed = None,
    device: Device = "auto",
    steps: Steps = None,
    screenshot: Screenshot = None,
    after: After = 60,
) -> None:
    """Play inside a world model: what you see is what it dreams."""
    from wmplay.play.opening import Wish, open_dream

    _check_screen(terminal, steps, screenshot)
    wish = Wish(agent=agent, seed=seed, temperature=temperature, horizon=horizon, device=device)
    if twin:
        from wmplay.play.twin import open_twin

        session: Session = open_twin(slot, wish)
    else:
        session = open_dream(slot, wish)
    _show(session, terminal, steps, screenshot, after)


def parameters(given: list[str]) -> dict[str, Any]:
    """`key=value` strings as a dict; values are JSON where they can be read as JSON, else text."""
    found: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"{text!r} is not of the form key=value.")
        if key in SETTLED:
            raise UsageError(f"{key} is no parameter of a game: {SETTLED[key]}.")
        try:
            found[key] = json.loads(value.lower() if value in ("True", "False") else value)
        except json.JSONDecodeError:
            found[key] = value
    return found


def _check_screen(terminal: bool, steps: int | None, screenshot: Path | None) -> None:
    """Say what is missing before anything heavy is loaded."""
    # Games and windows import pygame, whose greeting would land on stdout, which is for data.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    if terminal:
        # Games that draw with SDL need no display for it, and would complain into the picture where there is none.
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    if screenshot is not None and screenshot.suffix not in ((".png", ".svg") if terminal else (".png",)):
        raise UsageError(f"A screenshot is written as .png{' or .svg' if terminal else ''}, not as {screenshot.name}.")
    # Textual reads the keyboard from stdin and draws on stderr; stdout may go elsewhere.
    if terminal and steps is None and screenshot is None and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("--terminal needs a terminal; with --steps or --screenshot it runs without one.")


def _show(session: Session, terminal: bool, steps: int | None, screenshot: Path | None, after: int) -> None:
    ticks = after if screenshot is not None and steps is None else steps
    try:
        if terminal:
            from wmplay.play.terminal import run_terminal

            run_terminal(session, ticks, screenshot)
        else:
            if screenshot is not None:
                # A picture needs no display.
                os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
            _show_window(session, ticks, screenshot)
    finally:
        session.close()


def _show_window(session: Session, ticks: int | None, screenshot: Path | None) -> None:
    try:
        from wmplay.play.window import Window
    except ImportError as why:
        raise WmplayError(f"pygame cannot be loaded ({why}); install pygame-ce, or add --terminal.") from why
    Window(session).run(ticks, screenshot)


def register(app: typer.Typer) -> None:
    """Add these commands to the app."""
    app.command()(play)
    app.command()(dream)
