"""Compress real scenes and judge what comes back: bytes, PSNR, SSIM, seconds, peak memory.

    scene.ply -> kilofield compress -> .kilo -> kilofield convert -> back.ply -> evaluation cameras

The cameras are those of the data folder, 480x320, black background, drawn by OpenGL, and no fit ever sees them. One
JSON a run lands in the results folder. Example: `make bench ARGS="--scenes donut --presets draft"`. Scenes of
other folders bring their own cameras, as in `--scenes garden=garden.ply:cameras.json`; `benchmarks.walks` has two.

`--peer SPLAT_TRANSFORM` does the same with splat-transform (`benchmarks.peer_sog`) for what `peers.json` does not hold
yet, and `--presets` without a name measures it alone. Afterwards `benchmarks.rate_distortion` draws both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from plyfile import PlyData

from benchmarks import peer_sog, rate_distortion
from benchmarks.judging import SIZE, Scenery, judge, over, render, render_rgba, turned, view_scores
from benchmarks.machine import add_folders, machine_facts
from benchmarks.peer_sog import PeerPoint, PeerScene, Variant
from renderer.context import create_context, device_facts
from renderer.metrics import json_number, mean_score
from scenes.atomic import replacing
from scenes.camera_files import read_cameras
from scenes.cameras import Camera
from scenes.content import LARGEST_ALPHA
from scenes.errors import KilofieldError
from scenes.extent import Extent, scene_extent
from scenes.gaussians import Floats, Gaussians
from scenes.load import load_scene
from scenes.neural_gaussians import NeuralGaussians

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_SCENES = ("playbot-31k", "hamburger", "donut")


@dataclass(frozen=True)
class Scene:
    """What to compress, and where to look at it from."""

    name: str
    file: Path | None = None  # None: the data folder has a file and cameras of that name
    cameras: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Scene:
        """Of `donut`, or `garden=garden.ply:garden-cameras.json`."""
        name, given, paths = text.partition("=")
        file, _, cameras = paths.rpartition(":")
        if given and not (name and file and cameras):
            raise KilofieldError(f"--scenes: expected NAME or NAME=FILE:CAMERAS, found {text}")
        return cls(name, Path(file), Path(cameras)) if given else cls(name)

    def read_cameras(self, data: Path) -> list[Camera]:
        """Those it is judged on, which no fit sees."""
        return read_cameras(self.cameras or data / "cameras" / f"{self.name}.json")


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
    """Measure every wanted combination, the peer first, and write one JSON each; then the curves."""
    wanted = _parser().parse_args(arguments)
    scenes = [Scene.parse(text) for text in wanted.scenes]
    if strangers := {name for name, _ in wanted.budgets if name} - {scene.name for scene in scenes}:
        raise KilofieldError(f"--budgets: expected scenes of --scenes, found {', '.join(sorted(strangers))}")
    wanted.out.mkdir(parents=True, exist_ok=True)
    for scene in scenes:
        cameras = scene.read_cameras(wanted.data)
        with readable_source(scene, wanted.data, wanted.peer) as source:
            if wanted.peer:
                update_peer(scene.name, source, cameras, wanted)
            for run in runs(scene.name, wanted):
                figures = measure(run, source, cameras)
                with replacing(wanted.out / f"{run.name}.json") as path:
                    path.write_text(json.dumps(figures, indent=2) + "\n")
                print(f"{run.name}: {figures['bytes']:,} bytes, {figures['psnr']:.2f} dB, {figures['seconds']:.0f} s")
    if wanted.peer:
        rate_distortion.main(["--out", str(wanted.out), "--peers", str(wanted.peers)])


def runs(scene: str, wanted: argparse.Namespace) -> list[Run]:
    """The compressions asked for: by presets and by budgets, those without a scene's name and its own."""
    mine = [mb for name, mb in wanted.budgets if name in (None, scene)]
    sizes = mine or ([] if wanted.budgets else [wanted.max_mb])
    return [Run(scene, preset, wanted.quality, mb, wanted.seed) for preset in wanted.presets for mb in sizes]


@contextmanager
def readable_source(scene: Scene, data: Path, peer: Path | None) -> Iterator[Path]:
    """The scene's file; where only splat-transform reads it (.sog), the .ply that it makes of it."""
    file = (scene.file or _file_in(data / "gaussians", scene.name)).absolute()
    if file.suffix != ".sog":
        yield file
        return
    if not peer:
        raise KilofieldError(f"{file}: expected --peer, since splat-transform alone reads .sog; found none")
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / f"{scene.name}.ply"
        timed(peer_sog.decode_command(peer, file, source))
        yield source


def _file_in(folder: Path, name: str) -> Path:
    found = [path for path in sorted(folder.iterdir()) if path.name.partition(".")[0] == name]
    if not found:
        raise KilofieldError(f"{folder.absolute()}: expected a file of the scene {name}, found none")
    return found[0]


def measure(run: Run, source: Path, cameras: Sequence[Camera]) -> dict[str, object]:
    """All figures of one run on the scene in `source`."""
    with tempfile.TemporaryDirectory() as folder:
        kilo, back = Path(folder) / "scene.kilo", Path(folder) / "back.ply"
        encode = timed([*_kilofield(), "compress", str(source), str(kilo), "--quiet", *run.arguments()])
        decode = timed([*_kilofield(), "convert", str(kilo), str(back), "--quiet"])
        files = [load_scene(path) for path in (source, back, kilo)]
    neural = files[2].scene
    return {
        "benchmark": "compression",
        "scene": run.scene,
        "preset": run.preset,
        "quality": run.quality if run.max_mb is None else None,
        "max_mb": run.max_mb,
        "seed": run.seed,
        "bytes": files[2].bytes,
        "source_bytes": files[0].bytes,
        "gaussians": len(neural),
        "source_gaussians": len(files[0].scene),
        "networks": len(neural.bank) if isinstance(neural, NeuralGaussians) else 0,
        **_likeness([file.scene for file in files], scene_extent(files[0].gaussians), cameras),
        "seconds": encode.seconds,
        "peak_bytes": encode.peak_bytes,
        "decode_seconds": decode.seconds,
        "cameras": len(cameras),
        "size": list(SIZE),
        "machine": machine_facts(str(device_facts(create_context())["renderer"])),
    }


def _likeness(scenes: Sequence[Scenery], extent: Extent, cameras: Sequence[Camera]) -> dict[str, object]:
    """How well the second of `scenes` shows the first: the source, the .ply made of the .kilo, the .kilo."""
    pictures = [render_rgba(scene, cameras) for scene in scenes]
    black, white = ([[over(p, shade) for p in three] for three in pictures] for shade in (0.0, 1.0))
    views = view_scores(black[0], black[1], [p[..., 3] for p in pictures[0]])
    mean = mean_score(views)

    def psnr_from(others: Sequence[Camera]) -> float | None:
        return json_number(judge(*(render(scene, others) for scene in scenes[:2])).psnr)

    return {
        "psnr": json_number(mean.psnr),
        "psnr_views": [json_number(view.psnr) for view in views],
        "psnr_object": None if mean.object_psnr is None else json_number(mean.object_psnr),  # its own pixels alone
        "ssim": mean.ssim,
        "psnr_white": json_number(judge(*white[:2]).psnr),  # before white
        "psnr_turned": psnr_from(turned(cameras, extent)),  # from other cameras of the same kind
        # with a near plane that does not cut a small scene open
        "psnr_whole": psnr_from([replace(camera, near=extent.near) for camera in cameras]),
        "render_agreement_psnr": json_number(judge(*black[1:]).psnr),  # of the .kilo and of back.ply; null: identical
    }


def update_peer(scene: str, source: Path, cameras: Sequence[Camera], wanted: argparse.Namespace) -> None:
    """Measure the variants that the cache lacks, and write it after each, since with SH one can take an hour.

    Figures of another version of the tool, of another file or without its size are dropped.
    """
    fresh = PeerScene(peer_sog.tool_version(wanted.peer), source.stat().st_size)
    known = peer_sog.read_peers(wanted.peers)
    entry = known.get(scene, fresh)
    if wanted.again or (entry.tool, entry.source_bytes) != (fresh.tool, fresh.source_bytes):
        entry = fresh
    missing = entry.without(peer_sog.variants(wanted.codecs, wanted.percents))
    original = render(load_scene(source).scene, cameras) if missing else []
    machine = machine_facts(str(device_facts(create_context())["renderer"]))
    for variant in missing:
        point = measure_peer(variant, source, cameras, original, wanted.peer)
        entry = entry.with_point(point, machine)
        peer_sog.write_peers({**known, scene: entry}, wanted.peers)
        print(f"{scene}, {variant.name}: {point.bytes:,} bytes, {point.psnr or np.inf:.2f} dB", flush=True)


def measure_peer(
    variant: Variant, source: Path, cameras: Sequence[Camera], original: Sequence[Floats], tool: Path
) -> PeerPoint:
    """The figures of one of splat-transform's files; `original` holds the source's pictures."""
    with tempfile.TemporaryDirectory() as folder:
        packed, back = Path(folder) / f"scene.{variant.codec}", Path(folder) / "back.ply"
        encode = timed(peer_sog.encode_command(tool, source, packed, variant.percent))
        decode = timed(peer_sog.decode_command(tool, packed, back))
        views = view_scores(original, render(peer_scene(back), cameras))
        size = packed.stat().st_size
    score = mean_score(views)
    return PeerPoint(
        codec=variant.codec,
        percent=variant.percent,
        bytes=size,
        psnr=json_number(score.psnr),
        ssim=score.ssim,
        psnr_views=tuple(json_number(view.psnr) for view in views),
        encode_seconds=encode.seconds,
        decode_seconds=decode.seconds,
        encode_peak_bytes=encode.peak_bytes,
    )


def peer_scene(path: Path) -> Gaussians:
    """All visible Gaussians of a .ply that splat-transform wrote; `KilofieldError` if any cannot be drawn.

    It reads the byte 255 of .spz and .compressed.ply as an opacity of 1, whose logit is infinite, and `load_scene`
    drops those: they get the opacity that our own reader of .compressed.ply gives them, in a file beside `path`.
    """
    content = PlyData.read(path)
    logits = content["vertex"]["opacity"]
    invisible = int(np.isneginf(logits).sum())
    logits[np.isposinf(logits)] = np.log(LARGEST_ALPHA / (1 - LARGEST_ALPHA))
    mended = path.with_name(f"finite-{path.name}")
    content.write(mended)
    file = load_scene(mended)
    if broken := file.dropped - invisible:
        raise KilofieldError(f"{path}: expected Gaussians that can be drawn, found {broken} that cannot")
    return file.gaussians


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


def _budget(text: str) -> tuple[str | None, float]:
    """Of `0.045`, for every scene, or `hamburger=0.045`."""
    scene, _, size = text.rpartition("=")
    return scene or None, float(size)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.compression", description=__doc__)
    parser.add_argument(
        "--scenes",
        nargs="+",
        metavar="SCENE",
        default=DEFAULT_SCENES,
        help="names of files in the data folder, or NAME=FILE:CAMERAS",
    )
    parser.add_argument("--presets", nargs="*", default=["balanced"], help="none: the peer alone")
    parser.add_argument("--quality", default="medium")
    parser.add_argument("--max-mb", type=float, help="a size instead of a quality")
    parser.add_argument(
        "--budgets", nargs="+", type=_budget, default=[], metavar="MB", help="several sizes; SCENE=MB: of that scene"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--peer", type=peer_sog.program, metavar="SPLAT_TRANSFORM", help="measure this program beside ours"
    )
    parser.add_argument("--peers", type=Path, default=peer_sog.PEERS, help="the cache of its figures")
    parser.add_argument("--again", action="store_true", help="measure it even where the cache has its figures")
    parser.add_argument("--codecs", nargs="+", choices=peer_sog.CODECS, default=peer_sog.CODECS, help="of the peer")
    parser.add_argument("--percents", nargs="+", type=int, default=peer_sog.PERCENTS, help="of Gaussians in its SOG")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    try:
        main()
    except KilofieldError as error:
        sys.exit(str(error))
