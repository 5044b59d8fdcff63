"""A scan of DTU as a neural surface: PSNR at half resolution, and how far its mesh is from the truth.

    .venv/bin/python -m benchmarks.surface_dtu FOLDER scan65.kilo --ground-truth Points/stl/stl065_total.ply

FOLDER has the layout of NeuS and IDR (image/, mask/, cameras_sphere.npz). As everywhere here, every eighth photograph
is kept to judge by. With --ground-truth the distances are Chamfer's as DTU defines them (`chamfer.py`), with the masks
of what the cameras saw where they lie beside it (../../ObsMask); without, of points on the meshes of the cells and of
the teacher. NeuS with masks has an overall distance of 0.77 mm on its 15 scans (Wang et al., "NeuS", 2021, table 1).
The figures land in surface-dtu.json.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import igl
import numpy as np

from benchmarks.chamfer import SPACING, Chamfer, chamfer, covered, observed_beside, read_points
from benchmarks.machine import add_folders, machine_facts
from benchmarks.surface_captures import Drawn, judged, sheet
from commands.console import progress
from fitting.kiloneus.neus_photographs import load_views
from fitting.kiloneus.neus_teacher import NeusTeacher
from fitting.kiloneus.options import EFFORTS, SurfaceOptions
from fitting.kiloneus.surface import fit_surface
from fitting.kiloneus.teacher import Teacher
from renderer.context import create_context, device_facts
from renderer.images import write_png
from scenes.atomic import replacing
from scenes.errors import KilofieldError
from scenes.kilo_surface import read_surface
from scenes.photo_sets import read_photographs
from scenes.surface_mesh import MeshOptions, surface_mesh
from scenes.triangle_mesh import Mesh

FINE = 5000  # points along the diagonal of a mesh, where no millimetres say how many


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, judge, print, and write surface-dtu.json and the sheet."""
    wanted = _parser().parse_args(arguments)
    photographs = read_photographs(wanted.folder)
    side = wanted.side or max(max(p.width, p.height) for p in photographs.photographs) // 2
    options = SurfaceOptions(wanted.preset, wanted.cells, wanted.steps, side, wanted.seed, False, wanted.device)
    taught: list[Teacher] = []
    with progress(f"surface {wanted.folder.name}", quiet=False) as bar:
        result = fit_surface(
            wanted.folder,
            wanted.kilo,
            options,
            lambda now: bar(now.done, f"{now.stage} {now.detail}"),
            None,
            taught.append,
        )
    teacher = taught[0]
    assert isinstance(teacher, NeusTeacher)  # photographs have one
    views = load_views(photographs.test or photographs.train, side)
    drawn = Drawn.of(wanted.kilo, views)
    figures = judged(result, teacher, drawn, views) | {
        "side": side,
        "judged_by": "photographs kept to judge by" if photographs.test else "photographs learnt from",
        "distances": _distances(wanted, teacher),
    }
    print(json.dumps(figures, indent=2))
    write(wanted, options, figures)
    write_png(wanted.sheet, sheet(teacher, drawn, views))


def _distances(wanted: argparse.Namespace, teacher: NeusTeacher) -> dict[str, object]:
    """Chamfer's, of the file's mesh, to the truth or the teacher's mesh."""
    options = MeshOptions(resolution=wanted.resolution)
    ours = surface_mesh(read_surface(wanted.kilo), options, lambda done, stage: None).shape
    if wanted.ground_truth is None:
        theirs = teacher_mesh(teacher, wanted.resolution)
        spacing = theirs.diagonal / min(FINE, 4 * wanted.resolution)
        points, truth = (covered(mesh, spacing, wanted.seed) for mesh in (ours, theirs))
        found = chamfer(points, truth, most=theirs.diagonal)
        return shown(found, "the teacher's mesh") | {"percent_of_diagonal": 100 * found.overall / theirs.diagonal}
    scan = wanted.scan if wanted.scan is not None else scan_of(wanted.ground_truth)
    observed = None if scan is None else observed_beside(wanted.ground_truth, scan)
    found = chamfer(covered(ours, SPACING, wanted.seed), read_points(wanted.ground_truth), observed)
    return shown(found, wanted.ground_truth.name) | {"masks": observed is not None}


def shown(found: Chamfer, to: str) -> dict[str, object]:
    """Ready for JSON."""
    return {"to": to, **asdict(found), "overall": found.overall}


def scan_of(truth: Path) -> int | None:
    """The scan's number in a name such as stl065_total.ply."""
    number = re.search(r"\d+", truth.stem)
    return None if number is None else int(number[0])


def teacher_mesh(teacher: Teacher, resolution: int) -> Mesh:
    """Marching cubes of what cells learn from, `resolution` cubes along the longest side of its box."""
    low, high = teacher.bounds.astype(np.float64)
    spacing = float((high - low).max()) / resolution
    counts = np.ceil((high - low) / spacing).astype(int) + 1
    axes = [low[axis] + spacing * np.arange(counts[axis]) for axis in range(3)]
    # libigl counts x fastest
    places = np.stack(np.meshgrid(*axes[::-1], indexing="ij")[::-1], axis=-1).reshape(-1, 3)
    values = teacher.distance(places.astype(np.float32))[0].astype(np.float64)
    nx, ny, nz = (int(count) for count in counts)
    vertices, faces, _ = igl.marching_cubes(values, places, nx, ny, nz)
    mesh = Mesh(np.asarray(vertices, np.float64), np.asarray(faces, np.int64))
    if not len(mesh.faces):
        raise KilofieldError("expected a surface of the teacher, found none")
    return mesh


def write(wanted: argparse.Namespace, options: SurfaceOptions, figures: dict[str, object]) -> None:
    """surface-dtu.json."""
    content = {
        "benchmark": "surface_dtu",
        "scan": wanted.folder.name,
        "options": asdict(options),
        "figures": figures,
        "device": device_facts(create_context()),
        "machine": machine_facts(""),
    }
    with replacing(wanted.out / "surface-dtu.json") as path:
        path.write_text(json.dumps(content, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.surface_dtu", description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs in NeuS's layout")
    parser.add_argument("kilo", type=Path, help="where the surface goes")
    parser.add_argument("--ground-truth", type=Path, help="the scan's points, a .ply")
    parser.add_argument("--scan", type=int, help="its number, in place of the one in the name of --ground-truth")
    parser.add_argument("--resolution", type=int, default=512, help="cubes along the longest side of the meshes")
    parser.add_argument("--preset", default="balanced", choices=list(EFFORTS))
    parser.add_argument("--cells", type=int, help="along the longest axis")
    parser.add_argument("--steps", type=int, help="of the teacher")
    parser.add_argument("--side", type=int, help="pixels of a photograph's longest side, in place of half")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--sheet", type=Path, default=Path("surface-dtu.png"), help="photographs beside pictures")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    try:
        main()
    except KilofieldError as error:
        sys.exit(str(error))
