"""The same stretch of a game as it was, and as each of several slots dreams it: one picture for each game."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wmplay.evaluate import montage
from wmplay.evaluate.pictures import film
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.subject import Subject, prepare

# Columns; the first is the last real frame.
STEPS = (0, 1, 3, 5, 8, 15, 25, 50)
# The start that is drawn from each regime is chosen from so many.
AMONG = 16
Labelled = tuple[str, montage.Frames]


def draw_lineups(names: Sequence[str], device: str) -> dict[str, bytes]:
    """PNGs by the game's folder name: for a held-out start of each regime the real frames, below them every slot's
    dream of the same actions (open loop, no sampling noise). Games without pictures have none."""
    rows: dict[str, dict[str, list[Labelled]]] = {}
    for name in names:
        subject = prepare(name, AMONG, full=False, device=device)
        sections = rows.setdefault(subject.game.slug, {})
        for regime, starts in subject.regimes.items():
            _add(subject, regime, _longest(starts), sections.setdefault(regime, []))
    return {game: _sheet(game, sections) for game, sections in rows.items() if any(sections.values())}


def _longest(starts: Starts) -> Starts:
    """One start, the same for every slot: of those that last longest the first."""
    return starts.take(np.argsort(-np.minimum(starts.valid, starts.context + STEPS[-1]), kind="stable")[:1])


def _add(subject: Subject, regime: str, start: Starts, section: list[Labelled]) -> None:
    real, dreamed = film(subject, start)
    if real is None or dreamed is None:
        return
    steps = [k for k in STEPS if k < real.shape[1]]
    if not section:
        truth = real[0, steps].copy()
        truth[[start.valid[0] < start.context + k for k in steps]] = 200  # past the episode's end
        section.append((f"{regime}: real", truth))
    section.append((subject.name, dreamed[0, steps]))


def _sheet(game: str, sections: dict[str, list[Labelled]]) -> bytes:
    rows = [row for section in sections.values() for row in section]
    columns = ["real, k=0" if k == 0 else f"k={k}" for k in STEPS[: len(rows[0][1])]]
    return montage.png(montage.grid(rows, columns, f"{game} · the same actions, held-out starts, no sampling noise"))
