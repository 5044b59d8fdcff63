"""The front end of OpenGL 4.1, which has neither compute shaders nor storage buffers: transform feedback.

The scene lies in textures; a vertex a Gaussian, in the order they are drawn, projects and shades it, and its record is
caught in a buffer that is then read as the instances' attributes. A Mac has no more than this.
"""

from __future__ import annotations

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.accumulation import Accumulation
from renderer.layouts import GEOMETRY
from renderer.packed_geometry import PackedGaussians
from renderer.projection import frame_uniforms
from renderer.quads import QuadPrograms
from renderer.settings import RenderSettings
from renderer.shader_library import compile_feedback, set_uniforms
from renderer.video_memory import memory_for, reserve_buffer
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import sh_count

TEXTURE_WIDTH = 4096  # texels a row; a power of 2
VARYINGS = ("centre_axis", "minor_opacity", "colour")
RECORD_FORMAT, RECORD_BYTES = "4f 2f 3f /i", 36


class TextureGaussians:
    """Plain Gaussians in textures; `positions`, `radii` and `areas` as in `GpuGaussians`."""

    residency = "decoded"

    def __init__(self, context: moderngl.Context, packed: PackedGaussians) -> None:
        self.positions, self.radii, self.areas = packed.positions, packed.radii, packed.areas
        self.sh_degree, self.antialiased = packed.sh_degree, packed.antialiased
        words = packed.geometry.view(np.uint32).reshape(-1, 4)
        halves = packed.harmonics.view(np.float16)[:, : 3 * sh_count(packed.sh_degree)]  # without padding
        self.geometries = _texture(context, words, "u4", len(packed))
        self.harmonics = _texture(context, halves.reshape(-1, 1), "f2", len(packed))

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def bytes(self) -> int:
        """Video memory of the textures."""
        words = self.geometries.width * self.geometries.height * GEOMETRY.bytes // 2
        return words + 2 * self.harmonics.width * self.harmonics.height

    def release(self) -> None:
        """Frees the textures."""
        self.geometries.release()
        self.harmonics.release()


def _texture(context: moderngl.Context, texels: NDArray[np.generic], dtype: str, gaussians: int) -> moderngl.Texture:
    """`texels` [n, components] in rows of `TEXTURE_WIDTH`; the last row is filled up with zeros."""
    rows = max(-(-len(texels) // TEXTURE_WIDTH), 1)
    limit = int(context.info["GL_MAX_TEXTURE_SIZE"])
    if rows > limit:
        raise KilofieldError(
            f"scene: expected at most {limit * TEXTURE_WIDTH:,} texels on this device, "
            f"found {len(texels):,} of {gaussians:,} Gaussians"
        )
    padded = np.zeros((rows * TEXTURE_WIDTH, texels.shape[1]), texels.dtype)
    padded[: len(texels)] = texels
    with memory_for(context, padded.nbytes, f"{gaussians:,} Gaussians"):
        texture = context.texture((TEXTURE_WIDTH, rows), texels.shape[1], padded, alignment=1, dtype=dtype)
    texture.filter = moderngl.NEAREST, moderngl.NEAREST
    return texture


class FeedbackQuads:
    """Projection and quads together: records exist only in the order they are drawn."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._project = compile_feedback(context, "gaussian_feedback.vert", VARYINGS, {"TEXTURE_WIDTH": TEXTURE_WIDTH})
        self._programs = QuadPrograms(context, "gaussian_instances.vert")
        self._instances: dict[moderngl.Program, moderngl.VertexArray] = {}
        self._capacity = 0

    @property
    def bytes(self) -> int:
        """Video memory of order and records."""
        return self._capacity * (4 + RECORD_BYTES)

    def project(
        self,
        scene: TextureGaussians,
        order: NDArray[np.uint32],
        camera: Camera,
        size: tuple[int, int],
        settings: RenderSettings,
    ) -> None:
        """The records of `order` [V]."""
        if not len(order):
            return
        self._reserve(len(order))
        self._order.write(order)
        scene.geometries.use(0)
        scene.harmonics.use(1)
        set_uniforms(
            self._project,
            geometries=0,
            harmonics=1,
            gaussians=len(scene),
            coefficients=sh_count(scene.sh_degree),
            **frame_uniforms(scene, camera, *size, settings),
        )
        self._projection.transform(self._records, moderngl.POINTS, len(order))

    def draw(self, count: int, target: Accumulation, size: tuple[int, int], settings: RenderSettings) -> None:
        """Blends the first `count` records into `target`."""
        program = self._programs.of(settings)
        target.begin_blending(*size, additive=settings.view == "overdraw")
        set_uniforms(program, size=size)
        if not count:
            return
        if program not in self._instances:
            layout = [(self._records, RECORD_FORMAT, *VARYINGS)]
            self._instances[program] = self._context.vertex_array(program, layout)
        self._instances[program].render(moderngl.TRIANGLE_STRIP, vertices=4, instances=count)

    def _reserve(self, count: int) -> None:
        if count <= self._capacity:
            return
        self._release_buffers()
        room = count + count // 4
        self._order = reserve_buffer(self._context, 4 * room, "the order of a frame")
        self._records = reserve_buffer(self._context, RECORD_BYTES * room, "the records of a frame")
        self._projection = self._context.vertex_array(self._project, [(self._order, "1u", "record")])
        self._capacity = room

    def _release_buffers(self) -> None:
        if self._capacity:
            for thing in (self._projection, *self._instances.values(), self._order, self._records):
                thing.release()
            self._instances.clear()
            self._capacity = 0

    def release(self) -> None:
        """Frees everything."""
        self._release_buffers()
        self._project.release()
        self._programs.release()
