"""The pictures of a report card: reconstructions, dream strips, error by horizon, training curves, and a twin film."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from wmplay.core.runs import RUN_FILE, RunStore
from wmplay.evaluate import montage
from wmplay.evaluate.beside import draw_beside
from wmplay.evaluate.montage import Frames
from wmplay.evaluate.rollout import begin, dream, observations, pictures
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Columns of a strip; the first is the last real frame.
STRIP = (0, 1, 2, 3, 5, 8, 11, 15, 20, 30, 40, 50)
BLUE, ORANGE, GREY, GREEN = "#2563a8", "#d9792b", "#8a8f98", "#3c8d5a"
Pictures = dict[str, bytes]
# Where no error at all is drawn on a logarithmic axis; lower if there are errors below it.
FLOOR = 1e-6


def draw_report(subject: Subject, report: dict[str, Any]) -> Pictures:
    """Every picture of the card by file name. A game of bare vectors (no drawing) gets the plots only."""
    drawn: Pictures = {"horizon.png": draw_horizon(report)}
    curves = draw_curves(subject.info.path / "train" / RUN_FILE)
    if curves is not None:
        drawn["curves.png"] = curves
    for regime, starts in subject.regimes.items():
        shown = _shown(starts)
        real, dreamed = film(subject, shown)
        if real is None or dreamed is None:
            continue
        drawn[f"strip-{regime}.png"] = draw_strip(real, dreamed, shown, f"{subject.name} · {regime}")
        three = np.concatenate([real[0], dreamed[0], montage.difference(real[0], dreamed[0])], axis=2)
        drawn[f"twin-{regime}.gif"] = montage.gif(three[: shown.valid[0] - shown.context + 1], subject.game.fps)
    beside = draw_beside(report)
    if beside is not None:
        drawn["variables.png"] = beside
    seen = draw_reconstructions(subject)
    if seen is not None:
        drawn["reconstructions.png"] = seen
    return drawn


def _shown(starts: Starts, count: int = 3) -> Starts:
    """The starts that are shown: the first that last longest, so that a strip has no holes."""
    order = np.argsort(-np.minimum(starts.valid, starts.context + STRIP[-1]), kind="stable")
    return starts.take(order[:count])


def film(subject: Subject, starts: Starts) -> tuple[Frames | None, Frames | None]:
    """Real and dreamed frames uint8 [N, 1 + T, H, W, 3] of these starts; the first of each is the last context row."""
    world, device = subject.world, subject.place
    horizon = min(STRIP[-1], starts.horizon)
    with torch.inference_mode():
        state = begin(world, starts, device, torch.Generator(device=device).manual_seed(0))
        seen = [observations(world, state)]
        seen += [observations(world, step.state) for step in dream(world, starts, horizon, 0.0, device)]
    dreamed = [pictures(world, frame) for frame in seen]
    real = [pictures(world, starts.truth(k)) for k in range(horizon + 1)]
    if dreamed[0] is None or real[0] is None:
        return None, None
    return np.stack(real, axis=1), np.stack(dreamed, axis=1)  # type: ignore[arg-type]


def draw_strip(real: Frames, dreamed: Frames, starts: Starts, title: str) -> bytes:
    """Truth above dream above difference for each start, at the steps of STRIP. Past the episode's end: no truth,
    grey."""
    steps = [k for k in STRIP if k < real.shape[1]]
    rows = []
    for i in range(len(real)):
        truth, guess = real[i, steps].copy(), dreamed[i, steps]
        gap = montage.difference(truth, guess)
        over = np.array([starts.valid[i] < starts.context + k for k in steps])
        truth[over], gap[over] = 200, 200
        rows += [("real", truth), ("dream", guess), ("difference", gap)]
    columns = ["real, k=0" if k == 0 else f"k={k}" for k in steps]
    return montage.png(montage.grid(rows, columns, title + " · open loop, no sampling noise, held-out starts"))


def draw_reconstructions(subject: Subject, count: int = 12) -> bytes | None:
    """Held-out frames above what the model makes of them, half from each regime.

    Where the model takes real frames as they are there is nothing to see in that: then the first frame it draws itself.
    """
    world, device = subject.world, subject.place
    each = -(-count // len(subject.regimes))
    real: list[NDArray[Any]] = []
    seen: list[NDArray[Any]] = []
    parts = [starts.take(slice(0, each)) for starts in subject.regimes.values()]
    with torch.inference_mode():
        for part in parts:
            state = begin(world, part, device, torch.Generator(device=device).manual_seed(0))
            seen.append(observations(world, state))
            real.append(part.truth(0))
        as_it_is = all(np.array_equal(a, b) for a, b in zip(real, seen, strict=True))
        if as_it_is:
            seen = [observations(world, next(iter(dream(world, part, 1, 0.0, device))).state) for part in parts]
            real = [part.truth(1) for part in parts]
    above, below = pictures(world, np.concatenate(real)), pictures(world, np.concatenate(seen))
    if above is None or below is None:
        return None
    title, name = "reconstructions of held-out frames", "seen"
    if as_it_is:
        title, name = "the first frame it draws itself (k=1): this model takes real frames as they are", "drawn"
    rows = [("real", above), (name, below), ("difference", montage.difference(above, below))]
    labels = [regime if i == 0 else "" for regime, s in subject.regimes.items() for i in range(min(each, s.count))]
    return montage.png(montage.grid(rows, labels, f"{subject.name} · {title}"))


def figure(width: float, height: float, columns: int = 1, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A matplotlib figure that needs no screen, and its axes in one list."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sheet = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(sheet)
    axes = [sheet.add_subplot(rows, columns, i + 1) for i in range(rows * columns)]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, linewidth=0.6)
    return sheet, axes


def as_png(sheet: Figure) -> bytes:
    """A matplotlib figure as PNG bytes."""
    buffer = io.BytesIO()
    sheet.savefig(buffer, format="png")
    return buffer.getvalue()


def horizon_axes(ax: Any, ks: Sequence[int], title: str) -> None:
    """Axes for an error by the number k of imagined steps, both logarithmic, marked at these k."""
    from matplotlib.ticker import LogLocator

    ax.set(xscale="log", yscale="log", xlabel="imagined steps k", title=title)
    ax.set_xticks(ks, [str(k) for k in ks], minor=False)
    ax.minorticks_off()
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 1e4 * low else (1.0,), numticks=9))
    ax.yaxis.set_major_formatter("{x:g}")


def floored(errors: Sequence[float], curve: Sequence[float] = ()) -> list[float]:
    """Errors for a logarithmic axis: none at all is drawn at the floor of their curve (else their own)."""
    low = min([FLOOR, *(value for value in curve or errors if value > 0)])
    return [max(value, low) for value in errors]


def with_floor(label: str, errors: Sequence[float]) -> str:
    """A curve's name, with a word on what its bottom means."""
    return f"{label}, at the bottom: no error" if errors and min(errors) <= 0 else label


def draw_horizon(report: dict[str, Any]) -> bytes:
    """Squared error by horizon, beside the baselines; below it the game's own figure where there is one."""
    regimes = report["curve"]
    sheet, axes = figure(5.2 * len(regimes), 3.8, columns=len(regimes))
    for ax, (regime, curve) in zip(axes, regimes.items(), strict=True):
        ax.plot(curve["k"], curve["repeat"], color=GREY, linestyle="--", label="repeat the last frame")
        ax.plot(curve["k"], curve["mean"], color=GREY, linestyle=":", label="mean training frame")
        ax.plot(
            curve["k"],
            floored(curve["model"]),
            color=BLUE,
            marker="o",
            markersize=3.5,
            label=with_floor("dream", curve["model"]),
        )
        card = report["regimes"][regime]
        ks = [int(k) for k in card if card[k].get("mse")]
        low = floored([card[str(k)]["mse"][1] for k in ks], curve["model"])
        high = floored([card[str(k)]["mse"][2] for k in ks], curve["model"])
        ax.fill_between(ks, low, high, color=BLUE, alpha=0.15, linewidth=0)
        horizon_axes(ax, ks, f"{report['slot']} · {regime}")
    axes[0].set_ylabel("mean squared error")
    axes[0].legend(frameon=False, fontsize=8)
    return as_png(sheet)


def draw_curves(store: Path) -> bytes | None:
    """The losses of every phase of the newest run, one panel each; None if there is no run or it logged nothing."""
    if not store.exists():
        return None
    with RunStore(store) as runs:
        if not runs.runs():
            return None
        phases: dict[str, set[str]] = {}
        for metric in runs.metrics(limit=20_000):
            phases.setdefault(metric.phase, set()).add(metric.name)
        skip = {"learning_rate", "frames", "gradient", "frames_per_second"}
        panels = [(phase, sorted(names - skip)) for phase, names in phases.items() if names - skip]
        if not panels:
            return None
        columns = min(3, len(panels))
        rows = -(-len(panels) // columns)
        sheet, axes = figure(4.6 * columns, 3.4 * rows, columns, rows)
        for ax in axes[len(panels) :]:
            ax.set_visible(False)
        for ax, (phase, names) in zip(axes, panels, strict=False):
            _draw_phase(ax, phase, runs.series(names, 150, phase))
    return as_png(sheet)


def _draw_phase(ax: Axes, phase: str, series: dict[str, list[tuple[float, float, float, float]]]) -> None:
    lowest = 1.0
    for name, points in series.items():
        if not points:
            continue
        step, mean, low, high = np.array(points).T
        line = ax.plot(step, mean, linewidth=1.2, label=name)[0]
        ax.fill_between(step, low, high, alpha=0.12, color=line.get_color(), linewidth=0)
        lowest = min(lowest, float(mean.min()))
    # Losses fall over decades; likelihoods go below zero and returns do so too: those stay linear.
    ax.set(title=phase, xlabel="training step", yscale="log" if lowest > 0 else "symlog")
    ax.legend(frameon=False, fontsize=7)
