"""A comparison of two scenes as one HTML file that needs nothing else: facts, plots and pictures inline.

The page is `report_page.html`; its plots are drawn by `report_plots.py`; the figures come from `metrics.py`.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from renderer.metrics import Image, MeanScore, ViewScore, decibels, mean_score, objectless
from scenes.atomic import replacing

MOST_PICTURES = 24  # rows of pictures in one page; beyond, the worst cameras are shown
SMALLEST_SCALE = 8 / 255  # of the difference pictures: rounding to 8 bits must not fill them
MAP = "magma"  # perceptually even, black at zero
BAR = ""  # the title of a column that holds bars


@dataclass(frozen=True)
class Side:
    """One of the two scenes."""

    name: str
    format: str
    gaussians: int
    bytes: int


@dataclass(frozen=True)
class ReportView:
    """One camera's pictures, kept small: as 8 bits, and the two pictures encoded."""

    score: ViewScore
    a: str  # data URI, lossless
    b: str
    difference: NDArray[np.uint8]  # [H, W] the largest channel's absolute difference, 255 for 1


@dataclass(frozen=True)
class Comparison:
    """All that a report shows."""

    a: Side
    b: Side
    size: tuple[int, int]  # pixels: width, height
    background: tuple[float, float, float]
    views: Sequence[ReportView]  # at least one
    note: str = ""  # said at the foot of the page


def report_view(score: ViewScore, a: Image, b: Image) -> ReportView:
    """The pictures [H, W, 3] of one camera, ready for a report."""
    difference = np.abs(np.clip(a, 0, 1) - np.clip(b, 0, 1)).max(axis=2)
    return ReportView(score, data_uri(_levels(a)), data_uri(_levels(b)), _levels(difference))


def data_uri(picture: NDArray[np.uint8]) -> str:
    """An 8-bit RGB picture [H, W, 3] as a lossless WebP in a data URI."""
    buffer = io.BytesIO()
    PillowImage.fromarray(picture).save(buffer, "WEBP", lossless=True, quality=40)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def write_report(path: Path, comparison: Comparison) -> None:
    """Write `comparison` as one self-contained HTML file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(render_page(comparison), encoding="utf-8")


def render_page(comparison: Comparison) -> str:
    """The HTML of a report."""
    from renderer.report_plots import score_plot

    scores = [view.score for view in comparison.views]
    mean = mean_score(scores)
    shown = pictured(comparison.views)
    scale = difference_scale([view.difference for view in shown])
    plots = [
        score_plot([(s.name, s.psnr) for s in scores], "PSNR", "dB"),
        score_plot([(s.name, s.ssim) for s in scores], "SSIM"),
    ]
    names = {"name_a": comparison.a.name, "name_b": comparison.b.name, "first_name": shown[0].score.name}
    return Template(_page()).substitute(
        {key: html.escape(value) for key, value in names.items()},
        title=html.escape(f"{comparison.a.name} against {comparison.b.name}"),
        facts=_facts(comparison),
        tiles=_tiles(comparison, mean),
        sides=_sides(comparison),
        plots="".join(f'<div class="card">{plot}</div>' for plot in plots),
        table=_table(scores, mean),
        table_note=_note(objectless(mean, len(scores))),
        pictures_note=_pictures_note(len(shown), len(scores)),
        gradient=_gradient(),
        scale=f"{scale:.2g}",
        rows="".join(_row(view, scale) for view in shown),
        footer=html.escape(comparison.note),
    )


def pictured(views: Sequence[ReportView]) -> list[ReportView]:
    """The views whose pictures are shown: all, or the worst by PSNR, in their own order."""
    if len(views) <= MOST_PICTURES:
        return list(views)
    worst = sorted(range(len(views)), key=lambda i: views[i].score.psnr)[:MOST_PICTURES]
    return [views[i] for i in sorted(worst)]


def difference_scale(differences: Sequence[NDArray[np.uint8]]) -> float:
    """The difference drawn brightest: one in 500 pixels exceeds it, and it is never under 8 levels."""
    highest = np.quantile(np.concatenate([d.ravel() for d in differences]), 0.998) / 255
    return float(max(highest, SMALLEST_SCALE))


def heat_map(difference: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """[H, W, 3] 8-bit RGB of differences [H, W] (255 for 1), brightest at `scale`."""
    from matplotlib import colormaps

    return colormaps[MAP](np.minimum(difference / (255 * scale), 1.0), bytes=True)[..., :3]


def _levels(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _page() -> str:
    return Path(__file__).with_name("report_page.html").read_text(encoding="utf-8")


def _gradient() -> str:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return ", ".join(to_hex(colormaps[MAP](i / 8)) for i in range(9))


def _facts(comparison: Comparison) -> str:
    width, height = comparison.size
    colour = "#" + "".join(f"{round(255 * c):02x}" for c in comparison.background)
    count = len(comparison.views)
    return f"{count} camera{'s' if count > 1 else ''} at {width} x {height} pixels on a {colour} background"


def _tiles(comparison: Comparison, mean: MeanScore) -> str:
    ratio = comparison.a.bytes / comparison.b.bytes
    tiles = [
        (decibels(mean.psnr), _db(mean.psnr), "mean PSNR"),
        (decibels(mean.object_psnr), _db(mean.object_psnr), "mean PSNR over the object's own pixels"),
        (decibels(mean.psnr_of_mean_error), _db(mean.psnr_of_mean_error), "PSNR of the mean error"),
        (f"{mean.ssim:.4f}", "", "mean SSIM"),
        (f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2g}", "x", "bytes of A over bytes of B"),
    ]
    if mean.lpips is not None:
        tiles.insert(4, (f"{mean.lpips:.4f}", "", "mean LPIPS (AlexNet)"))
    return "".join(
        f'<div class="tile"><div class="value">{value} <span class="unit">{unit}</span></div>'
        f'<div class="what">{what}</div></div>'
        for value, unit, what in tiles
    )


def _db(value: float | None) -> str:
    return "dB" if value is not None and np.isfinite(value) else ""


def _sides(comparison: Comparison) -> str:
    largest = max(comparison.a.bytes, comparison.b.bytes)
    rows = []
    for letter, side in (("a", comparison.a), ("b", comparison.b)):
        share = 100 * side.bytes / largest
        bar = f'<span class="bar" style="width: {share:.3f}%; background: var(--{letter})"></span>'
        cells = [
            f'<b class="{letter}">{letter.upper()}</b> {html.escape(side.name)}',
            html.escape(side.format),
            f"{side.gaussians:,}",
            f"{side.bytes:,}",
            f"{side.bytes / side.gaussians:.2f}",
            bar,
        ]
        rows.append(cells)
    return _html_table(["scene", "format", "Gaussians", "bytes", "bytes a Gaussian", BAR], rows)


def _table(scores: Sequence[ViewScore], mean: MeanScore) -> str:
    columns = ["camera", "PSNR, dB", "object PSNR, dB", "SSIM", "LPIPS"]
    rows = [[html.escape(s.name), *_cells(s)] for s in scores]
    shown = len(columns) if mean.lpips is not None else len(columns) - 1
    return _html_table(columns[:shown], [row[:shown] for row in rows], ["mean", *_cells(mean)][:shown])


def _cells(score: ViewScore | MeanScore) -> list[str]:
    lpips = "" if score.lpips is None else f"{score.lpips:.4f}"
    return [decibels(score.psnr), decibels(score.object_psnr), f"{score.ssim:.4f}", lpips]


def _html_table(columns: Sequence[str], rows: Sequence[Sequence[str]], footer: Sequence[str] = ()) -> str:
    head = "".join("<th class='wide'></th>" if column == BAR else f"<th>{column}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    foot = f"<tfoot><tr>{''.join(f'<td>{cell}</td>' for cell in footer)}</tr></tfoot>" if footer else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table>"


def _note(text: str) -> str:
    return f'<p class="soft">{html.escape(text)}</p>' if text else ""


def _pictures_note(shown: int, count: int) -> str:
    return f"The {shown} cameras with the lowest PSNR of {count}." if shown < count else ""


def _row(view: ReportView, scale: float) -> str:
    score, name = view.score, html.escape(view.score.name)
    lpips = f'<span class="soft">LPIPS {score.lpips:.4f}</span>' if score.lpips is not None else ""
    psnr = f"PSNR {decibels(score.psnr)} {_db(score.psnr)}".strip()
    object_psnr = f"object PSNR {decibels(score.object_psnr)} {_db(score.object_psnr)}".strip()
    pictures = (
        ("A", view.a, ' class="pick"'),
        ("B", view.b, ' class="pick"'),
        ("difference", data_uri(heat_map(view.difference, scale)), ""),
    )
    figures = "".join(
        f'<figure><img{pick} src="{uri}" alt="{what}, {name}"><figcaption>{what}</figcaption></figure>'
        for what, uri, pick in pictures
    )
    head = (
        f"<strong>{name}</strong><span>{psnr}</span><span>{object_psnr}</span><span>SSIM {score.ssim:.4f}</span>{lpips}"
    )
    body = f'<div class="head">{head}</div><div class="row">{figures}</div>'
    return f'<section class="card view" data-name="{name}">{body}</section>'
