"""What neural surfaces do on a GPU, in one run: NeuS with each backend, a capture from end to end, frames.

    .venv/bin/python -m benchmarks.gpu_surfaces --capture CAPTURE --kilo spot.kilo     at full size
    .venv/bin/python -m benchmarks.gpu_surfaces --capture CAPTURE --dtu scan65 --ground-truth stl065_total.ply
    .venv/bin/python -m benchmarks.gpu_surfaces --capture CAPTURE --quick              tiny: does the script work

    teacher    steps a second of NeuS with the hash grid of tiny-cuda-nn (where it is built) and of its torch twin
    capture    `benchmarks.surface_captures`: minutes, bytes, PSNR on the test photographs of teacher and cells
    dtu        `benchmarks.surface_dtu`, with --dtu: PSNR at half resolution, Chamfer to --ground-truth or the teacher
    drawing    `benchmarks.surface_rendering` at 1920x1080, of those files and of --kilo

Each part has its own JSON, the first gpu-surfaces.json. A part that fails is told, and the others go on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmarks.machine import add_folders, machine_facts
from fitting import hash_grid_tcnn
from fitting.devices import chosen_device
from fitting.kiloneus.neus_photographs import load_views
from fitting.kiloneus.neus_train import NeusOptions, Trainer
from scenes.atomic import replacing
from scenes.errors import KilofieldError
from scenes.photo_sets import read_photographs

WARM = 20  # steps not counted


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every part; exit 1 if one failed."""
    wanted = _parser().parse_args(arguments)
    wanted.out.mkdir(parents=True, exist_ok=True)
    found = teacher_speeds(wanted)
    with replacing(wanted.out / "gpu-surfaces.json") as path:
        path.write_text(json.dumps({"teacher": found, "machine": machine_facts(_device_name(wanted.device))}, indent=2))
    for name, speed in found.items():
        print(f"teacher, {name}: {speed:.1f} steps a second", flush=True)
    failed = [name for name, command in parts(wanted).items() if not _ran(name, command)]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def teacher_speeds(wanted: argparse.Namespace) -> dict[str, float]:
    """Steps a second by backend."""
    device = chosen_device(wanted.device)
    photographs = read_photographs(wanted.capture)
    side, steps = (32, 5) if wanted.quick else (wanted.side, 200)
    views = load_views(photographs.train, side)
    names = ["numba"] if device.type == "cpu" else ["torch twin"]
    if device.type == "cuda" and hash_grid_tcnn.tiny_cuda_nn() is not None:
        names.insert(0, "tiny-cuda-nn")
    found = {}
    for name in names:
        trainer = Trainer(views, photographs.sphere, NeusOptions(steps=steps + WARM, side=side), device)
        with _backend(name):
            trainer.run(WARM, lambda _: None)
            _synchronise(device)
            start = time.perf_counter()
            trainer.run(WARM + steps, lambda _: None)
            _synchronise(device)
            found[name] = steps / (time.perf_counter() - start)
    return found


@contextmanager
def _backend(name: str) -> Iterator[None]:
    """For a while the hash grid is its torch twin where `name` says so, even where tiny-cuda-nn is there."""
    known = hash_grid_tcnn.tiny_cuda_nn
    if name == "torch twin":
        hash_grid_tcnn.tiny_cuda_nn = lambda: None  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        hash_grid_tcnn.tiny_cuda_nn = known


def parts(wanted: argparse.Namespace) -> dict[str, list[str]]:
    """The other benchmarks and their arguments."""
    kilo = wanted.out / "gpu-capture.kilo"
    scan = None if wanted.dtu is None else wanted.out / "gpu-dtu.kilo"
    quick = ["--preset", "draft", "--steps", "20", "--side", "32", "--cells", "4"]
    full = ["--preset", "balanced", "--steps", str(wanted.steps), "--side", str(wanted.side)]
    size = ["--width", "160", "--height", "90", "--frames", "1"] if wanted.quick else ["--width", "1920", "--height"]
    size = size if wanted.quick else [*size, "1080"]
    folder = ["--out", str(wanted.out)]
    capture = ["--data", str(wanted.capture.parents[1]), "--capture", wanted.capture.name, "--device", wanted.device]
    files = [str(file) for file in (kilo, scan, wanted.kilo) if file is not None]
    sheet = ["--sheet", str(wanted.out / "gpu-capture.png")]
    found = {"capture": ["surface_captures", str(kilo), *capture, *(quick if wanted.quick else full), *folder, *sheet]}
    if scan is not None:
        found["dtu"] = ["surface_dtu", str(wanted.dtu), str(scan), *_dtu(wanted, quick), *folder]
    return found | {"drawing": ["surface_rendering", *files, *size, *folder]}


def _dtu(wanted: argparse.Namespace, quick: list[str]) -> list[str]:
    """Options of the part `dtu`; photographs at half their size but for --quick."""
    truth = [] if wanted.ground_truth is None else ["--ground-truth", str(wanted.ground_truth)]
    full = ["--preset", "balanced", "--steps", str(wanted.steps)]
    chosen = [*quick, "--resolution", "32"] if wanted.quick else full
    return [*chosen, *truth, "--device", wanted.device, "--sheet", str(wanted.out / "gpu-dtu.png")]


def _ran(name: str, command: Sequence[str]) -> bool:
    print(f"{name}: {' '.join(command)}", flush=True)
    return subprocess.run([sys.executable, "-m", f"benchmarks.{command[0]}", *command[1:]], check=False).returncode == 0


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _device_name(name: str) -> str:
    return torch.cuda.get_device_name() if chosen_device(name).type == "cuda" else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.gpu_surfaces", description=__doc__)
    parser.add_argument("--capture", type=Path, required=True, help="a folder DATA/captures/NAME")
    parser.add_argument("--kilo", type=Path, help="another surface to draw")
    parser.add_argument("--dtu", type=Path, help="a scan of DTU in NeuS's layout")
    parser.add_argument("--ground-truth", type=Path, help="its points, a .ply, as DTU has them")
    parser.add_argument("--side", type=int, default=400, help="pixels of a photograph's longest side")
    parser.add_argument("--steps", type=int, default=8000, help="of the teacher")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--quick", action="store_true", help="tiny, to see that the script works")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    try:
        main()
    except KilofieldError as error:
        sys.exit(str(error))
