"""What a command draws a scene of any kind with: the settings of a view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from commands.opened import Opened, PairFile, extent_of
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.extent import Extent
from scenes.open_scene import SurfaceFile
from scenes.stage import StageFile

if TYPE_CHECKING:
    from renderer.fly_scenes import AnySettings
    from renderer.stage_settings import StageSettings


@dataclass(frozen=True)
class Look:
    """The options of the command line about how things look."""

    view: str = "colour"
    samples: int = 1  # rays a pixel, of surfaces
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spp: int | None = None  # paths a pixel, of scene files; None: instant light
    denoise: bool = False


def check_view(view: str, samples: int) -> None:
    """Raises `KilofieldError` for a view no kind of scene has, and for a number of samples that cannot be."""
    from renderer.settings import VIEWS
    from renderer.surface_settings import MOST_SAMPLES, SURFACE_VIEWS

    known = tuple(dict.fromkeys((*VIEWS, *SURFACE_VIEWS)))
    if view not in known:
        raise KilofieldError(f"--view: expected one of {', '.join(known)}, found {view}")
    if not 1 <= samples <= MOST_SAMPLES:
        raise KilofieldError(f"--samples: expected 1 to {MOST_SAMPLES}, found {samples}")


def check_stage_options(source: Path, look: Look) -> None:
    """Raises `KilofieldError` for options that mean nothing to the scene file `source`."""
    from renderer.stage_settings import MOST_PATHS

    plain = Look()
    hints = {
        "background": "the scene file says it",
        "view": "it has no other",
        "samples": "--spp sets the paths a pixel",
    }
    for name, hint in hints.items():
        if getattr(look, name) != getattr(plain, name):
            raise KilofieldError(f"--{name}: expected none for the scene file {source}: {hint}")
    if look.spp is not None and not 1 <= look.spp <= MOST_PATHS:
        raise KilofieldError(f"--spp: expected 1 to {MOST_PATHS}, found {look.spp}")


def settings_of(file: Opened, look: Look, cameras: Sequence[Camera]) -> AnySettings:
    """The settings for the kind of scene a file holds; depths are those `cameras` see.

    Of two in one picture, the one that has no such view shows its colours. Raises `KilofieldError` for a view that
    this kind has not.
    """
    from renderer.scene_settings import SceneSettings
    from renderer.settings import VIEWS, RenderSettings
    from renderer.surface_settings import SURFACE_VIEWS, SurfaceSettings

    if isinstance(file, StageFile):
        return stage_settings(look)
    depths = depth_range(cameras, extent_of(file)) if look.view == "depth" else (0.0, 1.0)
    pair, surface = isinstance(file, PairFile), isinstance(file, SurfaceFile)
    known = SURFACE_VIEWS if surface else VIEWS
    if not isinstance(file, PairFile) and look.view not in known:
        kind = "a surface" if surface else "Gaussians"
        raise KilofieldError(f"--view: {file.path}: expected one of {', '.join(known)} for {kind}, found {look.view}")
    view = look.view if look.view in VIEWS else "colour"
    gaussians = RenderSettings(view=view, background=look.background, depth_range=depths)
    if not (pair or surface):
        return gaussians
    view = look.view if look.view in SURFACE_VIEWS else "colour"
    rays = SurfaceSettings(view=view, background=look.background, samples=look.samples, depth_range=depths)
    return SceneSettings(gaussians, rays) if pair else rays


def stage_settings(look: Look) -> StageSettings:
    """Paths as many as were asked for, or else instant light."""
    from renderer.stage_settings import StageSettings

    if look.spp is None:
        return StageSettings(instant=True, denoise=True)
    return StageSettings(samples=look.spp, denoise=look.denoise)


def depth_range(cameras: Sequence[Camera], extent: Extent) -> tuple[float, float]:
    """World units from the nearest point of the scene's ball to any camera, to the farthest; 0 from inside the ball."""
    distances = [float(np.linalg.norm(camera.position - extent.centre)) for camera in cameras]
    return max(min(distances) - extent.radius, 0.0), max(distances) + extent.radius
