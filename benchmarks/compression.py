"""Compress real scenes and judge what comes back: bytes, PSNR, SSIM, seconds, peak memory.

    scene.ply -> kilofield compress -> .kilo -> kilofield convert -> back.ply -> evaluation cameras

The cameras are those of the data folder, 480x320, black background, drawn by OpenGL, and no fit ever sees them. One
JSON a run lands in the results folder. Example: `make bench ARGS="--scenes donut --presets draft"`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.machine import add_folders, machine_facts
from renderer.context import create_context, device_facts
from renderer.gaussian_renderer import GaussianRenderer
from renderer.metrics import MeanScore, ViewScore, json_number, mean_score, mean_squared_error, ssim
from scenes.atomic import replacing
from scenes.camera_files import read_cameras
from scenes.cameras import Camera
from scenes.extent import scene_extent
from scenes.gaussians import Floats, Gaussians
from scenes.load import load_scene
from scenes.neural_gaussians import NeuralGaussians

ROOT = Path(__file__).resolve().parents[1]
SIZE = (480, 320)
DEFAULT_SCENES = ("playbot-31k", "hamburger", "donut")


@dataclass(frozen=True)
class Run:
    """One compression to measure."""

    scene: str  # the name of its file and of its cameras, without suffix
    preset: str
    quality: str
    max_mb: float | None = None
    seed: int = 0

    @property
    def name(self) -> str:
        """What its result file is called."""
        size = self.quality if self.max_mb is None else f"{self.max_mb:g}mb"
        return f"compression-{self.scene}-{self.preset}-{size}"

    def arguments(self) -> list[str]:
        """The options of `kilofield compress`."""
        size = ["--quality", self.quality] if self.max_mb is None else ["--max-mb", f"{self.max_mb:g}"]
        return ["--preset", self.preset, *size, "--seed", str(self.seed)]


@dataclass(frozen=True)
class Usage:
    """What a command cost."""

    seconds: float
    peak_bytes: int  # resident memory


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every wanted combination and write one JSON each."""
    wanted = _parser().parse_args(arguments)
    wanted.out.mkdir(parents=True, exist_ok=True)
    for scene in wanted.scenes:
        for preset in wanted.presets:
            run = Run(scene, preset, wanted.quality, wanted.max_mb, wanted.seed)
            figures = measure(run, wanted.data)
            with replacing(wanted.out / f"{run.name}.json") as path:
                path.write_text(json.dumps(figures, indent=2) + "\n")
            print(f"{run.name}: {figures['bytes']:,} bytes, {figures['psnr']:.2f} dB, {figures['seconds']:.0f} s")


def measure(run: Run, data: Path) -> dict[str, object]:
    """All figures of one run."""
    source = next(p for p in sorted((data / "gaussians").iterdir()) if p.name.partition(".")[0] == run.scene)
    cameras = read_cameras(data / "cameras" / f"{run.scene}.json")
    with tempfile.TemporaryDirectory() as folder:
        kilo, back = Path(folder) / "scene.kilo", Path(folder) / "back.ply"
        encode = timed([*_kilofield(), "compress", str(source), str(kilo), "--quiet", *run.arguments()])
        decode = timed([*_kilofield(), "convert", str(kilo), str(back), "--quiet"])
        files = [load_scene(path) for path in (source, back, kilo)]
    original, ours, neural = (render(file.scene, cameras) for file in files)
    score, agreement = judge(original, ours), judge(ours, neural)
    near = scene_extent(files[0].gaussians).near
    whole = [render(file.scene, [replace(camera, near=near) for camera in cameras]) for file in files[:2]]
    return {
        "benchmark": "compression",
        "scene": run.scene,
        "preset": run.preset,
        "quality": run.quality if run.max_mb is None else None,
        "max_mb": run.max_mb,
        "seed": run.seed,
        "bytes": files[2].bytes,
        "source_bytes": files[0].bytes,
        "gaussians": len(files[2].scene),
        "source_gaussians": len(files[0].scene),
        "psnr": json_number(score.psnr),
        "ssim": score.ssim,
        "psnr_whole": json_number(judge(*whole).psnr),  # with a near plane that does not cut a small scene open
        "render_agreement_psnr": json_number(agreement.psnr),  # of the .kilo and of back.ply; null: identical
        "seconds": encode.seconds,
        "peak_bytes": encode.peak_bytes,
        "decode_seconds": decode.seconds,
        "cameras": len(cameras),
        "size": list(SIZE),
        "machine": machine_facts(str(device_facts(create_context())["renderer"])),
    }


def render(scene: Gaussians | NeuralGaussians, cameras: Sequence[Camera]) -> list[Floats]:
    """The pictures [H, W, 3] of a scene, clipped to [0, 1]."""
    renderer = GaussianRenderer(create_context())
    renderer.load(scene)
    pictures = [np.clip(renderer.render(camera, *SIZE), 0, 1) for camera in cameras]
    renderer.release()
    return pictures


def judge(a: Sequence[Floats], b: Sequence[Floats]) -> MeanScore:
    """The mean figures of pairs of pictures."""
    return mean_score(
        ViewScore(str(i), mean_squared_error(x, y), ssim(x, y)) for i, (x, y) in enumerate(zip(a, b, strict=True))
    )


def timed(command: Sequence[str]) -> Usage:
    """Run `command` to its end; a failure ends the benchmark."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Usage(time.perf_counter() - start, usage.ru_maxrss * 1024)


def _kilofield() -> list[str]:
    return [sys.executable, "-m", "cli"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.compression", description=__doc__)
    parser.add_argument("--scenes", nargs="+", default=DEFAULT_SCENES, help="names of files in the data folder")
    parser.add_argument("--presets", nargs="+", default=["balanced"])
    parser.add_argument("--quality", default="medium")
    parser.add_argument("--max-mb", type=float, help="a size instead of a quality")
    parser.add_argument("--seed", type=int, default=0)
    add_folders(parser)
    return parser


if __name__ == "__main__":
    main()
