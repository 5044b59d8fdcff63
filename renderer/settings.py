"""What a picture of Gaussians shows and how: everything about a frame that is neither the scene nor the camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scenes.errors import KilofieldError

VIEWS = ("colour", "depth", "normal", "alpha", "clusters", "overdraw", "points", "rings")

POINT_RADIUS = 1.5  # px, of the discs of the points view
RING_INNER = 0.85  # of the ellipse where alpha falls to 1/255: the rings view draws a band from here to its edge
RING_ALPHA = 0.6  # of that band
RING_FILL = 0.05  # inside of it

Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class CropBox:
    """An axis-aligned box in the world; Gaussians whose centre is outside are not drawn."""

    lowest: Vector3
    highest: Vector3

    def __post_init__(self) -> None:
        corners = (*self.lowest, *self.highest)
        ordered = all(low <= high for low, high in zip(self.lowest, self.highest, strict=True))
        if not ordered or any(math.isnan(x) for x in corners):
            raise KilofieldError(f"crop box: expected lowest <= highest in x, y, z, found {self.lowest} {self.highest}")


@dataclass(frozen=True)
class RenderSettings:
    """Frozen, so that two can be compared to see whether anything changed.

    `view` is one of `VIEWS`. All but depth and overdraw are colours blended as usual over `background`:

    - colour: spherical harmonics, with `sh_degree` of them (None: all).
    - alpha: white over black, whatever the background.
    - normal: 0.5 + 0.5 n, with n the shortest axis of each Gaussian in the world's frame, turned to face the camera.
    - clusters: a colour of its own for each cluster, shaded by the luminance of the colour view.
    - points: opaque discs of `POINT_RADIUS` px. rings: the edge of each ellipse (`RING_*`).
    - depth: sum(w z) / sum(w) of the Gaussians' centres; black at `depth_range[0]`, white at `depth_range[1]`, over the
      background where nothing is. z is along the view axis, for equirectangular cameras the distance.
    - overdraw: how many Gaussians touch each pixel, of those with alpha >= 1/255 there, front to back without an end;
      black at 0, white at `overdraw_range`.
    """

    view: str = "colour"
    sh_degree: int | None = None  # None: all the scene has
    antialiased: bool | None = None  # None: as the scene was trained
    scale: float = 1.0  # multiplies every standard deviation
    background: Vector3 = (0.0, 0.0, 0.0)  # RGB, 0 to 1
    min_opacity: float = 0.0  # Gaussians less opaque than this are not drawn
    crop: CropBox | None = None
    depth_range: tuple[float, float] = (0.0, 1.0)  # world units
    overdraw_range: float = 128.0  # Gaussians a pixel

    def __post_init__(self) -> None:
        if self.view not in VIEWS:
            raise KilofieldError(f"view: expected one of {', '.join(VIEWS)}, found {self.view!r}")
        if not self.overdraw_range > 0:
            raise KilofieldError(f"overdraw range: expected a number above 0, found {self.overdraw_range:g}")
        if not (0 <= self.min_opacity <= 1 and self.scale > 0):
            raise KilofieldError(
                f"render settings: expected an opacity from 0 to 1 and a scale above 0, "
                f"found {self.min_opacity:g} and {self.scale:g}"
            )


def cluster_colour(cluster: int) -> Vector3:
    """RGB of a cluster, 0 to 1: hues a golden ratio apart, so that neighbours differ; the shader has the same."""
    hue = math.modf(0.1 + cluster * 0.6180339887498949)[0] * 6.0
    red, green, blue = (min(max(abs((hue + shift) % 6.0 - 3.0) - 1.0, 0.0), 1.0) for shift in (0.0, 4.0, 2.0))
    return (0.35 + 0.65 * red, 0.35 + 0.65 * green, 0.35 + 0.65 * blue)
