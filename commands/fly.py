"""`kilofield fly`: a flight through a scene as frames or a video, with what each frame took."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from commands.arguments import at_least, output_file, output_folder, parse_background, parse_size
from commands.console import Screen, note_dropped, progress
from commands.views import seen_from
from scenes.errors import KilofieldError
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from renderer.flythrough import FlyReport
    from scenes.cameras import Camera
    from scenes.gaussians import Gaussians

FPS = (0.1, 1000.0)  # what a video can say
OTHER_VIDEOS = (".avi", ".gif", ".mkv", ".mov", ".webm")


@dataclass(frozen=True)
class Flight:
    """The options of the command line, as typed."""

    path: str  # a preset or a file
    size: str
    frames: int
    warmup: int
    fps: float
    background: str
    near: float | None  # world units; None leaves it to the scene


def run(source: Path, flight: Flight, out: Path, screen: Screen) -> None:
    """Render the flight into `out`, and print how long the frames took."""
    size, colour = parse_size(flight.size), parse_background(flight.background)
    at_least("--frames", flight.frames, 1)
    at_least("--warmup", flight.warmup, 0)
    if not FPS[0] <= flight.fps <= FPS[1]:
        raise KilofieldError(f"--fps: expected {FPS[0]:g} to {FPS[1]:g}, found {flight.fps:g}")
    from renderer.flythrough import fly
    from renderer.settings import RenderSettings
    from scenes.load import load_scene

    file = load_scene(source)
    note_dropped(source, file.dropped, len(file.scene))
    cameras = path_cameras(flight, file.gaussians, size)
    _check_output(out, screen.force)
    with progress(f"fly {source.name}", screen.quiet) as step:
        report = fly(
            file.scene,
            cameras,
            size,
            out,
            flight.warmup,
            flight.fps,
            RenderSettings(background=colour),
            lambda done, frames: step(done / frames, f"frame {done} of {frames}"),
        )
    _print(report, screen)
    screen.figures({"source": str(source), "path": flight.path, "fps": flight.fps, **report.as_dict()})


def path_cameras(flight: Flight, gaussians: Gaussians, size: tuple[int, int]) -> list[Camera]:
    """The cameras of a preset around the scene, or along a path file."""
    from renderer.camera_paths import PRESETS, preset_path, read_path
    from scenes.extent import scene_extent

    extent = scene_extent(gaussians)
    if flight.path in PRESETS:
        cameras = preset_path(flight.path, extent, flight.frames, size[0] / size[1])
        return seen_from(cameras, flight.near, gaussians)
    if not Path(flight.path).exists():
        presets = ", ".join(PRESETS)
        raise KilofieldError(f"--path: expected {presets} or a path file, found nothing at {flight.path!r}")
    near = extent.near if flight.near is None else flight.near
    return seen_from(read_path(flight.path, flight.frames), near, gaussians)


def _check_output(out: Path, force: bool) -> None:
    from renderer.flythrough import sheet_path

    if out.suffix.lower() in OTHER_VIDEOS:
        raise KilofieldError(f"{out}: expected a folder or a video named *.mp4")
    sheet = sheet_path(out)
    if out.suffix.lower() != ".mp4":
        output_folder(out, force, [*sorted(frame.name for frame in out.glob("frame-*.png")), sheet.name])
        return
    import av  # noqa: F401 - missing, it is said now and not after the first frame

    output_file(out, force, ".mp4")
    output_file(sheet, force, ".png")


def _print(report: FlyReport, screen: Screen) -> None:
    total = report.summary()["total"]
    width, height = report.size
    screen.facts(
        report.out,
        {
            "frames": f"{len(report.frames)} of {width}x{height}, a sheet of some in {report.sheet}",
            "scene": f"{report.gaussians:,} Gaussians, {readable_bytes(report.video_memory)} of video memory, "
            f"{report.load_ms:.0f} ms to load",
            "device": f"{report.device['renderer']}{' (software)' if report.device['software'] else ''}",
            "first frame": f"{report.first_frame_ms:.1f} ms",
            "a frame": f"mean {total['mean']:.1f} ms, median {total['median']:.1f}, p95 {total['p95']:.1f}, "
            f"p99 {total['p99']:.1f}: {1000 / total['mean']:.1f} frames a second",
        },
    )
