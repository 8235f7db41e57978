"""Predicted beside real, number by number and line by line, for games whose observation is a handful of variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from wmplay.evaluate import truths
from wmplay.evaluate.rollout import dream, observations
from wmplay.evaluate.subject import Subject

STEPS = 50
PRINTED = 5


@torch.inference_mode()
def measure_beside(subject: Subject, regime: str) -> dict[str, Any] | None:
    """One held-out start, the real variables and the dreamed ones at k = 1, 2, …, at temperature 0: `names`, `real`
    and `dream` [K, S]. The start is the first whose game lasts 50 steps, else the one that lasts longest. None for
    frames."""
    if subject.ranges is None:
        return None
    starts = subject.regimes[regime]
    index = int(np.argmax(np.minimum(starts.valid, starts.context + STEPS)))
    one = starts.take(slice(index, index + 1))
    lasts = int(min(one.valid[0] - one.context, STEPS))
    dreamed = [observations(subject.world, s.state)[0] for s in dream(subject.world, one, lasts, 0.0, subject.place)]
    real = [one.truth(k)[0] for k in range(1, lasts + 1)]
    return {
        "seed": int(one.seeds[0]),
        "names": truths.state_names(subject.game.short, len(subject.ranges)),
        "real": np.round(np.array(real, np.float64), 6).tolist(),
        "dream": np.round(np.array(dreamed, np.float64), 6).tolist(),
    }


def rows(beside: dict[str, Any]) -> list[dict[str, str]]:
    """The first steps as rows of text: for each k and variable the real value, the dreamed one after an arrow."""
    listed = []
    for k in range(1, min(PRINTED, len(beside["real"])) + 1):
        pairs = zip(beside["names"], beside["real"][k - 1], beside["dream"][k - 1], strict=True)
        listed.append({"k": str(k), **{name: f"{real:+.5f}  {said:+.5f}" for name, real, said in pairs}})
    return listed


def draw_beside(report: dict[str, Any]) -> bytes | None:
    """Every variable over 50 open-loop steps, the real line and the dreamed dots, as PNG; None for frames."""
    found = {regime: one for regime, one in (report.get("beside") or {}).items() if one}
    if not found:
        return None
    from wmplay.evaluate.pictures import BLUE, ORANGE, as_png, figure

    columns = max(len(one["names"]) for one in found.values())
    sheet, axes = figure(3.1 * columns, 2.5 * len(found), columns, len(found))
    for row, (regime, one) in enumerate(found.items()):
        real, said = np.array(one["real"]), np.array(one["dream"])
        steps = np.arange(1, len(real) + 1)
        for column, name in enumerate(one["names"]):
            ax = axes[row * columns + column]
            ax.plot(steps, real[:, column], color=ORANGE, linewidth=2.2, alpha=0.75, label="game")
            ax.plot(steps, said[:, column], color=BLUE, marker=".", markersize=3.5, linewidth=0, label="dream")
            ax.set(title=f"{regime} · {name.replace('_', ' ')}", xlabel="imagined steps k")
            ax.title.set_fontsize(9)
    axes[0].legend(frameon=False, fontsize=8)
    return as_png(sheet)
