"""The two ways a frame is made: with compute shaders (OpenGL 4.3), and without (4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeAlias

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.accumulation import Accumulation
from renderer.context import is_software
from renderer.decode import decode
from renderer.depth_order import DepthOrder, DepthSorter
from renderer.draw_order import DrawOrder, UploadedOrder
from renderer.feedback import FeedbackQuads, TextureGaussians
from renderer.gpu_gaussians import GpuGaussians
from renderer.overdraw_guard import OverdrawGuard
from renderer.packed_geometry import PackedGaussians
from renderer.projection import FrameBuffers, Projection
from renderer.quads import Quads, triangle_list, view_profile
from renderer.radix_sort import RadixSort
from renderer.settings import RenderSettings
from renderer.stage_times import StageTimes
from renderer.tiles import Tiles
from scenes.cameras import Camera
from scenes.gaussians import Floats, Gaussians
from scenes.neural_gaussians import NeuralGaussians

if TYPE_CHECKING:
    from renderer.resident_scene import ResidentScene

LEAST_INSTANCES = 2**18  # room for pairs of Gaussian and tile at first
MOST_INSTANCES = 2**27  # 3 GB of them; beyond, the farthest are left out
INSTANCES_A_GAUSSIAN = 4  # the first guess


AnyScene: TypeAlias = "Gaussians | NeuralGaussians"
Prepared: TypeAlias = "PackedGaussians | NeuralGaussians | ResidentScene"  # all that is left is to upload, or to decode


class Scene(Protocol):
    """A scene in video memory, in whichever form."""

    positions: Floats  # [N, 3], on the CPU
    radii: Floats  # [N] longest standard deviation, world units
    areas: Floats  # [N] product of the two longest
    sh_degree: int
    antialiased: bool

    def __len__(self) -> int: ...

    @property
    def residency(self) -> str:
        """ "decoded" or "resident"."""
        ...

    @property
    def bytes(self) -> int:
        """Video memory."""
        ...

    def release(self) -> None:
        """Frees it."""
        ...


@dataclass(frozen=True)
class Frame:
    """What a frame is asked to be."""

    camera: Camera
    size: tuple[int, int]  # width, height
    settings: RenderSettings
    pipeline: str  # "tiles" or "quads"
    budget: float  # pixels all footprints may cover together
    cover: moderngl.Texture | None = None  # of the size; w: depth at which a surface hides what is behind it

    def order_by_numpy(self, sorter: DepthSorter) -> tuple[DepthOrder, int]:
        """Records nearest first, and how many of them the budget is enough for."""
        order = sorter.order(self.camera, *self.size, self.settings.scale, self.settings.crop)
        return order, order.affordable(self.budget)


class Sorters:
    """numpy's sorter of the scene at hand, made when it is first needed."""

    def __init__(self) -> None:
        self._scene: Scene | None = None

    def of(self, scene: Scene) -> DepthSorter:
        """The sorter of `scene`."""
        if self._scene is not scene:
            self._sorter = DepthSorter(scene.positions, scene.radii, scene.areas)
            self._scene = scene
        return self._sorter


class ComputePaths:
    """Projection or resident decoding, one of two sorts, tiles or quads. Parts are made when they are first needed."""

    def __init__(self, context: moderngl.Context, sort: str) -> None:
        self._context = context
        self._sort_on_gpu = sort == "gpu" or (sort == "auto" and not is_software(context))
        self._frame = FrameBuffers(context)
        self._uploaded = UploadedOrder(context)
        self._sorters = Sorters()
        self._drawn_known: tuple[int, int] | None = None  # drawn and capped, when the CPU has sorted
        self._tiled = False

    @cached_property
    def _projection(self) -> Projection:
        return Projection(self._context, costs=self._sort_on_gpu)

    @cached_property
    def _quads(self) -> Quads:
        return Quads(self._context)

    @cached_property
    def _sort(self) -> RadixSort:
        return RadixSort(self._context)

    @cached_property
    def _guard(self) -> OverdrawGuard:
        return OverdrawGuard(self._context)

    @cached_property
    def _tiles(self) -> Tiles:
        return Tiles(self._context)

    def prepare(self, scene: AnyScene, residency: str, plain: Gaussians | None) -> Prepared:
        """The CPU's part of loading. A software rasteriser's shaders are slower than numpy at decoding."""
        if not isinstance(scene, NeuralGaussians):
            return PackedGaussians.of(scene)
        if residency == "resident":
            from renderer.resident import pack_for

            return pack_for(self._context, scene)
        return PackedGaussians.of(plain or scene.decode(), scene.clusters) if is_software(self._context) else scene

    def load(self, prepared: Prepared) -> Scene:
        """Into video memory."""
        if isinstance(prepared, PackedGaussians):
            return GpuGaussians.upload(self._context, prepared)
        if isinstance(prepared, NeuralGaussians):
            return decode(self._context, prepared)
        from renderer.resident import Resident

        return Resident(self._context, prepared)

    def draw(self, scene: Scene, frame: Frame, target: Accumulation, times: StageTimes) -> None:
        """One frame into `target`."""
        self._project(scene, frame, times)
        self._tiled = frame.pipeline == "tiles"
        if self._sort_on_gpu:
            order = self._order_by_gpu(frame, times)
            with times.stage("blend"):
                if self._tiled:
                    self._draw_tiles(scene, order, frame, target)
                else:
                    self._quads.draw(self._frame, order, target, frame.size, frame.settings, frame.cover)
            return
        entries = self._order_by_numpy(scene, frame, times)
        with times.stage("blend"):
            order = self._uploaded.upload(entries)
            if self._tiled:
                self._draw_tiles(scene, order, frame, target)
            else:
                self._quads.draw_triangles(
                    self._frame, order.order, len(entries), target, frame.size, frame.settings, frame.cover
                )

    def _project(self, scene: Scene, frame: Frame, times: StageTimes) -> None:
        if isinstance(scene, GpuGaussians):
            with times.stage("project"):
                self._projection.run(scene, self._frame, frame.camera, *frame.size, frame.settings)
            return
        from renderer.resident import Resident

        assert isinstance(scene, Resident)
        with times.stage("decode"):
            scene.run(self._frame, frame.camera, *frame.size, frame.settings)

    def _order_by_numpy(self, scene: Scene, frame: Frame, times: StageTimes) -> NDArray[np.uint32]:
        """Records for tiles, entries of a triangle list for quads."""
        with times.stage("sort", on_gpu=False):  # of the CPU, while the device projects
            order, drawn = frame.order_by_numpy(self._sorters.of(scene))
            self._drawn_known = drawn, len(order.records) - drawn
            return order.records[:drawn] if self._tiled else triangle_list(order, drawn)

    def _order_by_gpu(self, frame: Frame, times: StageTimes) -> DrawOrder:
        with times.stage("sort"):
            if self._sort.capacity < self._frame.count:
                self._sort.reserve(self._frame.count)
            self._sort.sort_drawn(self._frame.keys, self._frame.count)
            self._drawn_known = None
            order = DrawOrder(self._sort.values, self._sort.count)
            return self._guard.run(self._frame, order, frame.size, frame.budget)

    def _draw_tiles(self, scene: Scene, order: DrawOrder, frame: Frame, target: Accumulation) -> None:
        if not self._tiles.capacity:
            wanted = INSTANCES_A_GAUSSIAN * len(scene)
            self._tiles.reserve(min(max(wanted, LEAST_INSTANCES), MOST_INSTANCES))
        profile, additive = view_profile(frame.settings), frame.settings.view == "overdraw"
        self._tiles.draw(
            self._frame.records,
            order.order,
            order.count,
            target,
            frame.size,
            profile,
            additive,
            frame.cover,
            self._frame.keys,
        )

    def grow(self, wait: bool = True) -> bool:
        """Makes room for what the latest frame of tiles had none for; True when it did.

        With `wait` it is the frame just drawn that is asked, else one two frames back, which has long been finished.
        """
        if not self._tiled:
            return False
        wanted, drawn = self._tiles.wanted(finished=wait)
        if wanted <= drawn or self._tiles.capacity >= MOST_INSTANCES:
            return False
        before = self._tiles.capacity
        self._tiles.reserve(min(max(wanted + wanted // 4, 2 * before), MOST_INSTANCES))
        return self._tiles.capacity > before

    def counts(self, finished: bool) -> dict[str, int]:
        """`candidates` and `capped` of `FrameFacts`."""
        if self._drawn_known is not None:
            drawn, capped = self._drawn_known
        else:
            counts = self._frame.latest_counts(finished)
            drawn, capped = int(counts["drawn"]), int(counts["capped"])
        return {"candidates": drawn + capped, "capped": capped}

    @property
    def bytes(self) -> int:
        """Video memory of what frames work with."""
        total = self._frame.bytes
        for part in (self.__dict__.get("_sort"), self.__dict__.get("_tiles")):
            total += part.bytes if part is not None else 0
        return total

    def release(self) -> None:
        """Frees everything."""
        for name in ("_projection", "_quads", "_sort", "_guard", "_tiles"):
            if name in self.__dict__:
                self.__dict__.pop(name).release()
        self._frame.release()
        self._uploaded.release()


class FeedbackPath:
    """Sorting in numpy, projection by transform feedback, instanced quads."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._quads = FeedbackQuads(context)
        self._sorters = Sorters()
        self._counts = {"candidates": 0, "capped": 0}

    def prepare(self, scene: AnyScene, residency: str, plain: Gaussians | None) -> Prepared:
        """The CPU's part of loading: a neural scene is decoded by numpy, whatever `residency` asks for."""
        if isinstance(scene, NeuralGaussians):
            return PackedGaussians.of(plain or scene.decode(), scene.clusters)
        return PackedGaussians.of(scene)

    def load(self, prepared: Prepared) -> TextureGaussians:
        """Into textures."""
        assert isinstance(prepared, PackedGaussians)
        return TextureGaussians(self._context, prepared)

    def draw(self, scene: Scene, frame: Frame, target: Accumulation, times: StageTimes) -> None:
        """One frame into `target`; the pipeline is quads, and there are no surfaces without compute shaders."""
        assert isinstance(scene, TextureGaussians)
        assert frame.cover is None
        with times.stage("sort", on_gpu=False):
            order, drawn = frame.order_by_numpy(self._sorters.of(scene))
            count = len(order.records)
            self._counts = {"candidates": count, "capped": count - drawn}
        with times.stage("project"):
            target.begin_blending(*frame.size)  # even drawing without pixels needs a whole framebuffer
            self._quads.project(scene, order.records[:drawn], frame.camera, frame.size, frame.settings)
        with times.stage("blend"):
            self._quads.draw(drawn, target, frame.size, frame.settings)

    def grow(self, wait: bool = True) -> bool:
        """There is nothing to grow."""
        return False

    def counts(self, finished: bool) -> dict[str, int]:
        """`candidates` and `capped` of `FrameFacts`."""
        return self._counts

    @property
    def bytes(self) -> int:
        """Video memory of what frames work with."""
        return self._quads.bytes

    def release(self) -> None:
        """Frees everything."""
        self._quads.release()
