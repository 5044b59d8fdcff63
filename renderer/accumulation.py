"""The picture Gaussians are blended into, front to back: premultiplied colour, alpha, and which pixels are finished."""

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
    """An RGBA float picture of which row 0 is the top, and a depth buffer that closes finished pixels."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._closer = compile_program(context, "screen_triangle.vert", "screen_saturated.frag")
        self._composite = compile_program(context, "screen_triangle.vert", "screen_composite.frag")
        self._close_array = context.vertex_array(self._closer, [])
        self._composite_array = context.vertex_array(self._composite, [])
        self.size = (0, 0)

    def begin(self, width: int, height: int) -> None:
        """Clears the target, remade when the size has changed, and sets blending for front to back."""
        check_size(self._context, width, height)
        if self.size != (width, height):
            self._allocate(width, height)
        self.framebuffer.use()
        self.framebuffer.clear(depth=1.0)
        self.resume()

    def resume(self) -> None:
        """Back to blending quads after `close_saturated`."""
        context = self._context
        self.framebuffer.use()
        context.enable_only(moderngl.BLEND | moderngl.DEPTH_TEST)
        context.blend_func = moderngl.ONE_MINUS_DST_ALPHA, moderngl.ONE
        context.blend_equation = moderngl.FUNC_ADD
        context.depth_func = "<"
        self.framebuffer.depth_mask = False

    def close_saturated(self) -> None:
        """Marks pixels behind which nothing can be seen; quads drawn later are not shaded there."""
        self._depth_only.use()
        self._context.enable_only(moderngl.DEPTH_TEST)
        self.colour.use(0)
        self._close_array.render(moderngl.TRIANGLES, vertices=3)
        self.resume()

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
        context = self._context
        self.colour = context.texture((width, height), 4, dtype="f4")
        self._depth = context.depth_renderbuffer((width, height))
        self.framebuffer = context.framebuffer([self.colour], self._depth)
        self._depth_only = context.framebuffer([], self._depth)
        self.size = (width, height)

    def _release_target(self) -> None:
        for thing in (self.framebuffer, self._depth_only, self.colour, self._depth):
            thing.release()
        self.size = (0, 0)

    def release(self) -> None:
        """Frees everything."""
        if self.size != (0, 0):
            self._release_target()
        for thing in (self._close_array, self._composite_array, self._closer, self._composite):
            thing.release()
