"""The quads path: one rectangle a Gaussian, along its ellipse's axes, blended front to back.

On llvmpipe most of a frame is rasterising and blending, little is the fragment's arithmetic. Measured there on
playbot-125k and hamburger, and left out: closing finished pixels by the depth buffer between slices (0 to 5 % faster),
one triangle in place of two (10 % faster on small splats, 10 % slower on large ones), half floats (5 % slower).
"""

from __future__ import annotations

import moderngl
import numpy as np

from renderer.accumulation import Accumulation
from renderer.draw_order import DrawOrder
from renderer.layouts import BINDINGS, PROFILES
from renderer.projection import FrameBuffers
from renderer.settings import RenderSettings
from renderer.shader_library import compile_compute, compile_program, set_uniforms

BATCH = 1024  # quads of one instance
ARGUMENTS = 5  # numbers of an indirect draw


def view_profile(settings: RenderSettings) -> int:
    """How alpha falls off across a footprint: see `shaders/gaussian_profile.glsl`."""
    return PROFILES[{"points": "PROFILE_DISC", "rings": "PROFILE_RING"}.get(settings.view, "PROFILE_GAUSSIAN")]


class Quads:
    """Draws records in a given order."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._program = compile_program(
            context, "gaussian_quads.vert", "gaussian_quads.frag", vertex_defines={"BATCH": BATCH}
        )
        self._arguments_shader: moderngl.ComputeShader | None = None
        corners = np.arange(BATCH, dtype=np.uint32)[:, None] * 4 + np.array([0, 1, 2, 2, 1, 3], np.uint32)
        self._indices = context.buffer(corners)
        self._array = context.vertex_array(self._program, [], index_buffer=self._indices)
        self._arguments = context.buffer(reserve=4 * ARGUMENTS)

    def draw(
        self,
        frame: FrameBuffers,
        order: DrawOrder,
        target: Accumulation,
        size: tuple[int, int],
        settings: RenderSettings,
    ) -> None:
        """Blends the records of `frame` into `target`, nearest first; by an indirect draw where only the GPU counts."""
        additive = settings.view == "overdraw"
        order.count.bind_to_storage_buffer(BINDINGS["COUNT"])
        if order.known is None:
            self._write_arguments(frame)
        target.begin_blending(*size, additive)
        frame.records.bind_to_storage_buffer(BINDINGS["RECORDS"])
        order.order.bind_to_storage_buffer(BINDINGS["ORDER"])
        set_uniforms(self._program, size=size, profile=view_profile(settings), additive=additive)
        if order.known is None:
            self._array.render_indirect(self._arguments, moderngl.TRIANGLES, 1)
        elif order.known:
            self._array.render(moderngl.TRIANGLES, instances=-(-order.known // BATCH))

    def _write_arguments(self, frame: FrameBuffers) -> None:
        if self._arguments_shader is None:
            self._arguments_shader = compile_compute(self._context, "gaussian_draw.comp", {"BATCH": BATCH})
        self._arguments.bind_to_storage_buffer(BINDINGS["ARGUMENTS"])
        frame.counts.bind_to_storage_buffer(BINDINGS["COUNTS"])
        self._arguments_shader.run(1)
        self._context.memory_barrier(moderngl.COMMAND_BARRIER_BIT | moderngl.SHADER_STORAGE_BARRIER_BIT)

    def release(self) -> None:
        """Frees everything."""
        for thing in (self._array, self._indices, self._arguments, self._arguments_shader, self._program):
            if thing is not None:
                thing.release()
