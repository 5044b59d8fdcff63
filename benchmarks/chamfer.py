"""Chamfer distances between a surface and points of the truth, as DTU's benchmark defines them.

    accuracy       mean distance of points of the surface, where the cameras saw anything, to the truth
    completeness   mean distance of points of the truth, above the table, to the surface
    overall        the mean of the two; distances beyond `MOST` do not count

The surface is a triangle mesh, covered with points of which none is within `SPACING` of another.
Sources: Jensen et al., "Large scale multi-view stereopsis evaluation", 2014, and its rules in MATLAB, as papers on
neural surfaces use them. World units are millimetres there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.spatial import KDTree

from scenes.errors import SceneFileError
from scenes.ply_elements import read_element, read_header
from scenes.triangle_mesh import Mesh

Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]

SPACING = 0.2  # between points of the surface
MOST = 20.0  # distances above it are outliers and left out
PATCH = 60.0  # how far below the volume points still count as near what is wanted; above it twice that
DENSER = 8.0  # points drawn for each that `thinned` will leave, about


@dataclass(frozen=True)
class Observed:
    """What DTU's cameras saw of a scan: a volume of cells, and the table the object stands on."""

    cells: Bools  # [X, Y, Z] seen
    box: Doubles  # [2, 3] corners of the volume, world units
    edge: float  # of a cell
    plane: Doubles | None = None  # [4] points p with plane . (p, 1) > 0 are above the table

    def near(self, points: Doubles) -> Bools:
        """[N] points in the volume or a little beyond."""
        return ((points >= self.box[0] - PATCH) & (points < self.box[1] + 2 * PATCH)).all(axis=1)

    def holds(self, points: Doubles) -> Bools:
        """[N] points in cells that were seen."""
        places = np.rint((points - self.box[0]) / self.edge).astype(np.int64)
        inside = ((places >= 0) & (places < self.cells.shape)).all(axis=1)
        inside[inside] = self.cells[tuple(places[inside].T)]
        return inside

    def above(self, points: Doubles) -> Bools:
        """[N] points above the table."""
        if self.plane is None:
            return np.ones(len(points), np.bool_)
        return points @ self.plane[:3] + self.plane[3] > 0


@dataclass(frozen=True)
class Chamfer:
    """Distances in world units."""

    accuracy: float
    completeness: float
    points: int  # of the surface, that count
    truth: int

    @property
    def overall(self) -> float:
        """What tables give."""
        return 0.5 * (self.accuracy + self.completeness)


def chamfer(surface: Doubles, truth: Doubles, observed: Observed | None = None, most: float = MOST) -> Chamfer:
    """Of points [N, 3] and [M, 3]; nan where no distance counts."""
    if observed is None:
        seen, near, wanted = surface, surface, truth
    else:
        seen, near = surface[observed.holds(surface)], surface[observed.near(surface)]
        wanted = truth[observed.above(truth)]
    return Chamfer(_mean_distance(seen, truth, most), _mean_distance(wanted, near, most), len(seen), len(wanted))


def _mean_distance(points: Doubles, others: Doubles, most: float) -> float:
    """Mean distance from `points` to the nearest of `others`, of those below `most`."""
    if not len(points) or not len(others):
        return float("nan")
    found = KDTree(others).query(points, distance_upper_bound=most)[0]
    return float(found[found < most].mean()) if (found < most).any() else float("nan")


def covered(mesh: Mesh, spacing: float, seed: int) -> Doubles:
    """[N, 3] points on `mesh`, no two within `spacing`, and few places farther than that from one."""
    rng = np.random.default_rng(seed)
    corners = mesh.corners
    areas = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    count = int(np.ceil(DENSER * areas.sum() / spacing**2))
    faces = corners[np.searchsorted(np.cumsum(areas), rng.random(count) * areas.sum()).clip(0, len(areas) - 1)]
    u, v = rng.random((2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    inner = faces[:, 0] + u * (faces[:, 1] - faces[:, 0]) + v * (faces[:, 2] - faces[:, 0])
    return thinned(np.concatenate([mesh.vertices, inner]), spacing, seed)


def thinned(points: Doubles, spacing: float, seed: int) -> Doubles:
    """`points` [N, 3] in random order, but for those within `spacing` of one before that stays.

    As if one point after the other were looked at; but all that have no undecided one before them are taken at once.
    """
    points = points[np.random.default_rng(seed).permutation(len(points))]
    first, second = KDTree(points).query_pairs(spacing, output_type="ndarray").T  # first < second
    undecided, kept = np.ones(len(points), np.bool_), np.zeros(len(points), np.bool_)
    while undecided.any():
        waiting = np.zeros(len(points), np.bool_)
        waiting[second[undecided[first]]] = True
        chosen = undecided & ~waiting
        kept |= chosen
        undecided &= waiting
        undecided[second[chosen[first]]] = False
        open_pairs = undecided[first] & undecided[second]
        first, second = first[open_pairs], second[open_pairs]
    return points[kept]


def read_points(path: Path) -> Doubles:
    """[N, 3] the vertices of a .ply."""
    vertices = read_element(read_header(path), "vertex")
    return np.stack([vertices[axis] for axis in "xyz"], axis=1).astype(np.float64)


def observed_beside(truth: Path, scan: int) -> Observed | None:
    """What DTU says beside the points `truth`, in ../../ObsMask or the same folder; None where it is not there."""
    for folder in (truth.parent.parent.parent / "ObsMask", truth.parent.parent / "ObsMask", truth.parent):
        seen, table = folder / f"ObsMask{scan}_10.mat", folder / f"Plane{scan}.mat"
        if seen.is_file():
            return _observed(seen, table if table.is_file() else None)
    return None


def _observed(seen: Path, table: Path | None) -> Observed:
    content = _matrices(seen, ("ObsMask", "BB", "Res"))
    plane = None if table is None else _matrices(table, ("P",))["P"].astype(np.float64).reshape(4)
    box = content["BB"].astype(np.float64)
    return Observed(content["ObsMask"].astype(np.bool_), box, float(content["Res"].ravel()[0]), plane)


def _matrices(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
    try:
        content = loadmat(path, variable_names=list(names))
    except (NotImplementedError, OSError, TypeError, ValueError) as error:
        raise SceneFileError(path, "file", "matrices of MATLAB", str(error)) from error
    for name in names:
        if name not in content:
            raise SceneFileError(path, "file", f"a matrix {name}", "none")
    return content
