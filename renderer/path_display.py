"""Shows the light of a path-traced picture in a framebuffer: exposure and tone mapping in a shader.

The twin is `renderer/tone_mapping.py`.
"""

from __future__ import annotations

import moderngl
import numpy as np

from renderer.shader_library import compile_program, set_uniforms
from renderer.tone_mapping import ACES_INPUT, ACES_OUTPUT, AGX_CURVE, AGX_INPUT, AGX_OUTPUT, AGX_STOPS
from scenes.scene_file import TONE_MAPPINGS, ToneMapping


class PathDisplay:
    """Draws textures of light."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._program = compile_program(context, "screen_triangle.vert", "path_display.frag")
        self._triangle = context.vertex_array(self._program, [])
        set_uniforms(
            self._program,
            aces_input=_columns(ACES_INPUT),
            aces_output=_columns(ACES_OUTPUT),
            agx_input=_columns(AGX_INPUT),
            agx_output=_columns(AGX_OUTPUT),
            agx_stops=AGX_STOPS,
            agx_curve=AGX_CURVE,
        )

    def draw(
        self, light: moderngl.Texture, target: moderngl.Framebuffer, mapping: ToneMapping, exposure: float = 0.0
    ) -> None:
        """Draws `light` (row 0 the top) upright into the viewport of `target`, which is of its size."""
        target.use()
        self._context.enable_only(moderngl.NOTHING)
        light.use(0)
        set_uniforms(
            self._program,
            mapping=TONE_MAPPINGS.index(mapping),
            brightness=2.0**exposure,
            origin=target.viewport[:2],
        )
        self._triangle.render(moderngl.TRIANGLES, vertices=3)

    def release(self) -> None:
        """Frees everything."""
        self._triangle.release()
        self._program.release()


def _columns(matrix: np.ndarray) -> tuple[float, ...]:
    return tuple(matrix.T.ravel().tolist())
