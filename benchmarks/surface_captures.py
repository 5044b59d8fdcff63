"""A surface learnt from photographs: time, bytes, and PSNR on photographs it has not seen.

    CAPTURE -> kilofield surface -> .kilo -> ray-cast by OpenGL with the capture's test cameras }  over white,
                    '-> teacher (NeuS)  -> volume-rendered with the same cameras                }  beside photographs

The figures land in surface-captures.json, a sheet (photograph, teacher, cells, normals) in docs/. An interrupted run
goes on with --resume. Example:

    .venv/bin/python -m benchmarks.surface_captures --preset balanced --side 200
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import add_folders, machine_facts
from commands.console import progress
from fitting.kiloneus.neus_photographs import View, load_views
from fitting.kiloneus.neus_teacher import NeusTeacher, judge
from fitting.kiloneus.options import EFFORTS, SurfaceOptions, SurfaceResult
from fitting.kiloneus.surface import fit_surface
from fitting.kiloneus.teacher import Teacher
from renderer.context import create_context, device_facts
from renderer.images import frame_sheet, write_png
from renderer.metrics import psnr, ssim
from renderer.surface_renderer import SurfaceRenderer
from renderer.surface_settings import SurfaceSettings
from scenes.atomic import replacing
from scenes.errors import KilofieldError
from scenes.gaussians import Floats
from scenes.kilo_surface import read_surface
from scenes.photo_sets import read_photographs

ROOT = Path(__file__).resolve().parents[1]
WHITE = (1.0, 1.0, 1.0)
RAYS = 16  # a pixel, of ray-cast pictures: photographs are averages over pixels too
SHEET_VIEWS = 4


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, judge, print, and write surface-captures.json and the sheet."""
    wanted = _parser().parse_args(arguments)
    capture = wanted.data / "captures" / wanted.capture
    options = SurfaceOptions(
        wanted.preset, wanted.cells, wanted.steps, wanted.side, wanted.seed, wanted.resume, wanted.device
    )
    taught: list[Teacher] = []
    with progress(f"surface {wanted.capture}", quiet=False) as bar:
        result = fit_surface(
            capture, wanted.kilo, options, lambda now: bar(now.done, f"{now.stage} {now.detail}"), taught=taught.append
        )
    teacher = taught[0]
    assert isinstance(teacher, NeusTeacher)  # a capture's
    views = load_views(read_photographs(capture).test, options.effort.side)
    drawn = Drawn.of(wanted.kilo, views)
    figures = judged(result, teacher, drawn, views)
    print(json.dumps(figures, indent=2))
    write(wanted, options, figures)
    write_png(wanted.sheet, sheet(teacher, drawn, views))


@dataclass(frozen=True)
class Drawn:
    """Ray-cast pictures of a file over white, [H, W, 3] a view; normals of those on the sheet."""

    colours: list[Floats]
    normals: dict[int, Floats]

    @classmethod
    def of(cls, path: Path, views: Sequence[View]) -> Drawn:
        """With the cameras of `views`, at their size."""
        renderer = SurfaceRenderer(create_context(), read_surface(path))
        colours = [_over_white(renderer, view, "colour") for view in views]
        normals = {i: _over_white(renderer, views[i], "normal") for i in on_sheet(views)}
        renderer.release()
        return cls(colours, normals)


def on_sheet(views: Sequence[View]) -> list[int]:
    """Some of them, spread over all."""
    return np.linspace(0, len(views) - 1, SHEET_VIEWS).round().astype(int).tolist()


def _over_white(renderer: SurfaceRenderer, view: View, shown: str) -> Floats:
    rgba = renderer.render_rgba(view.photograph.camera, *view.size, SurfaceSettings(view=shown, samples=RAYS))
    return np.clip(rgba[..., :3] + (1 - rgba[..., 3:]), 0, 1).astype(np.float32)


def judged(result: SurfaceResult, teacher: NeusTeacher, drawn: Drawn, views: Sequence[View]) -> dict[str, object]:
    """PSNR and SSIM of the teacher and of the cells, and what the fit took."""
    truths = [view.over(WHITE).numpy() for view in views]
    pairs = list(zip(drawn.colours, truths, strict=True))
    each = [psnr(*pair) for pair in pairs]
    volume = dict(zip(("psnr", "ssim"), judge(teacher, views, WHITE), strict=True))
    return {
        "bytes": result.bytes,
        "seconds": round(result.seconds, 1),
        "stages": {name: round(seconds, 1) for name, seconds in result.stages.items()},
        "cells": result.cells,
        "grid": result.grid,
        "views": len(views),
        "volume_rendered": asdict(result.views) if result.views else None,
        "teacher": volume,
        "ray_cast": {
            "psnr": float(np.mean(each)),
            "worst_psnr": float(np.min(each)),
            "ssim": float(np.mean([ssim(*pair) for pair in pairs])),
        },
    }


def sheet(teacher: NeusTeacher, drawn: Drawn, views: Sequence[View]) -> NDArray[np.uint8]:
    """A row a view: photograph, teacher, cells, normals."""
    pictures, captions = [], []
    for i in on_sheet(views):
        view, truth = views[i], views[i].over(WHITE).numpy()
        learnt = teacher.render(view.photograph.camera, *view.size, background=WHITE, lens=view.photograph.lens).colour
        pictures += [truth, learnt, drawn.colours[i], drawn.normals[i]]
        scores = [f"teacher {psnr(learnt, truth):.1f} dB", f"cells, ray-cast {psnr(drawn.colours[i], truth):.1f} dB"]
        captions += [f"photograph {view.photograph.path.stem}", *scores, "normals"]
    return frame_sheet(pictures, captions)


def write(wanted: argparse.Namespace, options: SurfaceOptions, figures: dict[str, object]) -> None:
    """surface-captures.json."""
    content = {
        "benchmark": "surface_captures",
        "capture": wanted.capture,
        "options": asdict(options),
        "figures": figures,
        "device": device_facts(create_context()),
        "machine": machine_facts(""),
    }
    with replacing(wanted.out / "surface-captures.json") as path:
        path.write_text(json.dumps(content, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.surface_captures", description=__doc__)
    parser.add_argument("kilo", type=Path, help="where the surface goes")
    parser.add_argument("--capture", default="chair", help="a folder of the data folder's captures")
    parser.add_argument("--preset", default="balanced", choices=list(EFFORTS))
    parser.add_argument("--cells", type=int, help="along the longest axis")
    parser.add_argument("--steps", type=int, help="of the teacher")
    parser.add_argument("--side", type=int, help="pixels of a photograph's longest side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--sheet", type=Path, default=ROOT / "docs" / "kiloneus-chair.png")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    try:
        main()
    except KilofieldError as error:
        sys.exit(str(error))
