"""The reference of `benchmarks.surfaces`: a smooth cow with a hide, as a file, and where rays meet it.

The data folder's spot.obj has no texture and facets 4.9 degrees off a smooth surface. So it is subdivided twice by
Loop's rule and painted: a colour at each of its 46,850 corners from noise of the place.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh
from igl.embree import EmbreeIntersector
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.meshes import read_mesh, subdivided
from scenes.procedural_textures import fractal_noise, mix, value_noise
from scenes.triangle_mesh import Mesh

Doubles = NDArray[np.float64]

CREAM, BROWN, DARK = (0.93, 0.88, 0.78), (0.45, 0.24, 0.12), (0.13, 0.10, 0.10)
PATCHES, EDGE = 3.2, 0.03  # patches of brown in a unit; half the width of their soft edges, in units of the noise
FUR = 14.0  # of the finest noise, in a unit: features of 0.07, about a cell wide and some four triangles
TIMES = 2  # that each triangle becomes four


def hide(points: Doubles) -> Doubles:
    """[N, 3] sRGB in [0, 1] at `points` [N, 3]: brown patches on cream, dark ones on both, a little fur."""
    warped = points + 0.08 * np.stack([value_noise(5 * points, seed) - 0.5 for seed in (11, 12, 13)], axis=1)
    patch = value_noise(PATCHES * warped, 1) - 0.52
    dark = value_noise(1.7 * PATCHES * warped, 2) - 0.74
    colour = mix(CREAM, BROWN, 0.5 + patch / (2 * EDGE))
    colour = mix(colour, DARK, 0.5 + dark / (2 * EDGE))
    fur = 0.85 + 0.3 * fractal_noise(FUR / 2 * points, 3, 2)
    return np.clip(colour * fur[:, None], 0, 1)


def write_painted_spot(data: Path, target: Path) -> None:
    """Writes the .ply with colours at vertices; `data` is the folder of the real scenes."""
    mesh = subdivided(read_mesh(data / "meshes" / "spot.obj"), TIMES)
    colours = np.rint(255 * hide(mesh.vertices)).astype(np.uint8)
    painted = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colours, process=False)
    with replacing(target) as temporary:
        painted.export(temporary, file_type="ply")


def first_hits(mesh: Mesh, origins: Doubles, directions: Doubles) -> Doubles:
    """[N] distances at which rays first meet `mesh`, inf where they do not; world units, unit `directions`."""
    scene = EmbreeIntersector()
    scene.init(np.asfortranarray(mesh.vertices, np.float32), np.asfortranarray(mesh.faces, np.int32))
    found = np.full(len(origins), np.inf)
    for i, (origin, direction) in enumerate(
        zip(origins.astype(np.float32), directions.astype(np.float32), strict=True)
    ):
        face, distance, _, _ = scene.intersectRay_first(origin, direction)
        if face >= 0:
            found[i] = distance
    return found
