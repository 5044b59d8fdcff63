"""The quads path: triangles around each Gaussian's ellipse, along its axes, blended front to back.

On a GPU that is a rectangle each, from an order and a count only the GPU knows. Where numpy sorts, small Gaussians are
one triangle: on llvmpipe most of a frame goes into rasterising triangles, whatever their size, and the pixels a
triangle has more are few. Measured there and left out: closing finished pixels by the depth buffer between slices (0 to
5 % faster), emptying records behind finished blocks of pixels between slices (15 % less work on some scenes, lost to
waiting), half floats or 16-bit integers as the target (0 to 10 % slower), point sprites (as fast as triangles on
small Gaussians, 40 % slower on large ones).
"""

from __future__ import annotations

from collections.abc import Mapping

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.accumulation import Accumulation
from renderer.depth_order import DepthOrder
from renderer.draw_order import DrawOrder
from renderer.layouts import BINDINGS, PROFILES, TRIANGLE_SHIFT, TRIANGLES
from renderer.projection import FrameBuffers
from renderer.settings import RenderSettings
from renderer.shader_library import Defines, compile_compute, compile_program, set_uniforms

BATCH = 1024  # quads of one instance
ARGUMENTS = 5  # numbers of an indirect draw
COVER_UNIT = 0  # of textures
PIECE = 6144  # entries handed to the rasteriser at a time, which then works while the next are made ready
SMALL_FOOTPRINT = 3000.0  # pixels of a quad (about 55 x 55) up to which one triangle is cheaper on llvmpipe


def view_profile(settings: RenderSettings) -> int:
    """How alpha falls off across a footprint: see `shaders/gaussian_profile.glsl`."""
    return PROFILES[{"points": "PROFILE_DISC", "rings": "PROFILE_RING"}.get(settings.view, "PROFILE_GAUSSIAN")]


def triangle_list(order: DepthOrder, drawn: int) -> NDArray[np.uint32]:
    """The entries of `gaussian_triangles.vert` for the `drawn` nearest: one for a small footprint, two for a large."""
    records = order.records[:drawn]
    large = order.footprints[:drawn] > SMALL_FOOTPRINT
    entries = np.repeat(records, 1 + large.view(np.uint8))
    upper = (np.cumsum(1 + large.view(np.uint8), dtype=np.int64) - 1)[large]
    entries[upper] |= np.uint32(TRIANGLES["TRIANGLE_UPPER"] << TRIANGLE_SHIFT)
    entries[upper - 1] |= np.uint32(TRIANGLES["TRIANGLE_LOWER"] << TRIANGLE_SHIFT)
    return entries


class QuadPrograms:
    """Programs of a vertex shader and `gaussian_quads.frag`, one for each way a view blends, made when needed."""

    def __init__(self, context: moderngl.Context, vertex: str, vertex_defines: Mapping[str, int] | None = None) -> None:
        self._context, self._vertex, self._vertex_defines = context, vertex, vertex_defines
        self._programs: dict[tuple[int, bool, bool], moderngl.Program] = {}

    def of(self, settings: RenderSettings, covered: bool = False) -> moderngl.Program:
        """The program of a view; `covered` says whether a surface hides some."""
        key = view_profile(settings), settings.view == "overdraw", covered
        if key not in self._programs:
            cover = {"COVERED": 1} if covered else {}
            defines: Defines = {"PROFILE": key[0], "ADDITIVE": int(key[1]), **cover}
            self._programs[key] = compile_program(
                self._context, self._vertex, "gaussian_quads.frag", {**(self._vertex_defines or {}), **cover}, defines
            )
        return self._programs[key]

    def release(self) -> None:
        """Frees them."""
        for program in self._programs.values():
            program.release()
        self._programs.clear()


class Quads:
    """Draws records in a given order."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._quads = QuadPrograms(context, "gaussian_quads.vert", {"BATCH": BATCH})
        self._triangles = QuadPrograms(context, "gaussian_triangles.vert", {"BATCH": BATCH})
        self._arrays: dict[moderngl.Program, moderngl.VertexArray] = {}
        self._arguments_shader: moderngl.ComputeShader | None = None
        corners = np.arange(BATCH, dtype=np.uint32)[:, None] * 4 + np.array([0, 1, 2, 2, 1, 3], np.uint32)
        self._indices = context.buffer(corners)
        self._arguments = context.buffer(reserve=4 * ARGUMENTS)

    def draw(
        self,
        frame: FrameBuffers,
        order: DrawOrder,
        target: Accumulation,
        size: tuple[int, int],
        settings: RenderSettings,
        cover: moderngl.Texture | None = None,
    ) -> None:
        """Blends the records of `frame` into `target`, nearest first, by an indirect draw: only the GPU counts them.

        `cover`, of `size`, has in its fourth channel a depth at each pixel: what has its centre there or beyond is not
        drawn.
        """
        self._write_arguments(frame, order)
        array = self._begin(self._quads, frame, order.order, target, size, settings, cover)
        order.count.bind_to_storage_buffer(BINDINGS["COUNT"])
        array.render_indirect(self._arguments, moderngl.TRIANGLES, 1)

    def draw_triangles(
        self,
        frame: FrameBuffers,
        entries: moderngl.Buffer,
        count: int,
        target: Accumulation,
        size: tuple[int, int],
        settings: RenderSettings,
        cover: moderngl.Texture | None = None,
    ) -> None:
        """The same for an order made by `triangle_list`, of `count` entries."""
        array = self._begin(self._triangles, frame, entries, target, size, settings, cover)
        additive = settings.view == "overdraw"
        for first in range(0, count, PIECE):
            last = min(first + PIECE, count)
            target.continue_blending(additive)
            set_uniforms(array.program, first=first, count=last)
            array.render(moderngl.TRIANGLES, vertices=3 * BATCH, instances=-(-(last - first) // BATCH))
            target.hand_over()

    def _begin(
        self,
        programs: QuadPrograms,
        frame: FrameBuffers,
        order: moderngl.Buffer,
        target: Accumulation,
        size: tuple[int, int],
        settings: RenderSettings,
        cover: moderngl.Texture | None,
    ) -> moderngl.VertexArray:
        program = programs.of(settings, cover is not None)
        target.begin_blending(*size, additive=settings.view == "overdraw")
        frame.records.bind_to_storage_buffer(BINDINGS["RECORDS"])
        order.bind_to_storage_buffer(BINDINGS["ORDER"])
        set_uniforms(program, size=size, cover=COVER_UNIT)
        if cover is not None:
            frame.keys.bind_to_storage_buffer(BINDINGS["DEPTHS"])
            cover.use(COVER_UNIT)
        if program not in self._arrays:
            indices = self._indices if programs is self._quads else None
            self._arrays[program] = self._context.vertex_array(program, [], index_buffer=indices)
        return self._arrays[program]

    def _write_arguments(self, frame: FrameBuffers, order: DrawOrder) -> None:
        if self._arguments_shader is None:
            self._arguments_shader = compile_compute(self._context, "gaussian_draw.comp", {"BATCH": BATCH})
        order.count.bind_to_storage_buffer(BINDINGS["COUNT"])
        self._arguments.bind_to_storage_buffer(BINDINGS["ARGUMENTS"])
        frame.counts.bind_to_storage_buffer(BINDINGS["COUNTS"])
        self._arguments_shader.run(1)
        self._context.memory_barrier(moderngl.COMMAND_BARRIER_BIT | moderngl.SHADER_STORAGE_BARRIER_BIT)

    def release(self) -> None:
        """Frees everything."""
        own = (self._indices, self._arguments, self._arguments_shader, self._quads, self._triangles)
        for thing in (*self._arrays.values(), *own):
            if thing is not None:
                thing.release()
