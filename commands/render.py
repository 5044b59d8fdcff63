"""`kilofield render`: one picture a camera."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from commands.arguments import output_folder, parse_background, parse_size
from commands.console import Screen, note_dropped, progress, readable_time
from commands.scene_settings import check_view, content_of, settings_of
from commands.views import picture_names, seen_from
from scenes.errors import KilofieldError

if TYPE_CHECKING:
    from renderer.settings import RenderSettings
    from renderer.surface_settings import SurfaceSettings
    from scenes.cameras import Camera
    from scenes.gaussians import Floats
    from scenes.load import SceneFile
    from scenes.open_scene import SurfaceFile


@dataclass(frozen=True)
class Pictures:
    """The options of the command line, as typed."""

    cameras: Path | None
    size: str
    background: str
    near: float | None  # world units; None leaves it to the cameras
    view: str = "colour"
    samples: int = 1  # rays a pixel, of surfaces


def run(
    source: Path, wanted: Pictures, out: Path, screen: Screen, *, spp: int | None = None, seed: int | None = None
) -> None:
    """Write a PNG into `out` for each of the `cameras`, named after it; `spp` and `seed` are for scene files alone."""
    for option, value in (("--spp", spp), ("--seed", seed)):
        if value is not None:
            raise KilofieldError(f"{option}: expected a scene file (.json), found {source}")
    if wanted.cameras is None:
        raise KilofieldError(f"--cameras: expected a file of cameras for {source}, found none")
    (width, height), colour = parse_size(wanted.size), parse_background(wanted.background)
    check_view(wanted.view, wanted.samples)
    from renderer.images import write_png
    from scenes.camera_files import read_cameras
    from scenes.open_scene import SurfaceFile, open_scene

    file, views = open_scene(source), read_cameras(wanted.cameras)
    views = seen_from(views, wanted.near, content_of(file))
    if not isinstance(file, SurfaceFile):
        note_dropped(source, file.dropped, len(file.scene))
    settings = settings_of(file, wanted.view, wanted.samples, colour, views)
    names = [f"{name}.png" for name in picture_names(views)]
    output_folder(out, screen.force, names)
    draw = _drawer(file, settings)
    seconds = []
    with progress(f"render {source.name}", screen.quiet) as step:
        for name, camera in zip(names, views, strict=True):
            start = time.perf_counter()
            picture = draw(camera, width, height)
            seconds.append(time.perf_counter() - start)
            write_png(out / name, picture)
            step(len(seconds) / len(views), name)
    screen.line(f"{out}: {len(names)} pictures of {width}x{height}, {readable_time(sum(seconds))} of rendering")
    pictures = [{"path": str(out / name), "seconds": s} for name, s in zip(names, seconds, strict=True)]
    figures = {"source": str(source), "size": [width, height], "background": colour, "view": wanted.view}
    screen.figures(figures | {"pictures": pictures})


def _drawer(
    file: SceneFile | SurfaceFile, settings: RenderSettings | SurfaceSettings
) -> Callable[[Camera, int, int], Floats]:
    """What draws the scene of `file` through a camera at a width and a height."""
    from renderer.context import create_context
    from renderer.gaussian_renderer import GaussianRenderer
    from renderer.surface_renderer import SurfaceRenderer
    from renderer.surface_settings import SurfaceSettings
    from scenes.open_scene import SurfaceFile

    context = create_context()
    if isinstance(file, SurfaceFile) and isinstance(settings, SurfaceSettings):
        surface, how = SurfaceRenderer(context, file.surface), settings
        return lambda camera, width, height: surface.render(camera, width, height, how)
    assert not isinstance(file, SurfaceFile)  # their settings are of the same kind
    assert not isinstance(settings, SurfaceSettings)
    gaussians, look = GaussianRenderer(context), settings
    gaussians.load(file.scene)
    return lambda camera, width, height: gaussians.render(camera, width, height, look)
