"""Turns whatever goes wrong inside somebody's game into one sentence that says what failed and on which line."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envs.errors import GameError

_HERE = str(Path(__file__).parent)


def line_of(why: BaseException) -> str:
    """The innermost line of the error that is neither ours nor a library's, as ` (game.py, line 12)`; else nothing."""
    found = ""
    for entry in traceback.extract_tb(why.__traceback__):
        library = "site-packages" in entry.filename or entry.filename.startswith((_HERE, "<frozen"))
        if not library and "/lib/python" not in entry.filename:
            found = f" ({Path(entry.filename).name}, line {entry.lineno})"
    return found


@contextmanager
def blame(what: str) -> Iterator[None]:
    """Raise GameError "<what> failed: …" for any error inside, except those that already are one."""
    try:
        yield
    except GameError:
        raise
    except (Exception, SystemExit) as why:
        raise GameError(f"{what} failed: {type(why).__name__}: {why}{line_of(why)}") from why
