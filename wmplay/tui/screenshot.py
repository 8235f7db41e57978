"""Pictures of the dashboard, made by the dashboard itself without a terminal: for the README and for looking at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from wmplay.core.errors import WmplayError
from wmplay.tui.app import WmplayApp
from wmplay.tui.snapshot import Reader, Subject

WAIT_S = 15.0
SETTLE_S = 1.2  # long enough for charts to be laid out and for pictures to move on


def save_screenshot(
    path: Path,
    size: tuple[int, int] = (120, 36),
    subject: Subject | None = None,
    keys: Sequence[str] = (),
    make_reader: Callable[[], Reader] | None = None,
) -> Path:
    """Open the dashboard, select `subject`, press `keys`, save what it shows as an SVG at `path`.

    size: columns and rows. make_reader: what to show instead of the core's state. Raises WmplayError if
    nothing appears.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(asyncio.run(_picture(size, subject, keys, make_reader)), encoding="utf-8")
    return path


async def _picture(
    size: tuple[int, int], subject: Subject | None, keys: Sequence[str], make_reader: Callable[[], Reader] | None
) -> str:
    app = WmplayApp(make_reader=make_reader)
    async with app.run_test(size=size) as pilot:
        await _until(lambda: bool(app.dashboard.state.games), "The dashboard read nothing to show.")
        if subject is not None:
            app.dashboard.choose(subject)
        chosen = app.dashboard.subject
        await _until(
            lambda: chosen is None or ((d := app.dashboard.state.detail) is not None and d.subject == chosen),
            "The selection's details did not appear.",
        )
        await asyncio.sleep(SETTLE_S)
        await pilot.press(*keys)
        await pilot.pause(0.3)
        return app.export_screenshot(title="wmplay")


async def _until(done: Callable[[], bool], otherwise: str) -> None:
    for _ in range(round(WAIT_S / 0.05)):
        if done():
            return
        await asyncio.sleep(0.05)
    raise WmplayError(otherwise)
