"""What a command draws a scene of either kind with: its extent, and the settings of a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.extent import Extent, scene_extent
from scenes.gaussians import Gaussians
from scenes.open_scene import SurfaceFile
from scenes.surface import NeuralSurface
from scenes.surface_extent import surface_extent

if TYPE_CHECKING:
    from renderer.settings import RenderSettings
    from renderer.surface_settings import SurfaceSettings
    from scenes.load import SceneFile

Content: TypeAlias = "Gaussians | NeuralSurface"  # a scene as extents need it: neural Gaussians decoded


def content_of(file: SceneFile | SurfaceFile) -> Content:
    """The surface of a file, or its Gaussians."""
    return file.surface if isinstance(file, SurfaceFile) else file.gaussians


def extent_of(content: Content) -> Extent:
    """Where the scene is."""
    return surface_extent(content) if isinstance(content, NeuralSurface) else scene_extent(content)


def check_view(view: str, samples: int) -> None:
    """Raises `KilofieldError` for a view no kind of scene has, and for a number of samples that cannot be."""
    from renderer.settings import VIEWS
    from renderer.surface_settings import MOST_SAMPLES, SURFACE_VIEWS

    known = tuple(dict.fromkeys((*VIEWS, *SURFACE_VIEWS)))
    if view not in known:
        raise KilofieldError(f"--view: expected one of {', '.join(known)}, found {view}")
    if not 1 <= samples <= MOST_SAMPLES:
        raise KilofieldError(f"--samples: expected 1 to {MOST_SAMPLES}, found {samples}")


def settings_of(
    file: SceneFile | SurfaceFile,
    view: str,
    samples: int,
    background: tuple[float, float, float],
    cameras: Sequence[Camera],
) -> RenderSettings | SurfaceSettings:
    """The settings of `view` for the kind of scene a file holds; depths are those `cameras` see."""
    from renderer.settings import VIEWS, RenderSettings
    from renderer.surface_settings import SURFACE_VIEWS, SurfaceSettings

    surface = isinstance(file, SurfaceFile)
    known = SURFACE_VIEWS if surface else VIEWS
    if view not in known:
        kind = "a surface" if surface else "Gaussians"
        raise KilofieldError(f"--view: {file.path}: expected one of {', '.join(known)} for {kind}, found {view}")
    depths = depth_range(cameras, extent_of(content_of(file))) if view == "depth" else (0.0, 1.0)
    if surface:
        return SurfaceSettings(view=view, background=background, samples=samples, depth_range=depths)
    return RenderSettings(view=view, background=background, depth_range=depths)


def depth_range(cameras: Sequence[Camera], extent: Extent) -> tuple[float, float]:
    """World units from the nearest point of the scene's ball to any camera, to the farthest; 0 from inside the ball."""
    distances = [float(np.linalg.norm(camera.position - extent.centre)) for camera in cameras]
    return max(min(distances) - extent.radius, 0.0), max(distances) + extent.radius
