"""A scene as the bytes of a .kilo file: chunks, tiers, streams and the manifest about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.bank import MlpBank
from scenes.gaussians import Floats
from scenes.kilo_node import MODULATION
from scenes.kilo_pack import StreamPlacer, bounds_of, columns_of_weights, halves, shape_to_json
from scenes.kilo_streams import pack_cells, pack_floats, pack_plain, pack_symbols
from scenes.neural_gaussians import NeuralGaussians
from scenes.octree import morton_codes

Array = NDArray[Any]


@dataclass(frozen=True)
class KiloReport:
    """Where the bytes of a .kilo file are. `tables` are the rANS tables of codes and weights."""

    positions: int
    codes: int
    weights: int
    tables: int
    manifest: int  # with the header
    other: int  # boxes, weight steps, output ranges, padding
    total: int


def canonical_order(scene: NeuralGaussians, tiers: NDArray[np.integer] | None = None) -> NeuralGaussians:
    """`scene` as a file gives it back: sorted by cluster, then tier, then Morton code of the cell (with a grid).

    Otherwise equal Gaussians keep their order. Positions without a grid and weights without steps become half floats.
    """
    order = _order(scene, _tiers(scene, tiers))
    positions, weights = scene.positions[order], scene.bank.weights
    if scene.grid is None:
        positions = halves(positions, "positions").astype(np.float32)
    if scene.weight_steps is None:
        weights = halves(weights, "weights").astype(np.float32)
    return replace(scene, positions=positions, codes=scene.codes[order], bank=MlpBank(scene.bank.shape, weights))


def encode_kilo(
    scene: NeuralGaussians,
    *,
    tool: dict[str, Any] | None = None,
    chunks: list[int] | None = None,
    tiers: NDArray[np.integer] | None = None,
) -> tuple[bytes, KiloReport]:
    """The file and where its bytes are; see `scenes.kilo.write_kilo`."""
    tier_of = _tiers(scene, tiers)
    chunks = [len(scene.bank)] if chunks is None else list(chunks)
    if min(chunks, default=0) < 1 or sum(chunks) != len(scene.bank):
        raise ValueError(f"chunks: expected sizes that add up to {len(scene.bank)} clusters, found {chunks}")
    _check(scene)
    order = _order(scene, tier_of)
    files = _Writer(replace(scene, positions=scene.positions[order], codes=scene.codes[order]), tier_of[order])
    return files.write(chunks, tool)


def _tiers(scene: NeuralGaussians, tiers: NDArray[np.integer] | None) -> NDArray[np.int64]:
    tier_of = np.zeros(len(scene), np.int64) if tiers is None else np.asarray(tiers).astype(np.int64)
    if tier_of.shape != (len(scene),) or tier_of.min(initial=0) < 0 or tier_of.max(initial=0) > 255:
        raise ValueError(f"tiers: expected {len(scene)} integers from 0 to 255")
    return tier_of


def _order(scene: NeuralGaussians, tier_of: NDArray[np.int64]) -> NDArray[np.int64]:
    morton = morton_codes(scene.grid.cells(scene.positions)) if scene.grid else np.zeros(len(scene), np.uint64)
    return np.lexsort((morton, tier_of, scene.clusters))


def _check(scene: NeuralGaussians) -> None:
    """What the type does not promise but the file needs."""
    scalars = [scene.positions, scene.boxes, scene.bank.weights, scene.output_offset, scene.output_scale]
    scalars += [] if scene.weight_steps is None else [scene.weight_steps]
    if not all(np.isfinite(array).all() for array in scalars):
        raise ValueError("scene: expected finite numbers")
    if scene.boxes.shape != (len(scene.bank), 2, 3) or not (scene.boxes[scene.counts > 0, 1] > 0).all():
        raise ValueError("boxes: expected [K, 2, 3] with half extents above 0 where a cluster has Gaussians")
    if (
        scene.output_offset.shape != (scene.bank.shape.outputs,)
        or scene.output_scale.shape != scene.output_offset.shape
    ):
        raise ValueError(f"outputs: expected {scene.bank.shape.outputs} offsets and scales")
    if scene.grid is not None:
        on_grid = scene.grid.positions(scene.grid.cells(scene.positions))
        if not np.array_equal(on_grid, scene.positions):
            raise ValueError("positions: expected all of them exactly on the grid")


def _quantised(weights: Floats, steps: Floats, columns: NDArray[np.int64]) -> NDArray[np.int8]:
    step = steps.astype(np.float32)[:, columns]
    quantised = np.rint(np.divide(weights, step, out=np.zeros_like(weights), where=step != 0))
    if np.abs(quantised).max(initial=0) > 127 or not np.array_equal(quantised.astype(np.float32) * step, weights):
        raise ValueError("weights: expected integers from -127 to 127 times the steps, in float32")
    return quantised.astype(np.int8)


class _Writer:
    """Packs the arrays of a scene that is in canonical order and places them: first tiers first."""

    def __init__(self, scene: NeuralGaussians, tier_of: NDArray[np.int64]) -> None:
        self.scene, self.tier_of, self.clusters = scene, tier_of, scene.clusters
        self.ends = np.concatenate([[0], np.cumsum(scene.counts)])
        self.streams = StreamPlacer()

    def write(self, chunks: list[int], tool: dict[str, Any] | None) -> tuple[bytes, KiloReport]:
        """The file and its report."""
        scene = self.scene
        manifest: dict[str, Any] = {"kind": "gaussians", "count": len(scene), "sh_degree": scene.sh_degree}
        if scene.antialiased:
            manifest["antialiased"] = True
        if scene.grid is not None:
            grid = scene.grid
            manifest["grid"] = {"origin": [float(v) for v in grid.origin], "step": float(grid.step), "bits": grid.bits}
        if scene.bank.shape.modulation:
            manifest["requires"] = [MODULATION]
        manifest["bank"] = {"networks": len(scene.bank)} | shape_to_json(scene.bank.shape)
        manifest["outputs"] = self.streams.place(
            "other", pack_floats(np.stack([scene.output_offset, scene.output_scale]))
        )
        manifest["chunks"] = self._chunks(chunks)
        if tool is not None:
            manifest["tool"] = tool
        data = self.streams.build(manifest)
        return data, KiloReport(**self.streams.sizes(data, ("positions", "codes", "weights")))

    def _chunks(self, sizes: list[int]) -> list[dict[str, Any]]:
        starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        ranges = list(pairwise(starts))
        chunks = [self._base(first, stop) for first, stop in ranges]
        for tier in range(int(self.tier_of.max(initial=0)) + 1):
            for chunk, (first, stop) in zip(chunks, ranges, strict=True):
                chunk["tiers"].append(self._tier(tier, first, stop))
        return chunks

    def _base(self, first: int, stop: int) -> dict[str, Any]:
        """A chunk without its tiers: what all of its Gaussians need."""
        scene = self.scene
        chunk: dict[str, Any] = {
            "clusters": [first, stop - first],
            "bounds": bounds_of(scene.positions[self.ends[first] : self.ends[stop]]),
            "boxes": self.streams.place("other", pack_floats(scene.boxes[first:stop])),
        }
        weights = scene.bank.weights[first:stop]
        if scene.weight_steps is None:
            chunk["weights"] = self.streams.place("weights", pack_plain(halves(weights, "weights")))
        else:
            columns, steps = columns_of_weights(scene.bank.shape), scene.weight_steps[first:stop]
            chunk["steps"] = self.streams.place("other", pack_floats(steps))
            chunk["weights"] = self.streams.place("weights", pack_symbols(_quantised(weights, steps, columns), columns))
        return chunk | {"tiers": []}

    def _tier(self, tier: int, first: int, stop: int) -> dict[str, Any]:
        scene = self.scene
        start = self.ends[first]
        mine = start + np.flatnonzero(self.tier_of[start : self.ends[stop]] == tier)
        counts = np.bincount(self.clusters[mine] - first, minlength=stop - first)
        found: dict[str, Any] = {"counts": counts.tolist()}
        positions = scene.positions[mine]
        packed = (
            pack_cells(scene.grid.cells(positions), scene.grid.bits)
            if scene.grid is not None
            else pack_plain(halves(positions, "positions"))
        )
        found["positions"] = self.streams.place("positions", packed)
        if scene.bank.shape.code:
            columns = np.arange(scene.bank.shape.code)
            found["codes"] = self.streams.place("codes", pack_symbols(scene.codes[mine], columns))
        return found
