"""The plane of the slice view: square to an axis, somewhere in the box of a surface."""

from __future__ import annotations

from renderer.surface_settings import Slice, SurfaceSettings
from renderer.surface_views import slice_plane
from scenes.surface import NeuralSurface

AXES = ("x", "y", "z")


def sliced(look: SurfaceSettings, axis: int | None = None, offset: float | None = None) -> Slice:
    """The slice of `look` square to another axis, there through the middle, or at another offset (world units)."""
    if axis is None:
        return Slice(look.slice.normal, offset, look.slice.spacing)
    x, y, z = (float(i == axis) for i in range(3))
    return Slice((x, y, z), None, look.slice.spacing)


def axis_of(look: SurfaceSettings) -> int:
    """Which of `AXES` the plane is square to."""
    return max(range(3), key=lambda axis: abs(look.slice.normal[axis]))


def ends(look: SurfaceSettings, surface: NeuralSurface) -> tuple[float, float]:
    """Where on the axis the box of the surface begins and ends, world units."""
    axis = axis_of(look)
    return surface.grid.origin[axis], float(surface.grid.corner[axis])


def offset_of(look: SurfaceSettings, surface: NeuralSurface) -> float:
    """Where on the axis the plane is, world units."""
    return slice_plane(surface, look)[1]


def moved(look: SurfaceSettings, surface: NeuralSurface, share: float) -> Slice:
    """The slice moved by a share of the box, and held in it."""
    low, high = ends(look, surface)
    return sliced(look, offset=min(max(offset_of(look, surface) + share * (high - low), low), high))
