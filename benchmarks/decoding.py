"""Time the decoding of .kilo files from file to arrays: range decoding, octree, networks and the whole, medians.

Example: `.venv/bin/python -m benchmarks.decoding scene.kilo`; a .ply is packed first, without any fitting.

That shaders decode the same is for the tests: `test_decode_glsl.py` compares attributes, `test_resident.py` codes.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.machine import add_folders, machine_facts
from scenes import kilo_streams, octree
from scenes.atomic import replacing
from scenes.gaussians import Gaussians, sh_count
from scenes.kilo import read_kilo, write_kilo
from scenes.ply import read_ply

NETWORK_GAUSSIANS = 20_000  # of a packed .ply, as `compress` plans them
LAYERS, WIDTH, COARSENESS = 1, 24, 2.0  # as in preset `balanced`; steps as of middling quality


@dataclass(frozen=True)
class Times:
    """Seconds of wall clock, and the processor's for the whole, which other programs hardly change."""

    range_decoding: float  # codes and weights
    octree: float  # range decoding of positions included
    networks: float
    whole: float
    processor: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a line a file, and write benchmarks/results/decoding.json."""
    wanted = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        files = [_packed(path, Path(folder), wanted.sh) if path.suffix == ".ply" else path for path in wanted.files]
        found = [measure(path, wanted.repeats) for path in files]
    for figures in found:
        print(
            "{file}: {gaussians:,} Gaussians in {bytes:,} bytes, {whole:.3f} s, {rate:,.0f} a second".format(**figures)
        )
    with replacing(wanted.out / "decoding.json") as path:
        report = {"benchmark": "decoding", "repeats": wanted.repeats, "files": found, "machine": machine_facts("")}
        if hasattr(os, "getloadavg"):
            report["load_average"] = os.getloadavg()[0]  # more than about 1 is other programs' doing
        path.write_text(json.dumps(report, indent=2) + "\n")


def measure(path: Path, repeats: int) -> dict[str, Any]:
    """Bytes, Gaussians, seconds of each stage and Gaussians a second of the whole: medians after a first run."""
    runs = [_once(path) for _ in range(repeats + 1)][1:]
    scene = read_kilo(path)
    seconds = {name: float(np.median([getattr(run, name) for run in runs])) for name in Times.__annotations__}
    return {
        "file": path.name,
        "bytes": path.stat().st_size,
        "gaussians": len(scene),
        "sh_degree": scene.sh_degree,
        "networks_in_file": len(scene.bank),
        **{name: round(value, 5) for name, value in seconds.items()},
        "rate": round(len(scene) / seconds["whole"]),
        "rate_per_processor_second": round(len(scene) / seconds["processor"]),
    }


def _once(path: Path) -> Times:
    with _timed(kilo_streams, "_decode_symbols") as symbols, _timed(octree, "decode_cells") as cells:
        processor, start = time.process_time(), time.perf_counter()
        scene = read_kilo(path)
        read = time.perf_counter()
        scene.decode()
        end = time.perf_counter()
    return Times(sum(symbols), sum(cells), end - read, end - start, time.process_time() - processor)


@contextmanager
def _timed(module: Any, name: str) -> Iterator[list[float]]:
    """The seconds of each call of a module's function inside the block."""
    seconds: list[float] = []
    function: Callable[..., Any] = getattr(module, name)

    def timed(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            seconds.append(time.perf_counter() - start)

    with mock.patch.object(module, name, timed):
        yield seconds


def _packed(path: Path, folder: Path, sh_degree: int | None) -> Path:
    """A .kilo of a .ply in the form `compress` starts from: principal components, before any step of fitting."""
    import torch  # not for those who only have .kilo files

    from fitting.neuralgs.model import start_model

    gaussians = _cut(read_ply(path).gaussians, sh_degree)
    model = start_model(
        gaussians,
        np.ones(len(gaussians)),
        coarseness=COARSENESS,
        layers=LAYERS,
        width=WIDTH,
        networks=max(1, round(len(gaussians) / NETWORK_GAUSSIANS)),
        seed=0,
        device=torch.device("cpu"),
    )
    packed = folder / f"{path.stem}-sh{gaussians.sh_degree}.kilo"
    write_kilo(packed, model.pack())
    return packed


def _cut(gaussians: Gaussians, sh_degree: int | None) -> Gaussians:
    """`gaussians` with the bands of spherical harmonics up to `sh_degree` alone."""
    if sh_degree is None:
        return gaussians
    return replace(gaussians, sh=np.ascontiguousarray(gaussians.sh[:, : sh_count(sh_degree)]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.decoding", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", help=".kilo files, or .ply files to pack")
    parser.add_argument("--sh", type=int, choices=range(4), help="bands of spherical harmonics kept of a .ply")
    parser.add_argument("--repeats", type=int, default=7, help="times each file is decoded")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    main()
