"""The picture of the scene in the window: redrawn when something changed, smaller while it changes on slow devices.

At rest it is whole, and a surface gets one more sample a frame, until there are as many as the settings want; a scene
file as many as there is time for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from renderer.context import is_software
from renderer.scene_settings import SceneSettings
from renderer.stage_renderer import traced_part
from renderer.window import WindowPicture
from scenes.cameras import Camera
from scenes.scene_file import SceneDescription
from ui.resolution import MovingScale
from ui.scene_slot import SceneSlot

if TYPE_CHECKING:
    import moderngl

Descriptions = tuple["SceneDescription | None", ...]  # of the scenes that a painter may draw
Painter = Callable[["moderngl.Framebuffer", Camera, SceneSettings], None]

REST_SECONDS = 0.25  # without a change before the picture is drawn whole
HISTORY = 120  # frame times kept
BAND_SECONDS = 0.05  # in a frame, of drawing a surface at rest where that takes long
LATE_FRAMES = 4  # after which a GPU's counts are known, and a picture that had too little room has been drawn again


@dataclass
class _Drawn:
    """What is in the picture now."""

    camera: Camera
    size: tuple[int, int]
    look: SceneSettings  # as wanted
    scenes: Descriptions
    scale: float
    hurried: bool  # as settings have it while the picture moves
    samples: int  # so far

    def shows(self, camera: Camera, size: tuple[int, int], look: SceneSettings, scenes: Descriptions) -> bool:
        """Whether this is what is wanted, at whatever scale."""
        return self.scenes == scenes and self.look == look and self._from(camera, size)

    def develops(self, camera: Camera, size: tuple[int, int], look: SceneSettings, scenes: Descriptions) -> bool:
        """Whether what is wanted is of the same light: other exposure or tone mapping, or another number of samples."""
        if not self._from(camera, size) or look.sampled(1) != self.look.sampled(1):
            return False
        return None not in scenes and list(map(_light, scenes)) == list(map(_light, self.scenes))

    def _from(self, camera: Camera, size: tuple[int, int]) -> bool:
        return self.size == size and same_camera(self.camera, camera)


def _light(scene: SceneDescription | None) -> SceneDescription | None:
    return None if scene is None else traced_part(scene)


def same_camera(a: Camera, b: Camera) -> bool:
    """Whether two cameras see the same."""
    plain = replace(a, camera_from_world=b.camera_from_world) == b  # the same object: arrays have no truth of their own
    return plain and np.array_equal(a.camera_from_world, b.camera_from_world)


class ScenePicture:
    """Paints into a texture; `frames_ms` and `stages_ms` hold what the latest frames took, and their stages."""

    def __init__(self, context: moderngl.Context, scenes: Sequence[SceneSlot]) -> None:
        """`scenes` are those a painter may draw; their stage times say how to keep a moving picture fluent."""
        self._scenes = scenes
        self.picture = WindowPicture(context)
        self.moving = MovingScale(0.5 if is_software(context) else 1.0)
        self.history = HISTORY
        self.frames_ms: deque[float] = deque(maxlen=HISTORY)
        self.stages_ms: deque[dict[str, float]] = deque(maxlen=HISTORY)
        self._late = 0 if is_software(context) else LATE_FRAMES
        self._again = 0  # frames still to be drawn though nothing changes
        self._in_bands = is_software(context)
        self._drawn: _Drawn | None = None
        self._changed = -REST_SECONDS

    def forget(self) -> None:
        """Another scene: what is drawn is out of date, and so are the times."""
        self.invalidate()
        self.frames_ms.clear()
        self.stages_ms.clear()

    def invalidate(self) -> None:
        """What is drawn is out of date, for a reason that camera, size and settings do not tell."""
        self._drawn = None

    @property
    def whole(self) -> bool:
        """Whether the picture has all its pixels, and all samples of them."""
        drawn = self._drawn
        return drawn is not None and self.resting and drawn.samples >= drawn.look.samples

    @property
    def resting(self) -> bool:
        """Whether the picture has all its pixels, as the settings want them."""
        return self._drawn is not None and self._drawn.scale == 1.0 and not self._drawn.hurried

    @property
    def samples(self) -> int:
        """There are of each pixel of the whole picture, or 1 before there are any."""
        return self._drawn.samples if self._drawn is not None and self.resting else 1

    @property
    def _descriptions(self) -> Descriptions:
        return tuple(slot.description for slot in self._scenes)

    @property
    def _lit(self) -> bool:
        """All scenes are scene files."""
        return all(slot.kind == "stage" for slot in self._scenes)

    def update(
        self,
        painter: Painter,
        camera: Camera,
        size: tuple[int, int],
        look: SceneSettings,
        now: float,
        always: bool = False,
    ) -> bool:
        """Brings the picture up to date, `size` in pixels, `now` in seconds; True if it may change again by itself."""
        wanted = camera, size, look, self._descriptions
        fresh = self._drawn is not None and self._drawn.shows(*wanted)
        if not fresh and self._drawn is not None and self._drawn.develops(*wanted):
            samples = min(self._drawn.samples, look.samples)
            self._draw(painter, camera, size, look, self._drawn.scale, samples, hurried=self._drawn.hurried)
            fresh = True
        if not fresh:
            self._changed = now
        resting = now - self._changed >= REST_SECONDS
        scale = 1.0 if always or resting else self.moving.value
        hurried = not (resting or always) and look.moving() != look
        stale = not fresh or self._drawn is None or (resting and not self.resting)
        self._again = self._late if stale else max(self._again - 1, 0)
        samples = 1
        if always:
            for slot in self._scenes:
                slot.restart()
        elif not stale and self._drawn is not None:
            more = resting and not self.whole
            stale = more
            samples = look.samples if more and self._lit else self._drawn.samples + more
        if stale or always or self._again:
            in_bands = (self._in_bands or "stage" in {slot.kind for slot in self._scenes}) and resting and not always
            self._draw(painter, camera, size, look, scale, samples, in_bands, hurried)
        return always or not self.whole or self._again > 0

    def draw(self, painter: Painter, camera: Camera, size: tuple[int, int], look: SceneSettings) -> None:
        """Draws all of it."""
        self._draw(painter, camera, size, look, 1.0, look.samples)

    def _draw(
        self,
        painter: Painter,
        camera: Camera,
        size: tuple[int, int],
        look: SceneSettings,
        scale: float,
        samples: int,
        in_bands: bool = False,
        hurried: bool = False,
    ) -> None:
        """Draws at `scale` times the size, and learns from how long it took.

        `in_bands`, what is not done after `BAND_SECONDS` is left for the next time, and not shown before it is done.
        """
        for slot in self._scenes:
            slot.be_patient(BAND_SECONDS if in_bands else None)
        width, height = (max(1, round(side * scale)) for side in size)
        before = [slot.facts for slot in self._scenes]
        start = perf_counter()
        drawn: list[SceneSlot] = []

        def paint(target: moderngl.Framebuffer) -> bool:
            painter(target, camera, (look.moving() if hurried else look).sampled(samples))
            drawn.extend(slot for slot, facts in zip(self._scenes, before, strict=True) if slot.facts is not facts)
            return not any(slot.behind for slot in self._scenes if slot in drawn or slot.partner in drawn)

        try:
            shown = self.picture.draw(width, height, paint)
        finally:
            for slot in self._scenes:
                slot.be_patient(None)
        if not shown:
            return
        elapsed = 1e3 * (perf_counter() - start)
        stages = _sum([slot.facts.wall_ms for slot in drawn])
        # Orders to a GPU return at once: its own clock then says more than ours.
        total = max(stages.pop("total", 0.0), elapsed)
        samples = min((slot.stage.samples for slot in drawn if slot.stage), default=samples)
        self._drawn = _Drawn(camera, size, look, self._descriptions, scale, hurried, samples)
        if in_bands and any(slot.casts_rays for slot in drawn):
            return  # the time of a part
        self.frames_ms.append(total)
        self.stages_ms.append(stages)
        if samples == 1:
            self.moving.measured(scale, stages | {"total": total})

    def release(self) -> None:
        """Frees everything but the scenes."""
        self.picture.release()


def _sum(times: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Stage by stage."""
    names = dict.fromkeys(name for one in times for name in one)
    return {name: sum(one.get(name, 0.0) for one in times) for name in names}
