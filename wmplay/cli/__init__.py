"""Every command, thin: parse, call, print. Heavy libraries are imported inside the commands that need them."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from envs.errors import GameError
from wmplay import __version__
from wmplay.core.errors import WmplayError
from wmplay.core.processes import patient_threads

app = typer.Typer(
    name="wmplay",
    help="Train a world model of a game in the background, then play inside its dream.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# In the order in which `wmplay --help` lists them. Each module registers its commands on the app.
MODULES = ("demo", "games", "play", "keys", "train", "report", "jobs", "slots", "data", "doctor", "bench")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"wmplay {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Folder of slots and episodes (else $WMPLAY_HOME).")] = None,
    version: Annotated[  # noqa: ARG001 - typer calls `_version` for it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Train a world model of a game in the background, then play inside its dream. Alone: opens the dashboard."""
    if home is not None:
        # The environment carries it to every worker and window this process starts.
        os.environ["WMPLAY_HOME"] = str(home.expanduser().absolute())
    if context.invoked_subcommand is None:
        from wmplay.cli.dashboard import open_dashboard

        open_dashboard()


for _name in MODULES:
    importlib.import_module(f"wmplay.cli.{_name}").register(app)

# The base of what the parser raises. Typer brings a click of its own since 0.26 and uses the installed one before.
_WRONG_USAGE: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def main() -> None:
    """Run the command line; a user's mistake ends in one sentence on stderr and its exit code, never a traceback."""
    patient_threads()
    try:
        code = app(prog_name="wmplay", standalone_mode=False)
        if code == 130:  # how typer hands on a Ctrl-C that no command had more to say on
            typer.echo("wmplay: interrupted.", err=True)
    except WmplayError as error:
        typer.echo(f"wmplay: {error}", err=True)
        code = error.exit_code
    except GameError as error:  # a game of the user's own that breaks in the middle of play
        typer.echo(f"wmplay: {error}", err=True)
        code = 1
    except typer.Exit as error:
        code = error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("wmplay: interrupted.", err=True)
        code = 130
    except _WRONG_USAGE as error:
        where = f" See `{error.ctx.command_path} --help`." if getattr(error, "ctx", None) else ""
        typer.echo(f"wmplay: {error.format_message().rstrip('.')}.{where}", err=True)
        code = 2
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # The reader of our output left (`wmplay slots | head`): nothing is wrong.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        elif error.errno == errno.ENAMETOOLONG:  # found out wherever a name is first looked up as a file
            given = Path(str(error.filename)).name
            typer.echo(f"wmplay: {given[:40]}… is too long for a name: {len(os.fsencode(given))} bytes.", err=True)
            code = 2
        else:
            raise
    sys.exit(code if isinstance(code, int) else 0)
