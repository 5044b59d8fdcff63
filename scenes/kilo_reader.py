"""The Gaussians in the bytes of a .kilo: chunk by chunk, tier by tier, all or what is wanted or whole of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.bank import MlpBank
from scenes.errors import SceneFileError
from scenes.gaussians import Floats
from scenes.kilo_container import Source, read_json_manifest
from scenes.kilo_manifest import MAX_GAUSSIANS, Chunk, Manifest, Tier, parse_manifest
from scenes.kilo_node import check_between, whole_streams
from scenes.kilo_pack import columns_of_weights
from scenes.kilo_salvage import Damage, Lost, fatal
from scenes.kilo_streams import Stream, StreamReader
from scenes.neural_gaussians import NeuralGaussians
from scenes.progress import Progress, silent


@dataclass(frozen=True)
class TierPart:
    """Some Gaussians of one chunk."""

    positions: Floats  # [n, 3]
    codes: NDArray[np.int16]  # [n, C]
    clusters: NDArray[np.int64]  # [n] of the chunk


@dataclass(frozen=True)
class ChunkPart:
    """What one chunk holds, its tiers merged."""

    gaussians: TierPart
    boxes: Floats  # [k, 2, 3]
    weights: Floats  # [k, P]
    steps: Floats | None  # [k, B]


def read_gaussians(
    source: Source,
    chunks: Collection[int] | None = None,
    tiers: Collection[int] | None = None,
    max_gaussians: int = MAX_GAUSSIANS,
    progress: Progress = silent,
) -> NeuralGaussians:
    """The scene, or some chunks and tiers of it; see `scenes.kilo.read_kilo`. Raises `SceneFileError`."""
    json, end = read_json_manifest(source)
    manifest = parse_manifest(source, json, end, max_gaussians)
    if chunks is None and tiers is None:
        check_between(source, manifest.start, manifest.streams(), end, None)
    reader = ChunkReader(source, manifest, progress)
    parts: dict[int, ChunkPart] = {}
    for index, chunk in enumerate(manifest.chunks):
        if chunks is None or index in chunks:
            part = reader.chunk(index, tiers)
            assert part is not None  # without `damage` what is wrong is raised
            parts[chunk.first] = part
    return _assembled(manifest, reader.floats(manifest.outputs, "outputs"), parts, manifest.networks)


def salvage_gaussians(
    source: Source, damage: Damage, max_gaussians: int = MAX_GAUSSIANS, progress: Progress = silent
) -> NeuralGaussians:
    """The clusters and Gaussians of the tiers that are whole, of the chunks that are; `damage` has the rest.

    Raises `SceneFileError` when nothing is.
    """
    try:
        json, end = read_json_manifest(source)
        manifest = parse_manifest(source, json, end, max_gaussians, whole=False)
    except SceneFileError as error:
        damage.errors.append(error)
        raise fatal(error) from error
    damage.count = manifest.count
    check_between(source, manifest.start, manifest.streams(), end, damage)
    reader = ChunkReader(source, manifest, progress, damage)
    outputs = reader.attempt(reader.floats, manifest.outputs, "outputs")
    found = [reader.chunk(index) for index in range(len(manifest.chunks))]
    if outputs is None:
        raise fatal(next(error for error in damage.errors if error.place == "outputs"))
    parts: dict[int, ChunkPart] = {}
    networks = 0
    for part in found:
        if part is not None:
            parts[networks] = part
            networks += len(part.boxes)
    damage.kept = sum(len(part.gaussians.positions) for part in parts.values())
    if not parts or damage.kept == 0 < damage.count:
        raise source.error("chunks", "one that is whole", f"none of {len(found)}; nothing is salvaged")
    return _assembled(manifest, outputs, parts, networks)


def survey_gaussians(source: Source) -> Damage:
    """How much `salvage_gaussians` would read, by checksums alone. Raises `SceneFileError`."""
    json, end = read_json_manifest(source)
    manifest = parse_manifest(source, json, end, whole=False)
    whole = whole_streams(source, manifest.start, manifest.streams()) | {None}
    damage = Damage(count=manifest.count)
    for chunk in manifest.chunks if manifest.outputs in whole else ():
        if {chunk.boxes, chunk.weights, chunk.steps} <= whole:
            damage.kept += sum(sum(tier.counts) for tier in chunk.tiers if {tier.positions, tier.codes} <= whole)
    return damage


class ChunkReader(StreamReader):
    """Reads the chunks of one file."""

    def __init__(self, source: Source, manifest: Manifest, progress: Progress, damage: Damage | None = None) -> None:
        super().__init__(source, manifest.start, progress, damage)
        self.manifest = manifest
        self.blocks = columns_of_weights(manifest.shape)

    def chunk(self, index: int, tiers: Collection[int] | None = None) -> ChunkPart | None:
        """What is wanted of a chunk; None once it is noted that it, or all tiers of it, are damaged."""
        chunk, place = self.manifest.chunks[index], f"chunk {index}"
        boxes = self.attempt(self._boxes, chunk, place)
        steps = None if chunk.steps is None else self.attempt(self.floats, chunk.steps, f"{place} steps")
        weights = self.attempt(self._weights, chunk, steps, place)
        wanted = [t for t in range(len(chunk.tiers)) if tiers is None or t in tiers]
        found = {t: self._tier(chunk, chunk.tiers[t], f"{place} tier {t}") for t in wanted}
        if boxes is None or weights is None:
            self._lose("", index, chunk.boxes, chunk.weights, chunk.steps)
            return None
        whole = [tier for tier in found.values() if tier is not None]
        if wanted and not whole:
            self._lose("", index, chunk.tiers[0].positions, chunk.tiers[0].codes)
            return None
        for t in wanted:
            if found[t] is None:
                self._lose(f"tier {t}", index, chunk.tiers[t].positions, chunk.tiers[t].codes)
        return ChunkPart(_merged(whole, self.manifest.shape.code), boxes, weights, steps)

    def _lose(self, what: str, chunk: int, *streams: Stream | None) -> None:
        assert self.damage is not None  # without it what is wrong was raised
        self.damage.lost.append(Lost(what, chunk, self.is_cut(*streams)))

    def _boxes(self, chunk: Chunk, place: str) -> Floats:
        boxes = self.floats(chunk.boxes, f"{place} boxes")
        counts = np.sum([tier.counts for tier in chunk.tiers], axis=0)
        if not (boxes[counts > 0, 1] > 0).all():
            raise self.source.error(f"{place} boxes", "half extents above 0 where there are Gaussians", "others")
        return boxes

    def _weights(self, chunk: Chunk, steps: Floats | None, place: str) -> Floats | None:
        """None where their steps are damaged."""
        place = f"{place} weights"
        if chunk.steps is None:
            return self.floats(chunk.weights, place)
        quantised = self.array(chunk.weights, place, self.blocks)
        if steps is None:
            return None
        with np.errstate(over="ignore"):  # told below
            weights = quantised.astype(np.float32) * steps[:, self.blocks]
        if not np.isfinite(weights).all():
            raise self.source.error(place, "finite weights", "others")
        return weights

    def _tier(self, chunk: Chunk, tier: Tier, place: str) -> TierPart | None:
        """None once it is noted that it is damaged."""
        positions = self.attempt(self._positions, tier, f"{place} positions")
        codes = self.attempt(self._codes, tier, f"{place} codes")
        if positions is None or codes is None:
            return None
        return TierPart(positions, codes, np.repeat(np.arange(chunk.clusters), tier.counts))

    def _positions(self, tier: Tier, place: str) -> Floats:
        grid = self.manifest.grid
        if grid is None:
            return self.floats(tier.positions, place)
        cells = self.array(tier.positions, place, bits=grid.bits)
        if cells.max(initial=0) >> grid.bits:
            raise self.source.error(place, f"cells under 2^{grid.bits}", f"{cells.max()}")
        with np.errstate(over="ignore"):  # told below
            positions = grid.positions(cells)
        if not np.isfinite(positions).all():
            raise self.source.error(place, "finite positions", "others")
        return positions

    def _codes(self, tier: Tier, place: str) -> NDArray[np.int16]:
        code = self.manifest.shape.code
        if tier.codes is None:
            return np.empty((sum(tier.counts), 0), np.int16)
        return self.array(tier.codes, place, np.arange(code)).astype(np.int16, copy=False)


def _merged(tiers: list[TierPart], code: int) -> TierPart:
    """The Gaussians of all `tiers`, sorted by cluster."""
    if len(tiers) == 1:
        return tiers[0]
    whole = _joined(tiers, code)
    order = np.argsort(whole.clusters, kind="stable")
    return TierPart(whole.positions[order], whole.codes[order], whole.clusters[order])


def _joined(parts: list[TierPart], code: int) -> TierPart:
    """One part behind another."""
    if len(parts) == 1:
        return parts[0]
    none = TierPart(np.empty((0, 3), np.float32), np.empty((0, code), np.int16), np.empty(0, np.int64))
    parts = [none, *parts]
    return TierPart(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.clusters for part in parts]),
    )


def _assembled(manifest: Manifest, outputs: Floats, parts: Mapping[int, ChunkPart], networks: int) -> NeuralGaussians:
    """One scene of `networks` clusters; the keys of `parts` are the first cluster of each."""
    shape, stepped = manifest.shape, manifest.chunks[0].steps is not None
    boxes = np.tile(np.array([[0.0] * 3, [1.0] * 3], np.float32), (networks, 1, 1))
    weights = np.zeros((networks, shape.parameters), np.float32)
    steps = np.zeros((networks, len(shape.blocks())), np.float32) if stepped else None
    counts = np.zeros(networks, np.int64)
    for first, part in parts.items():
        mine = slice(first, first + len(part.boxes))
        boxes[mine], weights[mine] = part.boxes, part.weights
        counts[mine] = np.bincount(part.gaussians.clusters, minlength=len(part.boxes))
        if steps is not None and part.steps is not None:
            steps[mine] = part.steps
    gaussians = _joined([part.gaussians for part in parts.values()], shape.code)
    return NeuralGaussians(
        positions=gaussians.positions,
        codes=gaussians.codes,
        counts=counts,
        boxes=boxes,
        bank=MlpBank(shape, weights),
        output_offset=outputs[0],
        output_scale=outputs[1],
        sh_degree=manifest.sh_degree,
        grid=manifest.grid,
        weight_steps=steps,
        antialiased=manifest.antialiased,
    )
