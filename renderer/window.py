"""What a window needs of OpenGL: the context it made, and the scene's picture as a texture to show.

The picture is drawn only when something changed and shown every frame, at any size; so a slow device can draw it
smaller while the camera moves.
"""

from __future__ import annotations

from collections.abc import Callable

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.accumulation import check_size, picture_texture


def window_context() -> moderngl.Context:
    """The OpenGL context that is current on this thread, which a window library has made."""
    return moderngl.create_context()


class WindowPicture:
    """An 8-bit picture in a texture."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self.size = (0, 0)  # width, height

    @property
    def texture(self) -> int:
        """OpenGL's name of the texture; its first row is the bottom of the picture."""
        return self._colour.glo

    def draw(self, width: int, height: int, paint: Callable[[moderngl.Framebuffer], None]) -> None:
        """Lets `paint` draw a picture of `width` x `height`; raises `KilofieldError` for a size no framebuffer has."""
        check_size(self._context, width, height)
        if self.size != (width, height):
            self.release()
            self._colour = picture_texture(self._context, (width, height), "f1")
            self._colour.filter = moderngl.LINEAR, moderngl.LINEAR
            self._colour.repeat_x = self._colour.repeat_y = False
            self._framebuffer = self._context.framebuffer([self._colour])
            self.size = (width, height)
        paint(self._framebuffer)

    def show_on(self, colour: tuple[float, float, float]) -> None:
        """Makes the window itself the target and fills it."""
        screen = self._context.screen
        screen.use()
        self._context.enable_only(moderngl.NOTHING)
        screen.clear(*colour)

    def read(self) -> NDArray[np.uint8]:
        """[H, W, 3] the picture, top row first."""
        width, height = self.size
        pixels = np.frombuffer(self._colour.read(), np.uint8).reshape(height, width, 4)
        return np.ascontiguousarray(pixels[::-1, :, :3])

    def release(self) -> None:
        """Frees everything."""
        if self.size != (0, 0):
            self._framebuffer.release()
            self._colour.release()
            self.size = (0, 0)


def read_window(context: moderngl.Context, width: int, height: int) -> NDArray[np.uint8]:
    """[H, W, 3] what the window shows, top row first, panels and all; before the buffers are swapped."""
    pixels = np.frombuffer(context.screen.read((0, 0, width, height), 3, alignment=1), np.uint8)
    return np.ascontiguousarray(pixels.reshape(height, width, 3)[::-1])
