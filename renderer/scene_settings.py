"""How a picture shows what is open, whichever kind of scene that is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from renderer.settings import RenderSettings
from renderer.surface_settings import SurfaceSettings


@dataclass(frozen=True)
class SceneSettings:
    """Frozen, so that two can be compared to see whether anything changed. Each kind of scene reads its own part."""

    gaussians: RenderSettings = field(default_factory=RenderSettings)
    surface: SurfaceSettings = field(default_factory=SurfaceSettings)

    @property
    def samples(self) -> int:
        """Rays of a pixel of a surface."""
        return self.surface.samples

    def sampled(self, samples: int) -> SceneSettings:
        """The same with so many rays of a pixel."""
        return replace(self, surface=replace(self.surface, samples=samples))
