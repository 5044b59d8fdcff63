"""Path-trace a neural cow on a plane, a glass and a metal ball beside it, under the sky, and measure it.

    SPOT.kilo -> a scene -> renderer/path_tracer.py -> docs/path-tracing.png, the picture of the README
                                                    -> path-tracing.json: seconds of 160x90 at 16 paths a pixel, and
                                                       with --hd, for GPUs, frames a second of 1920x1080

Example: `.venv/bin/python -m benchmarks.path_tracing spot.kilo --spp 256`

Processor seconds are of all threads: other programs hardly change them, as they do the wall clock. Compiling comes
first and is measured by itself.
"""

from __future__ import annotations

import os

os.environ.setdefault("MESA_SHADER_CACHE_DISABLE", "true")  # before the first context: compile times must be real

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import moderngl

from benchmarks.machine import add_folders, machine_facts
from commands.console import progress
from renderer.context import create_context, device_facts
from renderer.images import write_png
from renderer.lit_picture import displayed
from renderer.path_tracer import PathTracer
from scenes.atomic import replacing
from scenes.kilo_surface import read_surface
from scenes.scene_file import (
    Diffuse,
    Glass,
    Metal,
    Plane,
    SceneCamera,
    SceneDescription,
    Sky,
    Sphere,
    Surface,
    matrix_of,
    placed,
    transform_of,
)
from scenes.scene_file_write import write_scene_file
from scenes.stage import Stage, open_stage

ROOT = Path(__file__).resolve().parents[1]
FEET = 0.7368  # how far spot.obj's feet are below its origin; its y is up
ASKED = (160, 90), 16  # size, paths a pixel; to be there in 60 s on two cores
HD = (1920, 1080)
FRAMES = 20  # of a full picture, for the frames a second of a GPU
CONVERGED = 256  # paths a pixel


def scene_of(spot: Path) -> SceneDescription:
    """The still life. Spot has its own colours as albedo where it has any."""
    own = read_surface(spot).appearance is not None
    standing = matrix_of(placed((0.0, 0.0, FEET), (0.0, 0.0, 1.0), 215)) @ matrix_of(placed(axis=(1, 0, 0), degrees=90))
    return SceneDescription(
        objects=(
            Surface(spot, Diffuse(None) if own else Diffuse((0.75, 0.7, 0.62)), transform_of(standing), "spot"),
            Plane((0, 0, 1), 0, Diffuse((0.42, 0.36, 0.3)), name="ground"),
            Sphere(0.45, Glass(1.5), placed((1.05, -0.55, 0.45)), "glass"),
            Sphere(0.5, Metal((0.95, 0.75, 0.42), 0.15), placed((-1.25, 0.1, 0.5)), "metal"),
        ),
        environment=Sky((-0.55, -0.6, 0.75), sun_degrees=1.5),
        camera=SceneCamera((0.25, -4.6, 1.55), (-0.05, 0, 0.62), fov_y_degrees=28),
        clamp=5.0,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw, measure, print, and write the picture, its scene file and path-tracing.json."""
    wanted = _parser().parse_args(arguments)
    context, stage = create_context(), open_stage(scene_of(wanted.spot))
    report: dict[str, Any] = {
        "benchmark": "path_tracing",
        "spot_bytes": wanted.spot.stat().st_size,
        "bounces": stage.scene.bounces,
        "asked": measured(context, stage, *ASKED),
        "picture": picture(context, stage, (wanted.width, wanted.height), wanted.spp, wanted.picture),
        "device": device_facts(context),
        "machine": machine_facts(str(context.info["GL_RENDERER"])),
    }
    if wanted.hd:
        report["hd"] = frames(context, stage)
    if hasattr(os, "getloadavg"):
        report["load_average"] = os.getloadavg()[0]  # more than about 1 beside this is other programs' doing
    if wanted.scene is not None:
        write_scene_file(wanted.scene, stage.scene)
    with replacing(wanted.out / "path-tracing.json") as path:
        path.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps({name: report[name] for name in ("asked", "picture", "hd") if name in report}, indent=2))


def measured(context: moderngl.Context, stage: Stage, size: tuple[int, int], spp: int) -> dict[str, Any]:
    """Seconds of a picture, compiling apart."""
    start = time.perf_counter()
    tracer = PathTracer(context, stage)
    camera = stage.scene.view()
    assert camera is not None
    tracer.render(camera, 8, 8, 1)
    compiled, processor = time.perf_counter(), time.process_time()
    tracer.render(camera, *size, spp)
    done = time.perf_counter()
    tracer.release()
    return {
        "size": size,
        "spp": spp,
        "compile_seconds": round(compiled - start, 2),
        "seconds": round(done - compiled, 2),
        "processor_seconds": round(time.process_time() - processor, 2),
    }


def picture(context: moderngl.Context, stage: Stage, size: tuple[int, int], spp: int, path: Path) -> dict[str, Any]:
    """Draws the picture to `path`."""
    tracer, camera = PathTracer(context, stage), stage.scene.view()
    assert camera is not None
    start = time.perf_counter()
    with progress(path.name, quiet=False) as step:
        light = tracer.render(camera, *size, spp, step=lambda done: step(done / spp, f"{done} of {spp}"))
    seconds = time.perf_counter() - start
    tracer.release()
    write_png(path, displayed(light, [], stage.scene))
    return {"size": size, "spp": spp, "seconds": round(seconds, 1)}


def frames(context: moderngl.Context, stage: Stage) -> dict[str, Any]:
    """Frames a second at one path a pixel, and seconds to a picture that has converged."""
    tracer, camera = PathTracer(context, replace(stage)), stage.scene.view()
    assert camera is not None
    tracer.add(camera, HD, 2)
    context.finish()
    start = time.perf_counter()
    for _ in range(FRAMES):
        tracer.add(camera, HD)
        context.finish()
    rate = FRAMES / (time.perf_counter() - start)
    start = time.perf_counter()
    tracer.render(camera, *HD, CONVERGED)
    seconds = time.perf_counter() - start
    tracer.release()
    return {"size": HD, "frames_per_second": round(rate, 1), "spp": CONVERGED, "seconds": round(seconds, 2)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.path_tracing", description=__doc__)
    parser.add_argument("spot", type=Path, help="a .kilo of spot.obj, painted or not")
    parser.add_argument("--spp", type=int, default=256, help="paths a pixel of the picture")
    parser.add_argument("--width", type=int, default=640, help="of the picture, in pixels")
    parser.add_argument("--height", type=int, default=360, help="of the picture, in pixels")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "path-tracing.png")
    parser.add_argument("--scene", type=Path, help="write the scene file here too")
    parser.add_argument("--hd", action="store_true", help="1920x1080 too: for GPUs")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    main()
