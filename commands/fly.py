"""`kilofield fly`: a flight through one scene or several as frames or videos, with what each frame took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.arguments import at_least, output_file, output_folder, parse_background, parse_size
from commands.console import Screen, progress
from commands.fly_table import print_flight
from commands.opened import Opened, check_together, extent_of, facts_of, name_of, open_for_pictures, scene_of
from commands.options import Reading
from commands.process import began, peak_memory
from commands.render_scene import PathOptions, check_no_paths
from commands.scene_settings import Look, check_stage_options, check_view, settings_of
from commands.views import seen_from
from scenes.detect import is_scene_name
from scenes.errors import KilofieldError

if TYPE_CHECKING:
    from renderer.fly_report import FlyReport
    from renderer.flythrough import Flythrough
    from scenes.cameras import Camera
    from scenes.content import ReadOptions
    from scenes.extent import Extent

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
    view: str = "colour"
    pipeline: str = "auto"
    residency: str = "decoded"
    plot: Path | None = None  # PNG of the frame times
    samples: int = 1  # rays a pixel, of surfaces
    spp: int | None = None  # paths a pixel, of scene files
    denoise: bool = False
    together: bool = False  # two files in one picture

    @property
    def look(self) -> Look:
        """How things look."""
        return Look(self.view, self.samples, parse_background(self.background), self.spp, self.denoise)


def run(sources: Sequence[Path], reading: Reading, flight: Flight, out: Path | None, screen: Screen) -> None:
    """Fly through all `sources` in turn, or together, into `out` if there is one; print how long the frames took."""
    size, how = _check(sources, flight, screen.force), reading.options
    scenes = [list(sources)] if flight.together else [[source] for source in sources]
    file, read_ms = _read(scenes[0], how)
    cameras = path_cameras(flight, extent_of(file), size)
    look = settings_of(file, flight.look, cameras)
    from renderer.flythrough import flythrough

    with flythrough(size, look, flight.pipeline, flight.residency, began()) as device:
        _load(device, file, cameras, read_ms, flight)
        files = [file]
        for scene in scenes[1:]:
            file, read_ms = _read(scene, how)
            _load(device, file, cameras, read_ms, flight)
            files.append(file)
        outs = output_paths(out, [scene[0] for scene in scenes])
        _check_outputs(out, outs, screen.force)
        with progress(f"fly {', '.join(source.name for source in sources)}", screen.quiet) as step:
            reports = device.fly(
                cameras,
                outs,
                flight.warmup,
                flight.fps,
                lambda done, all_: step(done / all_, f"frame {done} of {all_}"),
            )
    print_flight(reports, size, device.device, screen)
    if flight.plot:
        _plot(flight.plot, reports, size, str(device.device["renderer"]))
    facts = [facts_of(file) | report.as_dict() for file, report in zip(files, reports, strict=True)]
    screen.figures(_common(flight, size, device.device) | {"scenes": facts})


def _load(device: Flythrough, file: Opened, cameras: Sequence[Camera], read_ms: float, flight: Flight) -> None:
    look = settings_of(file, flight.look, cameras)
    device.load(name_of(file), scene_of(file), cameras[0], read_ms, look)


def _check(sources: Sequence[Path], flight: Flight, force: bool) -> tuple[int, int]:
    """(width, height) of the frames, once every option is known to be one; nothing is written."""
    from renderer.gaussian_renderer import PIPELINES, RESIDENCIES

    size = parse_size(flight.size)
    parse_background(flight.background)
    at_least("--frames", flight.frames, 1)
    at_least("--warmup", flight.warmup, 0)
    if not FPS[0] <= flight.fps <= FPS[1]:
        raise KilofieldError(f"--fps: expected {FPS[0]:g} to {FPS[1]:g}, found {flight.fps:g}")
    check_view(flight.view, flight.samples)
    _check_kinds(sources, flight)
    for option, choices in (("pipeline", PIPELINES), ("residency", RESIDENCIES)):
        if getattr(flight, option) not in choices:
            raise KilofieldError(f"--{option}: expected one of {', '.join(choices)}, found {getattr(flight, option)}")
    if flight.plot:
        from renderer.fly_plot import check_plotting

        check_plotting()
        output_file(flight.plot, force, ".png")
    return size


def _check_kinds(sources: Sequence[Path], flight: Flight) -> None:
    """Raises `KilofieldError` for files that do not go together, and for options that mean nothing to them."""
    if flight.together:
        check_together(sources)
    scenes = [source for source in sources if is_scene_name(source)]
    others = [source for source in sources if not is_scene_name(source)]
    if scenes and others:
        raise KilofieldError(
            f"fly: expected scene files alone, or none, to compare; found the scene file {scenes[0]} beside {others[0]}"
        )
    if scenes:
        check_stage_options(scenes[0], flight.look)
    else:
        check_no_paths(sources[0], PathOptions(flight.spp, denoise=flight.denoise))


def _read(sources: Sequence[Path], options: ReadOptions) -> tuple[Opened, float]:
    """The scene of a file, or of two, and the milliseconds reading it took."""
    start = time.perf_counter()
    return open_for_pictures(sources, options), 1e3 * (time.perf_counter() - start)


def path_cameras(flight: Flight, extent: Extent, size: tuple[int, int]) -> list[Camera]:
    """The cameras of a preset around the scene, or along a path file."""
    from renderer.camera_paths import PRESETS, preset_path, read_path

    if flight.path in PRESETS:
        cameras = preset_path(flight.path, extent, flight.frames, size[0] / size[1])
        return seen_from(cameras, flight.near, extent)
    if not Path(flight.path).exists():
        presets = ", ".join(PRESETS)
        raise KilofieldError(f"--path: expected {presets} or a path file, found nothing at {flight.path!r}")
    near = extent.near if flight.near is None else flight.near
    return seen_from(read_path(flight.path, flight.frames), near, extent)


def output_paths(out: Path | None, sources: Sequence[Path]) -> list[Path | None]:
    """Where each of the `sources` goes: `out` itself if it is alone, else a folder of its own in it, or a video beside.

    Files are told apart by their names without suffix, where those are the same with it, and at last by a number.
    """
    if out is None or len(sources) == 1:
        return [out] * len(sources)
    names = [source.name.partition(".")[0] or source.name for source in sources]
    if len(set(names)) < len(names):
        names = [source.name.replace(".", "-") for source in sources]
    names = [f"{name}-{names[:i].count(name) + 1}" if names.count(name) > 1 else name for i, name in enumerate(names)]
    if out.suffix.lower() == ".mp4":
        return [out.with_name(f"{out.stem}-{name}{out.suffix}") for name in names]
    return [out / name for name in names]


def _check_outputs(out: Path | None, outs: Sequence[Path | None], force: bool) -> None:
    for path in outs:
        if path is not None and out is not None:
            if out.suffix.lower() in OTHER_VIDEOS:
                raise KilofieldError(f"{out}: expected a folder or a video named *.mp4")
            _check_output(path, force)


def _check_output(out: Path, force: bool) -> None:
    from renderer.flythrough import sheet_path

    sheet = sheet_path(out)
    if out.suffix.lower() != ".mp4":
        output_folder(out, force, [*sorted(frame.name for frame in out.glob("frame-*.png")), sheet.name])
        return
    import av  # noqa: F401 - missing, it is said now and not after the first frame

    output_file(out, force, ".mp4")
    output_file(sheet, force, ".png")


def _plot(path: Path, reports: Sequence[FlyReport], size: tuple[int, int], device: str) -> None:
    from renderer.fly_plot import plot_frames

    plot_frames(path, reports, f"milliseconds a frame, {size[0]}x{size[1]}, {device}")


def _common(flight: Flight, size: tuple[int, int], device: dict[str, Any]) -> dict[str, Any]:
    """What all scenes of a flight share."""
    return {
        "path": flight.path,
        "size": list(size),
        "frames": flight.frames,
        "warmup": flight.warmup,
        "fps": flight.fps,
        "view": flight.view,
        "device": device,
        "peak_memory": peak_memory(),
    }
