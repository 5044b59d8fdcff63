"""Taking video memory, and one way to say that there is not enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import moderngl

from scenes.errors import KilofieldError
from scenes.sizes import readable_bytes


@contextmanager
def memory_for(context: moderngl.Context, size: int, what: str) -> Iterator[None]:
    """Around what takes `size` bytes: `KilofieldError` that says how many, and what for, where there is no room."""
    try:
        yield
    except moderngl.Error as error:
        device = context.info["GL_RENDERER"]
        raise KilofieldError(
            f"video memory: expected {readable_bytes(size)} for {what}, found too little on {device}"
        ) from error


def reserve_buffer(context: moderngl.Context, size: int, what: str) -> moderngl.Buffer:
    """A buffer of at least one element's worth: OpenGL has no empty buffers. Raises as `memory_for`."""
    with memory_for(context, size, what):
        return context.buffer(reserve=max(size, 256))
