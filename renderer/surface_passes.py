"""The compute passes of a surface: trace, normals, appearance, views, slice; compiled when they are first needed."""

from __future__ import annotations

from functools import cached_property

import moderngl
import numpy as np

from renderer.context import is_software
from renderer.gpu_surface import GpuSurface
from renderer.layouts import BINDINGS, CAMERAS
from renderer.packed_bank import PackedShape
from renderer.shader_library import compile_compute, set_uniforms
from renderer.surface_glsl import VIEW_NUMBERS, bank_bounds, bank_chunk, bank_defines, views_chunk
from renderer.surface_settings import MarchSettings, SurfaceSettings
from renderer.surface_targets import SurfaceTargets
from renderer.surface_views import COST_COLOURS, box_depths, slice_plane
from scenes.cameras import Camera
from scenes.errors import KilofieldError

TILE = 8  # pixels each way of a workgroup
MOST_SIDES = 8  # networks of a blend
LLVMPIPE_LOOPS = 65535  # iterations after which llvmpipe leaves every loop of a thread, without a word
CELLS_UNIT = 0


class SurfacePasses:
    """The passes over one surface, with networks read by each thread or, `grouped`, by workgroups together."""

    def __init__(self, context: moderngl.Context, gpu: GpuSurface, grouped: bool) -> None:
        self._context, self._gpu, self._grouped = context, gpu, grouped
        self._software = is_software(context)
        # llvmpipe leaves loops too early: see shaders/surface_trace.comp
        self._slice = samples_of_a_dispatch(gpu.geometry_shape) if self._software else 0
        self.rows: tuple[int, int] | None = None  # first and behind the last, first a multiple of TILE; None: all
        self._made: list[moderngl.ComputeShader] = []

    def _compile(self, name: str, packed: PackedShape | None, gradient: bool = False) -> moderngl.ComputeShader:
        chunks, defines = {"surface_views.glsl": views_chunk()}, {"GROUPED": int(self._grouped)}
        if packed is not None:
            chunks["bank.glsl"] = bank_chunk(packed, gradient, self._software)
            defines |= bank_defines(packed, gradient) | {"SLICED": int(self._slice > 0)}
        shader = compile_compute(self._context, name, defines, chunks)
        bounds = bank_bounds(packed, gradient) if packed is not None and self._software else {}
        set_uniforms(shader, **bounds, most_sides=MOST_SIDES, cells=CELLS_UNIT)
        self._made.append(shader)
        return shader

    @cached_property
    def _trace(self) -> moderngl.ComputeShader:
        return self._compile("surface_trace.comp", self._gpu.geometry_shape)

    @cached_property
    def _normal(self) -> moderngl.ComputeShader:
        return self._compile("surface_normal.comp", self._gpu.geometry_shape, gradient=True)

    @cached_property
    def _shade(self) -> moderngl.ComputeShader:
        return self._compile("surface_shade.comp", self._gpu.appearance_shape)

    @cached_property
    def _view(self) -> moderngl.ComputeShader:
        return self._compile("surface_view.comp", None)

    @cached_property
    def _cut(self) -> moderngl.ComputeShader:
        return self._compile("surface_slice.comp", self._gpu.geometry_shape)

    def trace(self, camera: Camera, targets: SurfaceTargets, jitter: tuple[float, float], first: bool) -> None:
        """Hits and counts of a sample, the `first` of a picture or one more."""
        self._place(self._trace, camera, targets, jitter)
        targets.bind(hits=0, counts=1, marches=2, other_marches=3)
        set_uniforms(self._trace, first_sample=first)
        steps = self._steps + 1
        for begin in range(0, steps, self._slice or steps):
            set_uniforms(self._trace, first_slice=begin == 0, slice=self._slice)
            self._run(self._trace, targets)

    def normals(self, camera: Camera, targets: SurfaceTargets, jitter: tuple[float, float]) -> None:
        """Normals and depths of the hits."""
        self._place(self._normal, camera, targets, jitter)
        targets.bind(hits=0, normals=1)
        self._run(self._normal, targets)

    def shade(self, camera: Camera, targets: SurfaceTargets, jitter: tuple[float, float], share: float) -> None:
        """The hits' colours by the appearance networks, into the picture: `share` of it is this sample's."""
        assert self._gpu.appearance is not None
        self._place(self._shade, camera, targets, jitter)
        self._gpu.appearance.bind_to_storage_buffer(BINDINGS["WEIGHTS"])
        set_uniforms(self._shade, sample_share=share)
        targets.bind(hits=0, normals=1, picture=2)
        self._run(self._shade, targets)

    def view(
        self,
        camera: Camera,
        targets: SurfaceTargets,
        jitter: tuple[float, float],
        share: float,
        settings: SurfaceSettings,
    ) -> None:
        """What needs no networks, into the picture: `share` of it is this sample's."""
        self._place(self._view, camera, targets, jitter)
        low, high = settings.depth_range or box_depths(self._gpu.surface, camera)
        set_uniforms(
            self._view,
            sample_share=share,
            view=VIEW_NUMBERS[f"SURFACE_{settings.view.upper()}"],
            material=settings.material,
            depth_range=(low, 1 / (high - low) if high != low else 0.0),
            cost_scale=(len(COST_COLOURS) - 1) / settings.cost_range,
            last_stop=len(COST_COLOURS) - 1,
        )
        targets.bind(hits=0, normals=1, picture=2, counts=3)
        self._run(self._view, targets)

    def cut(
        self,
        camera: Camera,
        targets: SurfaceTargets,
        jitter: tuple[float, float],
        share: float,
        settings: SurfaceSettings,
    ) -> None:
        """The slice view into the picture: `share` of it is this sample's."""
        self._place(self._cut, camera, targets, jitter)
        grid = self._gpu.surface.grid
        normal, offset = slice_plane(self._gpu.surface, settings)
        offset = (offset - float(normal @ grid.origin)) / grid.edge
        set_uniforms(self._cut, sample_share=share, plane=(*normal, offset), spacing=settings.slice.spacing)
        targets.bind(normals=1, picture=2)
        self._run(self._cut, targets)

    def march(self, settings: MarchSettings) -> None:
        """Sets how rays march, for all traces from now on."""
        diagonal = float(np.linalg.norm(self._gpu.surface.grid.size))
        self._steps = settings.steps
        self._gpu.skip(settings.skip)
        set_uniforms(
            self._trace,
            tolerance=settings.tolerance * diagonal,
            relaxation=settings.relaxation,
            least_step=settings.least_step * diagonal,
            most_step=settings.most_step,
            entry=settings.entry,
            steps=settings.steps,
            refinements=settings.refinements,
        )

    def _place(
        self, shader: moderngl.ComputeShader, camera: Camera, targets: SurfaceTargets, jitter: tuple[float, float]
    ) -> None:
        grid = self._gpu.surface.grid
        fx, fy, cx, cy = camera.intrinsics(*targets.size)
        self._gpu.cells.use(CELLS_UNIT)
        self._gpu.geometry.bind_to_storage_buffer(BINDINGS["WEIGHTS"])
        set_uniforms(
            shader,
            picture_size=targets.size,
            camera_kind=CAMERAS[f"CAMERA_{camera.projection.upper()}"],
            # columns: the camera's axes in the world, which are the rows of camera_from_world
            world_from_camera=tuple(camera.camera_from_world[:3, :3].ravel().tolist()),
            eye=tuple((camera.position - grid.origin) / grid.edge),
            focal=(fx, fy),
            principal=(cx - jitter[0], cy - jitter[1]),
            near=camera.near,
            grid_origin=grid.origin,
            grid_edge=grid.edge,
            grid_size=grid.size,
            overlap=self._gpu.surface.overlap,
        )

    def _run(self, shader: moderngl.ComputeShader, targets: SurfaceTargets) -> None:
        width, height = targets.size
        first, last = self.rows or (0, height)
        set_uniforms(shader, first_row=first)
        shader.run(-(-width // TILE), -(-(last - first) // TILE))
        self._context.memory_barrier(moderngl.SHADER_IMAGE_ACCESS_BARRIER_BIT | moderngl.TEXTURE_FETCH_BARRIER_BIT)

    def release(self) -> None:
        """Frees what has been compiled."""
        for shader in self._made:
            shader.release()


def samples_of_a_dispatch(packed: PackedShape) -> int:
    """Samples and cubes that llvmpipe does in one. Raises `KilofieldError` for a network it would leave half way."""
    samples = LLVMPIPE_LOOPS // (MOST_SIDES * (packed.loop_iterations + 1) + 4)
    if not samples:
        raise KilofieldError(
            f"surface: expected networks of fewer loop iterations, found {packed.shape.layers} layers of "
            f"{packed.shape.width}"
        )
    return samples
