"""What the face loss costs and buys, beside blending in the overlap: the painted cow's shape, with and without each.

    .venv/bin/python -m benchmarks.surface_faces                             at `draft`, 12 cells along the longest axis
    .venv/bin/python -m benchmarks.surface_faces --preset balanced --cells 24

Colours are left out: the loss does not concern them. Nothing is rounded. Cells and the shared hidden layer are the same
for all weights. The figures are those of `surface_quality.py`, and land in surface-faces.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.machine import add_folders, machine_facts
from benchmarks.painted_spot import first_hits, write_painted_spot
from benchmarks.surface_quality import Rays, judge_hits, rays_around, seams
from benchmarks.surfaces import rounded
from fitting.checkpoint import Checkpoint
from fitting.kiloneus.cells import Places
from fitting.kiloneus.fit import Say, SurfaceFit
from fitting.kiloneus.mesh_teacher import MeshTeacher
from fitting.kiloneus.options import EFFORTS, Choices, SurfaceOptions
from fitting.kiloneus.student import ProblemOf
from scenes.atomic import replacing
from scenes.errors import KilofieldError
from scenes.meshes import read_mesh
from scenes.triangle_mesh import Mesh

OVERLAPS = (0.0, Choices().overlap)
WEIGHTS = (0.0, 1.0, 10.0)
SEAM_POINTS = 20_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, judge, print, and write surface-faces.json."""
    wanted = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "spot.ply"
        write_painted_spot(wanted.data, source)
        painted = read_mesh(source)
    mesh = Mesh(painted.vertices, painted.faces)  # without its colours
    rows = [row for overlap in OVERLAPS for row in measured(mesh, wanted, overlap)]
    content = {"benchmark": "surface_faces", "rows": rows, "machine": machine_facts("")}
    wanted.out.mkdir(parents=True, exist_ok=True)
    with replacing(wanted.out / "surface-faces.json") as path:
        path.write_text(json.dumps(content, indent=2) + "\n")


def measured(mesh: Mesh, wanted: argparse.Namespace, overlap: float) -> list[dict[str, Any]]:
    """A row for each weight."""
    teacher = MeshTeacher(mesh)
    origins, directions = rays_around(teacher.bounds, wanted.rays, wanted.seed)
    rays = Rays(origins, directions, first_hits(mesh, origins, directions))
    places: list[Places] = []
    known: dict[str, Any] = {}
    rows = []
    for weight in WEIGHTS:
        choices = Choices(overlap=overlap, face_loss=weight)
        options = SurfaceOptions(wanted.preset, wanted.cells, seed=wanted.seed, choices=choices)
        fit = ShapeFit(teacher, options, known, places)
        found = fit.fit()
        rows.append(
            {
                "surface": "spot",
                "preset": wanted.preset,
                "cells_wanted": wanted.cells,
                "overlap": overlap,
                "face_loss": weight,
                "seed": wanted.seed,
                "iterations": fit.known["geometry"]["iteration"],
                "processor_seconds": round(fit.processor_seconds, 1),  # of the output layers
                "load_average": round(os.getloadavg()[0], 2),
                "hits": rounded(asdict(judge_hits(found.surface, teacher, rays))),
                "seams": rounded(asdict(seams(found.surface, SEAM_POINTS, wanted.seed))),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


class ShapeFit(SurfaceFit):
    """A fit whose places and shared layer are those of the fit before it, where there was one."""

    def __init__(
        self, teacher: MeshTeacher, options: SurfaceOptions, shared: dict[str, Any], places: list[Places]
    ) -> None:
        nowhere = Checkpoint(Path(), "", kept=False)
        super().__init__(teacher, teacher.bounds, options, nowhere, dict(shared), Say(None), None, (0.0, 1.0))
        self._shared_layers, self._drawn = shared, places
        self.processor_seconds = 0.0

    def _places(self) -> Places:
        if not self._drawn:
            self._drawn.append(super()._places())
        return self._drawn[0]

    def _fitted(self, name: str, problem: ProblemOf, iterations: int, start: float, stop: float) -> Tensor:
        self._shared_layers[f"{name} shared"] = self._shared(name, problem, start, stop)
        started = time.process_time()
        found = super()._fitted(name, problem, iterations, start, stop)
        self.processor_seconds += time.process_time() - started
        return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.surface_faces", description=__doc__)
    parser.add_argument("--preset", default="draft", choices=list(EFFORTS))
    parser.add_argument("--cells", type=int, default=12, help="along the longest axis")
    parser.add_argument("--rays", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    add_folders(parser)
    return parser


if __name__ == "__main__":
    try:
        main()
    except KilofieldError as error:
        sys.exit(str(error))
