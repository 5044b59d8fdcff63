"""Frame times beside other renderers: the same scenes, cameras and size, in turn, in one run.

    .venv/bin/python -m benchmarks.rendering --peer ../GaussianSplattingViewer

`--peer` is a checkout of https://github.com/limacv/GaussianSplattingViewer; it wants PyOpenGL and PyGLM (`pip install
PyOpenGL PyGLM`). gsplat is measured where it can be imported and there is CUDA. Every renderer has a process and an
OpenGL context of its own without a window, and they take turns camera by camera; nothing is set that would favour one.
Before anything is timed, the pictures are compared: a renderer that draws something else is not timed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import add_folders, machine_facts
from benchmarks.render_worker import Worker
from renderer.fly_report import statistics
from renderer.images import frame_sheet, write_png
from renderer.metrics import json_number, mean_squared_error, psnr_of_error
from scenes.atomic import replacing
from scenes.camera_files import read_cameras
from scenes.errors import KilofieldError
from scenes.load import load_scene

DEFAULT_SCENES = ("playbot-125k", "hamburger")
SAME_SCENE = 25.0  # dB: other renderers differ by culling, extents and 8-bit blending; another camera gives under 20
STAGES = ("preparation", "sort", "draw", "total")

Pictures = Mapping[str, Sequence[NDArray[np.uint8]]]  # by renderer, one a camera


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every scene, write the JSON and print the table."""
    wanted = _parser().parse_args(arguments)
    wanted.out.mkdir(parents=True, exist_ok=True)
    scenes = [measure(scene, wanted) for scene in wanted.scenes]
    opengl = str(scenes[0]["renderers"]["ours"]["facts"]["renderer"])
    figures = {
        "benchmark": "rendering",
        "size": wanted.size,
        "rounds": wanted.rounds,
        "peer": peer_facts(wanted.peer) if wanted.peer else None,
        "scenes": scenes,
        "machine": machine_facts(opengl),
    }
    with replacing(wanted.out / "rendering.json") as path:
        path.write_text(json.dumps(figures, indent=2) + "\n")
    print(table(scenes))


def measure(scene: str, wanted: argparse.Namespace) -> dict[str, Any]:
    """All figures of one scene."""
    source = next(p for p in sorted((wanted.data / "gaussians").iterdir()) if p.name.partition(".")[0] == scene)
    cameras = wanted.data / "cameras" / f"{scene}.json"
    count = len(read_cameras(cameras))
    workers = start_workers(source, cameras, wanted)
    missing = {name: worker.missing for name, worker in workers.items() if worker.missing}
    workers = {name: worker for name, worker in workers.items() if not worker.missing}
    pictures = draw_all(workers, count)
    psnr = {name: compare(pictures["ours"], seen) for name, seen in pictures.items() if name != "ours"}
    if wanted.pictures:
        wanted.pictures.mkdir(parents=True, exist_ok=True)
        write_png(wanted.pictures / f"rendering-{scene}.png", sheet(pictures))
    check_same(scene, psnr)
    frames = take_turns(workers, count, wanted.warmup, wanted.rounds)
    for worker in workers.values():
        worker.close()
    return {
        "scene": scene,
        "gaussians": len(load_scene(source).scene),
        "cameras": count,
        "psnr": psnr,  # of each renderer's pictures against ours, dB: the mean and the least of the cameras
        "missing": missing,
        "renderers": {
            name: {"facts": worker.facts, "summary": summary(frames[name]), "frames": frames[name]}
            for name, worker in workers.items()
        },
    }


def start_workers(source: Path, cameras: Path, wanted: argparse.Namespace) -> dict[str, Worker]:
    """A process for each renderer."""
    job = {"scene": str(source.resolve()), "cameras": str(cameras.resolve()), "size": wanted.size}
    workers = {"ours": Worker(renderer="ours", pipeline=wanted.pipeline, residency=wanted.residency, **job)}
    if wanted.peer:
        workers["peer"] = Worker(renderer="peer", peer=str(wanted.peer.resolve()), **job)
    workers["gsplat"] = Worker(renderer="gsplat", **job)
    return workers


def take_turns(workers: Mapping[str, Worker], cameras: int, warmup: int, rounds: int) -> dict[str, list[Any]]:
    """The times of `rounds` flights over all cameras: each camera by every renderer before the next camera."""
    frames: dict[str, list[Any]] = {name: [] for name in workers}
    for turn in range(-warmup, rounds * cameras):
        for name, worker in workers.items():
            times = worker.ask(frame=turn % cameras)
            if turn >= 0:
                frames[name].append(times)
    return frames


def draw_all(workers: Mapping[str, Worker], cameras: int) -> dict[str, list[NDArray[np.uint8]]]:
    """The pictures of all renderers, one a camera."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "picture.npy")
        pictures: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in workers}
        for name, worker in workers.items():
            for i in range(cameras):
                worker.ask(picture=i, path=path)
                pictures[name].append(np.load(path))
    return pictures


def compare(ours: Sequence[NDArray[np.uint8]], theirs: Sequence[NDArray[np.uint8]]) -> dict[str, float | None]:
    """PSNR of 8-bit pictures, over all cameras and of the worst one; None for pictures that are identical."""
    errors = [mean_squared_error(a / 255, b / 255) for a, b in zip(ours, theirs, strict=True)]
    return {
        "all": json_number(psnr_of_error(float(np.mean(errors)))),
        "least": json_number(psnr_of_error(max(errors))),
    }


def check_same(scene: str, psnr: Mapping[str, Mapping[str, float | None]]) -> None:
    """Raises `KilofieldError` for a renderer that draws something else than ours."""
    for name, found in psnr.items():
        least = found["least"]
        if least is not None and least < SAME_SCENE:
            raise KilofieldError(
                f"{scene}: expected pictures of {name} to agree with ours to {SAME_SCENE:g} dB, found {least:.1f} dB"
            )


def summary(frames: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """`statistics` by stage."""
    return {stage: statistics([frame[stage] for frame in frames]) for stage in frames[0]}


def sheet(pictures: Pictures) -> NDArray[np.uint8]:
    """The pictures of all renderers, a row a camera."""
    count = len(pictures["ours"])
    captions = [f"{name}, camera {i}" for i in range(count) for name in pictures]
    return frame_sheet([seen[i] for i in range(count) for seen in pictures.values()], captions, len(pictures))


def table(scenes: Sequence[Mapping[str, Any]]) -> str:
    """Medians in milliseconds, a line a renderer and scene; `x` is how many times ours it takes."""
    rows: list[tuple[str, ...]] = [("scene", "renderer", *STAGES, "x", "PSNR to ours")]
    for scene in scenes:
        rows += [(scene["scene"], name, *cells) for name, cells in medians(scene).items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines += [
        f"{scene['scene']}, {name}: not measured: {why}" for scene in scenes for name, why in scene["missing"].items()
    ]
    return "\n".join(line.rstrip() for line in lines)


def medians(scene: Mapping[str, Any]) -> dict[str, list[str]]:
    """The cells of each renderer: milliseconds of `STAGES`, how many times ours, PSNR to ours."""
    ours = scene["renderers"]["ours"]["summary"]["total"]["median"]
    cells = {}
    for name, found in scene["renderers"].items():
        times = found["summary"]
        cells[name] = [f"{times[stage]['median']:.1f}" if stage in times else "-" for stage in STAGES]
        psnr = scene["psnr"].get(name, {}).get("all")
        cells[name] += [f"{times['total']['median'] / ours:.2f}", f"{psnr:.1f} dB" if psnr else "-"]
    return cells


def peer_facts(checkout: Path) -> dict[str, str]:
    """Which commit of the peer was measured."""
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"name": "limacv/GaussianSplattingViewer", "commit": done.stdout.strip()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks.rendering", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", type=Path, help="a checkout of limacv/GaussianSplattingViewer")
    parser.add_argument("--scenes", nargs="+", default=DEFAULT_SCENES, help="names of files in the data folder")
    parser.add_argument("--size", nargs=2, type=int, default=[640, 360], metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--rounds", type=int, default=3, help="flights over all cameras")
    parser.add_argument("--warmup", type=int, default=3, help="frames before, not counted")
    parser.add_argument("--pipeline", default="auto", choices=("auto", "quads", "tiles"))
    parser.add_argument("--residency", default="decoded", choices=("decoded", "resident"))
    parser.add_argument("--pictures", type=Path, help="folder for sheets of what every renderer drew")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    main()
