"""Report cards side by side: the same figures of several slots in one table and one picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from wmplay.core import slots
from wmplay.core.errors import UsageError
from wmplay.evaluate.pictures import as_png, figure, horizon_axes
from wmplay.evaluate.report import SCHEMA

Report = dict[str, Any]
_FIGURES = ("skill", "exact", "road_iou", "state_error")
_COLOURS = ("#2563a8", "#d9792b", "#3c8d5a", "#a23b72", "#6b5b95", "#b8860b")


def usable_card(name: str, starts: int) -> Report | None:
    """The card kept in the slot, if it was made of the weights that are there now, on as many starts; else None."""
    info = slots.find_slot(name)
    file = info.path / "report" / "report.json"
    if not file.exists():
        return None
    card: Report = json.loads(file.read_text(encoding="utf-8"))
    fresh = card.get("schema") == SCHEMA and card.get("steps") == info.steps and card.get("starts") == starts
    return card if fresh else None


def check_comparable(reports: Sequence[Report]) -> None:
    """Raise UsageError if the cards are of different games or did not stand on the same starts."""
    games = sorted({report["game"] for report in reports})
    if len(games) > 1:
        raise UsageError(f"These slots are of different games ({', '.join(games)}): only cards of one game compare.")
    grounds = {json.dumps(report.get("ground"), sort_keys=True) for report in reports}
    if len(grounds) > 1:
        raise UsageError(
            "These cards did not stand on the same held-out starts; add --fresh to measure all of them again."
        )


def side_by_side(reports: Sequence[Report]) -> list[tuple[str, list[dict[str, str]]]]:
    """Titled tables, one for each regime and one for the rest: a row for each slot, a column for each figure."""
    check_comparable(reports)
    tables = []
    for regime in reports[0]["regimes"]:
        rows = []
        for report in reports:
            row = {"slot": report["slot"], "family": f"{report['family']} {report['preset']}".strip()}
            for name in _FIGURES:
                for k, figures in report["regimes"].get(regime, {}).items():
                    if figures.get(name):
                        row[f"{name} k={k}"] = _text(figures[name])
            rows.append(row)
        tables.append((f"{regime} regime", rows))
    rest = []
    for report in reports:
        row = {"slot": report["slot"]}
        for regime in report["regimes"]:
            row[f"follows keys ({regime})"] = _text(report["action_following"][regime]["share"])
            row[f"end recall ({regime})"] = _text(report["outcomes"][regime]["end_recall"])
        for keys, staying in (report.get("staying_power") or {}).items():
            row[f"staying power ({keys})"] = _text(staying["share"])
        if report.get("can_you_tell"):
            row["can you tell"] = _text(report["can_you_tell"]["accuracy"])
        rest.append(row)
    return [*tables, ("keys, ends and the long run", rest)]


def _text(figure: list[float] | None) -> str:
    return "–" if figure is None else f"{figure[0]:.3g} ±{(figure[2] - figure[1]) / 2:.2g}"


def draw_comparison(reports: Sequence[Report]) -> bytes:
    """Error by horizon of every slot in one picture, a panel for each regime, as PNG."""
    check_comparable(reports)
    regimes = list(reports[0]["curve"])
    sheet, axes = figure(5.4 * len(regimes), 4.0, columns=len(regimes))
    for ax, regime in zip(axes, regimes, strict=True):
        ground = reports[0]["curve"][regime]
        ax.plot(ground["k"], ground["repeat"], color="#8a8f98", linestyle="--", label="repeat the last frame")
        ax.plot(ground["k"], ground["mean"], color="#8a8f98", linestyle=":", label="mean training frame")
        for number, report in enumerate(reports):
            curve = report["curve"].get(regime, {"k": [], "model": []})
            values = [max(value, 1e-6) for value in curve["model"]]
            colour = _COLOURS[number % len(_COLOURS)]
            ax.plot(
                curve["k"],
                values,
                color=colour,
                marker="o",
                markersize=3,
                label=f"{report['slot']} ({report['family']})",
            )
        shown = [k for k in (1, 5, 15, 50, 200) if k <= max(ground["k"], default=1)]
        horizon_axes(ax, shown, f"{reports[0]['game']} · {regime}")
    axes[0].set_ylabel("mean squared error")
    axes[0].legend(frameon=False, fontsize=8)
    return as_png(sheet)
