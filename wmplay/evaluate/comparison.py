"""Report cards side by side: the same figures of several slots in one table and one picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from wmplay.core import slots
from wmplay.core.errors import UsageError
from wmplay.evaluate.pictures import as_png, figure, floored, horizon_axes, with_floor
from wmplay.evaluate.report import SCHEMA

Report = dict[str, Any]
# The steps of a dream that stand in the brief table.
BRIEF = (5, 15, 50)
_COLOURS = ("#2563a8", "#d9792b", "#3c8d5a", "#a23b72", "#6b5b95", "#b8860b")


def usable_card(name: str, starts: int) -> Report | None:
    """The card kept in the slot, if it was made of the weights that are there now, on as many starts and by today's
    measure; else None, also where it cannot be read."""
    info = slots.find_slot(name)
    file = info.path / "report" / "report.json"
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(card, dict) or not {"regimes", "curve", "action_following", "outcomes", "ground"} <= card.keys():
        return None
    same = card.get("schema") == SCHEMA and card.get("steps") == info.steps and card.get("starts") == starts
    # Cards of vector games from before the ranges stood on them measured by others.
    old = "ranges" not in card and any(
        row.get("state_error") for by_k in card["regimes"].values() for row in by_k.values()
    )
    return card if same and not old else None


def check_comparable(reports: Sequence[Report]) -> None:
    """Raise UsageError if cards of one game did not stand on the same starts."""
    for game in dict.fromkeys(report["game"] for report in reports):
        grounds = {json.dumps(card.get("ground"), sort_keys=True) for card in reports if card["game"] == game}
        if len(grounds) > 1:
            raise UsageError(
                f"These cards of {game} did not stand on the same held-out starts; add --fresh to measure them again."
            )


def side_by_side(reports: Sequence[Report]) -> list[dict[str, str]]:
    """One table: a row for each figure, a column for each slot; a dash where a card does not have that figure.

    Slots of different games may stand beside each other: skill and keys are measured alike everywhere, the rest is
    each game's own.
    """
    check_comparable(reports)
    cards = [_figures(report) for report in reports]
    # In the order of the measures, not of the slots, so that a figure which only one game has stands among its like.
    names = sorted({name for card in cards for name in card})
    return [
        {"figure": _name(name), **{r["slot"]: card.get(name, "–") for r, card in zip(reports, cards, strict=True)}}
        for name in names
    ]


Name = tuple[int, int, str, int]
_ORDER = (
    "",
    "skill",
    "exact",
    "road_iou",
    "pole_seen",
    "state_error",
    "follows keys",
    "end recall",
    "staying power",
    "can you tell",
)
_REGIMES = ("", "player", "expert", "random")
_WORDS = {
    "exact": "boards exact",
    "road_iou": "road overlap (IoU)",
    "pole_seen": "pole and cart seen",
    "state_error": "worst variable's error",
}


def _figures(report: Report) -> dict[Name, str]:
    """A card's figures by what sorts them: measure, regime, words, k."""
    found: dict[Name, str] = {
        (0, 0, "family", 0): f"{report['family']} {report['preset']}".strip(),
        (0, 0, "game", 0): str(report["game"]),
    }

    def put(measure: str, regime: str, figure: list[float] | None, k: int = 0) -> None:
        if figure is not None:
            found[_ORDER.index(measure), _REGIMES.index(regime), measure, k] = _text(
                figure, percent=measure != "skill" and measure != "road_iou"
            )

    for regime, by_k in report["regimes"].items():
        for k, row in by_k.items():
            for measure in ("skill", "exact", "road_iou", "pole_seen", "state_error"):
                put(measure, regime, row.get(measure), int(k))
        put("follows keys", regime, report["action_following"][regime]["share"])
        put("end recall", regime, report["outcomes"][regime]["end_recall"])
    for keys, staying in (report.get("staying_power") or {}).items():
        put("staying power", keys, staying["share"])
    if report.get("can_you_tell"):
        put("can you tell", "", report["can_you_tell"]["accuracy"])
    return found


def in_brief(reports: Sequence[Report]) -> list[dict[str, str]]:
    """One row for each slot, for when there are many: what its game is measured by, at the steps of BRIEF.

    What can be read off a frame or is the state itself stands in the row (boards, poles, the worst variable), with
    roads the skill before it; else the skill alone.
    """
    check_comparable(reports)
    rows = []
    for report in reports:
        present = [m for m in ("exact", "pole_seen", "state_error", "road_iou") if _has(report, m)]
        measures = ["skill", *present] if present in ([], ["road_iou"]) else present
        row = {
            "game": str(report["game"]),
            "slot": str(report["slot"]),
            "family": str(report["family"]),
            "measure": " / ".join(_WORDS.get(measure, measure) for measure in measures),
        }
        for regime in report["regimes"]:
            for k in BRIEF:
                figures = [report["regimes"][regime].get(str(k), {}).get(measure) for measure in measures]
                row[f"{regime} k={k}"] = " / ".join(_brief(f, m) for f, m in zip(figures, measures, strict=True))
        keys = [report["action_following"][regime]["share"] for regime in report["regimes"]]
        row["follows keys"] = " / ".join("–" if share is None else f"{100 * share[0]:.0f} %" for share in keys)
        rows.append(row)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return [{column: row.get(column, "–") for column in columns} for row in rows]


def _has(report: Report, measure: str) -> bool:
    return any(row.get(measure) for by_k in report["regimes"].values() for row in by_k.values())


def _brief(figure: list[float] | None, measure: str) -> str:
    if figure is None:
        return "–"
    if measure == "state_error":
        return f"{100 * figure[0]:.2g} %"
    return f"{100 * figure[0]:.0f} %" if measure in ("exact", "pole_seen") else f"{figure[0]:.2f}"


def _name(name: Name) -> str:
    _, regime, measure, k = name
    words = [_WORDS.get(measure, measure), f"({_REGIMES[regime]})" if regime else "", f"k={k}" if k else ""]
    return " ".join(word for word in words if word)


def _text(figure: list[float], percent: bool) -> str:
    """A figure and half of its 95 % interval."""
    mean, half = figure[0], (figure[2] - figure[1]) / 2
    if percent:
        return f"{100 * mean:.3g} % ±{100 * half:.2g}"
    return f"{mean:.3g} ±{half:.2g}" if half >= 5e-4 else f"{mean:.3g}"


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """The table for a README."""
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(row[column].replace("|", "\\|") for column in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def draw_comparison(reports: Sequence[Report]) -> bytes:
    """Error by horizon of every slot in one picture, a row for each game and a panel for each regime, as PNG."""
    check_comparable(reports)
    games = list(dict.fromkeys(report["game"] for report in reports))
    columns = max(len(report["curve"]) for report in reports)
    sheet, axes = figure(5.4 * columns, 4.0 * len(games), columns, len(games))
    for ax in axes:
        ax.set_visible(False)
    for number, game in enumerate(games):
        cards = [report for report in reports if report["game"] == game]
        for ax, regime in zip(axes[number * columns :], cards[0]["curve"], strict=False):
            ax.set_visible(True)
            _draw_panel(ax, cards, regime)
        axes[number * columns].set_ylabel("mean squared error")
        axes[number * columns].legend(frameon=False, fontsize=8)
    return as_png(sheet)


def _draw_panel(ax: Any, cards: Sequence[Report], regime: str) -> None:
    ground = cards[0]["curve"][regime]
    ax.plot(ground["k"], ground["repeat"], color="#8a8f98", linestyle="--", label="repeat the last frame")
    ax.plot(ground["k"], ground["mean"], color="#8a8f98", linestyle=":", label="mean training frame")
    for number, report in enumerate(cards):
        curve = report["curve"].get(regime, {"k": [], "model": []})
        label = with_floor(f"{report['slot']} ({report['family']})", curve["model"])
        colour = _COLOURS[number % len(_COLOURS)]
        ax.plot(curve["k"], floored(curve["model"]), color=colour, marker="o", markersize=3, label=label)
    shown = [k for k in (1, 5, 15, 50, 200) if k <= max(ground["k"], default=1)]
    horizon_axes(ax, shown, f"{cards[0]['game']} · {regime}")
