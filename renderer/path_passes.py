"""The compute passes of the path tracer: a sample of some pixels, in a wavefront.

    begin    path_begin.comp           a ray a pixel
    for each vertex:
      meet   path_meet.comp            the nearest shape; light that has come through is taken in
             path_march.comp           for each neural surface: nearer than that?
             path_surface_normal.comp, path_surface_colour.comp
      shade  path_shade.comp           the path ends in light; or a ray to some light, and a new direction
      block  path_block.comp           is a shape in the way of the light?
             path_march.comp           for each neural surface: is it?
    add      path_add.comp             into the picture

Nothing is read back. Paths that have ended keep their threads until the sample is done. Glass may need more vertices
than the scene's bounces: those have as many threads as before while any path is there, and then none, which a buffer of
indirect dispatches says.
"""

from __future__ import annotations

from collections.abc import Sequence

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.layouts import CAMERAS, GROUP
from renderer.path_layouts import (
    MATERIAL_NUMBERS,
    MOST_CLEAR,
    PATH,
    PATH_BINDINGS,
    SHAPE_NUMBERS,
    UNLIMITED,
    path_constants,
)
from renderer.path_scene import PathScene
from renderer.path_surface import PathSurface, Turn
from renderer.shader_library import compile_compute, set_uniforms
from renderer.video_memory import memory_for, reserve_buffer
from scenes.cameras import Camera
from scenes.errors import KilofieldError

SKY_UNIT = 1  # texture unit; CELLS_UNIT of renderer/surface_passes.py is 0
MOST_PATHS = 1 << 19  # of a batch: 96 MB
SOBOL_BITS = 32
SHADERS = ("begin", "meet", "shade", "block", "add")


class PathPasses:
    """The passes over one scene at a time."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._limit = int(context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"])  # bytes
        self.most_paths = min(MOST_PATHS, self._limit // PATH.bytes)
        chunks = {"path_constants.glsl": path_constants()}
        self._shaders = {name: compile_compute(context, f"path_{name}.comp", None, chunks) for name in SHADERS}
        for shader in self._shaders.values():
            set_uniforms(shader, sky=SKY_UNIT, sobol_bits=SOBOL_BITS)
        self._buffers: dict[str, moderngl.Buffer] = {}
        self._sky: moderngl.Texture | None = None
        self._paths: moderngl.Buffer | None = None
        self._turns: moderngl.Buffer | None = None  # groups of threads, 3 numbers for each vertex
        self._surfaces: list[tuple[int, PathSurface, NDArray[np.floating], bool]] = []

    @property
    def bytes(self) -> int:
        """Video memory of tables and paths."""
        buffers = sum(buffer.size for buffer in self._buffers.values())
        sky = 0 if self._sky is None else 16 * self._sky.width * self._sky.height
        return buffers + sky + (0 if self._paths is None else self._paths.size)

    def show(self, scene: PathScene, surfaces: list[PathSurface]) -> None:
        """Takes the tables of `scene`; `surfaces` are those of its surfaces, in their order."""
        tables = {
            "OBJECTS": scene.objects,
            "MATERIALS": scene.materials,
            "LIGHTS": scene.lights,
            "NODES": scene.nodes,
            "TRIANGLES": scene.triangles,
        }
        for name, table in tables.items():
            self._upload(name, table.tobytes())
        sky = scene.surroundings
        self._upload("SKY", np.concatenate([sky.rows, sky.columns.ravel()]).astype(np.float32).tobytes())
        self._upload_sky(sky.picture)
        self._surfaces = [
            (
                int(i),
                surfaces[int(entry["first"])],
                _frame(entry),
                bool(scene.materials[entry["material"]]["own_colour"]),
            )
            for i, entry in enumerate(scene.objects)
            if entry["kind"] == SHAPE_NUMBERS["surface"]
        ]
        right, up, front = (tuple(axis.tolist()) for axis in sky.frame)
        for shader in self._shaders.values():
            set_uniforms(
                shader,
                object_count=len(scene.objects),
                light_count=len(scene.lights),
                sky_share=scene.sky_share,
                sun_share=scene.sun_share,
                sky_right=right,
                sky_up=up,
                sky_front=front,
                table_size=(sky.columns.shape[1] - 1, sky.columns.shape[0]),
                sun_direction=(0.0, 0.0, 1.0) if sky.sun is None else tuple(sky.sun.direction.tolist()),
                sun_radiance=(0.0, 0.0, 0.0) if sky.sun is None else tuple(sky.sun.radiance.tolist()),
                sun_opening=-1.0 if sky.sun is None else sky.sun.one_minus_cosine,
                bounces=scene.bounces,
                clamp_to=UNLIMITED if scene.clamp is None else scene.clamp,
            )
        self._bounces = self._scene_bounces = scene.bounces
        self._glass = bool((scene.materials["kind"] == MATERIAL_NUMBERS["glass"]).any())

    def seed(self, seed: int, independent: bool) -> None:
        """Sets what the random numbers are, from now on."""
        for shader in self._shaders.values():
            set_uniforms(shader, path_seed=seed, independent=independent)

    def limit_bounces(self, most: int | None) -> None:
        """Scatterings at most of the scene there is now, whatever it says; None: what it says."""
        self._bounces = self._scene_bounces if most is None else min(self._scene_bounces, most)
        set_uniforms(self._shaders["shade"], bounces=self._bounces)

    def sample(
        self,
        camera: Camera,
        picture: moderngl.Texture,
        index: int,
        first: int,
        count: int,
        guides: Sequence[moderngl.Texture] = (),
    ) -> None:
        """Adds the sample `index` of `count` pixels from `first` on to `picture`, which holds the mean of those before.

        Pixels are counted along rows; there are at most `most_paths`. `guides` take what the first sample meets: see
        `PathTracer.guides`.
        """
        self._make_paths(min(picture.width * picture.height, self.most_paths))
        self._look_through(camera, *picture.size)
        for shader in self._shaders.values():
            set_uniforms(shader, sample_index=index, sample_share=1 / (index + 1))
        picture.bind_to_image(0)
        set_uniforms(self._shaders["shade"], guided=bool(guides) and index == 0)
        for unit, guide in enumerate(guides, 1):
            guide.bind_to_image(unit, read=False, write=True)
        assert self._paths is not None
        self._paths.bind_to_storage_buffer(PATH_BINDINGS["PATHS"])
        for name, buffer in self._buffers.items():
            buffer.bind_to_storage_buffer(PATH_BINDINGS[name])
        assert self._sky is not None
        self._sky.use(SKY_UNIT)
        groups = -(-count // GROUP)
        for shader in self._shaders.values():
            set_uniforms(shader, path_count=count, first_pixel=first)
        all_paths: Turn = lambda shader: shader.run(groups)  # noqa: E731
        self._run("begin", all_paths)
        last = self._bounces + self._glass * MOST_CLEAR
        self._begin_turns(last + 1)
        for vertex in range(last + 1):
            turn = all_paths if vertex <= self._bounces else self._turn(vertex)
            self._vertex(vertex, count, turn, vertex == last)
        self._run("add", all_paths)

    def _begin_turns(self, vertices: int) -> None:
        """Nobody needs a vertex beyond the bounces yet."""
        none = np.tile(np.array([0, 1, 1], np.uint32), vertices)
        if self._turns is None or self._turns.size < none.nbytes:
            if self._turns is not None:
                self._turns.release()
            self._turns = self._context.buffer(reserve=none.nbytes)
        self._turns.write(none.tobytes())

    def _turn(self, vertex: int) -> Turn:
        turns = self._turns
        assert turns is not None
        return lambda shader: shader.run_indirect(turns, 12 * vertex)

    def _vertex(self, vertex: int, count: int, turn: Turn, last: bool) -> None:
        self._run("meet", turn)
        for number, surface, frame, _ in self._surfaces:
            surface.trace(count, turn, number, frame, False)
        for number, surface, frame, colours in self._surfaces:
            surface.look(count, turn, number, frame, colours)
        set_uniforms(self._shaders["shade"], vertex=vertex, turning=self._bounces <= vertex and not last)
        assert self._turns is not None
        self._turns.bind_to_storage_buffer(PATH_BINDINGS["TURNS"])
        self._run("shade", turn)
        if last:
            return
        self._run("block", turn)
        for number, surface, frame, _ in self._surfaces:
            surface.trace(count, turn, number, frame, True)

    def _run(self, name: str, turn: Turn) -> None:
        turn(self._shaders[name])
        bits = moderngl.SHADER_STORAGE_BARRIER_BIT | moderngl.SHADER_IMAGE_ACCESS_BARRIER_BIT
        self._context.memory_barrier(bits | moderngl.TEXTURE_FETCH_BARRIER_BIT | moderngl.COMMAND_BARRIER_BIT)

    def _look_through(self, camera: Camera, width: int, height: int) -> None:
        fx, fy, cx, cy = camera.intrinsics(width, height)
        for name in ("begin", "shade", "add"):
            set_uniforms(
                self._shaders[name],
                picture_size=(width, height),
                camera_kind=CAMERAS[f"CAMERA_{camera.projection.upper()}"],
                # columns: the camera's axes in the world, which are the rows of camera_from_world
                world_from_camera=tuple(camera.camera_from_world[:3, :3].ravel().tolist()),
                eye=tuple(camera.position.tolist()),
                focal=(fx, fy),
                principal=(cx, cy),
                near=camera.near,
            )

    def _make_paths(self, count: int) -> None:
        size = PATH.bytes * count
        if self._paths is None or self._paths.size < size:
            if self._paths is not None:
                self._paths.release()
            self._paths = reserve_buffer(self._context, size, f"{count:,} paths")

    def _upload(self, name: str, data: bytes) -> None:
        if len(data) > self._limit:
            what = name.lower()
            raise KilofieldError(f"scene: expected at most {self._limit:,} bytes of {what} here, found {len(data):,}")
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < len(data):
            if buffer is not None:
                buffer.release()
            self._buffers[name] = buffer = reserve_buffer(self._context, len(data), f"{name.lower()} of a scene")
        buffer.write(data)

    def _upload_sky(self, picture: NDArray[np.floating]) -> None:
        height, width = picture.shape[:2]
        if self._sky is None or self._sky.size != (width, height):
            if self._sky is not None:
                self._sky.release()
            with memory_for(self._context, 16 * width * height, f"an environment of {width}x{height}"):
                self._sky = self._context.texture((width, height), 4, dtype="f4")
            self._sky.filter = moderngl.NEAREST, moderngl.NEAREST
        texels = np.zeros((height, width, 4), np.float32)
        texels[..., :3] = picture
        self._sky.write(texels.tobytes())

    def release(self) -> None:
        """Frees all but the surfaces."""
        for thing in (*self._shaders.values(), *self._buffers.values(), self._sky, self._paths, self._turns):
            if thing is not None:
                thing.release()


def _frame(entry: np.void) -> NDArray[np.floating]:
    return np.stack([entry[name] for name in ("row_x", "row_y", "row_z")])
