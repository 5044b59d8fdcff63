"""What people do to a scene between two formats: leave parts out, turn, scale and shift it, put it in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scenes.extent import scene_extent
from scenes.gaussians import Gaussians
from scenes.merging import sh_of_degree
from scenes.octree import morton_codes
from scenes.ordering import morton_order
from scenes.placing import placed

Doubles = NDArray[np.float64]
Triple = tuple[float, float, float]

AXES: Mapping[str, Triple] = {
    **{"x": (1, 0, 0), "-x": (-1, 0, 0), "y": (0, 1, 0)},
    **{"-y": (0, -1, 0), "z": (0, 0, 1), "-z": (0, 0, -1)},
}
FINEST_CELLS = 200  # across the radius of a scene, where floaters are looked for
COMPANY = 4  # Gaussians in the cell of the median one, itself included
ALONE = 1 / 8  # of what the median Gaussian has near it
FARTHEST_CELL = (1 << 20) - 2  # from the middle


@dataclass(frozen=True)
class Edits:
    """Done in this order; lengths and places before `up` are those of the file, in world units."""

    box: tuple[Triple, Triple] | None = None  # corners: what has its middle outside is left out
    sphere: tuple[Triple, float] | None = None  # centre and radius: likewise
    drop_floaters: bool = False
    up: tuple[str | None, str] | None = None  # the axis that is up now, None to guess it, and the one to turn it to
    rotate: Triple | None = None  # degrees about x, then y, then z
    scale: float = 1.0
    translate: Triple | None = None
    sh_degree: int | None = None  # bands above are left out
    morton: bool = False  # put in Morton order


def edited(gaussians: Gaussians, edits: Edits) -> Gaussians:
    """`gaussians` after the `edits`; possibly none."""
    gaussians = gaussians.select(_inside(gaussians, edits)) if edits.box or edits.sphere else gaussians
    if edits.drop_floaters and len(gaussians):
        gaussians = gaussians.select(~floaters(gaussians))
    if not len(gaussians):
        return gaussians
    matrix = rotation_about_axes(edits.rotate or (0, 0, 0))
    if edits.up:
        now, wanted = edits.up
        matrix = matrix @ turn_between(
            np.array(AXES[now]) if now else scene_extent(gaussians).up, np.array(AXES[wanted])
        )
    if edits.scale != 1 or edits.translate or not np.array_equal(matrix, np.eye(3)):
        gaussians = placed(gaussians, matrix, edits.scale, np.array(edits.translate or (0, 0, 0), np.float64))
    if edits.sh_degree is not None and edits.sh_degree < gaussians.sh_degree:
        gaussians = replace(gaussians, sh=sh_of_degree(gaussians.sh, edits.sh_degree))
    return gaussians.select(morton_order(gaussians.positions)) if edits.morton else gaussians


def _inside(gaussians: Gaussians, edits: Edits) -> NDArray[np.bool_]:
    inside = np.ones(len(gaussians), np.bool_)
    if edits.box:
        low, high = np.array(edits.box)
        inside &= ((gaussians.positions >= low) & (gaussians.positions <= high)).all(axis=1)
    if edits.sphere:
        centre, radius = edits.sphere
        inside &= np.linalg.norm(gaussians.positions - np.array(centre), axis=1) <= radius
    return inside


def floaters(gaussians: Gaussians) -> NDArray[np.bool_]:
    """[N] True for Gaussians that stand alone: with fewer near them than an eighth of what the median one has.

    Near is the same cell of a grid and the 26 around it, of cells so large that half of the Gaussians have at least
    three others in their own. A Gaussian wider than a cell is no floater but background, such as the sky.
    """
    whole, side = _cells(gaussians)
    far = (np.abs(whole) > FARTHEST_CELL).any(axis=1)
    whole = np.clip(whole, -FARTHEST_CELL, FARTHEST_CELL).astype(np.int64) + FARTHEST_CELL + 1
    codes, counts = np.unique(morton_codes(whole.astype(np.uint32)), return_counts=True)
    near = np.zeros(len(gaussians), np.int64)
    for offset in np.ndindex(3, 3, 3):
        beside = morton_codes((whole + np.array(offset) - 1).astype(np.uint32))
        at = np.minimum(np.searchsorted(codes, beside), len(codes) - 1)
        near += np.where(codes[at] == beside, counts[at], 0)
    small = gaussians.log_scales.max(axis=1) < np.log(side)
    return ((near < ALONE * np.median(near)) | far) & small


def _cells(gaussians: Gaussians) -> tuple[Doubles, float]:
    """The cell [N, 3] each Gaussian is in, counted from the middle of the scene, and the side of a cell."""
    extent = scene_extent(gaussians)
    side = extent.radius / FINEST_CELLS
    while True:
        cells = np.floor((gaussians.positions - extent.centre) / side)
        kept = np.clip(cells, -FARTHEST_CELL, FARTHEST_CELL) + FARTHEST_CELL
        _, at, counts = np.unique(morton_codes(kept.astype(np.uint32)), return_inverse=True, return_counts=True)
        if np.median(counts[at]) >= COMPANY or side > extent.radius:
            return cells, side
        side *= 1.5


def rotation_about_axes(degrees: Triple) -> Doubles:
    """[3, 3] the rotation about x, then about y, then about z, each counter-clockwise as seen from its tip."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[[one, other], [one, other]] = np.cos(angle)
        turn[other, one], turn[one, other] = np.sin(angle), -np.sin(angle)
        matrix = turn @ matrix
    return np.where(np.abs(matrix - np.rint(matrix)) < 1e-12, np.rint(matrix), matrix)  # quarter turns are exact


def turn_between(now: Doubles, wanted: Doubles) -> Doubles:
    """[3, 3] the shortest rotation from the axis `now` [3] to `wanted` [3]; half a turn where they are opposite."""
    axis = np.cross(now, wanted)
    if not axis.any():
        if np.dot(now, wanted) > 0:
            return np.eye(3)
        axis = np.roll(now, 1)  # any axis at right angles
        return 2 * np.outer(axis, axis) - np.eye(3)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross
