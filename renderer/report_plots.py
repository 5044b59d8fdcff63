"""The plots of a report: SVG whose colours are the page's, so that they read in light and in dark."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# matplotlib draws with these, and the page's own colours take their place in the SVG.
INK, SOFT, ACCENT = "#010203", "#010204", "#010205"
PAGE_COLOURS = {INK: "var(--ink)", SOFT: "var(--line)", ACCENT: "var(--b)"}

MOST_NAMES = 16  # cameras named on the axis; beyond, they are numbered
LONGEST_NAME = 14  # characters, of a camera on the axis


def score_plot(scores: Sequence[tuple[str, float]], title: str, unit: str = "") -> str:
    """An inline SVG of one figure for each (camera, value), with the mean as a line; infinite ones are marked."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif", "font.size": 10}
    with rc_context(settings):
        figure = Figure(figsize=(6.4, 3.0), layout="constrained")
        _draw(figure.add_subplot(), scores, f"{title}, {unit}" if unit else title)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue())


def _draw(axes: Axes, scores: Sequence[tuple[str, float]], label: str) -> None:
    values = np.array([value for _, value in scores])
    finite = np.isfinite(values)
    at = np.arange(len(values))
    axes.vlines(at[finite], *_limits(values[finite])[:1], values[finite], colors=ACCENT, linewidth=2, alpha=0.35)
    axes.plot(at[finite], values[finite], "o", color=ACCENT, markersize=5)
    if finite.any():
        axes.axhline(values[finite].mean(), color=INK, linewidth=1, linestyle=(0, (4, 3)), alpha=0.6)
        axes.set_ylim(*_limits(values[finite]))
    for i in at[~finite]:
        axes.text(
            i, 0.5, "identical", transform=axes.get_xaxis_transform(), rotation=90, ha="center", va="center", color=INK
        )
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.set_ylabel(label, color=INK)
    _name_cameras(axes, [name for name, _ in scores])
    _style(axes)


def _limits(values: np.ndarray) -> tuple[float, float]:
    """The axis: the values' range and a fifth of it on either side, so that small differences show."""
    if not len(values):
        return 0.0, 1.0
    margin = 0.2 * max(float(np.ptp(values)), 1e-3 * max(abs(float(values.max())), 1e-3))
    return float(values.min()) - margin, float(values.max()) + margin


def _name_cameras(axes: Axes, names: Sequence[str]) -> None:
    if len(names) > MOST_NAMES:
        axes.set_xlabel("camera", color=INK)
        return
    short = [name if len(name) <= LONGEST_NAME else "…" + name[1 - LONGEST_NAME :] for name in names]
    slanted = sum(map(len, short)) > 60
    axes.set_xticks(range(len(names)), short, rotation=35 if slanted else 0, ha="right" if slanted else "center")


def _style(axes: Axes) -> None:
    axes.tick_params(colors=INK, length=3)
    axes.grid(axis="y", color=SOFT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(SOFT)


def _inline(svg: str) -> str:
    """The <svg> element alone, with the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for drawn, colour in PAGE_COLOURS.items():
        svg = svg.replace(drawn, colour)
    return svg
