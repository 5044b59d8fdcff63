"""`kilofield render`: one picture a camera."""

from __future__ import annotations

import time
from pathlib import Path

from commands.arguments import output_folder, parse_background, parse_size
from commands.console import Screen, note_dropped, progress, readable_time
from commands.views import picture_names, seen_from


def run(source: Path, cameras: Path, size: str, out: Path, background: str, near: float | None, screen: Screen) -> None:
    """Write a PNG into `out` for each of the `cameras`, named after it."""
    (width, height), colour = parse_size(size), parse_background(background)
    from renderer.context import create_context
    from renderer.gaussian_renderer import GaussianRenderer
    from renderer.images import write_png
    from renderer.settings import RenderSettings
    from scenes.camera_files import read_cameras
    from scenes.load import load_scene

    file, views = load_scene(source), read_cameras(cameras)
    views = seen_from(views, near, file.gaussians)
    note_dropped(source, file.dropped, len(file.scene))
    names = [f"{name}.png" for name in picture_names(views)]
    output_folder(out, screen.force, names)
    settings = RenderSettings(background=colour)
    renderer = GaussianRenderer(create_context())
    renderer.load(file.scene)
    seconds = []
    with progress(f"render {source.name}", screen.quiet) as step:
        for name, camera in zip(names, views, strict=True):
            start = time.perf_counter()
            picture = renderer.render(camera, width, height, settings)
            seconds.append(time.perf_counter() - start)
            write_png(out / name, picture)
            step(len(seconds) / len(views), name)
    screen.line(f"{out}: {len(names)} pictures of {width}x{height}, {readable_time(sum(seconds))} of rendering")
    pictures = [{"path": str(out / name), "seconds": s} for name, s in zip(names, seconds, strict=True)]
    screen.figures({"source": str(source), "size": [width, height], "background": colour, "pictures": pictures})
