"""Projects and shades every Gaussian once a frame: into a compact record, and the key it is sorted by."""

from __future__ import annotations

from typing import Any, Protocol

import moderngl
import numpy as np

from renderer.depth_order import slope_limits
from renderer.gpu_gaussians import GpuGaussians
from renderer.layouts import BINDINGS, CAMERAS, FRAME_COUNTS, GROUP, RECORD, VIEW_NUMBERS
from renderer.packed_geometry import harmonic_words
from renderer.settings import RenderSettings
from renderer.shader_library import compile_compute, set_uniforms
from renderer.video_memory import reserve_buffer
from scenes.cameras import Camera
from scenes.gaussians import sh_count

EVERYWHERE = 3.0e38  # a crop box that leaves nothing out
COUNTS_IN_FLIGHT = 3  # frames whose counts are kept, so that reading the oldest waits for nothing


class SceneTraits(Protocol):
    """What a scene in video memory says of itself."""

    sh_degree: int
    antialiased: bool


def frame_uniforms(
    scene: SceneTraits, camera: Camera, width: int, height: int, settings: RenderSettings
) -> dict[str, Any]:
    """The uniforms of `shaders/gaussian_record.glsl`, the same for every front end."""
    fx, fy, cx, cy = camera.intrinsics(width, height)
    low, high = slope_limits(camera, width, height)
    crop = settings.crop
    dark, bright = settings.depth_range
    antialiased = scene.antialiased if settings.antialiased is None else settings.antialiased
    wanted = scene.sh_degree if settings.sh_degree is None else settings.sh_degree
    return {
        "camera_kind": CAMERAS[f"CAMERA_{camera.projection.upper()}"],
        "camera_from_world": tuple(camera.camera_from_world.astype(np.float32).T.ravel().tolist()),
        "camera_position": tuple(camera.position.tolist()),
        "camera_forward": tuple(camera.camera_from_world[2, :3].tolist()),
        "focal": (fx, fy),
        "principal": (cx, cy),
        "lowest_slope": tuple(low),
        "highest_slope": tuple(high),
        "size": (width, height),
        "near": camera.near,
        "view": VIEW_NUMBERS[f"VIEW_{settings.view.upper()}"],
        "sh_degree": min(wanted, scene.sh_degree),
        "antialiased": antialiased,
        "splat_scale": settings.scale,
        "min_opacity": settings.min_opacity,
        "crop_lowest": crop.lowest if crop else (-EVERYWHERE,) * 3,
        "crop_highest": crop.highest if crop else (EVERYWHERE,) * 3,
        "depth_shown": (dark, 1.0 / (bright - dark) if bright != dark else 0.0),
    }


def copies(camera: Camera) -> int:
    """Records a Gaussian gets: two in equirectangular pictures, which meet themselves at the seam."""
    return 2 if camera.projection == "equirectangular" else 1


class FrameBuffers:
    """What the front end of a frame fills, whichever it is: records, sort keys, counts. One entry a record."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._frame = 0
        self.count = 0  # records of the frame at hand, drawn or not
        self.records = context.buffer(reserve=RECORD.bytes)
        self.keys = context.buffer(reserve=4)
        self._counts = [context.buffer(bytes(FRAME_COUNTS.bytes)) for _ in range(COUNTS_IN_FLIGHT)]

    @property
    def bytes(self) -> int:
        """Video memory."""
        return self.records.size + self.keys.size

    @property
    def counts(self) -> moderngl.Buffer:
        """`FRAME_COUNTS` of the frame at hand."""
        return self._counts[self._frame % COUNTS_IN_FLIGHT]

    def begin(self, count: int) -> None:
        """Room for `count` records, counts at zero, all bound for the front end."""
        if self.records.size < count * RECORD.bytes:
            self.records.release()
            self.keys.release()
            self.records = reserve_buffer(self._context, count * RECORD.bytes, "the records of a frame")
            self.keys = reserve_buffer(self._context, count * 4, "the sort keys of a frame")
        self._frame += 1
        self.count = count
        self.counts.write(bytes(FRAME_COUNTS.bytes))
        self.records.bind_to_storage_buffer(BINDINGS["RECORDS"])
        self.keys.bind_to_storage_buffer(BINDINGS["KEYS"])
        self.counts.bind_to_storage_buffer(BINDINGS["COUNTS"])

    def latest_counts(self, finished: bool) -> np.void:
        """`FRAME_COUNTS` of the frame at hand when it has `finished`, else of the oldest kept, so as not to wait."""
        back = 0 if finished else COUNTS_IN_FLIGHT - 1
        buffer = self._counts[max(self._frame - back, 0) % COUNTS_IN_FLIGHT]
        return np.frombuffer(buffer.read(), FRAME_COUNTS.dtype)[0]

    def release(self) -> None:
        """Frees everything."""
        for buffer in (self.records, self.keys, *self._counts):
            buffer.release()


class Projection:
    """The front end of scenes that lie decoded in video memory."""

    def __init__(self, context: moderngl.Context, costs: bool) -> None:
        """`costs` says whether what footprints cost is added up."""
        self._context = context
        self._shader = compile_compute(context, "gaussian_project.comp", {"COSTS": int(costs)})

    def run(
        self,
        scene: GpuGaussians,
        frame: FrameBuffers,
        camera: Camera,
        width: int,
        height: int,
        settings: RenderSettings,
    ) -> None:
        """Fills `frame`, which it begins; the records of Gaussian i are i and, of a second copy, N + i."""
        frame.begin(copies(camera) * len(scene))
        set_uniforms(
            self._shader,
            harmonic_words=harmonic_words(sh_count(scene.sh_degree)),
            **frame_uniforms(scene, camera, width, height, settings),
        )
        for copy in range(copies(camera)):
            for first, count in scene.chunks():
                set_uniforms(self._shader, first_record=copy * len(scene) + first, count=count, second=bool(copy))
                self._shader.run(-(-count // GROUP))
        self._context.memory_barrier(moderngl.SHADER_STORAGE_BARRIER_BIT)

    def release(self) -> None:
        """Frees everything."""
        self._shader.release()
