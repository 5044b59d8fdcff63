"""Projects every Gaussian once a frame into a compact record."""

from __future__ import annotations

import moderngl
import numpy as np

from renderer.depth_order import slope_limits
from renderer.gpu_gaussians import GpuGaussians
from renderer.layouts import BINDINGS, GROUP, RECORD
from renderer.shader_library import compile_compute, set_uniforms
from scenes.cameras import Camera
from scenes.gaussians import sh_count


class Projection:
    """The records of a scene, remade for each camera."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._shader = compile_compute(context, "gaussian_project.comp")
        self.records = context.buffer(reserve=RECORD.bytes)

    def reserve(self, count: int) -> None:
        """Room for `count` records."""
        self.records.release()
        self.records = self._context.buffer(reserve=max(count, 1) * RECORD.bytes)

    def run(
        self,
        gaussians: GpuGaussians,
        camera: Camera,
        width: int,
        height: int,
        sh_degree: int,
        antialiased: bool,
        scale: float,
    ) -> None:
        """Fills `records`, one for each Gaussian; one that is not seen gets a zero axis."""
        self._set_camera(camera, width, height)
        set_uniforms(
            self._shader,
            coefficients=sh_count(gaussians.sh_degree),
            sh_degree=min(sh_degree, gaussians.sh_degree),
            antialiased=antialiased,
            splat_scale=scale,
        )
        self.records.bind_to_storage_buffer(BINDINGS["RECORDS"])
        for first, count in gaussians.chunks():
            set_uniforms(self._shader, first=first, count=count)
            self._shader.run(-(-count // GROUP))
        self._context.memory_barrier(moderngl.SHADER_STORAGE_BARRIER_BIT)

    def _set_camera(self, camera: Camera, width: int, height: int) -> None:
        fx, fy, cx, cy = camera.intrinsics(width, height)
        low, high = slope_limits(camera, width, height)
        set_uniforms(
            self._shader,
            camera_from_world=tuple(camera.camera_from_world.astype(np.float32).T.ravel().tolist()),
            camera_position=tuple(camera.position.tolist()),
            focal=(fx, fy),
            principal=(cx, cy),
            lowest_slope=tuple(low),
            highest_slope=tuple(high),
            size=(width, height),
            near=camera.near,
        )

    def release(self) -> None:
        """Frees everything."""
        self.records.release()
        self._shader.release()
