"""Path-traces scenes of neural surfaces, shapes and lights in compute shaders; see `renderer/path_passes.py`.

Progressive: paths add up while nothing changes, so many a frame as are asked for. The twin is
`renderer/path_reference.py`, which has the same random numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.accumulation import check_size, picture_texture
from renderer.context import has_compute
from renderer.path_layouts import UNLIMITED
from renderer.path_passes import PathPasses
from renderer.path_scene import SceneTables, path_scene
from renderer.path_surface import PathSurface
from renderer.stage_times import StageTimes
from renderer.surface_settings import MarchSettings
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import Floats
from scenes.stage import Stage
from scenes.surface import NeuralSurface

DEFAULT = MarchSettings()


class PathTracer:
    """One scene, which may be changed at any time.

    `times.synchronised` makes stage times those of the last frame, at the price of waiting. Raises `KilofieldError`
    without compute shaders, and for what does not fit the device.
    """

    casts_rays = True

    def __init__(self, context: moderngl.Context, stage: Stage, march: MarchSettings = DEFAULT) -> None:
        if not has_compute(context):
            raise KilofieldError("path tracing: expected OpenGL 4.3 with compute shaders, found less")
        self.context, self._march = context, march
        self.times = StageTimes(context)
        self._passes = PathPasses(context)
        self._tables = SceneTables()
        self._surfaces: dict[int, PathSurface] = {}
        self._picture: moderngl.Texture | None = None
        self._shown: tuple[object, ...] = ()
        self._guides: list[moderngl.Texture] = []
        self._guided = False
        self._most_bounces: int | None = None
        self._traced = 0  # paths in the picture
        self.show(stage)

    @property
    def stage(self) -> Stage:
        """What is traced."""
        return self._stage

    def show(self, stage: Stage) -> None:
        """Traces `stage` from now on; what it shares with the one before stays in video memory."""
        scene = path_scene(stage, self._tables)
        kept = {id(surface): surface for surface in scene.surfaces}
        for gone in self._surfaces.keys() - kept.keys():
            self._surfaces.pop(gone).release()
        for key, surface in kept.items():
            if key not in self._surfaces:
                self._surfaces[key] = PathSurface(self.context, surface, self._march)
        self._passes.show(scene, [self._of(surface) for surface in scene.surfaces])
        self._passes.limit_bounces(self._most_bounces)
        self._stage, self.scene = stage, scene
        self.restart()

    def _of(self, surface: NeuralSurface) -> PathSurface:
        return self._surfaces[id(surface)]

    def limit_bounces(self, most: int | None) -> None:
        """Scatterings at most, whatever the scenes say; the picture begins anew if that is another number."""
        if most != self._most_bounces:
            self._most_bounces = most
            self._passes.limit_bounces(most)
            self.restart()

    def guide(self, wanted: bool) -> None:
        """Whether `guides` are made; the picture begins anew where they are missing."""
        if wanted and not self._guided:
            self._shown = ()
        self._guided = wanted

    @property
    def guides(self) -> tuple[moderngl.Texture, moderngl.Texture, moderngl.Texture]:
        """What the first sample met first: unit normals in the world towards the ray, 0 where light must stay sharp;
        places in the world; albedos. There are some after `guide(True)` and a sample.
        """
        normals, places, albedos = self._guides
        return normals, places, albedos

    def restart(self) -> None:
        """Begins the picture anew with the next path; until it is there a pixel stays as it was."""
        self._traced = 0

    @property
    def paths(self) -> int:
        """Of the picture so far."""
        return self._traced

    @property
    def samples(self) -> int:
        """Of every pixel of the picture; some may have one more."""
        return 0 if self._picture is None else self._traced // (self._picture.width * self._picture.height)

    def add(
        self, camera: Camera, size: tuple[int, int], samples: int = 1, seed: int = 0, independent: bool = False
    ) -> None:
        """Adds samples to the picture of `size` = (width, height), which begins anew if anything is not as it was."""
        self.advance(camera, size, samples * size[0] * size[1], seed, independent)

    def advance(
        self, camera: Camera, size: tuple[int, int], paths: int, seed: int = 0, independent: bool = False
    ) -> None:
        """The same by so many paths, of one pixel after the other: what a frame of a window has time for."""
        shown = (camera.camera_from_world.tobytes(), _intrinsics(camera), size, seed, independent)
        if shown != self._shown or self._picture is None:
            self._shown, self._traced = shown, 0
            self._make_picture(size)
            self._make_guides(size)
            self._passes.seed(seed, independent)
        assert self._picture is not None
        with self.times.frame(), self.times.stage("paths"):
            self._trace(camera, self._picture, paths)

    def _trace(self, camera: Camera, picture: moderngl.Texture, paths: int) -> None:
        pixels = picture.width * picture.height
        while paths > 0:
            index, first = divmod(self._traced, pixels)
            count = min(paths, pixels - first, self._passes.most_paths)
            self._passes.sample(camera, picture, index, first, count, self._guides if self._guided else ())
            self._traced += count
            paths -= count

    def light(self) -> Floats:
        """[H, W, 3] linear light of the picture so far."""
        return self._read()[..., :3].copy()

    def depths(self) -> NDArray[np.float32]:
        """[H, W] of what the first sample met, world units along the view axis (equirectangular: the distance); inf
        where nothing."""
        depth = self._read()[..., 3]
        return np.where(depth < UNLIMITED, depth, np.inf).astype(np.float32)

    def render(
        self,
        camera: Camera,
        width: int,
        height: int,
        samples: int,
        seed: int = 0,
        independent: bool = False,
        step: Callable[[int], None] | None = None,
    ) -> Floats:
        """[H, W, 3] linear light, the mean of so many samples; `step` is told how many there are after each."""
        self.restart()
        for done in range(1, samples + 1):
            self.add(camera, (width, height), 1, seed, independent)
            if step is not None:
                self.context.finish()
                step(done)
        return self.light()

    @property
    def texture(self) -> moderngl.Texture:
        """The picture: RGB linear light, alpha the depth, `UNLIMITED` where nothing is.

        Raises `KilofieldError` before the first sample.
        """
        if self._picture is None:
            raise KilofieldError("path tracing: expected a sample, found none yet")
        return self._picture

    @property
    def bytes(self) -> int:
        """Video memory of all this."""
        pixel = 16 + 32 * bool(self._guides)
        picture = 0 if self._picture is None else pixel * self._picture.width * self._picture.height
        return self._passes.bytes + picture + sum(surface.bytes for surface in self._surfaces.values())

    def _read(self) -> Floats:
        width, height = self.texture.size
        return np.frombuffer(self.texture.read(), np.float32).reshape(height, width, 4)

    def _make_picture(self, size: tuple[int, int]) -> None:
        if self._picture is not None and self._picture.size == size:
            return
        check_size(self.context, *size)
        if self._picture is not None:
            self._picture.release()
            self._picture = None
        self._picture = picture_texture(self.context, size, "f4")
        self._picture.write(bytes(16 * size[0] * size[1]))  # black

    def _make_guides(self, size: tuple[int, int]) -> None:
        if self._guides and self._guides[0].size == size and self._guided:
            return
        self._release_guides()
        if self._guided:
            self._guides = [picture_texture(self.context, size, kind) for kind in ("f2", "f4", "f2")]

    def _release_guides(self) -> None:
        for guide in self._guides:
            guide.release()
        self._guides = []

    def release(self) -> None:
        """Frees everything in video memory."""
        self._release_guides()
        for surface in self._surfaces.values():
            surface.release()
        self._surfaces = {}
        self._passes.release()
        if self._picture is not None:
            self._picture.release()
            self._picture = None


def _intrinsics(camera: Camera) -> tuple[object, ...]:
    return tuple(value for name, value in vars(camera).items() if name != "camera_from_world")
