"""The demonstration: a scene made here is compressed, compared with itself and filmed.

sample scene -> still-life.ply -> still-life.kilo -> figures, contact-sheet.png, flythrough.mp4
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from commands.arguments import output_folder
from commands.console import Screen, progress, readable_time
from renderer.metrics import MeanScore, ViewScore, decibels, json_number, mean_score, mean_squared_error, ssim
from scenes.cameras import Camera, look_at
from scenes.extent import Extent, scene_extent
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from fitting.neuralgs.options import CompressResult
    from renderer.contact_sheet import SheetRow
    from scenes.load import SceneFile

SOURCE, COMPRESSED, FILM, SHEET, FIGURES = (
    "still-life.ply",
    "still-life.kilo",
    "flythrough.mp4",
    "contact-sheet.png",
    "demo.json",
)
FIELD_OF_VIEW = np.radians(42.0)  # vertical
VIEWS = ((-75, 24, 2.0), (20, 16, 1.9), (130, 35, 2.1), (215, 22, 1.5))  # azimuth, elevation (degrees), radii away


@dataclass(frozen=True)
class Sizes:
    """How much of everything; chosen for at most five minutes on two cores."""

    gaussians: int
    width: int
    height: int
    frames: int
    patience: str


FULL = Sizes(gaussians=60_000, width=640, height=360, frames=120, patience="two to three minutes")
QUICK = Sizes(gaussians=12_000, width=320, height=180, frames=48, patience="about half a minute")


def run_demo(out: Path, quick: bool = False, quiet: bool = False) -> None:
    """Make everything in the folder `out`, replacing what an earlier demo left there and nothing else.

    Opens the viewer at the end where there is a display and somebody at the terminal.
    """
    from fitting.neuralgs.compress import compress
    from fitting.neuralgs.options import CompressOptions
    from scenes.load import load_scene
    from scenes.ply import write_ply
    from scenes.procedural import sample_scene

    sizes, screen = QUICK if quick else FULL, Screen(quiet, force=True)
    output_folder(out, True, ())
    source, target = out / SOURCE, out / COMPRESSED
    screen.line(f"1/4  a sample scene of {sizes.gaussians:,} Gaussians: {source}")
    write_ply(source, sample_scene(sizes.gaussians))

    options = CompressOptions(preset="draft", quality="high")
    screen.line(f"2/4  compressing it, {sizes.patience} on two cores: {target}")
    with progress("compress", quiet) as step:
        result = compress(source, target, options, lambda now: step(now.done, now.detail or now.stage))

    screen.line(f"3/4  looking at both: {out / SHEET}")
    files = load_scene(source), load_scene(target)
    scores = _compare(files, sizes, out / SHEET)

    screen.line(f"4/4  flying through the compressed one, {sizes.frames} frames: {out / FILM}")
    _film(target, sizes, out / FILM, quiet)
    _report(files, result, scores, out, quiet)
    _look(source, target, screen)


def demo_cameras(extent: Extent) -> list[Camera]:
    """The four views of the contact sheet, around a scene whose up axis is -y."""
    cameras = []
    for azimuth, elevation, distance in VIEWS:
        a, e = np.radians(azimuth), np.radians(elevation)
        away = np.array([np.cos(e) * np.cos(a), -np.sin(e), np.cos(e) * np.sin(a)])
        eye = extent.centre + distance * extent.radius * away
        cameras.append(look_at(eye, extent.centre, extent.up, float(FIELD_OF_VIEW), f"{azimuth} degrees"))
    return cameras


def _compare(files: tuple[SceneFile, SceneFile], sizes: Sizes, sheet: Path) -> MeanScore:
    """Render both scenes, write the contact sheet, and say how alike they are."""
    from renderer.contact_sheet import contact_sheet
    from renderer.images import write_png

    rows = _rows(files, sizes)
    write_png(sheet, contact_sheet([row for row, _ in rows]))
    return mean_score(score for _, score in rows)


def _rows(files: tuple[SceneFile, SceneFile], sizes: Sizes) -> list[tuple[SheetRow, ViewScore]]:
    from renderer.contact_sheet import GAIN, SheetRow
    from renderer.context import create_context
    from renderer.gaussian_renderer import GaussianRenderer

    context = create_context()
    renderers = [GaussianRenderer(context) for _ in files]
    for renderer, file in zip(renderers, files, strict=True):
        renderer.load(file.scene)
    rows = []
    for camera in demo_cameras(scene_extent(files[0].gaussians)):
        a, b = (np.clip(r.render(camera, sizes.width, sizes.height), 0, 1) for r in renderers)
        score = ViewScore(camera.name, mean_squared_error(a, b), ssim(a, b))
        captions = (
            f"original, {readable_bytes(files[0].bytes)}",
            f"compressed, {readable_bytes(files[1].bytes)}: {decibels(score.psnr)} dB",
            f"difference x {GAIN:g}",
        )
        rows.append((SheetRow(a, b, captions), score))
    return rows


def _film(scene: Path, sizes: Sizes, film: Path, quiet: bool) -> None:
    from commands.fly import Flight, run
    from commands.options import Reading

    flight = Flight("orbit", f"{sizes.width}x{sizes.height}", sizes.frames, 1, 30.0, "black", near=None)
    run([scene], Reading(), flight, film, Screen(quiet, force=True))


def _report(
    files: tuple[SceneFile, SceneFile], result: CompressResult, score: MeanScore, out: Path, quiet: bool
) -> None:
    """Print the table, and write the same figures as JSON."""
    screen = Screen(quiet, out / FIGURES, True)
    before, after = files
    row = [COMPRESSED, readable_bytes(after.bytes), f"{before.bytes / after.bytes:.1f}x", f"{len(after.scene):,}"]
    row += [decibels(score.psnr), f"{score.ssim:.4f}", readable_time(result.seconds)]
    original = [SOURCE, readable_bytes(before.bytes), "1x", f"{len(before.scene):,}", "-", "-", "-"]
    columns = ["file", "bytes", "ratio", "Gaussians", "PSNR dB", "SSIM", "compressed in"]
    screen.table("What came of it", columns, [original, row], ())
    mean = {"psnr": json_number(score.psnr), "ssim": score.ssim, "views": len(VIEWS)}
    screen.figures(result.as_dict() | {"contact_sheet": mean})


def _look(source: Path, target: Path, screen: Screen) -> None:
    """Say what to try next; open the viewer where somebody can see it."""
    screen.line(
        f"Look at {target.parent / SHEET} and {target.parent / FILM}. What to try next:\n"
        f"  kilofield view {source} {target}\n"
        f"  kilofield compare {source} {target} --report {target.parent / 'compare.html'}\n"
        f"  kilofield compress {source} better.kilo        (preset balanced: slower, closer to the original)\n"
        "  kilofield compress YOUR.ply YOUR.kilo\n"
        "The command is .venv/bin/kilofield; `source .venv/bin/activate` puts it on the path."
    )
    if has_display() and sys.stdout.isatty():
        open_viewer([source, target])


def open_viewer(files: list[Path]) -> None:
    """Show `files` in a window, and come back when it is closed.

    In a process of its own: the pictures above came from an OpenGL context without a window, and some drivers cannot
    have both kinds in one process.
    """
    subprocess.run([sys.executable, "-m", "viewer", *map(str, files)], check=False)


def has_display() -> bool:
    """Whether a window can be opened."""
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
