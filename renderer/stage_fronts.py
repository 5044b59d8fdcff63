"""The Gaussians of a path-traced scene in video memory, drawn over what was traced where they are nearer than it.

As in `renderer/lit_picture.py`, but they stay loaded from picture to picture.
"""

from __future__ import annotations

import moderngl
import numpy as np

from renderer.accumulation import picture_texture
from renderer.gaussian_renderer import GaussianRenderer
from renderer.lit_picture import PLAIN, moved
from renderer.shader_library import compile_program, set_uniforms
from renderer.stage_times import StageTimes
from scenes.cameras import Camera
from scenes.gaussians import Floats
from scenes.load import SceneFile
from scenes.scene_file import GaussianScene, Matrix
from scenes.stage import Stage

SAME_UNIT = 1e-9  # relative, of scales that are 1


class StageFronts:
    """Those of one stage at a time."""

    def __init__(self, context: moderngl.Context, times: StageTimes) -> None:
        """`times` takes those of their stages."""
        self._context, self._times = context, times
        self._program = compile_program(context, "screen_triangle.vert", "stage_front.frag")
        self._triangle = context.vertex_array(self._program, [])
        self._loaded: list[tuple[SceneFile, GaussianRenderer]] = []
        self._transforms: list[Matrix] = []
        self._pictures: list[moderngl.Texture] = []

    def show(self, stage: Stage) -> None:
        """Takes the Gaussians of `stage`; those that are there already stay. Nothing is blended."""
        things = [thing for thing in stage.scene.objects if isinstance(thing, GaussianScene)]
        before, self._loaded, self._pictures = self._loaded, [], []
        self._transforms = [thing.transform for thing in things]
        for thing in things:
            file = stage.gaussians[thing.file]
            kept = next((one for one in before if one[0] is file), None)
            if kept is not None:
                before.remove(kept)
            self._loaded.append(kept or (file, self._load(file)))
        for _, renderer in before:
            renderer.release()

    def _load(self, file: SceneFile) -> GaussianRenderer:
        renderer = GaussianRenderer(self._context)
        renderer.times = self._times
        renderer.load(file.scene)
        return renderer

    def blend(self, traced: moderngl.Texture, camera: Camera) -> None:
        """Draws all of them as `camera` sees them, before the depths of `traced`: see `PathTracer.texture`."""
        self._pictures = [
            _blended(renderer, traced, *moved(camera, transform))
            for (_, renderer), transform in zip(self._loaded, self._transforms, strict=True)
        ]

    def draw(self, target: moderngl.Framebuffer) -> None:
        """What was blended last, over what is in the viewport of `target`, which is of its size."""
        if not self._pictures:
            return
        target.use()
        self._context.enable_only(moderngl.BLEND)
        self._context.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
        self._context.blend_equation = moderngl.FUNC_ADD, moderngl.FUNC_ADD
        set_uniforms(self._program, origin=target.viewport[:2])
        for picture in self._pictures:
            picture.use(0)
            self._triangle.render(moderngl.TRIANGLES, vertices=3)
        self._context.enable_only(moderngl.NOTHING)

    def read(self) -> list[Floats]:
        """[H, W, 4] premultiplied, of each, what was blended last."""
        return [_read(picture) for picture in self._pictures]

    @property
    def bytes(self) -> int:
        """Video memory of the Gaussians."""
        return sum(renderer.scene.bytes + renderer.working_bytes for _, renderer in self._loaded)

    def release(self) -> None:
        """Frees everything."""
        for _, renderer in self._loaded:
            renderer.release()
        self._triangle.release()
        self._program.release()


def _blended(renderer: GaussianRenderer, traced: moderngl.Texture, camera: Camera, scale: float) -> moderngl.Texture:
    if abs(scale - 1) <= SAME_UNIT:
        return renderer.blend(camera, traced.size, PLAIN, traced, wait=True)
    depths = _read(traced).copy()
    depths[..., 3] /= scale  # to units of the Gaussians
    cover = picture_texture(renderer.context, traced.size, "f4")
    cover.write(depths.tobytes())
    picture = renderer.blend(camera, traced.size, PLAIN, cover, wait=True)
    cover.release()
    return picture


def _read(texture: moderngl.Texture) -> Floats:
    width, height = texture.size
    return np.frombuffer(texture.read(), np.float32).reshape(height, width, 4)
