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
from renderer.context import DRAWS_WITH, LOGGER


def window_context() -> moderngl.Context:
    """The OpenGL context that is current on this thread, which a window library has made."""
    context = moderngl.create_context()
    LOGGER.info(DRAWS_WITH, context.info)
    return context


class WindowPicture:
    """An 8-bit picture in a texture, and one behind it that is drawn next."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._targets: list[moderngl.Framebuffer] = []  # the first is shown

    @property
    def size(self) -> tuple[int, int]:
        """Width and height; 0 while there is none."""
        return self._targets[0].size if self._targets else (0, 0)

    @property
    def _colour(self) -> moderngl.Texture:
        colour = self._targets[0].color_attachments[0]
        assert isinstance(colour, moderngl.Texture)
        return colour

    @property
    def texture(self) -> int:
        """OpenGL's name of the texture; its first row is the bottom of the picture."""
        return self._colour.glo

    def draw(self, width: int, height: int, paint: Callable[[moderngl.Framebuffer], bool | None]) -> bool:
        """Lets `paint` draw a picture of `width` x `height`, which is shown unless `paint` says False: not yet.

        Returns whether it is shown. Raises `KilofieldError` for a size no framebuffer has.
        """
        check_size(self._context, width, height)
        spare = self._targets.pop() if len(self._targets) > 1 else None
        if spare is None or spare.size != (width, height):
            if spare is not None:
                _release(spare)
            spare = self._new_target(width, height)
        shown = paint(spare) is not False
        self._targets.insert(0 if shown else len(self._targets), spare)
        return shown

    def _new_target(self, width: int, height: int) -> moderngl.Framebuffer:
        colour = picture_texture(self._context, (width, height), "f1")
        colour.filter = moderngl.LINEAR, moderngl.LINEAR
        colour.repeat_x = colour.repeat_y = False
        return self._context.framebuffer([colour])

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
        for target in self._targets:
            _release(target)
        self._targets.clear()


def _release(target: moderngl.Framebuffer) -> None:
    colour = target.color_attachments[0]
    target.release()
    colour.release()


def read_window(context: moderngl.Context, width: int, height: int) -> NDArray[np.uint8]:
    """[H, W, 3] what the window shows, top row first, panels and all; before the buffers are swapped."""
    pixels = np.frombuffer(context.screen.read((0, 0, width, height), 3, alignment=1), np.uint8)
    return np.ascontiguousarray(pixels.reshape(height, width, 3)[::-1])
