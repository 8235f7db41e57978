"""The report card of a slot: every measure in one JSON document, with its pictures, saved into the slot."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from wmplay.core import slots
from wmplay.core.errors import WmplayError
from wmplay.evaluate import truths
from wmplay.evaluate.beside import measure_beside
from wmplay.evaluate.chances import can_measure as has_dice
from wmplay.evaluate.chances import measure_chances
from wmplay.evaluate.fidelity import HORIZONS, Card, measure
from wmplay.evaluate.following import measure_following
from wmplay.evaluate.outcomes import measure_outcomes
from wmplay.evaluate.returns import measure_gap
from wmplay.evaluate.rollout import begin, observations
from wmplay.evaluate.starts import CONTEXT, Starts
from wmplay.evaluate.statistics import mean_figure
from wmplay.evaluate.staying import KEYS, STEPS, can_measure, measure_staying
from wmplay.evaluate.subject import Narrate, Subject, packed_mean
from wmplay.evaluate.tell import measure_tell
from wmplay.worlds.protocol import State

SCHEMA = 1
# Starts that are dreamed once more at temperature 1, which nothing else on the card rests on; --full takes all.
SAMPLED = 16
# Episodes and steps for the gap, within the default card's two minutes and for --full.
GAP, GAP_FULL = (16, 150), (64, 500)


def _silent(_text: str, _share: float | None) -> None:
    """Narration for nobody."""


def make_report(subject: Subject, full: bool = False, seed: int = 0, narrate: Narrate = _silent) -> dict[str, Any]:
    """Measure everything the card says (DESIGN.md §7); `full` adds what takes minutes. See docs in README, "The
    report card"."""
    began = time.monotonic()
    world, game, device = subject.world, subject.game, subject.place
    info = subject.info
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "slot": subject.name,
        "game": info.game,
        "family": info.family,
        "preset": info.preset,
        "steps": info.steps,
        "starts": max(starts.count for starts in subject.regimes.values()),
        "context": CONTEXT,
        "horizon": subject.horizon,
        "full": full,
        "seed": seed,
        "device": subject.device.label,
        "mean_frame_from": subject.mean_from,
        "ground": {name: starts.digest() for name, starts in subject.regimes.items()},
    }
    # Contexts are read once for all that dreams of the same starts at temperature 0: it takes as long as five steps.
    ready = {regime: _began(subject, starts, seed) for regime, starts in subject.regimes.items()}
    for block, temperature in (("regimes", 0.0), ("sampled", 1.0)):
        report[block] = {}
        for regime, starts in subject.regimes.items():
            said = f"dreaming beside the real game ({regime}, temperature {temperature:g})"
            narrate(said, None)
            asked = starts if full or block == "regimes" else starts.take(slice(0, SAMPLED))
            card, curve = measure(
                world, game, asked, subject.mean, subject.ranges, temperature, HORIZONS, device, seed,
                began=ready[regime] if block == "regimes" else None,
            )  # fmt: skip
            report[block][regime] = card
            if block == "regimes":
                report.setdefault("curve", {})[regime] = curve
    names = truths.state_names(game.short, 0 if subject.ranges is None else len(subject.ranges))
    report["ranges"] = None if subject.ranges is None else dict(zip(names, subject.ranges.tolist(), strict=True))
    report["beside"] = {regime: measure_beside(subject, regime) for regime in subject.regimes}
    report["reconstruction"] = {}
    report["outcomes"] = {}
    report["action_following"] = {}
    for regime, starts in subject.regimes.items():
        narrate(f"rewards, ends and keys ({regime})", None)
        report["reconstruction"][regime] = _reconstruction(subject, regime, ready[regime])
        report["outcomes"][regime] = measure_outcomes(
            world, [starts, subject.tails[regime]], device, seed, began=ready[regime]
        )
        report["action_following"][regime] = measure_following(
            world, game, starts, subject.ranges, device, seed, ready[regime]
        )
    narrate("the agent in the dream and in the game", None)
    count, steps = GAP_FULL if full else GAP
    report["gap"] = measure_gap(subject, count, min(steps, game.horizon), seed)
    report["chances"] = measure_chances(subject, subject.regimes["player"], seed) if has_dice(subject) else None
    report["staying_power"] = report["can_you_tell"] = None
    if full:
        report["staying_power"] = _staying(subject, seed, narrate)
        tick = partial(narrate, "training a judge to tell dreams from the game")
        report["can_you_tell"] = measure_tell(subject, seed, tick)
    report["seconds"] = round(time.monotonic() - began, 1)
    return report


def _staying(subject: Subject, seed: int, narrate: Narrate) -> dict[str, Any] | None:
    """Long dreams under an expert's and under random keys, from the starts of the regime of that name."""
    if not can_measure(subject.game):
        return None
    found = {}
    for kind in KEYS:
        starts = subject.regimes.get("expert" if kind == "expert" else "player", subject.regimes["player"])
        tick = partial(narrate, f"dreaming {STEPS} steps under {kind} keys")
        row = measure_staying(subject, starts, kind, seed=seed, tick=tick)
        if row is not None:
            found[kind] = row
    return found


@torch.inference_mode()
def _began(subject: Subject, starts: Starts, seed: int) -> State:
    """The state after the starts' contexts."""
    return begin(subject.world, starts, subject.place, torch.Generator(device=subject.place).manual_seed(seed))


@torch.inference_mode()
def _reconstruction(subject: Subject, regime: str, state: State) -> dict[str, Any]:
    """How well the last context frame is seen: the error of k = 0. Families that show a real frame as it is have no
    error there (`as_it_is`); what they draw themselves begins at k = 1."""
    starts = subject.regimes[regime]
    seen, real = observations(subject.world, state), starts.truth(0)
    scale = 255.0 if subject.ranges is None else subject.ranges
    error = ((seen.astype("float64") - real) / scale) ** 2
    mse = mean_figure(error.reshape(starts.count, -1).mean(axis=1))
    return {"n": starts.count, "mse": mse, "as_it_is": bool(error.max() == 0)}


def headline(report: dict[str, Any]) -> dict[str, float]:
    """The few figures that go into slot.json, for lists: `skill player k=5` and the game's own figure beside it."""
    found: dict[str, float] = {}
    for regime, card in report["regimes"].items():
        for k in ("5", "15", "50"):
            row = card.get(k, {})
            for name in ("skill", "exact", "road_iou", "pole_seen", "state_error"):
                if row.get(name):
                    found[f"{name} {regime} k={k}"] = row[name][0]
    for regime, row in report["action_following"].items():
        if row["share"]:
            found[f"follows keys {regime}"] = row["share"][0]
    return found


def save_report(subject: Subject, report: dict[str, Any], pictures: dict[str, bytes]) -> list[str]:
    """Put the card and its pictures into the slot in one transaction; returns the names of the files. Raises
    WmplayError for a slot that ships with wmplay, which is read-only."""
    if subject.info.shipped:
        raise WmplayError(f"{subject.name} ships with wmplay and is read-only; use --output DIR for its card.")
    files: dict[str, bytes | Path] = {
        ("" if name in ("preview.gif", "thumb.png") else "report/") + name: data for name, data in pictures.items()
    }
    files |= packed_mean(subject)
    files["report/report.json"] = json.dumps(report, indent=1).encode()
    metrics = {**slots.find_slot(subject.info.path).metrics, **headline(report)}
    slots.save_slot(subject.info.path, {"metrics": metrics}, files)
    return sorted(files)


def rows(card: Card) -> list[dict[str, str]]:
    """A regime's card as rows of text for people: one row for each k that any start lasts."""
    listed = []
    for k, row in card.items():
        if not row["n"]:
            continue
        texts = {"k": k, "n": str(row["n"])}
        for name, figure in row.items():
            if isinstance(figure, list) and not name.startswith(("repeat", "mean", "ended")):
                texts[name] = f"{figure[0]:.4g} [{figure[1]:.3g}, {figure[2]:.3g}]"
        listed.append(texts)
    return listed


def variable_rows(card: Card) -> list[dict[str, str]]:
    """Each variable's mean error as a share of its range, a column for each k; nothing for frames."""
    measured = {k: row["state_errors"] for k, row in card.items() if row.get("state_errors")}
    names = list(next(iter(measured.values()), {}))
    return [
        {"error of": name.replace("_", " "), **{f"k={k}": _percent(row[name]) for k, row in measured.items()}}
        for name in names
    ]


def _percent(figure: list[float]) -> str:
    return f"{100 * figure[0]:.3g} % [{100 * figure[1]:.2g}, {100 * figure[2]:.2g}]"
