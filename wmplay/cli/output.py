"""How commands speak: data on stdout (tables or JSON), narration on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

from wmplay.core.atomic import to_json


def emit_json(value: Any) -> None:
    """Print a JSON document on stdout; infinity as 1e999 and NaN as null, which every reader takes."""
    typer.echo(to_json(json.loads(json.dumps(value, default=str))), nl=False)


def say(text: str) -> None:
    """Tell the person something, on stderr, so that stdout stays data."""
    typer.echo(text, err=True)


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], empty: str = "nothing yet") -> None:
    """Print rows as a Rich table on stdout; `empty` is said on stderr when there are none."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    listed = list(rows)
    if not listed:
        say(empty)
        return
    view = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        view.add_column(column.replace("_", " "), overflow="fold")
    for row in listed:
        # Text, not str: a square bracket in a message is no markup.
        view.add_row(*(Text("" if row.get(column) is None else str(row[column])) for column in columns))
    # A pipe has no width: give it room instead of folding every row at 80 columns.
    Console(width=None if sys.stdout.isatty() else 200).print(view)


def confirm(question: str) -> bool:
    """Ask before something that cannot be undone; without a terminal the answer is no."""
    if not sys.stdin.isatty():
        return False
    return typer.confirm(question, err=True)
