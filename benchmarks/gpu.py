"""Everything that only a GPU can show, in one run: is it right, how fast is it, how much memory does it take.

    .venv/bin/python -m benchmarks.gpu                 playbot-500k and 24 of them at 1920x1080, and a quick .kilo
    .venv/bin/python -m benchmarks.gpu --kilo X.kilo   with a real one
    .venv/bin/python -m benchmarks.gpu --quick         a tiny scene of its own, to see that the script works

It needs OpenGL 4.3 without a window (EGL), numpy, torch and what `renderer/` imports (moderngl, zstandard, Pillow). The
other side is gsplat (https://docs.gsplat.studio, 1.x), which compiles its kernels on first use if it came without;
where it is missing or cannot, the table says so. Pipelines and gsplat take turns camera by camera; a frame's time is
from the camera to the finished picture in video memory. A check that fails is in the table and in the exit status. The
JSON is written anew after each part, so that a run that is cut short leaves what it had.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import moderngl

from benchmarks.drawers import Drawer, GsplatDrawer, OurDrawer, Pixels, Times
from benchmarks.gpu_scenes import load, neural, tiled
from benchmarks.machine import add_folders, machine_facts
from renderer.camera_paths import preset_path
from renderer.context import create_context, device_facts
from renderer.decode import Decoder
from renderer.fly_report import statistics
from renderer.images import to_8_bit
from renderer.metrics import json_number, psnr
from renderer.reference import render_reference
from scenes.atomic import replacing
from scenes.cameras import Camera
from scenes.extent import Extent, scene_extent
from scenes.gaussians import Gaussians
from scenes.kilo import read_kilo, write_kilo
from scenes.neural_gaussians import NeuralGaussians
from scenes.procedural import sample_scene
from scenes.sizes import readable_bytes

AGREE = 50.0  # dB in 8 bits: the least two renderers of ours may agree by
CHECK_SIZE = (160, 120)
CHECK_SCENE = 800  # Gaussians, few enough for the reference in numpy
SHOWN = 20  # every so many cameras, pictures of large scenes are compared
PIPELINES = ("tiles", "quads")
COPIES = 24
NETWORKS, WIDTH, LAYERS = 64, 24, 1  # of the quick .kilo; width and layers are the preset balanced's
DECODES = 20  # of the whole neural scene, the first few not counted
UNCOUNTED = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every part; exit 1 if a check failed."""
    wanted = _parser().parse_args(arguments)
    if wanted.quick:
        wanted.size, wanted.frames, wanted.warmup = [160, 90], 3, 1
    context = create_context()
    facts = device_facts(context)
    device = _device_name(str(facts["renderer"]))
    run: dict[str, Any] = {"benchmark": "gpu", "device": device, "quick": wanted.quick, "opengl": facts}
    run |= {"size": wanted.size, "machine": machine_facts(str(facts["renderer"])), "checks": {}, "scenes": []}
    path = wanted.out / f"gpu-{re.sub('[^a-z0-9]+', '-', device.lower()).strip('-')}.json"
    wanted.out.mkdir(parents=True, exist_ok=True)
    for part in (check_small_scene, measure_plain, measure_many, measure_neural):
        start = perf_counter()
        part(context, run, wanted)
        print(f"{part.__name__}: {perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(run, indent=2) + "\n")
    print(table(run))
    failed = [name for name, check in run["checks"].items() if not check["passed"]]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def check_small_scene(context: moderngl.Context, run: dict[str, Any], wanted: argparse.Namespace) -> None:
    """Tiles, quads and gsplat against the reference in numpy, on a scene small enough for it."""
    scene = sample_scene(CHECK_SCENE)
    cameras = _orbit(scene_extent(scene), 3, CHECK_SIZE)
    expected = [to_8_bit(render_reference(scene, camera, *CHECK_SIZE)) for camera in cameras]
    ours = _ours(context, scene, CHECK_SIZE)
    for name, drawer in (ours | {"gsplat": _made(lambda: GsplatDrawer(scene, CHECK_SIZE))}).items():
        if isinstance(drawer, str):
            run["checks"][f"{name}, reference"] = {"missing": drawer, "passed": True}
            continue
        found = [drawer.picture(camera) for camera in cameras]
        run["checks"][f"{name}, reference"] = agreement(expected, found)
    _release(ours)


def measure_plain(context: moderngl.Context, run: dict[str, Any], wanted: argparse.Namespace) -> None:
    """The scene as it is."""
    scene = _base(wanted)
    name = "sample" if wanted.quick else wanted.scene
    run["scenes"].append(measure(context, run, name, scene, scene_extent(scene), wanted))


def measure_many(context: moderngl.Context, run: dict[str, Any], wanted: argparse.Namespace) -> None:
    """Copies of it side by side."""
    scene, extent = tiled(_base(wanted), wanted.copies)
    name = f"{'sample' if wanted.quick else wanted.scene} x {wanted.copies}"
    run["scenes"].append(measure(context, run, name, scene, extent, wanted))


def measure(
    context: moderngl.Context,
    run: dict[str, Any],
    name: str,
    scene: Gaussians,
    extent: Extent,
    wanted: argparse.Namespace,
) -> dict[str, Any]:
    """Frame times of tiles, quads and gsplat on one scene; what agrees with what goes into the checks."""
    size = wanted.size[0], wanted.size[1]
    cameras = _orbit(extent, wanted.frames, size)
    ours = _ours(context, scene, size)
    drawers = ours | {"gsplat": _made(lambda: GsplatDrawer(scene, size))}
    rows, pictures = time_in_turn(drawers, cameras, wanted.warmup)
    _release(ours)
    run["checks"][f"{name}: tiles, quads"] = agreement(pictures["tiles"], pictures["quads"])
    if "gsplat" in pictures:
        run["checks"][f"{name}: tiles, gsplat"] = agreement(pictures["tiles"], pictures["gsplat"], required=False)
    return {"scene": name, "gaussians": len(scene), "rows": rows}


def measure_neural(context: moderngl.Context, run: dict[str, Any], wanted: argparse.Namespace) -> None:
    """A .kilo: the file's bytes against video memory, decoding, and frames of both residencies."""
    scene, bytes_, name = _kilo(wanted)
    size = wanted.size[0], wanted.size[1]
    cameras = _orbit(scene_extent(scene.decode()), wanted.frames, size)
    ours = _ours(context, scene, size, "decoded") | _ours(context, scene, size, "resident")
    rows, pictures = time_in_turn(ours, cameras, wanted.warmup)
    _release(ours)
    run["checks"][f"{name}: decoded, resident"] = agreement(pictures["tiles, decoded"], pictures["tiles, resident"])
    rows.insert(0, {"what": "decode all", "total": statistics(decode_times(context, scene))})
    run["scenes"].append({"scene": name, "gaussians": len(scene), "file_bytes": bytes_, "rows": rows})


def decode_times(context: moderngl.Context, scene: NeuralGaussians) -> list[float]:
    """Milliseconds of decoding every Gaussian into buffers that are there already, until the device has finished."""
    decoder = Decoder(context, scene)
    times = []
    for _ in range(DECODES):
        context.finish()
        start = perf_counter()
        decoder.run()
        context.finish()
        times.append(1e3 * (perf_counter() - start))
    decoder.release()
    return times[UNCOUNTED:]


def time_in_turn(
    made: Mapping[str, Drawer | str], cameras: Sequence[Camera], warmup: int
) -> tuple[list[dict[str, Any]], dict[str, list[Pixels]]]:
    """A row for each renderer, and its pictures of every `SHOWN`-th camera; all take turns, camera by camera.

    Every camera is drawn once before any is timed, so that memory is there. A text in place of a renderer says why it
    is missing, and so does its row.
    """
    drawers = {name: drawer for name, drawer in made.items() if not isinstance(drawer, str)}
    pictures: dict[str, list[Pixels]] = {name: [] for name in drawers}
    for name, drawer in drawers.items():
        for i, camera in enumerate(cameras):
            picture = drawer.picture(camera)
            if i % SHOWN == 0:
                pictures[name].append(picture)
    frames: dict[str, list[Times]] = {name: [] for name in drawers}
    for turn in range(-warmup, len(cameras)):
        for name, drawer in drawers.items():
            times = drawer.frame(cameras[turn % len(cameras)])
            if turn >= 0:
                frames[name].append(times)
    return [_row(name, drawer, frames.get(name, [])) for name, drawer in made.items()], pictures


def agreement(a: Sequence[Pixels], b: Sequence[Pixels], required: bool = True) -> dict[str, Any]:
    """The least PSNR of pairs of 8-bit pictures; None for identical ones."""
    least = min(psnr(x / 255, y / 255) for x, y in zip(a, b, strict=True))
    return {"psnr": json_number(least), "passed": not required or least >= AGREE}


def gpu_rows(run: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Cells for a table: scene, what, median ms, frames a second, memory."""
    rows = []
    for scene in run["scenes"]:
        title = f"{scene['scene']}, {scene['gaussians']:,}"
        for row in scene["rows"]:
            if "missing" in row:
                rows.append((title, row["what"], f"not measured: {row['missing']}", "-", "-"))
                continue
            median = row["total"]["median"]
            memory = readable_bytes(row["memory"]) if "memory" in row else "-"
            if "memory" in row and "file_bytes" in scene:
                memory += f" ({row['memory'] / scene['file_bytes']:.2f}x the file)"
            rows.append((title, row["what"], f"{median:.2f}", f"{1000 / median:.1f}", memory))
    return rows


def table(run: Mapping[str, Any]) -> str:
    """What was measured and checked, as lines of text."""
    rows = [("scene", "what", "median ms", "a second", "video memory"), *gpu_rows(run)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{run['device']}, {run['size'][0]}x{run['size'][1]}"]
    lines += ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    for name, check in run["checks"].items():
        found = "identical" if check.get("psnr") is None else f"{check['psnr']:.1f} dB"
        said = f"not checked: {check['missing']}" if "missing" in check else found
        lines.append(f"{'ok    ' if check['passed'] else 'FAILED'} {name}: {said}")
    return "\n".join(lines)


def _row(name: str, drawer: Drawer | str, frames: Sequence[Times]) -> dict[str, Any]:
    if isinstance(drawer, str):
        return {"what": name, "missing": drawer}
    row: dict[str, Any] = {"what": name, "facts": drawer.facts}
    row |= {stage: statistics([frame[stage] for frame in frames]) for stage in frames[0]}
    if isinstance(drawer, OurDrawer):
        row |= {"memory": drawer.renderer.scene.bytes, "working": drawer.renderer.working_bytes}
        row["load_ms"] = drawer.load_ms
    return row


def _made(make: Callable[[], Drawer]) -> Drawer | str:
    """A renderer, or why there is none."""
    try:
        return make()
    except (ImportError, OSError, RuntimeError) as error:  # missing, does not compile here, or out of memory
        return " ".join(str(error).split())[:200] or type(error).__name__


def _ours(
    context: moderngl.Context, scene: Gaussians | NeuralGaussians, size: tuple[int, int], residency: str = ""
) -> dict[str, Drawer | str]:
    """Both pipelines over one copy of the scene in video memory."""
    first = OurDrawer(scene, size, PIPELINES[0], residency or "decoded", context)
    others = [OurDrawer(scene, size, name, residency or "decoded", sharing=first) for name in PIPELINES[1:]]
    return {f"{drawer.pipeline}, {residency}" if residency else drawer.pipeline: drawer for drawer in (first, *others)}


def _release(drawers: Mapping[str, Drawer | str]) -> None:
    for drawer in drawers.values():
        if isinstance(drawer, OurDrawer):
            drawer.release()


def _base(wanted: argparse.Namespace) -> Gaussians:
    if wanted.quick:
        return sample_scene(CHECK_SCENE)
    folder = wanted.data / "gaussians"
    return load(next(p for p in sorted(folder.iterdir()) if p.name.partition(".")[0] == wanted.scene))


def _kilo(wanted: argparse.Namespace) -> tuple[NeuralGaussians, int, str]:
    """A neural scene as it comes out of its file, the file's bytes, and what to call it."""
    if wanted.kilo:
        return read_kilo(wanted.kilo), wanted.kilo.stat().st_size, wanted.kilo.name
    networks, width = (4, 8) if wanted.quick else (NETWORKS, WIDTH)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quick.kilo"
        write_kilo(path, neural(_base(wanted), networks, width, LAYERS))
        return read_kilo(path), path.stat().st_size, f"{'sample' if wanted.quick else wanted.scene}, untuned .kilo"


def _orbit(extent: Extent, frames: int, size: tuple[int, int]) -> list[Camera]:
    return preset_path("orbit", extent, frames, size[0] / size[1])


def _device_name(opengl: str) -> str:
    """The GPU's own name, without the bus and the compiler OpenGL adds."""
    return re.split(r"[/(,]", opengl)[0].strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kilo", type=Path, help="a compressed scene; without, one is made of the scene, untuned")
    parser.add_argument("--scene", default="playbot-500k", help="name of a file in the data folder")
    parser.add_argument("--copies", type=int, default=COPIES, help="of the scene side by side")
    parser.add_argument("--size", nargs=2, type=int, default=[1920, 1080], metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--frames", type=int, default=100, help="cameras of the orbit, each timed once")
    parser.add_argument("--warmup", type=int, default=10, help="frames before, not counted")
    parser.add_argument("--quick", action="store_true", help="a tiny scene and picture, no data folder")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    main()
