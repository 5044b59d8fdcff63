"""Which records a camera may see, nearest first: culling and sorting in numpy, from positions kept on the CPU.

This is the sort of software rasterisers and of OpenGL 4.1; elsewhere `radix_sort.py` sorts on the GPU. No matrix
product is used: BLAS keeps threads spinning after one, and takes cores from a software rasteriser.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.reference import DILATION, FRUSTUM_MARGIN, POLE_SLOPE
from renderer.settings import POINT_RADIUS, CropBox
from scenes.cameras import Camera
from scenes.gaussians import Floats

REACH = 3.33  # deviations: sqrt(2 ln 255), where the most opaque Gaussian falls to 1/255
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class DepthOrder:
    """[V] records nearest first, and about how many pixels each footprint covers, at most the whole picture."""

    records: NDArray[np.uint32]
    footprints: Floats

    def affordable(self, budget: float) -> int:
        """How many of the nearest cover at most `budget` pixels together."""
        if float(self.footprints.sum(dtype=np.float64)) <= budget:
            return len(self.records)
        return int(np.searchsorted(np.cumsum(self.footprints, dtype=np.float64), budget, side="right"))


class DepthSorter:
    """Sorts one scene: `positions` [N, 3], `radii` [N] and `areas` [N] as in `GpuGaussians`."""

    def __init__(self, positions: Floats, radii: Floats, areas: Floats) -> None:
        self._columns = np.ascontiguousarray(positions.T, np.float32)  # [3, N]
        self._radii, self._areas = radii, areas
        self._index = np.arange(len(positions), dtype=np.uint64)

    def order(
        self, camera: Camera, width: int, height: int, scale: float = 1.0, crop: CropBox | None = None
    ) -> DepthOrder:
        """The records of Gaussians that may touch the picture; `scale` multiplies their deviations.

        Equal depths stay in the order of the scene. What is dropped is behind the near plane, outside of `crop` or
        certainly not in the picture; what is kept may be outside. Record i is Gaussian i; record N + i of an
        equirectangular picture is its copy one picture width away, which shows at the other side of the seam.
        """
        view = self._in_camera_frame(camera)
        depth = np.sqrt(view[0] ** 2 + view[1] ** 2 + view[2] ** 2) if _is_panorama(camera) else view[2]
        seen = depth > np.float32(camera.near)
        if crop is not None:
            seen &= self._inside(crop)
        with np.errstate(
            over="ignore", divide="ignore", invalid="ignore"
        ):  # what is not seen, or larger than any picture
            deviation = self._radii * np.float32(scale)
            if _is_panorama(camera):
                copied = seen & _near_seam(view, depth, deviation, camera, width, height)
            else:
                seen &= _may_touch(view, depth, deviation, camera, width, height)
                copied = None
            footprints = self._footprints(depth, camera, width, height, scale)
        return self._sorted(depth, seen, copied, footprints)

    def _in_camera_frame(self, camera: Camera) -> list[Floats]:
        """x, y, z [N] each."""
        x, y, z = self._columns
        view = []
        for row in camera.camera_from_world[:3].astype(np.float32):
            value = x * row[0]
            value += y * row[1]
            value += z * row[2]
            value += row[3]
            view.append(value)
        return view

    def _inside(self, crop: CropBox) -> Mask:
        inside = np.ones(len(self._radii), bool)
        for column, lowest, highest in zip(self._columns, crop.lowest, crop.highest, strict=True):
            inside &= (column >= np.float32(lowest)) & (column <= np.float32(highest))
        return inside

    def _footprints(self, depth: Floats, camera: Camera, width: int, height: int, scale: float) -> Floats:
        """[N] pixels of the quad around the ellipse the two longest deviations make, seen from the front."""
        fx, fy, _, _ = camera.intrinsics(width, height)
        pixels = self._areas * np.float32(min(4 * REACH**2 * scale**2 * fx * fy, 1e30))
        if camera.projection != "orthographic":
            pixels /= depth * depth
        pixels += np.float32(4 * REACH**2 * DILATION)
        return np.minimum(pixels, np.float32(width * height), out=pixels)

    def _sorted(self, depth: Floats, seen: Mask, copied: Mask | None, footprints: Floats) -> DepthOrder:
        """Depth and index share one integer, which sorts 7 times as fast as numpy's stable argsort of depths."""
        keys = depth.view(np.uint32).astype(np.uint64)  # floats above 0 sort as their bits do
        keys <<= np.uint64(32)
        keys |= self._index
        if copied is not None:
            keys = np.concatenate([keys[seen], keys[copied] + np.uint64(len(depth))])
        elif not seen.all():
            keys = keys[seen]
        keys.sort()
        records = keys.astype(np.uint32)
        gaussians = records if copied is None else records % np.uint32(max(len(depth), 1))
        return DepthOrder(records, footprints[gaussians])


def _is_panorama(camera: Camera) -> bool:
    return camera.projection == "equirectangular"


def slope_limits(camera: Camera, width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the most [2] x/z and y/z at which the projection is linearised: the frustum, a little wider."""
    low, high = camera.slopes(width, height)
    margin = FRUSTUM_MARGIN * 0.5 * (high - low)
    return low - margin, high + margin


def _may_touch(view: list[Floats], depth: Floats, deviation: Floats, camera: Camera, width: int, height: int) -> Mask:
    """[N] whether the ellipse of a Gaussian at `view` in the camera's frame can touch the picture.

    The norm of the Jacobian's rows, with their slope clamped, bounds how far a deviation reaches in pixels.
    """
    focal, centre = np.reshape(camera.intrinsics(width, height), (2, 2)).astype(np.float32)
    limits = np.max(np.abs(slope_limits(camera, width, height)), axis=0)
    stretch = focal * np.hypot(1.0, limits).astype(np.float32) if camera.projection == "pinhole" else focal
    closeness = np.float32(1.0) / depth if camera.projection == "pinhole" else np.float32(1.0)
    angular = deviation * closeness
    touches = np.ones(len(depth), bool)
    for axis, size in enumerate((width, height)):
        reach = _reach(angular * stretch[axis])
        pixel = view[axis] * (focal[axis] * closeness)
        pixel += centre[axis]
        touches &= (pixel >= -reach) & (pixel <= np.float32(size) + reach)
    return touches


def _near_seam(view: list[Floats], depth: Floats, deviation: Floats, camera: Camera, width: int, height: int) -> Mask:
    """[N] whether a footprint of an equirectangular picture reaches its left or right edge."""
    focal, centre = np.reshape(camera.intrinsics(width, height), (2, 2)).astype(np.float32)
    pixel = focal[0] * np.arctan2(view[0], view[2]) + centre[0]
    across = np.maximum(np.hypot(view[0], view[2]), np.float32(POLE_SLOPE) * depth)
    return np.minimum(pixel, np.float32(width) - pixel) <= _reach(focal[0] * deviation / across)


def _reach(deviation: Floats) -> Floats:
    """How many pixels a footprint reaches from its centre, at most, for a deviation of so many pixels."""
    deviation *= deviation
    deviation += np.float32(DILATION)
    np.sqrt(deviation, out=deviation)
    deviation *= np.float32(REACH)
    return np.maximum(deviation, np.float32(POINT_RADIUS), out=deviation)
