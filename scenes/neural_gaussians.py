"""Gaussians whose attributes are decoded from an MLP bank: what a .kilo of kind `gaussians` holds.

Each Gaussian belongs to one cluster and has a position and, in our form, a short integer code; the cluster's network
turns code and local position into opacity, scale, rotation and SH. In NeuralGS's own form (arXiv 2503.23162, section 3)
there are no codes and the position alone is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.bank import MlpBank
from scenes.cores import for_each
from scenes.fast_bank import BLOCK, evaluate_network
from scenes.gaussians import Floats, Gaussians, sh_count


@dataclass(frozen=True)
class AttributeLayout:
    """Where each attribute lies among the D outputs of the bank."""

    sh_degree: int

    opacity = slice(0, 1)  # logit
    log_scale = slice(1, 4)  # natural log
    rotation = slice(4, 7)  # vector v of the quaternion (1, v) / |(1, v)|

    @property
    def sh(self) -> slice:
        """Raw SH, coefficient-major with RGB fastest."""
        return slice(7, self.outputs)

    @property
    def outputs(self) -> int:
        """D = 7 + 3 K."""
        return 7 + 3 * sh_count(self.sh_degree)


@dataclass(frozen=True)
class PositionGrid:
    """The cubic grid positions are rounded to: position = origin + step * cell, in float64, then float32."""

    origin: tuple[float, float, float]  # world, of cell (0, 0, 0)
    step: float  # world units
    bits: int  # cells an axis = 2^bits

    def cells(self, positions: Floats) -> NDArray[np.uint32]:
        """[N, 3] the nearest cell of each position, clipped into the grid."""
        cells = np.rint((positions.astype(np.float64) - self.origin) / self.step)
        return np.clip(cells, 0, 2**self.bits - 1).astype(np.uint32)

    def positions(self, cells: NDArray[np.integer]) -> Floats:
        """[N, 3] world positions of `cells`."""
        positions = np.empty(cells.shape, np.float32)
        for axis, origin in enumerate(self.origin):  # three long rows are faster than many of three
            positions[:, axis] = origin + self.step * cells[:, axis].astype(np.float64)
        return positions


@dataclass(frozen=True)
class NeuralGaussians:
    """N Gaussians in K clusters, sorted by cluster: cluster k owns `counts[k]` consecutive ones."""

    positions: Floats  # [N, 3] world units, exactly on `grid` when there is one
    codes: NDArray[np.int16]  # [N, C] latent codes in units of one quantisation step; C = 0 for the paper's form
    counts: NDArray[np.int64]  # [K] Gaussians in each cluster
    boxes: Floats  # [K, 2, 3] centre and half extent of each cluster's box, world units
    bank: MlpBank
    output_offset: Floats  # [D] attribute = offset + scale * bank output
    output_scale: Floats  # [D]
    sh_degree: int
    grid: PositionGrid | None = None  # None: positions are kept as half floats
    weight_steps: Floats | None = None  # [K, B] quantisation step of each block of each network; None: half floats
    antialiased: bool = False

    def __post_init__(self) -> None:
        layout = AttributeLayout(self.sh_degree)
        if self.bank.shape.outputs != layout.outputs:
            raise ValueError(f"bank: expected {layout.outputs} outputs, found {self.bank.shape.outputs}")
        if self.counts.sum() != len(self.positions) or len(self.counts) != len(self.bank):
            raise ValueError(f"counts: expected {len(self.bank)} that add up to {len(self.positions)}")
        if self.codes.shape != (len(self.positions), self.bank.shape.code):
            raise ValueError(f"codes: expected {(len(self.positions), self.bank.shape.code)}, found {self.codes.shape}")

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def clusters(self) -> NDArray[np.int32]:
        """[N] the cluster of each Gaussian."""
        return np.repeat(np.arange(len(self.counts), dtype=np.int32), self.counts)

    def local_positions(self) -> Floats:
        """[N, 3] positions in the cluster's box, in [-1, 1]."""
        box = self.boxes[self.clusters]  # [N, 2, 3]
        return (self.positions - box[:, 0]) / box[:, 1]

    def decode(self) -> Gaussians:
        """Plain Gaussians: every network evaluated at every Gaussian that is its own, on all cores."""
        count, layout = len(self), AttributeLayout(self.sh_degree)
        decoded = Gaussians(
            positions=self.positions,
            log_scales=np.empty((count, 3), np.float32),
            rotations=np.empty((count, 4), np.float32),
            opacity_logits=np.empty(count, np.float32),
            sh=np.empty((count, sh_count(self.sh_degree), 3), np.float32),
            antialiased=self.antialiased,
        )

        def decode_block(block: tuple[int, slice]) -> None:
            rows = block[1]
            outputs = self._outputs(*block)
            decoded.log_scales[rows] = outputs[:, layout.log_scale]
            decoded.rotations[rows] = rotations_from_vectors(outputs[:, layout.rotation])
            decoded.opacity_logits[rows] = outputs[:, 0]
            decoded.sh[rows] = outputs[:, layout.sh].reshape(len(outputs), -1, 3)

        for_each(decode_block, self._blocks())
        return decoded

    def _blocks(self) -> list[tuple[int, slice]]:
        """Clusters and rows of theirs, `fast_bank.BLOCK` at most."""
        stops = np.cumsum(self.counts).tolist()
        return [
            (k, slice(first, min(first + BLOCK, stop)))
            for k, stop in enumerate(stops)
            for first in range(stop - int(self.counts[k]), stop, BLOCK)
        ]

    def _outputs(self, cluster: int, rows: slice) -> Floats:
        """[n, D] the attributes of some Gaussians of one cluster."""
        centre, half = self.boxes[cluster][:, :, None]
        local = np.subtract(self.positions[rows].T, centre, order="C")  # [3, n]
        local /= half
        outputs = evaluate_network(self.bank, cluster, local.T, self.codes[rows])
        outputs *= self.output_scale
        outputs += self.output_offset
        return outputs


def rotations_from_vectors(vectors: Floats) -> Floats:
    """Unit quaternions [N, 4] w, x, y, z = (1, v) / |(1, v)| of rotation vectors v [N, 3]."""
    x, y, z = np.ascontiguousarray(vectors.T)
    length = np.sqrt(1 + x * x + y * y + z * z)
    return np.stack([1 / length, x / length, y / length, z / length], axis=1)
