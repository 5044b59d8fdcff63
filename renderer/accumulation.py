"""The picture Gaussians are blended into, front to back: premultiplied colour and alpha."""

from __future__ import annotations

import moderngl
import numpy as np

from renderer.shader_library import compile_program, set_uniforms
from scenes.errors import KilofieldError
from scenes.gaussians import Floats


def check_size(context: moderngl.Context, width: int, height: int) -> None:
    """Raises `KilofieldError` for a picture no framebuffer of this device can hold."""
    limit = min(int(context.info["GL_MAX_TEXTURE_SIZE"]), *context.info["GL_MAX_VIEWPORT_DIMS"])
    if not (1 <= width <= limit and 1 <= height <= limit):
        raise KilofieldError(f"resolution: expected 1 to {limit} pixels each way, found {width}x{height}")


class Accumulation:
    """An RGBA float picture of which row 0 is the top."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._composite = compile_program(context, "screen_triangle.vert", "screen_composite.frag")
        self._composite_array = context.vertex_array(self._composite, [])
        self.size = (0, 0)

    def begin(self, width: int, height: int) -> None:
        """Clears the target, remade when the size has changed, and sets blending for front to back."""
        check_size(self._context, width, height)
        if self.size != (width, height):
            self._allocate(width, height)
        self.framebuffer.use()
        self.framebuffer.clear()
        self._context.enable_only(moderngl.BLEND)
        self._context.blend_func = moderngl.ONE_MINUS_DST_ALPHA, moderngl.ONE
        self._context.blend_equation = moderngl.FUNC_ADD, moderngl.FUNC_ADD

    def read(self) -> Floats:
        """[H, W, 4] premultiplied colour and alpha."""
        width, height = self.size
        return np.frombuffer(self.colour.read(), np.float32).reshape(height, width, 4).copy()

    def composite(self, target: moderngl.Framebuffer, background: tuple[float, float, float]) -> None:
        """Draws the picture over `background` into the viewport of `target`."""
        target.use()
        self._context.enable_only(moderngl.NOTHING)
        self.colour.use(0)
        set_uniforms(self._composite, background=background, origin=target.viewport[:2])
        self._composite_array.render(moderngl.TRIANGLES, vertices=3)

    def _allocate(self, width: int, height: int) -> None:
        if self.size != (0, 0):
            self._release_target()
        self.colour = self._context.texture((width, height), 4, dtype="f4")
        self.framebuffer = self._context.framebuffer([self.colour])
        self.size = (width, height)

    def _release_target(self) -> None:
        self.framebuffer.release()
        self.colour.release()
        self.size = (0, 0)

    def release(self) -> None:
        """Frees everything."""
        if self.size != (0, 0):
            self._release_target()
        self._composite_array.release()
        self._composite.release()
