"""Neural surfaces measured: a painted cow against its mesh, what coherence buys, and what parts of the fit are worth.

    .venv/bin/python -m benchmarks.surfaces                       the default preset, with and without coherence
    .venv/bin/python -m benchmarks.surfaces --table               every variant, at `draft`
    .venv/bin/python -m benchmarks.surfaces --capture CAPTURE     every variant, at `draft`, from photographs

The cow is spot.obj, made smooth and painted (`painted_spot.py`); how a file is judged is in `surface_quality.py`. Each
row lands in results/surfaces.json at once. With `--files FOLDER` the .kilo files stay there, with what their fits took
beside them; a fit that is there already is not made again. The first form also draws the close-up
(`surface_closeup.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import add_folders, machine_facts
from benchmarks.painted_spot import first_hits, write_painted_spot
from benchmarks.surface_closeup import write_closeup
from benchmarks.surface_quality import Rays, judge_hits, rays_around, seams
from benchmarks.surface_variants import COHERENT, INCOHERENT, VARIANTS, CaptureFits, Variant
from fitting.kiloneus.mesh_teacher import MeshTeacher
from fitting.kiloneus.options import Preset, SurfaceOptions, SurfaceProgress
from fitting.kiloneus.surface import fit_surface
from scenes.atomic import replacing
from scenes.errors import KilofieldError
from scenes.kilo_surface import read_surface
from scenes.meshes import read_mesh
from scenes.surface import NeuralSurface

ROOT = Path(__file__).resolve().parents[1]
FACE_POINTS = 20_000
SAME = ("surface", "preset", "cells_wanted", "steps_wanted", "variant", "seed")  # what makes two rows the same


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit and measure the rows asked for, print them, and write surfaces.json."""
    wanted = _parser().parse_args(arguments)
    with _folder(wanted.files) as folder:
        if wanted.capture is not None:
            _measure_capture(wanted)
            return
        bench = SpotBench(wanted, folder)
        rows = VARIANTS if wanted.table else (COHERENT, INCOHERENT)
        found = [bench.row(variant) for variant in rows]
        if not wanted.table:
            write_closeup(wanted.picture, found[0], found[1])


class SpotBench:
    """The painted cow: fits and judges variants of it."""

    def __init__(self, wanted: argparse.Namespace, folder: Path) -> None:
        self.wanted, self.folder = wanted, folder
        self.preset: Preset = wanted.preset or ("draft" if wanted.table else "balanced")
        self.source = folder / "spot.ply"
        write_painted_spot(wanted.data, self.source)
        mesh = read_mesh(self.source)
        self.teacher = MeshTeacher(mesh)
        origins, directions = rays_around(self.teacher.bounds, wanted.rays, wanted.seed)
        self.rays = Rays(origins, directions, first_hits(mesh, origins, directions))

    def row(self, variant: Variant) -> NeuralSurface:
        """Fits, judges and notes one variant; the surface of its file."""
        path = self.folder / f"spot-{self.preset}-{self.wanted.cells or 'cells'}-{self.wanted.seed}-{variant.key}.kilo"
        cost = self._fitted(variant, path)
        surface = read_surface(path)
        row = {
            "surface": "spot, painted",
            "preset": self.preset,
            "cells_wanted": self.wanted.cells,
            "variant": variant.name,
            "seed": self.wanted.seed,
            **cost,
            "hits": rounded(asdict(judge_hits(surface, self.teacher, self.rays))),
            "seams": rounded(asdict(seams(surface, FACE_POINTS, self.wanted.seed))),
        }
        note(self.wanted.out, "spot", row)
        return surface

    def _fitted(self, variant: Variant, path: Path) -> dict[str, Any]:
        """What the fit took, and what is in the file."""
        beside = path.with_suffix(".json")
        if path.exists() and beside.exists():
            return json.loads(beside.read_text())
        options = SurfaceOptions(self.preset, self.wanted.cells, seed=self.wanted.seed, choices=variant.choices)
        said = Said(f"{self.preset}, {variant.name}")
        processor = time.process_time()
        result = fit_surface(self.source, path, options, said)
        cost = {
            "bytes": result.bytes,
            "source_bytes": result.source_bytes,
            "streams": result.streams,
            "cells": result.cells,
            "weights": [result.geometry_weights, result.appearance_weights],
            "seconds": round(result.seconds, 1),
            "processor_seconds": round(time.process_time() - processor, 1),
            "stages": {name: round(seconds, 1) for name, seconds in result.stages.items()},
            "frequencies": said.frequencies,
            "cores": len(os.sched_getaffinity(0)),
            "load_average": round(os.getloadavg()[0], 2),  # more than the cores is other programs' doing
        }
        beside.write_text(json.dumps(cost))
        return cost


class Said:
    """Prints each stage of a fit as it begins, and keeps what FreSh chose."""

    def __init__(self, name: str) -> None:
        self.name, self.frequencies = name, list[str]()
        self._stage, self._started = "", time.monotonic()

    def __call__(self, now: SurfaceProgress) -> None:
        if now.stage == "frequencies":
            self.frequencies.append(now.detail)
        if now.stage != self._stage:
            print(f"{self.name}: {now.stage}, after {time.monotonic() - self._started:.0f} s", flush=True)
        self._stage = now.stage


def _measure_capture(wanted: argparse.Namespace) -> None:
    """Every variant from photographs; those that cannot be are named."""
    fits = CaptureFits(wanted.capture, wanted.preset or "draft", wanted.steps, wanted.cells, wanted.seed)
    for variant in VARIANTS:
        said = Said(f"{wanted.capture.name}, {variant.name}")
        try:
            measured = fits.measure(variant, said)
        except KilofieldError as error:
            print(f"{said.name}: left out: {error}")
            continue
        row = {
            "surface": wanted.capture.name,
            "preset": fits.preset,
            "cells_wanted": wanted.cells,
            "steps_wanted": wanted.steps,
            "variant": variant.name,
            "seed": wanted.seed,
            **rounded(measured),
            "frequencies": said.frequencies,
        }
        note(wanted.out, "captures", row)


def note(folder: Path, section: str, row: Mapping[str, Any]) -> None:
    """Prints a row and puts it into surfaces.json, in the place of the same one of an earlier run."""
    print(json.dumps(row), flush=True)
    path = folder / "surfaces.json"
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"benchmark": "surfaces"}
    kept = [old for old in content.get(section, []) if any(old.get(key) != row.get(key) for key in SAME)]
    content[section] = [*kept, row]
    content["machine"] = machine_facts("")
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Five digits of every number that is not whole."""
    return {name: float(f"{x:.5g}") if isinstance(x, float | np.floating) else x for name, x in figures.items()}


@contextmanager
def _folder(files: Path | None) -> Iterator[Path]:
    if files is not None:
        files.mkdir(parents=True, exist_ok=True)
        yield files
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.surfaces", description=__doc__)
    parser.add_argument("--table", action="store_true", help="every variant, at draft")
    parser.add_argument("--capture", type=Path, help="photographs to learn from in place of the cow")
    parser.add_argument("--steps", type=int, help="of what photographs teach first")
    parser.add_argument("--preset", help="in place of balanced, and of draft for tables")
    parser.add_argument("--cells", type=int, help="along the longest axis")
    parser.add_argument("--rays", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", type=Path, help="folder for the .kilo files")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "surface-seams.png", help="the close-up")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    try:
        main()
    except KilofieldError as error:
        sys.exit(str(error))
