"""Time the ray-casting of .kilo surfaces, compile included, and compare the pictures with the numpy twin's.

Example: `.venv/bin/python -m benchmarks.surface_rendering spot.kilo`

Frames are of an orbit, direct and grouped reads of networks in turn. Processor seconds are of all threads: other
programs hardly change them, as they do the wall clock.
"""

from __future__ import annotations

import os

os.environ.setdefault("MESA_SHADER_CACHE_DISABLE", "true")  # before the first context: compile times must be real

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import moderngl
import numpy as np

from benchmarks.machine import add_folders, machine_facts
from renderer.camera_paths import preset_path
from renderer.context import create_context, device_facts
from renderer.metrics import psnr
from renderer.surface_renderer import SurfaceRenderer
from renderer.surface_settings import SurfaceSettings
from renderer.surface_views import render_reference
from scenes.atomic import replacing
from scenes.cameras import Camera
from scenes.kilo_surface import read_surface
from scenes.surface import NeuralSurface
from scenes.surface_extent import surface_extent

GROUPINGS = ("direct", "grouped")
TWIN_SIZE = 96, 54  # px, of the pictures the twin draws too


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a line a file and grouping, and write benchmarks/results/surface-rendering.json."""
    wanted = _parser().parse_args(arguments)
    context = create_context()
    found = [measure(context, path, (wanted.width, wanted.height), wanted.frames) for path in wanted.files]
    for figures in found:
        for name, timed in figures["groupings"].items():
            print(
                f"{figures['file']}, {name}: {timed['frame_seconds']:.3f} s a frame "
                f"({timed['frame_processor_seconds']:.3f} of processor), compile {timed['compile_processor_seconds']}, "
                f"against numpy {timed['psnr']:.1f} dB, depth {timed['depth_error']:.1e}"
            )
    report = {
        "benchmark": "surface_rendering",
        "size": [wanted.width, wanted.height],
        "frames": wanted.frames,
        "files": found,
        "device": device_facts(context),
        "machine": machine_facts(str(context.info["GL_RENDERER"])),
    }
    if hasattr(os, "getloadavg"):
        report["load_average"] = os.getloadavg()[0]  # more than about 1 is other programs' doing
    with replacing(wanted.out / "surface-rendering.json") as path:
        path.write_text(json.dumps(report, indent=2) + "\n")


def measure(context: moderngl.Context, path: Path, size: tuple[int, int], frames: int) -> dict[str, Any]:
    """What one surface takes, by grouping: medians over the frames, after one that is not counted."""
    surface = read_surface(path)
    cameras = preset_path("orbit", surface_extent(surface), frames + 1, size[0] / size[1])
    renderers = {name: SurfaceRenderer(context, surface) for name in GROUPINGS}
    found = {name: _compiled(context, renderer, cameras[0], name) for name, renderer in renderers.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in GROUPINGS}
    for camera in cameras:
        for name, renderer in renderers.items():
            times[name].append(_timed(lambda r=renderer, c=camera, n=name: r.render(c, *size, _settings(n))))
    for name, renderer in renderers.items():
        wall, processor = np.median(times[name][1:], axis=0)
        found[name] |= {"frame_seconds": round(float(wall), 4), "frame_processor_seconds": round(float(processor), 4)}
        found[name] |= {"stages_ms": {k: round(v, 1) for k, v in renderer.times.ms().items()}}
        found[name] |= _agreement(renderer, surface, cameras[1], name)
        renderer.release()
    shapes = [bank.shape for bank in (surface.geometry, surface.appearance) if bank is not None]
    return {
        "file": path.name,
        "bytes": path.stat().st_size,
        "cells": len(surface),
        "networks": [f"{shape.layers}x{shape.width} {shape.activation}" for shape in shapes],
        "groupings": found,
    }


def _settings(grouping: str) -> SurfaceSettings:
    return SurfaceSettings(grouping=grouping)


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the wall clock and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def _compiled(context: moderngl.Context, renderer: SurfaceRenderer, camera: Camera, grouping: str) -> dict[str, Any]:
    """Seconds until a picture of one pixel is there: compiling, in each stage."""
    renderer.times.synchronised = True
    wall, processor = _timed(lambda: renderer.render(camera, 1, 1, _settings(grouping)))
    context.finish()
    stages = {name: round(ms / 1e3, 3) for name, ms in renderer.times.ms().items() if name != "total"}
    return {
        "compile_seconds": round(wall, 3),
        "compile_processor_seconds": round(processor, 3),
        "compile_seconds_of_stages": stages,
    }


def _agreement(renderer: SurfaceRenderer, surface: NeuralSurface, camera: Camera, grouping: str) -> dict[str, Any]:
    """How far picture and depths are from the twin's; depths in diagonals of the grid."""
    found = renderer.picture(camera, *TWIN_SIZE, _settings(grouping))
    expected = render_reference(surface, camera, *TWIN_SIZE, _settings(grouping))
    hit, wanted = np.isfinite(found.depth), np.isfinite(expected.depth)
    both = hit & wanted
    diagonal = surface.grid.edge * float(np.linalg.norm(surface.grid.size))
    worst = float(np.abs(found.depth[both] - expected.depth[both]).max()) / diagonal if both.any() else 0.0
    return {
        "psnr": round(float(min(psnr(expected.rgba, found.rgba), 999.0)), 2),
        "depth_error": worst,
        "hits": int(wanted.sum()),
        "hits_that_differ": int((hit != wanted).sum()),
        "networks_a_pixel": round(float(found.evaluations.mean()), 2),
        "networks_a_hit": round(float(found.evaluations[hit].mean()), 2) if hit.any() else 0.0,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.surface_rendering", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", help=".kilo files of kind surface")
    parser.add_argument("--width", type=int, default=320, help="of the pictures, in pixels")
    parser.add_argument("--height", type=int, default=180, help="of the pictures, in pixels")
    parser.add_argument("--frames", type=int, default=8, help="of an orbit, after one that is not counted")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    main()
