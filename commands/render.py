"""`kilofield render`: one picture a camera."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from commands.arguments import output_folder, parse_background, parse_size
from commands.console import Screen, progress, readable_time
from commands.opened import Opened, PairFile, check_together, extent_of, name_of, open_for_pictures
from commands.options import Reading
from commands.render_scene import PathOptions, check_no_paths, trace
from commands.scene_settings import Look, check_view, settings_of
from commands.views import picture_names, seen_from
from scenes.detect import is_scene_name
from scenes.errors import KilofieldError
from scenes.load import SceneFile
from scenes.open_scene import SurfaceFile

if TYPE_CHECKING:
    import moderngl

    from renderer.fly_scenes import AnySettings
    from renderer.gaussian_renderer import GaussianRenderer
    from scenes.cameras import Camera
    from scenes.gaussians import Floats


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
    sources: Sequence[Path],
    together: bool,
    reading: Reading,
    wanted: Pictures,
    paths: PathOptions,
    out: Path,
    screen: Screen,
) -> None:
    """Write a PNG into `out` for each of the `cameras`, named after it; of a scene file its one picture."""
    if together:
        check_together(sources)
    elif len(sources) != 1:
        raise KilofieldError(f"render: expected one file, or two with --together, found {len(sources)}")
    if is_scene_name(sources[0]):
        trace(sources[0], reading, wanted, paths, out, screen)
    else:
        check_no_paths(sources[0], paths)
        _render(sources, reading, wanted, out, screen)


def _render(sources: Sequence[Path], reading: Reading, wanted: Pictures, out: Path, screen: Screen) -> None:
    if wanted.cameras is None:
        raise KilofieldError(f"--cameras: expected a file of cameras for {sources[0]}, found none")
    (width, height), colour = parse_size(wanted.size), parse_background(wanted.background)
    check_view(wanted.view, wanted.samples)
    from renderer.images import write_png
    from scenes.camera_files import read_cameras

    file, views = open_for_pictures(sources, reading.options), read_cameras(wanted.cameras)
    views = seen_from(views, wanted.near, extent_of(file))
    settings = settings_of(file, Look(wanted.view, wanted.samples, colour), views)
    names = [f"{name}.png" for name in picture_names(views)]
    output_folder(out, screen.force, names)
    draw = _drawer(file, settings)
    seconds = []
    with progress(f"render {name_of(file)}", screen.quiet) as step:
        for name, camera in zip(names, views, strict=True):
            start = time.perf_counter()
            picture = draw(camera, width, height)
            seconds.append(time.perf_counter() - start)
            write_png(out / name, picture)
            step(len(seconds) / len(views), name)
    screen.line(f"{out}: {len(names)} pictures of {width}x{height}, {readable_time(sum(seconds))} of rendering")
    pictures = [{"path": str(out / name), "seconds": s} for name, s in zip(names, seconds, strict=True)]
    figures = {
        "source": " + ".join(map(str, sources)),
        "size": [width, height],
        "background": colour,
        "view": wanted.view,
    }
    screen.figures(figures | {"pictures": pictures})


def _drawer(file: Opened, settings: AnySettings) -> Callable[[Camera, int, int], Floats]:
    """What draws the scene of `file`, which is no scene file, through a camera at a width and a height."""
    from renderer.context import create_context
    from renderer.fly_scenes import all_settings
    from renderer.surface_renderer import SurfaceRenderer
    from renderer.together import TogetherRenderer

    context, how = create_context(), all_settings(settings)
    if isinstance(file, PairFile):
        both = TogetherRenderer(_gaussians(context, file.gaussians), SurfaceRenderer(context, file.surface.surface))
        return lambda camera, width, height: both.render(camera, width, height, how)
    if isinstance(file, SurfaceFile):
        surface = SurfaceRenderer(context, file.surface)
        return lambda camera, width, height: surface.render(camera, width, height, how.surface)
    assert isinstance(file, SceneFile)  # it is no scene file
    gaussians = _gaussians(context, file)
    return lambda camera, width, height: gaussians.render(camera, width, height, how.gaussians)


def _gaussians(context: moderngl.Context, file: SceneFile) -> GaussianRenderer:
    from renderer.gaussian_renderer import GaussianRenderer

    renderer = GaussianRenderer(context)
    renderer.load(file.scene)
    return renderer
