"""Reading and writing .kilo files of kind `gaussians`; `docs/kilo-format.md` says the format byte by byte.

The parts: `kilo_container` (header, manifest as JSON), `kilo_manifest` (its meaning, checked), `kilo_streams` (arrays
as bytes), `rans` and `octree` (the coders).
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.bank import MlpBank
from scenes.gaussians import Floats
from scenes.kilo_container import MEMORY, Source, open_source, opened, read_json_manifest
from scenes.kilo_manifest import MAX_GAUSSIANS, Chunk, Manifest, Tier, parse_manifest
from scenes.kilo_node import check_padding
from scenes.kilo_pack import columns_of_weights
from scenes.kilo_streams import StreamReader
from scenes.kilo_writer import KiloReport, canonical_order, encode_kilo
from scenes.neural_gaussians import NeuralGaussians
from scenes.progress import Progress, silent

__all__ = ["KiloReport", "canonical_order", "pack_kilo", "read_kilo", "read_manifest", "unpack_kilo", "write_kilo"]


def write_kilo(
    path: str | os.PathLike[str],
    scene: NeuralGaussians,
    *,
    tool: dict[str, Any] | None = None,
    chunks: list[int] | None = None,
    tiers: NDArray[np.integer] | None = None,
) -> KiloReport:
    """Write `scene` and say where the bytes went.

    `chunks` are the clusters each chunk has, in order (default: one chunk of all). `tiers` [N] is 0 for the most
    important Gaussians and grows; every prefix of the file that ends with a tier is a picture (default: one tier).
    `tool` is free-form JSON about how the file was made. `read_kilo` gives `canonical_order(scene, tiers)` back.
    Raises `ValueError` for a scene the format cannot hold exactly, `KilofieldError` for a path it cannot write.
    """
    data, report = encode_kilo(scene, tool=tool, chunks=chunks, tiers=tiers)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return report


def pack_kilo(
    scene: NeuralGaussians,
    *,
    tool: dict[str, Any] | None = None,
    chunks: list[int] | None = None,
    tiers: NDArray[np.integer] | None = None,
) -> bytes:
    """The bytes `write_kilo` would write."""
    return encode_kilo(scene, tool=tool, chunks=chunks, tiers=tiers)[0]


def read_kilo(
    path: str | os.PathLike[str],
    chunks: Collection[int] | None = None,
    tiers: Collection[int] | None = None,
    *,
    max_gaussians: int = MAX_GAUSSIANS,
    progress: Progress = silent,
) -> NeuralGaussians:
    """The scene in a .kilo file; `progress` is told the share of its bytes that are decoded.

    With `chunks` or `tiers`, only those are read from the file: the clusters of other chunks have no Gaussians, boxes
    of size 1 and networks of zeros. A tier a chunk does not have is left out. Raises `SceneFileError`.
    """
    with opened(path) as file:
        return _read(open_source(file, os.fspath(path)), chunks, tiers, max_gaussians, progress)


def unpack_kilo(data: bytes, *, max_gaussians: int = MAX_GAUSSIANS) -> NeuralGaussians:
    """The scene in the bytes of a .kilo file. Raises `SceneFileError`."""
    return _read(open_source(io.BytesIO(data), MEMORY), None, None, max_gaussians)


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of a .kilo file, checked against the file but for the streams' contents. Raises `SceneFileError`."""
    with opened(path) as file:
        source = open_source(file, os.fspath(path))
        json, end = read_json_manifest(source)
        parse_manifest(source, json, end)
        return json


_Tier: TypeAlias = tuple[Floats, NDArray[np.int16], NDArray[np.int64]]  # positions [n, 3], codes [n, C], clusters [n]


@dataclass(frozen=True)
class _Part:
    """What one chunk holds, its tiers merged."""

    positions: Floats  # [n, 3]
    codes: NDArray[np.int16]  # [n, C]
    clusters: NDArray[np.int64]  # [n] of the whole scene
    boxes: Floats
    weights: Floats
    steps: Floats | None


class _Reader(StreamReader):
    """Reads the chunks of one file."""

    def __init__(self, source: Source, manifest: Manifest, progress: Progress) -> None:
        super().__init__(source, manifest.start, progress)
        self.manifest = manifest
        self.blocks = columns_of_weights(manifest.shape)

    def chunk(self, index: int, chunk: Chunk, tiers: Collection[int] | None) -> _Part:
        place = f"chunk {index}"
        weights, steps = self._weights(chunk, place)
        found = [
            self._tier(chunk, tier, f"{place} tier {t}")
            for t, tier in enumerate(chunk.tiers)
            if tiers is None or t in tiers
        ]
        boxes = self.floats(chunk.boxes, f"{place} boxes")
        positions, codes, clusters = _joined(found, self.manifest.shape.code)
        if len(found) > 1:
            order = np.argsort(clusters, kind="stable")
            positions, codes, clusters = positions[order], codes[order], clusters[order]
        return _Part(positions, codes, clusters, boxes, weights, steps)

    def _weights(self, chunk: Chunk, place: str) -> tuple[Floats, Floats | None]:
        if chunk.steps is None:
            return self.floats(chunk.weights, f"{place} weights"), None
        steps = self.floats(chunk.steps, f"{place} steps")
        quantised = self.array(chunk.weights, f"{place} weights", self.blocks)
        with np.errstate(over="ignore"):  # `_check_values` rejects what is too large for float32
            return quantised.astype(np.float32) * steps[:, self.blocks], steps

    def _tier(self, chunk: Chunk, tier: Tier, place: str) -> _Tier:
        shape, grid = self.manifest.shape, self.manifest.grid
        clusters = np.repeat(chunk.first + np.arange(chunk.clusters), tier.counts)
        if grid is None:
            positions = self.floats(tier.positions, f"{place} positions")
        else:
            cells = self.array(tier.positions, f"{place} positions", bits=grid.bits)
            if cells.max(initial=0) >> grid.bits:
                raise self.source.error(f"{place} positions", f"cells under 2^{grid.bits}", f"{cells.max()}")
            with np.errstate(over="ignore"):  # `_check_values` rejects what is too large for float32
                positions = grid.positions(cells)
        codes = np.empty((len(positions), 0), np.int16)
        if tier.codes is not None:
            codes = self.array(tier.codes, f"{place} codes", np.arange(shape.code)).astype(np.int16, copy=False)
        return positions, codes, clusters


def _joined(tiers: list[_Tier], code: int) -> _Tier:
    """Positions, codes and clusters of all `tiers`, one behind another."""
    if len(tiers) == 1:
        return tiers[0]
    none = np.empty((0, 3), np.float32), np.empty((0, code), np.int16), np.empty(0, np.int64)
    positions, codes, clusters = zip(none, *tiers, strict=True)
    return np.concatenate(positions), np.concatenate(codes), np.concatenate(clusters)


def _read(
    source: Source,
    chunks: Collection[int] | None,
    tiers: Collection[int] | None,
    max_gaussians: int,
    progress: Progress = silent,
) -> NeuralGaussians:
    json, end = read_json_manifest(source)
    manifest = parse_manifest(source, json, end, max_gaussians)
    if chunks is None and tiers is None:
        check_padding(source, manifest.start, manifest.streams(), end)
    reader = _Reader(source, manifest, progress)
    parts = [reader.chunk(c, k, tiers) for c, k in enumerate(manifest.chunks) if chunks is None or c in chunks]
    return _assemble(reader, parts, [c for c in range(len(manifest.chunks)) if chunks is None or c in chunks])


def _assemble(reader: _Reader, parts: list[_Part], indices: list[int]) -> NeuralGaussians:
    """One scene of the chunks `parts`, which are those at `indices` of the file."""
    manifest = reader.manifest
    shape, networks = manifest.shape, manifest.networks
    stepped = manifest.chunks[0].steps is not None
    boxes = np.tile(np.array([[0.0] * 3, [1.0] * 3], np.float32), (networks, 1, 1))
    weights = np.zeros((networks, shape.parameters), np.float32)
    steps = np.zeros((networks, len(shape.blocks())), np.float32) if stepped else None
    for index, part in zip(indices, parts, strict=True):
        chunk = manifest.chunks[index]
        mine = slice(chunk.first, chunk.first + chunk.clusters)
        boxes[mine], weights[mine] = part.boxes, part.weights
        if steps is not None and part.steps is not None:
            steps[mine] = part.steps
    positions, codes, clusters = _joined([(p.positions, p.codes, p.clusters) for p in parts], shape.code)
    offset, scale = reader.floats(manifest.outputs, "outputs")
    scene = NeuralGaussians(
        positions=positions,
        codes=codes,
        counts=np.bincount(clusters, minlength=networks),
        boxes=boxes,
        bank=MlpBank(shape, weights),
        output_offset=offset,
        output_scale=scale,
        sh_degree=manifest.sh_degree,
        grid=manifest.grid,
        weight_steps=steps,
        antialiased=manifest.antialiased,
    )
    _check_values(reader.source, scene)
    return scene


def _check_values(source: Source, scene: NeuralGaussians) -> None:
    """Nothing in the scene can divide by zero or overflow where it did not when it was written."""
    if not np.isfinite(scene.positions).all() or not np.isfinite(scene.bank.weights).all():
        raise source.error("file", "finite positions and weights", "others")
    if not (scene.boxes[scene.counts > 0, 1] > 0).all():
        raise source.error("boxes", "half extents above 0 where there are Gaussians", "others")
