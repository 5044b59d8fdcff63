"""Frame times of flythroughs as a picture: a row a scene, the stages stacked, the whole frame as a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from renderer.fly_report import FlyReport
from scenes.atomic import replacing
from scenes.errors import KilofieldError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, ROW_HEIGHT, DPI = 9.6, 2.8, 120  # inches, inches, pixels an inch
INK, SOFT = "#26282c", "#d9dbe0"
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")  # Tol's bright ones, apart for most eyes
HEADROOM = 1.12  # above the slowest frame that counts
OUTLIERS = 3.0  # times the slowest p95: frames beyond leave the axis rather than flatten everything else


def check_plotting() -> None:
    """Raises `KilofieldError` where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise KilofieldError("plot: expected matplotlib, found none; install kilofield[report]") from error


def plot_frames(path: Path, reports: Sequence[FlyReport], title: str) -> None:
    """Writes a PNG of the milliseconds of every frame, by stage, one row a report on the same axes.

    Raises `KilofieldError` when it cannot be written, or without matplotlib.
    """
    check_plotting()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.family": "sans-serif", "font.size": 9}):
        size = WIDTH, ROW_HEIGHT * len(reports) + 0.5
        figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
        rows = figure.subplots(len(reports), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        colours = _colours(reports)
        for axes, report in zip(rows, reports, strict=True):
            _draw(axes, report, colours)
        rows[0].set_ylim(0, _top(reports))
        rows[-1].set_xlabel("frame", color=INK)
        figure.suptitle(title, color=INK, fontsize=10)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png")


def _colours(reports: Sequence[FlyReport]) -> dict[str, str]:
    """The same colour for a stage in every row."""
    stages = dict.fromkeys(stage for report in reports for stage in report.stages if stage != "total")
    return {stage: COLOURS[i % len(COLOURS)] for i, stage in enumerate(stages)}


def _top(reports: Sequence[FlyReport]) -> float:
    """The end of the axis: above the slowest frame, but not for the sake of a few outliers."""
    slowest = max(max(report.times("total")) for report in reports)
    usual = max(report.summary()["total"]["p95"] for report in reports)
    return HEADROOM * min(slowest, OUTLIERS * usual)


def _draw(axes: Axes, report: FlyReport, colours: dict[str, str]) -> None:
    total, summary = np.array(report.times("total")), report.summary()["total"]
    edges = np.arange(len(total) + 1) - 0.5  # a step a frame: nothing is drawn between frames that was not measured
    base = np.zeros(len(total))
    for stage in report.stages[:-1]:
        top = base + report.times(stage)
        axes.stairs(top, edges, baseline=base, fill=True, color=colours[stage], label=stage, linewidth=0)
        base = top
    axes.stairs(total, edges, color=INK, linewidth=1.2, label="whole frame")
    axes.axhline(summary["median"], color=INK, linewidth=0.8, linestyle=(0, (4, 3)), alpha=0.7, label="median")
    figures = ", ".join(f"{name} {summary[name]:.1f}" for name in ("median", "mean", "p95", "p99"))
    axes.set_title(f"{report.name}, {report.content}, {report.pipeline}, {report.residency}: {figures} ms")
    _style(axes)


def _style(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_ylabel("ms", color=INK)
    axes.title.set(fontsize=9, color=INK, ha="left", x=0.0)
    axes.margins(x=0.01)
    axes.tick_params(colors=INK, length=3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=SOFT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, labelcolor=INK)
