"""A picture of what was compared, by matplotlib (the extra ``plot``)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from meshmq.bench.kinds import FIGURES, Side
from meshmq.bench.rounds import Compared
from meshmq.bench.table import headline
from meshmq.errors import ConfigError


def check_plot(path: Path) -> None:
    """Look whether a picture can be drawn, before hours have gone into it.

    Raises:
        ConfigError: matplotlib is not installed, or the folder is not there.
    """
    if find_spec("matplotlib") is None:
        raise ConfigError("a picture is drawn by matplotlib, which is not installed: pip install 'meshmq[plot]'")
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent} for {path.name}")


def draw(all_compared: Sequence[Compared], path: Path) -> None:
    """Draw each work: of round trips the curves of percentiles, of the others a bar for each side, with its runs."""
    figure, axes = _axes(len(all_compared))
    for axis, compared in zip(axes, all_compared, strict=True):
        axis.set_title(headline(compared.work), fontsize=9)
        if compared.work.kind == "request":
            _curves(axis, compared)
        else:
            _bars(axis, compared)
    figure.savefig(path)


def draw_ratios(title: str, rows: Sequence[tuple[str, float]], path: Path) -> None:
    """Draw ratios as bars, 1 as a line."""
    figure, (axis,) = _axes(1, height=1.0 + 0.28 * len(rows))
    names, ratios = [name for name, _ in rows][::-1], [ratio for _, ratio in rows][::-1]
    axis.barh(names, ratios, color=["tab:green" if ratio >= 1 else "tab:orange" for ratio in ratios])
    for place, ratio in enumerate(ratios):
        axis.annotate(f" {ratio:.2f}", (ratio, place), va="center", fontsize=7)
    axis.axvline(1.0, color="black", linewidth=0.8)
    axis.set_xscale("log")
    axis.margins(y=0.01)
    axis.tick_params(labelsize=7)
    axis.set_title(title, fontsize=9)
    figure.savefig(path)


def _axes(count: int, height: float = 3.2) -> tuple[Any, list[Any]]:
    # Without pyplot: no window, no state of a whole process.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height * count), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(count, squeeze=False)[:, 0])


def _curves(axis: Any, compared: Compared) -> None:
    for side in compared.sides:
        curves = [run.curve for run in compared.runs.get(side.name, ())]
        if not curves:
            continue
        percents = [percent for percent, _ in curves[0]]
        values = [median(curve[place][1] for curve in curves) for place in range(len(percents))]
        axis.plot([100 / max(100 - percent, 0.005) for percent in percents], values, label=side.name)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks([1, 2, 10, 100, 1_000, 10_000], ["0", "50", "90", "99", "99.9", "99.99"])
    axis.set_xlabel("percentile", fontsize=8)
    axis.set_ylabel("microseconds", fontsize=8)
    axis.legend(fontsize=8)


def _bars(axis: Any, compared: Compared) -> None:
    shown = FIGURES[compared.work.kind][0]
    sides: list[Side] = [side for side in compared.sides if compared.figure(side, shown.key) is not None]
    axis.barh([side.name for side in sides], [compared.figure(side, shown.key) for side in sides], color="tab:blue")
    for place, side in enumerate(sides):
        runs = [run.figures[shown.key] for run in compared.runs[side.name]]
        axis.plot(runs, [place] * len(runs), "o", color="black", markersize=3)
    axis.set_xlim(left=0)
    axis.set_xlabel(shown.title if shown.unit == "/s" else f"{shown.title} ({shown.unit})", fontsize=8)
