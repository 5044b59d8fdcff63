"""Does fine-tuning on photographs beat fine-tuning on the scene's own pictures? Judged on photographs no fit has seen.

    scene.ply -> kilofield compress                     -> renders.kilo       }  drawn by OpenGL with the capture's
    scene.ply -> kilofield compress --images CAPTURE    -> photographs.kilo   }  test cameras, over black and white
    scene.ply itself                                                          }

Preset, seed and budget are the same. A fit to a quality or a budget looks at the test photographs for its report only.
A .ply that is not there yet is first fitted to the train photographs (`benchmarks.train_gaussians`). The figures land
in photographs.json; `--sheet PNG` shows some views. Example:

    .venv/bin/python -m benchmarks.photographs --ply chair.ply --max-mb 0.1
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import train_gaussians
from benchmarks.machine import add_folders, machine_facts
from fitting.neuralgs.compress import CompressOptions, compress
from renderer.context import create_context, device_facts
from renderer.gaussian_renderer import GaussianRenderer
from renderer.images import frame_sheet, write_png
from renderer.metrics import MeanScore, ViewScore, json_number, mean_score, mean_squared_error, object_error, ssim
from scenes.atomic import replacing
from scenes.captures import Frame, read_capture
from scenes.gaussians import Floats, Gaussians
from scenes.load import load_scene
from scenes.neural_gaussians import NeuralGaussians

BACKGROUNDS = {"black": 0.0, "white": 1.0}
WAYS = ("renders", "photographs")
SHEET_VIEWS = 4
Scene = Gaussians | NeuralGaussians


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit what is missing, compress both ways, judge, and write photographs.json."""
    wanted = _parser().parse_args(arguments)
    capture = wanted.data / "captures" / wanted.capture
    if not wanted.ply.exists():
        train_gaussians.main([str(capture), str(wanted.ply)])
    made = {way: compressed(wanted, capture if way == "photographs" else None) for way in WAYS}
    source = load_scene(wanted.ply)  # drawn after the fits: see triton and Mesa in tests/conftest.py
    figures: dict[str, dict[str, object]] = {"source": {"bytes": source.bytes, "gaussians": len(source.scene)}}
    figures |= {way: cost for way, (_, cost) in made.items()}
    frames = read_capture(capture).test
    truths = [premultiplied(frame.image()) for frame in frames]
    pictures = {"source": draw(source.scene, frames)} | {way: draw(scene, frames) for way, (scene, _) in made.items()}
    for name, drawn in pictures.items():
        figures[name] |= scores(drawn, truths)
        print(f"{name}: {figures[name]}", flush=True)
    write(wanted, figures, len(frames))
    if wanted.sheet:
        write_png(wanted.sheet, sheet({"photograph": truths, **pictures}))


def compressed(wanted: argparse.Namespace, images: Path | None) -> tuple[Scene, dict[str, object]]:
    """The scene as a .kilo shows it, and what that cost."""
    limit = None if wanted.max_mb is None else round(wanted.max_mb * 1e6)
    options = CompressOptions(wanted.preset, wanted.quality, limit, images, seed=wanted.seed)
    with tempfile.TemporaryDirectory() as folder:
        result = compress(wanted.ply, Path(folder) / "scene.kilo", options)
        scene = load_scene(result.path).scene
    cost: dict[str, object] = {"bytes": result.bytes, "gaussians": result.gaussians, "seconds": result.seconds}
    return scene, cost


def premultiplied(rgba: Floats) -> Floats:
    """[H, W, 4] with the colour multiplied by alpha, as the renderer gives it."""
    return np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], axis=2)


def draw(scene: Scene, frames: Sequence[Frame]) -> list[Floats]:
    """The pictures [H, W, 4] of a scene through the cameras of photographs, premultiplied."""
    renderer = GaussianRenderer(create_context())
    renderer.load(scene)
    pictures = [renderer.render_rgba(frame.camera, frame.width, frame.height) for frame in frames]
    renderer.release()
    return pictures


def over(rgba: Floats, background: float) -> Floats:
    """[H, W, 3] a premultiplied picture over a grey background, clipped to [0, 1]."""
    return np.clip(rgba[..., :3] + np.float32(background) * (1 - rgba[..., 3:]), 0, 1).astype(np.float32)


def scores(pictures: Sequence[Floats], truths: Sequence[Floats]) -> dict[str, dict[str, object]]:
    """The mean figures of pictures [H, W, 4] against photographs, over each background."""
    return {name: _shown(judge(pictures, truths, level)) for name, level in BACKGROUNDS.items()}


def judge(pictures: Sequence[Floats], truths: Sequence[Floats], background: float) -> MeanScore:
    """The mean figures over one background."""
    views = []
    for i, (picture, truth) in enumerate(zip(pictures, truths, strict=True)):
        a, b = over(picture, background), over(truth, background)
        error = object_error(a, b, truth[..., 3])
        views.append(ViewScore(str(i), mean_squared_error(a, b), ssim(a, b), object_error=error))
    return mean_score(views)


def _shown(score: MeanScore) -> dict[str, object]:
    return {"psnr": json_number(score.psnr), "ssim": score.ssim, "object_psnr": json_number(score.object_psnr)}


def write(wanted: argparse.Namespace, figures: Mapping[str, Mapping[str, object]], views: int) -> None:
    """photographs.json."""
    content = {
        "benchmark": "photographs",
        "capture": wanted.capture,
        "preset": wanted.preset,
        "quality": wanted.quality if wanted.max_mb is None else None,
        "max_mb": wanted.max_mb,
        "seed": wanted.seed,
        "views": views,
        **figures,
        "machine": machine_facts(str(device_facts(create_context())["renderer"])),
    }
    with replacing(wanted.out / "photographs.json") as path:
        path.write_text(json.dumps(content, indent=2) + "\n")


def sheet(pictures: Mapping[str, Sequence[Floats]]) -> NDArray[np.uint8]:
    """A few views, a row each: the photograph and every way's picture over white."""
    count = len(next(iter(pictures.values())))
    views = np.linspace(0, count - 1, min(SHEET_VIEWS, count)).round().astype(int)
    shown = [over(drawn[view], 1.0) for view in views for drawn in pictures.values()]
    return frame_sheet(shown, [f"{name} {view}" for view in views for name in pictures], columns=len(pictures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.photographs", description=__doc__)
    parser.add_argument("--ply", type=Path, required=True, help="Gaussians fitted to the capture; made if missing")
    parser.add_argument("--capture", default="chair", help="a folder of the data folder's captures")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--quality", default="medium")
    parser.add_argument("--max-mb", type=float, help="a size instead of a quality")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="a picture of some test views")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    main()
