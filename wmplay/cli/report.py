"""Commands: the report card of a slot, and several slots side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wmplay.cli.output import emit_json, say, table
from wmplay.core.errors import UsageError

Starts = Annotated[int, typer.Option(min=2, help="How many held-out starting points.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Json = Annotated[bool, typer.Option("--json", help="Print the card as JSON.")]
Output = Annotated[Path | None, typer.Option(help="Also write the card and its pictures into this folder.")]


def evaluate(
    slot: Annotated[str, typer.Argument(help="A slot's name, see `wmplay slots`.")],
    as_json: Json = False,
    starts: Starts = 64,
    full: Annotated[bool, typer.Option("--full", help="Also horizon 200, staying power and can-you-tell.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the dreams' own randomness.")] = 0,
    device: Device = "auto",
    output: Output = None,
    save: Annotated[bool, typer.Option(help="Keep the card and its pictures in the slot.")] = True,
) -> None:
    """Measure a slot on play it never saw and write its report card."""
    from wmplay.core.slots import find_slot

    shipped = find_slot(slot).shipped
    report, pictures, subject = measure(slot, starts, full, seed, device)
    if output is not None:
        _write(output, report, pictures)
        say(f"The card is in {output}.")
    if save and not shipped:
        from wmplay.evaluate.report import save_report

        save_report(subject, report, pictures)
        say(f"The card and {len(pictures)} pictures are in {subject.info.path / 'report'}.")
    elif shipped and output is None:
        say(f"{slot} ships with wmplay and is read-only: the card is shown, not kept (--output DIR keeps it).")
    if as_json:
        emit_json(report)
    else:
        _print(report)


def measure(slot: str, starts: int, full: bool, seed: int, device: str) -> tuple[dict[str, Any], dict[str, bytes], Any]:
    """Report, pictures and subject, with a progress line on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from wmplay.evaluate.pictures import draw_report
    from wmplay.evaluate.report import make_report
    from wmplay.evaluate.subject import prepare

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"loading {slot}", total=None)

        def narrate(text: str, share: float | None) -> None:
            progress.update(task, description=text, total=None if share is None else 1.0, completed=share or 0.0)

        subject = prepare(slot, starts, full, device, narrate)
        report = make_report(subject, full, seed, narrate)
        narrate("drawing the pictures", None)
        pictures = draw_report(subject, report)
    return report, pictures, subject


def _write(folder: Path, report: dict[str, Any], pictures: dict[str, bytes]) -> None:
    from wmplay.core import atomic

    for name, data in pictures.items():
        atomic.write_bytes(folder / name, data)
    atomic.write_json(folder / "report.json", report)


def _print(report: dict[str, Any]) -> None:
    """The card for people: one table for each regime, then the sentences."""
    from wmplay.evaluate.beside import rows as beside_rows
    from wmplay.evaluate.report import rows, variable_rows
    from wmplay.evaluate.words import sentences

    typer.echo(f"{report['slot']}: {report['family']} on {report['game']}, {report['starts']} held-out starts")
    for regime, card in report["regimes"].items():
        listed = rows(card)
        columns = list(dict.fromkeys(name for row in listed for name in row))
        typer.echo(f"\n{regime} (open loop, no sampling noise, [95 % interval])")
        table(listed, columns, empty="no start lasts a single step")
        variables = variable_rows(card)
        if variables:
            typer.echo("")
            table(variables, list(variables[0]))
    for regime, beside in (report.get("beside") or {}).items():
        if beside:
            typer.echo(f"\n{regime}, seed {beside['seed']}: real  predicted, step by step")
            table(beside_rows(beside), ["k", *beside["names"]])
    typer.echo("")
    for sentence in sentences(report):
        typer.echo(sentence)


def compare(
    names: Annotated[list[str], typer.Argument(metavar="SLOT…", help="Two or more slots, of one game or of several.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print all cards as JSON.")] = False,
    output: Output = None,
    starts: Starts = 64,
    brief: Annotated[bool, typer.Option("--brief", help="One row for each slot, the main figures only.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure again, even where a card is there.")] = False,
    device: Device = "auto",
) -> None:
    """Lay the report cards of several slots side by side; missing cards are made first."""
    from wmplay.core.slots import find_slot
    from wmplay.evaluate.comparison import draw_comparison, in_brief, markdown, side_by_side, usable_card
    from wmplay.evaluate.lineup import draw_lineups

    if len(set(names)) < 2:
        raise UsageError("Comparing takes at least two slots: wmplay compare SLOT SLOT…")
    names = [find_slot(name).name for name in dict.fromkeys(names)]  # a wrong name is told before the measuring
    reports = []
    for name in names:
        card = None if fresh else usable_card(name, starts)
        if card is None:
            say(f"measuring {name}")
            card, pictures, subject = measure(name, starts, False, 0, device)
            if not subject.info.shipped:
                from wmplay.evaluate.report import save_report

                save_report(subject, card, pictures)
        reports.append(card)
    if output is not None:
        from wmplay.core import atomic

        atomic.write_bytes(output / "compare.png", draw_comparison(reports))
        atomic.write_json(output / "compare.json", reports)
        for game, picture in draw_lineups(names, device).items():
            atomic.write_bytes(output / f"lineup-{game}.png", picture)
        say(f"The joint pictures and the cards are in {output}.")
    if as_json:
        emit_json(reports)
        return
    listed = in_brief(reports) if brief else side_by_side(reports)
    if as_markdown:
        typer.echo(markdown(listed), nl=False)
    else:
        table(listed, list(listed[0]))


def register(app: typer.Typer) -> None:
    """Add these commands to the app."""
    app.command("eval")(evaluate)
    app.command("compare")(compare)
