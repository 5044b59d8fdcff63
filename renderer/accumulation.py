"""The picture Gaussians are blended into, front to back: premultiplied colour and alpha."""

from __future__ import annotations

import moderngl
import numpy as np

from renderer.layouts import VIEW_NUMBERS
from renderer.settings import RenderSettings
from renderer.shader_library import compile_program, set_uniforms
from renderer.video_memory import memory_for
from scenes.errors import KilofieldError
from scenes.gaussians import Floats


def check_size(context: moderngl.Context, width: int, height: int) -> None:
    """Raises `KilofieldError` for a picture no framebuffer of this device can hold."""
    limit = min(int(context.info["GL_MAX_TEXTURE_SIZE"]), *context.info["GL_MAX_VIEWPORT_DIMS"])
    if not (1 <= width <= limit and 1 <= height <= limit):
        raise KilofieldError(f"resolution: expected 1 to {limit} pixels each way, found {width}x{height}")


def composed(rgba: Floats, settings: RenderSettings) -> Floats:
    """[H, W, 3] what the view of `settings` shows of an accumulated picture [H, W, 4].

    The twin is `shaders/screen_composite.frag`.
    """
    colour, grey, alpha = rgba[..., :3], rgba[..., :1], rgba[..., 3:]
    background = np.asarray(settings.background, np.float32)
    if settings.view == "alpha":
        return np.repeat(alpha, 3, axis=2)
    if settings.view == "overdraw":
        return np.clip(np.repeat(grey, 3, axis=2) / np.float32(settings.overdraw_range), 0, 1).astype(np.float32)
    if settings.view == "depth":
        grey = np.divide(grey, alpha, out=np.zeros_like(alpha), where=alpha > 0)
        return np.where(alpha > 0, np.clip(grey, 0, 1), background).astype(np.float32)
    return (colour + (1 - alpha) * background).astype(np.float32)


def picture_texture(context: moderngl.Context, size: tuple[int, int], dtype: str) -> moderngl.Texture:
    """An RGBA texture of `size` = (width, height); `KilofieldError` with what it takes where there is no room."""
    needed = 4 * int(dtype[-1]) * size[0] * size[1]
    with memory_for(context, needed, f"a picture of {size[0]}x{size[1]}"):
        return context.texture(size, 4, dtype=dtype)


class Accumulation:
    """An RGBA float picture of which row 0 is the top."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._composite = compile_program(context, "screen_triangle.vert", "screen_composite.frag")
        self._composite_array = context.vertex_array(self._composite, [])
        self._nothing = context.simple_framebuffer((1, 1))
        self.size = (0, 0)

    def begin(self, width: int, height: int) -> None:
        """Makes the target `width` x `height`, whatever is in it; for those who write every pixel."""
        check_size(self._context, width, height)
        if self.size != (width, height):
            self._allocate(width, height)

    def begin_blending(self, width: int, height: int, additive: bool = False) -> None:
        """Clears the target and sets blending for drawing front to back, or for adding up."""
        self.begin(width, height)
        self.framebuffer.clear()
        self.continue_blending(additive)

    def continue_blending(self, additive: bool = False) -> None:
        """Goes on drawing into the target as it is."""
        self.framebuffer.use()
        self._context.enable_only(moderngl.BLEND)
        front_to_back = moderngl.ONE_MINUS_DST_ALPHA, moderngl.ONE
        self._context.blend_func = (moderngl.ONE, moderngl.ONE) if additive else front_to_back
        self._context.blend_equation = moderngl.FUNC_ADD, moderngl.FUNC_ADD

    def hand_over(self) -> None:
        """Lets a software rasteriser begin with what has been drawn: it does when another target is drawn to."""
        self._nothing.clear()

    def read(self) -> Floats:
        """[H, W, 4] premultiplied colour and alpha."""
        width, height = self.size
        return np.frombuffer(self.colour.read(), np.float32).reshape(height, width, 4).copy()

    def composite(self, target: moderngl.Framebuffer, settings: RenderSettings) -> None:
        """Draws what the view of `settings` shows into the viewport of `target`."""
        target.use()
        self._context.enable_only(moderngl.NOTHING)
        self.colour.use(0)
        set_uniforms(
            self._composite,
            background=settings.background,
            view=VIEW_NUMBERS[f"VIEW_{settings.view.upper()}"],
            brightness=1 / settings.overdraw_range,
            origin=target.viewport[:2],
        )
        self._composite_array.render(moderngl.TRIANGLES, vertices=3)

    def _allocate(self, width: int, height: int) -> None:
        if self.size != (0, 0):
            self._release_target()
        self.colour = picture_texture(self._context, (width, height), "f4")
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
        for thing in (self._composite_array, self._composite, self._nothing):
            thing.release()
