"""`kilofield compare`: how alike two scenes look, and what they weigh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from commands.arguments import output_file, parse_background, parse_size
from commands.console import Screen, progress
from commands.options import Reading
from commands.reading import load_told
from commands.views import default_cameras, picture_names, seen_from
from renderer.metrics import (
    MeanScore,
    ViewScore,
    decibels,
    json_number,
    mean_score,
    mean_squared_error,
    object_error,
    objectless,
    ssim,
)
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.extent import scene_extent
from scenes.naming import scene_name
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from renderer.report import ReportView
    from scenes.gaussians import Floats
    from scenes.load import SceneFile

Metric = Callable[["Floats", "Floats"], float]


def run(
    a: Path,
    b: Path,
    reading: Reading,
    cameras: Path | None,
    size: str,
    background: str,
    near: float | None,
    report: Path | None,
    screen: Screen,
) -> None:
    """Render both scenes through the same cameras, print PSNR and SSIM, and write the report if one is asked for."""
    pixels, colour = parse_size(size), parse_background(background)
    if report is not None:
        output_file(report, screen.force, ".html", [a, b])
    import skimage  # noqa: F401 - missing, it is said now and not after the first picture

    from scenes.camera_files import read_cameras

    how = reading.options
    files = load_told(a, how), load_told(b, how)
    views = read_cameras(cameras) if cameras is not None else default_cameras(files[0].gaussians, pixels)
    views = seen_from(views, near, scene_extent(files[0].gaussians))
    lpips = _lpips(screen)

    scores: list[ViewScore] = []
    pictures: list[ReportView] = []
    with progress("compare", screen.quiet) as step:
        for name, picture_a, picture_b, alpha in _pictures(files, views, pixels, colour):
            scores.append(_score(name, picture_a, picture_b, alpha, lpips))
            if report is not None:
                pictures.append(_report_view(scores[-1], picture_a, picture_b))
            step(len(scores) / len(views), name)
    _print(files, scores, screen)
    screen.figures(figures(files, scores, pixels, colour))
    if report is not None:
        _write_report(report, files, pictures, pixels, colour)
        screen.line(f"{report}: the report, {readable_bytes(report.stat().st_size)}")


def figures(
    files: tuple[SceneFile, SceneFile],
    scores: list[ViewScore],
    size: tuple[int, int],
    background: tuple[float, float, float],
) -> dict[str, object]:
    """What --json writes; PSNR is null for identical pictures, LPIPS is null without its weights.

    `object_psnr` is null for an identical object too, and where `shows_object` is false or `object_views` 0.
    """
    mean = asdict(mean_score(scores))
    return {
        "a": _side(files[0]),
        "b": _side(files[1]),
        "size": size,
        "background": background,
        "mean": {name: json_number(value) for name, value in mean.items()},
        "cameras": [_view_figures(score) for score in scores],
    }


def _view_figures(score: ViewScore) -> dict[str, object]:
    return {
        "name": score.name,
        "psnr": json_number(score.psnr),
        "object_psnr": json_number(score.object_psnr),
        "shows_object": score.object_error is not None,
        "ssim": score.ssim,
        "lpips": score.lpips,
    }


def _pictures(
    files: tuple[SceneFile, SceneFile],
    cameras: list[Camera],
    size: tuple[int, int],
    background: tuple[float, float, float],
) -> Iterator[tuple[str, Floats, Floats, Floats]]:
    """For each camera its name, the two pictures [H, W, 3] clipped to [0, 1] as a screen would, A's alpha [H, W]."""
    from renderer.accumulation import composed
    from renderer.context import create_context
    from renderer.gaussian_renderer import GaussianRenderer
    from renderer.settings import RenderSettings

    context = create_context()
    settings = RenderSettings(background=background)
    renderers = []
    for file in files:
        renderers.append(GaussianRenderer(context))
        renderers[-1].load(file.scene)
    for name, camera in zip(picture_names(cameras), cameras, strict=True):
        layers_a, layers_b = (r.render_rgba(camera, *size, settings) for r in renderers)
        picture_a, picture_b = (np.clip(composed(layers, settings), 0, 1) for layers in (layers_a, layers_b))
        yield name, picture_a, picture_b, layers_a[..., 3]


def _score(name: str, a: Floats, b: Floats, alpha: Floats, lpips: Metric | None) -> ViewScore:
    distance = lpips(a, b) if lpips else None
    return ViewScore(name, mean_squared_error(a, b), ssim(a, b), distance, object_error(a, b, alpha))


def _lpips(screen: Screen) -> Metric | None:
    from fitting.perceptual import lpips_metric

    try:
        return lpips_metric()
    except KilofieldError as error:
        screen.line(f"no LPIPS: {error}")
        return None


def _report_view(score: ViewScore, a: Floats, b: Floats) -> ReportView:
    from renderer.report import report_view

    return report_view(score, a, b)


def _write_report(
    path: Path,
    files: tuple[SceneFile, SceneFile],
    views: list[ReportView],
    size: tuple[int, int],
    background: tuple[float, float, float],
) -> None:
    from renderer.report import Comparison, Side, write_report

    a, b = (Side(scene_name(f.path), f.format, len(f.scene), f.bytes) for f in files)
    note = (
        "Made by kilofield compare. PSNR against a peak of 1, object PSNR over the pixels where A's alpha is at least "
        "1/255; SSIM with Gaussian weights, sigma 1.5 pixels."
    )
    write_report(path, Comparison(a, b, size, background, views, note))


def _print(files: tuple[SceneFile, SceneFile], scores: list[ViewScore], screen: Screen) -> None:
    mean = mean_score(scores)
    columns = ["camera", "PSNR dB", "object PSNR dB", "SSIM", "LPIPS"]
    rows = [[s.name, *_cells(s)] for s in scores]
    shown = len(columns) if mean.lpips is not None else len(columns) - 1
    title = f"{scene_name(files[0].path)} against {scene_name(files[1].path)}"
    screen.table(title, columns[:shown], [row[:shown] for row in rows], ["mean", *_cells(mean)][:shown])
    screen.line(f"PSNR of the mean error {decibels(mean.psnr_of_mean_error)} dB")
    if missing := objectless(mean, len(scores)):
        screen.line(missing)
    a, b = files
    screen.line(f"{readable_bytes(a.bytes)} against {readable_bytes(b.bytes)}: {a.bytes / b.bytes:.3g}x")


def _cells(score: ViewScore | MeanScore) -> list[str]:
    lpips = "" if score.lpips is None else f"{score.lpips:.4f}"
    return [decibels(score.psnr), decibels(score.object_psnr), f"{score.ssim:.4f}", lpips]


def _side(file: SceneFile) -> dict[str, object]:
    return {"path": str(file.path), "format": file.format, "gaussians": len(file.scene), "bytes": file.bytes}
