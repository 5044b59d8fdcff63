"""Rate-distortion curves, ours beside decimate + SOG: BD-rate, worst views, and a plot.

    .venv/bin/python -m benchmarks.rate_distortion

reads what `benchmarks.compression` left, `results/compression-*.json` and `peers.json`, prints the tables and draws
`results/rate-distortion.png`. Nothing is measured here.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.peer_sog import PEERS, Curve, PeerPoint, PeerScene, read_peers
from scenes.atomic import replacing
from scenes.errors import KilofieldError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RESULTS = Path(__file__).resolve().parent / "results"
COLUMNS, PANEL, DPI = 2, (4.6, 3.4), 120  # panels a row, inches, pixels an inch
OURS = ("#0072b2", "#009e73", "#cc79a7", "#56b4e9")  # Okabe and Ito's colours, apart for most eyes; one a preset
SOG, OTHERS = "#d55e00", "#666666"


@dataclass(frozen=True)
class Point:
    """One file of a scene."""

    bytes: int
    psnr: float  # dB, the mean of the views'
    psnr_views: tuple[float, ...] | None = None  # dB; None: not known for this file
    seconds: float | None = None  # to encode
    decode_seconds: float | None = None
    ssim: float | None = None

    @property
    def drop(self) -> float | None:
        """How far the worst view lies under the mean, in dB."""
        return None if self.psnr_views is None else self.psnr - min(self.psnr_views)


Points = Sequence[Point]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables and draw the plot."""
    parser = argparse.ArgumentParser(prog="benchmarks.rate_distortion", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the figures and for the plot")
    parser.add_argument("--peers", type=Path, default=PEERS, help="the cache of splat-transform's figures")
    wanted = parser.parse_args(arguments)
    results = [json.loads(path.read_text()) for path in sorted(wanted.out.glob("compression-*.json"))]
    peers = read_peers(wanted.peers)
    print(points_table(results, peers))
    print(rate_table(results, peers) or "No scene has figures of both.")
    plot(wanted.out / "rate-distortion.png", results, peers)


def bd_rate(curve: Curve, reference: Curve) -> float | None:
    """The Bjontegaard delta rate in %: how many more bytes `curve` needs than `reference` at the same PSNR.

    G. Bjontegaard, "Calculation of average PSNR differences between RD-curves", ITU-T VCEG-M33 (2001): the logarithm of
    the rate as a function of the PSNR, its difference averaged over the range of PSNR that both curves cover. Between
    the points pchip (piecewise cubic Hermite, monotone where the points are) takes the place of VCEG-M33's one cubic
    through four points, which swings out between points far apart. None: under two points each, or no common range.
    """
    from scipy.interpolate import PchipInterpolator

    if min(len(_rising(curve)), len(_rising(reference))) < 2:
        return None
    fits = [PchipInterpolator(*np.array(_rising(c)).T, extrapolate=False) for c in (curve, reference)]
    low, high = max(fit.x[0] for fit in fits), min(fit.x[-1] for fit in fits)
    if low >= high:
        return None
    ours, theirs = (float(fit.integrate(low, high)) / (high - low) for fit in fits)
    return float(np.expm1(ours - theirs)) * 100


def our_curves(results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[Point]]]:
    """By scene and preset, fewest bytes first; results without a number for their PSNR have no place on a curve."""
    curves: dict[str, dict[str, list[Point]]] = {}
    for result in sorted(results, key=lambda result: (result["scene"], result["preset"], result["bytes"])):
        if result["psnr"] is not None:
            curves.setdefault(result["scene"], {}).setdefault(result["preset"], []).append(_point_of_result(result))
    return curves


def rate_table(results: Sequence[Mapping[str, Any]], peers: Mapping[str, PeerScene]) -> str:
    """Markdown: a row a scene and preset that the peer was measured on; empty if there is none.

    The worst view's distance under the mean is the largest of our points', and decimate + SOG's at the same PSNR.
    """
    rows = [
        _rate_row(scene, preset, points, [_point_of_peer(point) for point in peers[scene].sog])
        for scene, presets in our_curves(results).items()
        for preset, points in presets.items()
        if scene in peers
    ]
    header = ("scene", "preset", "points", "PSNR", "BD-rate", "worst view under the mean", "decimate + SOG's there")
    return _table(header, rows) if rows else ""


def points_table(results: Sequence[Mapping[str, Any]], peers: Mapping[str, PeerScene]) -> str:
    """Markdown: a row a file, ours and theirs."""
    ours = our_curves(results)
    rows = []
    for scene in sorted({*ours, *peers}):
        named = [(preset, point) for preset, points in ours.get(scene, {}).items() for point in points]
        theirs = peers[scene].points if scene in peers else ()
        named += [(p.variant.name, _point_of_peer(p)) for p in theirs if p.psnr is not None]
        rows += [(scene, name, *_cells(point)) for name, point in named]
    header = ("scene", "file", "bytes", "PSNR", "worst view", "SSIM", "encode", "decode")
    return _table(header, rows)


def plot(path: Path, results: Sequence[Mapping[str, Any]], peers: Mapping[str, PeerScene]) -> None:
    """A PNG with one panel a scene: bytes, on a logarithmic axis, against PSNR; `KilofieldError` without figures.

    Solid lines are the mean of the views, dotted ones each file's worst view.
    """
    from matplotlib.figure import Figure

    ours = our_curves(results)
    scenes = sorted({*ours, *peers})
    if not scenes:
        raise KilofieldError(f"{path}: expected figures to draw, found none")
    presets = sorted({preset for curves in ours.values() for preset in curves})
    colours = {preset: OURS[i % len(OURS)] for i, preset in enumerate(presets)}
    columns = min(COLUMNS, len(scenes))
    rows = -(-len(scenes) // columns)
    size = PANEL[0] * columns, PANEL[1] * rows
    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, scene in zip(panels, scenes, strict=False):
        _draw(axes, scene, {preset: ours[scene][preset] for preset in ours.get(scene, {})}, peers.get(scene), colours)
    for axes in panels[len(scenes) :]:
        axes.set_axis_off()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def _draw(
    axes: Axes, scene: str, ours: Mapping[str, Points], peer: PeerScene | None, colours: Mapping[str, str]
) -> None:
    for preset, points in ours.items():
        _line(axes, points, colours[preset], "o", f"Kilofield, {preset}")
    if peer:
        _line(axes, [_point_of_peer(point) for point in peer.sog], SOG, "s", "decimate + SOG")
        for point in peer.points:
            if point.codec != "sog" and point.psnr is not None:
                _line(axes, [_point_of_peer(point)], OTHERS, "^" if point.codec == "spz" else "v", point.codec)
        for point in peer.sog:
            place = {"textcoords": "offset points", "xytext": (-5, 4), "ha": "right"}
            axes.annotate(f"{point.percent} %", (point.bytes / 1000, point.psnr or 0), fontsize=7, color=SOG, **place)
    axes.set_xscale("log")
    axes.margins(x=0.1, y=0.1)  # the labels of the outermost points stay inside
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:g}"[0] in "235" else "")
    axes.tick_params(axis="x", which="both", labelsize=7)
    axes.set_title(scene, fontsize=10)
    axes.set_xlabel("KB")
    axes.set_ylabel("PSNR, dB (dotted: worst view)")
    axes.grid(True, which="both", color="#e4e6ea", linewidth=0.6)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, loc="best")


def _line(axes: Axes, points: Points, colour: str, marker: str, label: str) -> None:
    if not points:
        return  # or its name would stand in the legend
    kilobytes, decibels = [point.bytes / 1000 for point in points], [point.psnr for point in points]
    axes.plot(kilobytes, decibels, color=colour, marker=marker, markersize=5, linewidth=1.6, label=label)
    worst = [(point.bytes / 1000, min(point.psnr_views)) for point in points if point.psnr_views]
    if worst:
        axes.plot(*zip(*worst, strict=True), color=colour, marker=marker, markersize=2.5, linewidth=1, linestyle=":")


def _rising(curve: Curve) -> list[tuple[float, float]]:
    """dB and log bytes, by dB; of several files with the same PSNR the smallest, since a fit needs one."""
    smallest: dict[float, float] = {}
    for size, decibels in curve:
        smallest[decibels] = min(size, smallest.get(decibels, size))
    return [(decibels, float(np.log(size))) for decibels, size in sorted(smallest.items())]


def _drop_at(points: Points, decibels: float) -> float | None:
    """The worst view's distance under the mean at that PSNR, between the measured points; None outside them."""
    known = sorted((point.psnr, point.drop) for point in points if point.drop is not None)
    if not known or not known[0][0] <= decibels <= known[-1][0]:
        return None
    return float(np.interp(decibels, *np.array(known).T))


def _rate_row(scene: str, preset: str, ours: Points, theirs: Points) -> tuple[str, ...]:
    rate = bd_rate(*([(point.bytes, point.psnr) for point in points] for points in (ours, theirs)))
    judged = [point for point in ours if point.drop is not None]
    worst = max(judged, key=lambda point: point.drop or 0, default=None)
    low, high = (f"{extreme(point.psnr for point in ours):.1f}" for extreme in (min, max))
    return (
        scene,
        preset,
        str(len(ours)),
        f"{low} dB" if low == high else f"{low} to {high} dB",
        "-" if rate is None else f"{rate:+.0f} %",
        _shown(worst.drop if worst else None, ".1f", " dB"),
        _shown(_drop_at(theirs, worst.psnr) if worst else None, ".1f", " dB"),
    )


def _cells(point: Point) -> tuple[str, ...]:
    worst = None if point.psnr_views is None else min(point.psnr_views)
    return (
        f"{point.bytes / 1000:.0f} KB",
        f"{point.psnr:.2f} dB",
        _shown(worst, ".2f", " dB"),
        _shown(point.ssim, ".4f", ""),
        _shown(point.seconds, ".1f", " s"),
        _shown(point.decode_seconds, ".1f", " s"),
    )


def _shown(value: float | None, form: str, unit: str) -> str:
    return "-" if value is None else f"{value:{form}}{unit}"


def _point_of_result(result: Mapping[str, Any]) -> Point:
    views = result.get("psnr_views")  # results of earlier versions have only the mean
    seconds, decode = result["seconds"], result["decode_seconds"]
    return Point(result["bytes"], result["psnr"], _views(views), seconds, decode, result["ssim"])


def _point_of_peer(point: PeerPoint) -> Point:
    psnr = np.inf if point.psnr is None else point.psnr
    return Point(point.bytes, psnr, _views(point.psnr_views), point.encode_seconds, point.decode_seconds, point.ssim)


def _views(views: Sequence[float | None] | None) -> tuple[float, ...] | None:
    """dB; null in a JSON stands for identical pictures."""
    return None if views is None else tuple(np.inf if view is None else view for view in views)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = (header, ("---",) * len(header), *rows)
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


if __name__ == "__main__":
    main()
