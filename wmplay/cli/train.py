"""Commands: train, collect."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from wmplay.cli.output import emit_json, say
from wmplay.core.errors import Interrupted, UsageError, WmplayError


def register(app: typer.Typer) -> None:
    """Add these commands to the app."""
    app.command()(train)
    app.command()(collect)


def train(
    game: Annotated[str, typer.Argument(help="A game: short name, Gymnasium id, saved variant or module:Class.")],
    slot: Annotated[str, typer.Option(help="Name of the slot to make (or, with --resume, to train further).")],
    family: Annotated[str | None, typer.Option(help="World model family; see `wmplay families`.")] = None,
    preset: Annotated[str, typer.Option(help="Size: tiny, small or base.")] = "small",
    minutes: Annotated[float | None, typer.Option(help="Time budget, collecting included.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Gradient steps instead of minutes; exactly repeatable on a CPU.")
    ] = None,
    data: Annotated[list[str] | None, typer.Option(help="Dataset to learn from; may be given several times.")] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames to collect when no --data is given.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    sets: Annotated[list[str] | None, typer.Option("--set", help="Config field, as in --set hidden_size=512.")] = None,
    config: Annotated[Path | None, typer.Option(help="JSON or TOML file of config fields.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and batches.")] = 0,
    agent: Annotated[str, typer.Option(help="Train a controller too: evolution, policy_gradient or none.")] = "none",
    agent_in: Annotated[str, typer.Option(help="Where the controller practises: dream or game.")] = "dream",
    agent_steps: Annotated[
        int | None, typer.Option(min=1, help="Generations or updates of the controller with --steps.")
    ] = None,
    phases: Annotated[
        list[str] | None,
        typer.Option("--phase", help="With --resume: a phase of the family to train, no other; may be repeated."),
    ] = None,
    precision: Annotated[str, typer.Option(help="auto measures this machine; or float32, bf16.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Train an existing slot further.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Show progress to the end; Ctrl-C leaves it running.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the job as JSON.")] = False,
) -> None:
    """Train a world model of GAME in the background; prints the run's id and returns at once."""
    unasked = ""
    if minutes is None and steps is None:
        from wmplay import games

        minutes = games.find(game).minutes
        unasked = f"No budget given: training for {minutes:g} min (--minutes or --steps to change it)."
    from wmplay.core import jobs
    from wmplay.training.start import Order, start

    order = Order(
        game=game, slot=slot, family=family, preset=preset, sets=tuple(sets or ()), config_file=config, resume=resume,
        minutes=minutes, steps=steps, data=tuple(data or ()), frames=frames, device=device, seed=seed, agent=agent,
        agent_in=agent_in, agent_steps=agent_steps, phases=tuple(phases or ()), precision=precision,
    )  # fmt: skip
    run = start(order, command=["wmplay", *sys.argv[1:]])
    if unasked:
        say(unasked)
    if not wait:
        _print(jobs.find_job(run), json)
        say(f"Training {slot} in the background: `wmplay jobs show {run}` to look, `wmplay dream {slot}` to play it.")
        return
    from wmplay.training.watch import watch

    try:
        job = watch(run)
    except KeyboardInterrupt:
        raise Interrupted(
            f"No longer waiting: {slot} goes on training as job {run}; `wmplay jobs stop {run}` stops it."
        ) from None
    _print(job, json)
    if job.state in ("failed", "dead"):
        raise WmplayError(
            f"Training {slot} {'failed' if job.state == 'failed' else 'died'}: {job.last_error or job.message}"
        )
    if job.state == "done":
        say(f"{slot} is trained: `wmplay dream {slot}` to play in it.")


def _print(job: Any, json: bool) -> None:
    if json:
        emit_json(job.to_json())
    else:
        typer.echo(job.id)


def collect(
    game: Annotated[str, typer.Argument(help="A game: short name, Gymnasium id, saved variant or module:Class.")],
    steps: Annotated[int, typer.Option(help="Frames the dataset shall hold; an existing one is continued.")],
    agent: Annotated[list[str] | None, typer.Option(help="Player; several share the steps.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
    noise: Annotated[float | None, typer.Option(help="How much the player errs, 0 to 1.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of games and players.")] = 0,
    held_out: Annotated[bool, typer.Option("--held-out", help="For reports, never trained on.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the dataset as JSON.")] = False,
) -> None:
    """Let players play GAME and record it."""
    import time

    from wmplay import games
    from wmplay.core.episodes import Dataset
    from wmplay.training.collect import collect as run
    from wmplay.training.collect import rows_there
    from wmplay.training.watch import collecting_bar

    if steps < 1:
        raise UsageError(f"--steps must be at least 1, not {steps}.")
    if noise is not None and not 0 <= noise <= 1:
        raise UsageError(f"--noise must be between 0 and 1, not {noise:g}.")
    found = games.find(game)
    players = tuple(agent or found.players)
    named = name or ("held-out" if held_out else "collected")
    started = time.perf_counter()
    try:
        with collecting_bar(steps) as progress:
            folder = run(found, steps, players, named, seed, held_out, noise, progress)
    except KeyboardInterrupt:
        kept = f"{named} keeps the {rows_there(found, named):,} frames there are"
        raise Interrupted(f"Interrupted: {kept}, and the same command goes on from there.") from None
    seconds = time.perf_counter() - started
    data = Dataset(folder)
    if json:
        emit_json({**data.info(), "rows": data.rows, "seconds": round(seconds, 2)})
        return
    typer.echo(named)
    say(f"{data.rows:,} frames of {len(data.episodes):,} episodes by {', '.join(players)} in {seconds:.1f} s.")
