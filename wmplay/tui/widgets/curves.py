"""Training curves: as many of the run's metrics side by side as there is room for, drawn from min/max buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Grid
from textual.widgets import Static

from wmplay.tui.snapshot import Curve
from wmplay.tui.text import count

if TYPE_CHECKING:
    from textual_plotext import PlotextPlot

LOG_FROM = 30.0  # a curve that spans more than this ratio is drawn on a logarithmic axis


class Curves(Grid):
    """Up to four charts. Plotext and numpy are loaded when the first curve arrives, after the first paint."""

    def __init__(self, **widget: Any) -> None:
        super().__init__(**widget)
        self._curves: tuple[Curve, ...] = ()
        self._first = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="no-curves")

    def show(self, curves: tuple[Curve, ...], hint: str) -> None:
        """Draw these curves; `hint` is said where there are none yet."""
        self._curves = curves
        self.query_one("#no-curves", Static).update(hint if not curves else "")
        self._draw()

    def next_metric(self) -> None:
        """Move on to the next metric."""
        if self._curves:
            self._first = (self._first + 1) % len(self._curves)
            self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _room(self) -> tuple[int, int]:
        return min(4, max(1, self.size.width // 36)), min(2, max(1, self.size.height // 10))

    def _draw(self) -> None:
        from textual_plotext import PlotextPlot

        columns, rows = self._room()
        wanted = min(len(self._curves), columns * rows)
        plots = list(self.query(PlotextPlot))
        if len(plots) != wanted:
            self._lay(wanted, columns)
            return
        self.query_one("#no-curves").display = not wanted
        for index, plot in enumerate(plots):
            draw_curve(plot, self._curves[(self._first + index) % len(self._curves)])

    def _lay(self, wanted: int, columns: int) -> None:
        """Have as many charts as wanted, then draw."""
        from textual_plotext import PlotextPlot

        columns = max(1, min(columns, wanted))
        self.styles.grid_size_columns = columns
        self.styles.grid_size_rows = max(1, -(-wanted // columns))
        plots = list(self.query(PlotextPlot))
        for plot in plots[wanted:]:
            plot.remove()
        new = [PlotextPlot() for _ in range(wanted - len(plots))]
        if new:
            self.mount(*new)
        self.call_after_refresh(self._draw)


def draw_curve(plot: PlotextPlot, curve: Curve) -> None:
    """Draw one metric: its band between smallest and largest, its newest value in the title."""
    import numpy as np

    style = plot.app.theme_variables
    line, band = _rgb(style["primary"]), _rgb(style["border"])
    known = np.isfinite(curve.low) & np.isfinite(curve.high)
    x, low, high, middle = curve.x[known], curve.low[known], curve.high[known], curve.mean[known]
    plt = plot.plt
    plt.clear_figure()
    plt.yfrequency(4)
    if not len(x):
        plot.refresh()
        return
    newest = middle[-1]
    if low.min() > 0 and high.max() / low.min() > LOG_FROM:
        low, middle, high = np.log10(low), np.log10(middle), np.log10(high)
        _log_ticks(plt, float(low.min()), float(high.max()))
    if (high > low).any():
        plt.plot(x.tolist(), high.tolist(), marker="braille", color=band)
        plt.plot(x.tolist(), low.tolist(), marker="braille", color=band)
    plt.plot(x.tolist(), middle.tolist(), marker="braille", color=line)
    plt.title(f"{curve.phase} {curve.name.replace('_', ' ')}  {newest:.4g}")
    ticks = np.linspace(x[0], x[-1], 3) if x[-1] > x[0] else x[:1]
    plt.xticks(ticks.tolist(), [count(tick) for tick in ticks])
    plot.refresh()


def _log_ticks(plt: Any, low: float, high: float) -> None:
    ticks = [low + (high - low) * part / 3 for part in range(4)]
    plt.yticks(ticks, [f"{10**tick:.2g}" for tick in ticks])


def _rgb(hex_colour: str) -> tuple[int, int, int]:
    from textual.color import Color

    return Color.parse(hex_colour).rgb
