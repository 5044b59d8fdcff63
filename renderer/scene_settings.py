"""How a picture shows what is open, whichever kind of scene that is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from renderer.settings import RenderSettings
from renderer.stage_settings import StageSettings
from renderer.surface_settings import MOST_SAMPLES, SurfaceSettings


@dataclass(frozen=True)
class SceneSettings:
    """Frozen, so that two can be compared to see whether anything changed. Each kind of scene reads its own part."""

    gaussians: RenderSettings = field(default_factory=RenderSettings)
    surface: SurfaceSettings = field(default_factory=SurfaceSettings)
    stage: StageSettings = field(default_factory=StageSettings)

    @property
    def samples(self) -> int:
        """Rays or paths of a pixel, of what has them."""
        return max(self.surface.samples, self.stage.samples)

    def moving(self) -> SceneSettings:
        """While the picture moves."""
        return replace(self, stage=self.stage.moving())

    def sampled(self, samples: int) -> SceneSettings:
        """The same with so many rays or paths of a pixel; a surface has `MOST_SAMPLES` at most."""
        surface = replace(self.surface, samples=min(samples, MOST_SAMPLES))
        return replace(self, surface=surface, stage=replace(self.stage, samples=samples))
