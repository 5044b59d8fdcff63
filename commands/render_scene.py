"""`kilofield render` of a scene file: one path-traced picture."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from commands.arguments import at_least, output_file, parse_size
from commands.console import Screen, note, progress, readable_time
from commands.options import Reading
from commands.reading import stage_told
from scenes.errors import KilofieldError

if TYPE_CHECKING:
    from commands.render import Pictures
    from scenes.cameras import Camera
    from scenes.stage import Stage

PICTURES = (".png", ".exr")
SAMPLES = 64


@dataclass(frozen=True)
class PathOptions:
    """The options of the command line that only scene files have, as typed."""

    spp: int | None = None  # paths a pixel
    seed: int | None = None
    denoise: bool = False


def check_no_paths(source: Path, paths: PathOptions) -> None:
    """Raises `KilofieldError` for options that mean nothing to `source`, which is no scene file."""
    for name, default in asdict(PathOptions()).items():
        if getattr(paths, name) != default:
            raise KilofieldError(f"--{name}: expected a scene file (.json), found {source}")


def trace(source: Path, reading: Reading, wanted: Pictures, paths: PathOptions, out: Path, screen: Screen) -> None:
    """Write the picture `out` of the scene file `source`, through its camera."""
    (width, height), samples = parse_size(wanted.size), SAMPLES if paths.spp is None else paths.spp
    at_least("--spp", samples, 1)
    number = at_least("--seed", paths.seed or 0, 0)
    _check_options(source, wanted, out, screen)
    stage = stage_told(source, reading.options)
    camera = stage.scene.view()
    if camera is None:
        raise KilofieldError(f"{source}: camera: expected one to render through, found none")
    start = time.perf_counter()
    device = _draw(stage, camera, (width, height), samples, number, paths.denoise, out, screen, source.name)
    seconds = time.perf_counter() - start
    screen.line(f"{out}: {width}x{height}, {samples} paths a pixel, {readable_time(seconds)} on {device}")
    figures = {"source": str(source), "picture": str(out), "size": [width, height], "spp": samples, "seed": number}
    screen.figures(figures | {"denoise": paths.denoise, "seconds": seconds, "device": device})


def _check_options(source: Path, wanted: Pictures, out: Path, screen: Screen) -> None:
    """Raises `KilofieldError` for options that mean nothing here, and for an output that cannot be."""
    plain = type(wanted)(None, wanted.size, "black", None)
    names = {"cameras": "--cameras", "background": "--background", "near": "--near", "view": "--view"}
    for name, option in (names | {"samples": "--samples"}).items():
        if getattr(wanted, name) != getattr(plain, name):
            hint = "--spp sets the paths a pixel" if name == "samples" else "the scene file says it"
            raise KilofieldError(f"{option}: expected none for the scene file {source}: {hint}")
    if out.suffix.lower() not in PICTURES:
        raise KilofieldError(f"{out}: expected an output named *.png or *.exr")
    output_file(out, screen.force, out.suffix.lower(), [source])


def _draw(
    stage: Stage,
    camera: Camera,
    size: tuple[int, int],
    samples: int,
    seed: int,
    denoise: bool,
    out: Path,
    screen: Screen,
    name: str,
) -> str:
    """Writes the picture; what drew it."""
    from renderer.context import create_context, device_facts
    from renderer.images import write_png
    from renderer.lit_picture import displayed, gaussians_before, linear
    from renderer.path_tracer import PathTracer
    from renderer.stage_denoise import filtered_light
    from scenes.light_images import write_exr

    context = create_context()
    tracer = PathTracer(context, stage)
    tracer.guide(denoise)
    with progress(f"render {name}", screen.quiet) as step:
        light = tracer.render(
            camera, *size, samples, seed, step=lambda done: step(done / samples, f"{done} of {samples} paths a pixel")
        )
    light = filtered_light(tracer) if denoise else light
    fronts = gaussians_before(tracer, camera)
    if out.suffix.lower() == ".exr":
        write_exr(out, linear(light, fronts))
    else:
        write_png(out, displayed(light, fronts, stage.scene))
    tracer.release()
    if stage.scene.clamp is not None:
        note(f"{name}: light after two scatterings was clamped to {stage.scene.clamp:g}, as the file says")
    return str(device_facts(context)["renderer"])
