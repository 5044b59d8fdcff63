"""Neural surfaces in a path-traced scene: the compute passes that take paths through one.

Called by `renderer/path_passes.py`. The march, the field and the networks are those of `shaders/surface_*.glsl`, as
everywhere; only the rays are others.
"""

from __future__ import annotations

from collections.abc import Callable

import moderngl
import numpy as np

from renderer.context import is_software
from renderer.gpu_surface import GpuSurface
from renderer.layouts import BINDINGS
from renderer.packed_bank import PackedShape
from renderer.path_layouts import path_constants
from renderer.shader_library import compile_compute, set_uniforms
from renderer.surface_glsl import bank_bounds, bank_chunk, bank_defines
from renderer.surface_passes import CELLS_UNIT, MOST_SIDES, samples_of_a_dispatch
from renderer.surface_settings import MarchSettings
from scenes.surface import NeuralSurface

Frame = np.ndarray  # [3, 4] object from world
Turn = Callable[[moderngl.ComputeShader], None]  # runs a shader over the paths that need it


class PathSurface:
    """One surface in video memory, and its passes, compiled when they are first needed; any number of objects is of it.

    Raises `KilofieldError` for one that does not fit the device.
    """

    def __init__(self, context: moderngl.Context, surface: NeuralSurface, march: MarchSettings) -> None:
        self._context, self._march = context, march
        self._software = is_software(context)
        self.gpu = GpuSurface(context, surface)
        self.gpu.skip(march.skip)
        self._slice = samples_of_a_dispatch(self.gpu.geometry_shape) if self._software else 0
        self._made: dict[str, moderngl.ComputeShader] = {}

    def trace(self, paths: int, turn: Turn, number: int, frame: Frame, shadow_rays: bool) -> None:
        """What of the paths, or of their light, meets object `number` with this frame first."""
        shader = self._shader("path_march.comp", self.gpu.geometry_shape, False)
        diagonal = float(np.linalg.norm(self.gpu.surface.grid.size))
        march = self._march
        set_uniforms(
            shader,
            tolerance=march.tolerance * diagonal,
            relaxation=march.relaxation,
            least_step=march.least_step * diagonal,
            most_step=march.most_step,
            entry=march.entry,
            steps=march.steps,
            refinements=march.refinements,
            shadow_rays=shadow_rays,
        )
        self._place(shader, paths, number, frame)
        steps = march.steps + 1
        for begin in range(0, steps, self._slice or steps):
            set_uniforms(shader, first_slice=begin == 0, slice=self._slice)
            self._run(shader, turn)

    def look(self, paths: int, turn: Turn, number: int, frame: Frame, colours: bool) -> None:
        """Normals, and with `colours` colours, of where paths have met object `number`."""
        shader = self._shader("path_surface_normal.comp", self.gpu.geometry_shape, True)
        self._place(shader, paths, number, frame)
        self._run(shader, turn)
        if colours:
            assert self.gpu.appearance_shape is not None  # `scenes.stage` has seen to it
            assert self.gpu.appearance is not None
            shader = self._shader("path_surface_colour.comp", self.gpu.appearance_shape, False)
            self._place(shader, paths, number, frame)
            self.gpu.appearance.bind_to_storage_buffer(BINDINGS["WEIGHTS"])
            self._run(shader, turn)

    def _shader(self, name: str, packed: PackedShape, gradient: bool) -> moderngl.ComputeShader:
        if name not in self._made:
            chunks = {
                "path_constants.glsl": path_constants(),
                "bank.glsl": bank_chunk(packed, gradient, self._software),
            }
            defines = {"GROUPED": 0, "SLICED": int(self._slice > 0)} | bank_defines(packed, gradient)
            shader = compile_compute(self._context, name, defines, chunks)
            bounds = bank_bounds(packed, gradient) if self._software else {}
            set_uniforms(shader, **bounds, most_sides=MOST_SIDES, cells=CELLS_UNIT)
            self._made[name] = shader
        return self._made[name]

    def _place(self, shader: moderngl.ComputeShader, paths: int, number: int, frame: Frame) -> None:
        grid = self.gpu.surface.grid
        self.gpu.cells.use(CELLS_UNIT)
        self.gpu.geometry.bind_to_storage_buffer(BINDINGS["WEIGHTS"])
        rows = {
            name: tuple(map(float, row)) for name, row in zip(("frame_x", "frame_y", "frame_z"), frame, strict=True)
        }
        set_uniforms(
            shader,
            **rows,
            path_count=paths,
            number=number + 1,
            grid_origin=grid.origin,
            grid_edge=grid.edge,
            grid_size=grid.size,
            overlap=self.gpu.surface.overlap,
        )

    def _run(self, shader: moderngl.ComputeShader, turn: Turn) -> None:
        turn(shader)
        self._context.memory_barrier(moderngl.SHADER_STORAGE_BARRIER_BIT)

    @property
    def bytes(self) -> int:
        """Video memory of the surface."""
        return self.gpu.bytes

    def release(self) -> None:
        """Frees everything."""
        for shader in self._made.values():
            shader.release()
        self.gpu.release()
