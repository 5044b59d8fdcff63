"""The tiles path: each 16x16 tile of the picture blends its own list of Gaussians, nearest first, in a compute shader.

    order, records -> count --> PrefixSum --> limit, plan --> emit --> RadixSort by tile --> ranges --> blend
                      tiles of   starts of    what fits      pairs     stable: depth       starts of   16x16 threads
                      each       each                                  order stays         each tile   a tile

As in the original 3DGS (Kerbl et al. 2023) but with pairs only where a pixel centre's rectangle of the tile meets the
ellipse at 1/255 (as AccuTile in Hanson et al. 2025, "Speedy-Splat"), and sorted by the tile's bits alone, since the
Gaussians come in depth order. A pair is called an instance. Nothing is read back within a frame: how many there are
stays on the GPU. The picture is that of `quads.py`, but for the last Gaussian of a saturated pixel: 3DGS drops it, and
so does this path.
"""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from renderer.accumulation import Accumulation
from renderer.context import is_software
from renderer.layouts import BINDINGS, GROUP, PROFILES
from renderer.prefix_sum import READ_BY_ANYTHING, PrefixSum, allocate
from renderer.radix_sort import RadixSort
from renderer.shader_library import compile_compute, set_uniforms

TILE = 16  # pixels along a side: 256 threads, the most that runs well everywhere
INSTANCE_BYTES = 24  # of video memory: keys and values, here and twice in the sort
EMIT_GROUP = 256  # threads that share the search for their Gaussians
EMIT_SPAN = 1024  # instances of one such group: the search is a long chain of reads that nothing hides
ROW_OF_GROUPS = 32768  # workgroups along x: OpenGL promises 65,535 an axis
SOFTWARE_SLICE = 60_000  # Gaussians of a tile in one dispatch: llvmpipe ends loops after 65,535 iterations
STATE_UINTS = 7  # see tile_instances.glsl
FRAMES_IN_FLIGHT = 3  # whose state is kept, so that reading the oldest waits for nothing
STATE_ARGUMENTS = 4  # bytes: where the indirect dispatch's arguments start

# With RECORDS and ORDER, all below the eight that OpenGL 4.3 has at least
_PLACES = {"KEYS": 0, "VALUES": 1, "TOTAL": 1, "VISIBLE": 4, "COUNTS": 5, "STARTS": 5, "SUMS": 6, "INSTANCES": 7}
assert not {BINDINGS["RECORDS"], BINDINGS["ORDER"]} & set(_PLACES.values()), "a binding point used twice"
_DEFINES = {
    "TILE": TILE,
    "PIXELS": TILE * TILE,
    "EMIT_GROUP": EMIT_GROUP,
    "EMIT_SPAN": EMIT_SPAN,
    "ROW_OF_GROUPS": ROW_OF_GROUPS,
    **{f"TILE_{name}_BINDING": place for name, place in _PLACES.items()},
}
COVERED = "covered blend"
_STAGES = ("count", "limit", "plan", "emit", "ranges", "blend")
PICTURE_WRITTEN = (
    moderngl.SHADER_IMAGE_ACCESS_BARRIER_BIT
    | moderngl.TEXTURE_FETCH_BARRIER_BIT
    | moderngl.TEXTURE_UPDATE_BARRIER_BIT
    | moderngl.FRAMEBUFFER_BARRIER_BIT
    | moderngl.PIXEL_BUFFER_BARRIER_BIT
)


def tile_grid(size: tuple[int, int]) -> tuple[int, int]:
    """Columns and rows of tiles of a picture of `size` = (width, height) pixels."""
    return -(-size[0] // TILE), -(-size[1] // TILE)


@dataclass(frozen=True)
class _Frame:
    """What one call of `Tiles.draw` is about."""

    records: moderngl.Buffer
    order: moderngl.Buffer
    count: moderngl.Buffer
    target: Accumulation
    profile: int
    additive: bool
    cover: moderngl.Texture | None
    depths: moderngl.Buffer | None  # of all records

    @property
    def most(self) -> int:
        """Records there may be in the order."""
        return self.order.size // 4

    @property
    def tiles(self) -> int:
        """Of the picture."""
        columns, rows = tile_grid(self.target.size)
        return columns * rows


class Tiles:
    """Blends records in a given order. `reserve` comes first."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._shaders = {stage: compile_compute(context, f"tile_{stage}.comp", _DEFINES) for stage in _STAGES}
        self._sums = PrefixSum(context)
        self._sort = RadixSort(context)
        self._states = [context.buffer(np.zeros(STATE_UINTS, np.uint32)) for _ in range(FRAMES_IN_FLIGHT)]
        self._counts, self._starts, *self._pairs = (allocate(context, 0, "tiles") for _ in range(4))
        self._slice = SOFTWARE_SLICE if is_software(context) else 2**30
        self.capacity = 0

    def reserve(self, instances: int) -> None:
        """Room for `instances`, `INSTANCE_BYTES` each; less where the device cannot bind that many: see `capacity`.

        Raises `KilofieldError` where there is not enough video memory.
        """
        largest = int(self._context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"]) // 4
        capacity = min(instances, largest)
        if capacity == self.capacity:
            return
        self.capacity = 0
        self._sort.reserve(capacity)
        self._pairs = [self._replace(buffer, capacity) for buffer in self._pairs]
        self.capacity = capacity

    def _replace(self, buffer: moderngl.Buffer, uints: int) -> moderngl.Buffer:
        buffer.release()
        return allocate(self._context, uints, "tiles")

    def draw(
        self,
        records: moderngl.Buffer,
        order: moderngl.Buffer,
        count: moderngl.Buffer,
        target: Accumulation,
        size: tuple[int, int],
        profile: int = PROFILES["PROFILE_GAUSSIAN"],
        additive: bool = False,
        cover: moderngl.Texture | None = None,
        depths: moderngl.Buffer | None = None,
    ) -> None:
        """Fills `target`, of `size` = (width, height), with the first `count[0]` records (RECORD) of `order` (uints).

        `count` must be at most what `order` has room for. Gaussians whose instances pass the capacity are left out,
        the farthest first; `wanted` tells. `profile` is one of `PROFILES`. With `additive`, the colours of all
        Gaussians that touch a pixel are summed, whatever their alpha, and alpha is 1. `cover`, of `size`, has in its
        fourth channel a depth at each pixel: what has its centre there or beyond is not drawn. `depths` then has the
        depth of each record (float32).
        """
        target.begin(*size)
        self._states.insert(0, self._states.pop())
        frame = _Frame(records, order, count, target, profile, additive, cover, depths)
        self._compile_covered(frame)
        self._set_picture(frame)
        self._count_instances(frame)
        self._limit_instances(frame)
        self._emit(frame)
        self._sort_by_tile(frame)
        self._blend(frame)

    def _compile_covered(self, frame: _Frame) -> None:
        if frame.cover is not None and COVERED not in self._shaders:
            self._shaders[COVERED] = compile_compute(self._context, "tile_blend.comp", _DEFINES | {"COVERED": 1})

    def _set_picture(self, frame: _Frame) -> None:
        if self._starts.size < 4 * (frame.tiles + 1):
            self._starts = self._replace(self._starts, frame.tiles + 1)
        columns, _ = tile_grid(frame.target.size)
        picture = {"size": frame.target.size, "columns": columns, "tiles": frame.tiles, "no_tile": frame.tiles}
        for shader in self._shaders.values():
            set_uniforms(shader, **picture)

    def _count_instances(self, frame: _Frame) -> None:
        if self._sums.capacity < frame.most:
            self._counts = self._replace(self._counts, frame.most)
            self._sums.reserve(frame.most)
        self._bind_gaussians(frame)
        _bind(visible=frame.count, counts=self._counts, instances=self._instances)
        self._shaders["count"].run(*_groups(frame.most))
        self._sums.run(self._counts, frame.count)

    def _limit_instances(self, frame: _Frame) -> None:
        _bind(visible=frame.count, counts=self._counts, sums=self._sums.sums, instances=self._instances)
        set_uniforms(self._shaders["limit"], capacity=self.capacity)
        self._shaders["limit"].run(*_groups(frame.most))
        self._context.memory_barrier(READ_BY_ANYTHING)
        _bind(total=self._sums.total)
        self._shaders["plan"].run()
        self._context.memory_barrier(READ_BY_ANYTHING)

    def _emit(self, frame: _Frame) -> None:
        """Pairs of tile and record, in the order of the Gaussians."""
        self._bind_gaussians(frame)
        keys, values = self._pairs
        _bind(sums=self._sums.sums, instances=self._instances, keys=keys, values=values)
        self._shaders["emit"].run_indirect(self._instances, STATE_ARGUMENTS)

    def _sort_by_tile(self, frame: _Frame) -> None:
        keys, values = self._pairs
        self._sort.sort_pairs(keys, values, self._instances, frame.tiles.bit_length())
        _bind(keys=self._sort.keys, instances=self._instances, starts=self._starts)
        self._shaders["ranges"].run(frame.tiles // GROUP + 1)
        self._context.memory_barrier(READ_BY_ANYTHING)

    @property
    def _instances(self) -> moderngl.Buffer:
        """The state of the latest frame: see tile_instances.glsl."""
        return self._states[0]

    def _bind_gaussians(self, frame: _Frame) -> None:
        frame.records.bind_to_storage_buffer(BINDINGS["RECORDS"])
        frame.order.bind_to_storage_buffer(BINDINGS["ORDER"])

    def _blend(self, frame: _Frame) -> None:
        frame.records.bind_to_storage_buffer(BINDINGS["RECORDS"])
        _bind(values=self._sort.values, starts=self._starts)
        frame.target.colour.bind_to_image(0, read=True, write=True)
        shader = self._shaders["blend" if frame.cover is None else COVERED]
        if frame.cover is not None and frame.depths is not None:
            frame.depths.bind_to_storage_buffer(BINDINGS["DEPTHS"])
            frame.cover.use(0)
        set_uniforms(shader, cover=0, profile=frame.profile, additive=frame.additive, slice=self._slice)
        for skipped in range(0, frame.most, self._slice):
            set_uniforms(shader, skipped=skipped, last=skipped + self._slice >= frame.most)
            shader.run(*tile_grid(frame.target.size))
            self._context.memory_barrier(PICTURE_WRITTEN)

    def wanted(self, finished: bool = True) -> tuple[int, int]:
        """How many instances the latest frame had, and how many it drew.

        With `finished` false, the frame two before instead: the latest may still be drawn, and this would wait for it.
        """
        state = self._states[0 if finished else -1]
        drawn, *_, low, wraps = (int(x) for x in np.frombuffer(state.read(), np.uint32))
        return (wraps << 32) + low, drawn

    @property
    def bytes(self) -> int:
        """Video memory."""
        buffers = (*self._states, self._counts, self._starts, *self._pairs)
        return sum(buffer.size for buffer in buffers) + self._sums.sums.size + self._sort.bytes

    def release(self) -> None:
        """Frees everything in video memory."""
        buffers = (*self._states, self._counts, self._starts, *self._pairs)
        for thing in (*buffers, self._sums, self._sort, *self._shaders.values()):
            thing.release()


def _groups(threads: int) -> tuple[int, int]:
    """Columns and rows of workgroups of `GROUP` threads."""
    groups = -(-threads // GROUP)
    return min(groups, ROW_OF_GROUPS), -(-groups // ROW_OF_GROUPS)


def _bind(**buffers: moderngl.Buffer) -> None:
    for name, buffer in buffers.items():
        buffer.bind_to_storage_buffer(_PLACES[name.upper()])
