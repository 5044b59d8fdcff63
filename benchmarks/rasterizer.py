"""Time the differentiable rasteriser's backends on a real scene: forward and backward, in turn, medians.

Example: `.venv/bin/python -m benchmarks.rasterizer --backends numba taichi`
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from collections.abc import Sequence
from types import ModuleType

import numpy as np
import torch

from benchmarks.machine import add_folders, machine_facts
from fitting.raster_view import RasterView
from fitting.tensors import GaussianTensors
from scenes.atomic import replacing
from scenes.camera_files import read_cameras
from scenes.load import load_scene

SIZE = (320, 214)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a line a backend, and write benchmarks/results/rasterizer-SCENE.json."""
    wanted = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    tensors = GaussianTensors.of(load_scene(wanted.data / "gaussians" / f"{wanted.scene}.ply").gaussians, wanted.device)
    views = [RasterView.of(c, *SIZE) for c in read_cameras(wanted.data / "cameras" / f"{wanted.scene}.json")]
    modules = {name: importlib.import_module(f"fitting.raster_{name}") for name in wanted.backends}
    times = measure(modules, tensors, views, wanted.rounds)
    figures = {
        "benchmark": "rasterizer",
        "scene": wanted.scene,
        "gaussians": len(tensors.positions),
        "size": list(SIZE),
        "device": wanted.device,
        "milliseconds": {name: {"forward": f, "backward": b} for name, (f, b) in times.items()},
        "machine": machine_facts(""),
    }
    for name, (forward, backward) in times.items():
        print(f"{name}: forward {forward:.1f} ms + backward {backward:.1f} ms = {forward + backward:.1f} ms")
    with replacing(wanted.out / f"rasterizer-{wanted.scene}-{wanted.device}.json") as path:
        path.write_text(json.dumps(figures, indent=2) + "\n")


def measure(
    modules: dict[str, ModuleType], tensors: GaussianTensors, views: Sequence[RasterView], rounds: int
) -> dict[str, tuple[float, float]]:
    """Median milliseconds of forward and backward of each backend, measured in turn so that noise hits all alike."""
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in modules}
    for turn in range(rounds + 1):
        for view in views:
            for name, module in modules.items():
                sample = _once(module, tensors, view)
                if turn:  # the first round compiles
                    samples[name].append(sample)
    medians = {name: np.median(np.array(values), axis=0) for name, values in samples.items()}
    return {name: (float(forward), float(backward)) for name, (forward, backward) in medians.items()}


def _once(module: ModuleType, tensors: GaussianTensors, view: RasterView) -> tuple[float, float]:
    start = time.perf_counter()
    image, saved = module.forward(*tensors, view)
    _wait(image)
    middle = time.perf_counter()
    gradients = module.backward(saved, torch.ones_like(image))
    _wait(gradients[0])
    return 1e3 * (middle - start), 1e3 * (time.perf_counter() - middle)


def _wait(tensor: torch.Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.rasterizer", description=__doc__)
    parser.add_argument("--scene", default="playbot-31k", help="a .ply of the data folder, without suffix")
    parser.add_argument("--backends", nargs="+", default=["numba", "taichi"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5, help="times through all cameras")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    main()
