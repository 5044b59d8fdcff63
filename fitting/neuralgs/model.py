"""What is fitted: positions on a grid, integer codes, and the bank that decodes them, all as torch tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitting.fresh import choose_frequencies
from fitting.laplace_rate import laplace_bits
from fitting.neuralgs.canonical import attribute_steps, canonical_attributes
from fitting.neuralgs.options import DEFAULT_RECIPE, Recipe
from fitting.tensors import GaussianTensors
from fitting.torch_bank import ClusterBatch, evaluate_bank, initial_weights, quantise_weights
from scenes.bank import BankShape, MlpBank
from scenes.extent import Extent, scene_extent
from scenes.gaussians import Gaussians, sh_count
from scenes.neural_gaussians import NeuralGaussians, PositionGrid
from scenes.octree import morton_codes

CODES = {0: 10, 1: 16, 2: 18, 3: 20}  # latent dimensions by SH degree; one without use costs next to nothing
FREQUENCIES = (np.pi, 2 * np.pi)  # of the positional encoding beside the code
FEWEST_BITS, MOST_BITS = 6, 20  # of the position grid, per axis
STEP_SHARE = 0.2  # of a typical Gaussian's middle scale: half or twice of that costs half a dB at the same bytes
FRAMED = 100_000  # Gaussians whose mean is that of all: each network has its own beside it
LARGEST_CODE = 2000  # int16 with room to spare; no sensible code is near it


@dataclass(frozen=True)
class Frame:
    """What all chunks of a file share."""

    grid: PositionGrid
    offset: NDArray[np.float32]  # [D] of the attributes, in their own units


@dataclass
class NeuralModel:
    """N Gaussians in K clusters; the tensors with gradients are what `parameters` lists."""

    positions: Tensor  # [N, 3] world units
    codes: Tensor  # [N, C] in units of one quantisation step
    weights: Tensor  # [K, P]
    prior_mean: Tensor  # [C] Laplace prior of each code dimension
    prior_log_scale: Tensor  # [C]
    shape: BankShape
    grid: PositionGrid
    clusters: NDArray[np.int64]  # [N]
    boxes: NDArray[np.float32]  # [K, 2, 3] centre and half extent
    output_offset: Tensor  # [D]
    output_scale: Tensor  # [D]
    sh_degree: int
    antialiased: bool
    used: Tensor | None = None  # [P] 1 where a weight takes part, 0 where it stays zero; None: all do

    def __post_init__(self) -> None:
        self.batch = ClusterBatch(self.clusters, len(self.weights), self.positions.device)

    def parameters(self) -> dict[str, Tensor]:
        """The tensors that learn, by name."""
        names = ("positions", "codes", "weights", "prior_mean", "prior_log_scale")
        return {name: getattr(self, name) for name in names}

    def snapped_positions(self) -> Tensor:
        """[N, 3] on the grid, straight through."""
        with torch.no_grad():
            origin = torch.tensor(self.grid.origin, dtype=self.positions.dtype, device=self.positions.device)
            cells = torch.round((self.positions - origin) / self.grid.step).clamp(0, 2**self.grid.bits - 1)
            offset = cells * self.grid.step + origin - self.positions
        return self.positions + offset

    def decode(self, rounded_weights: bool) -> GaussianTensors:
        """The Gaussians as a reader of the file will see them (weights too, when `rounded_weights`)."""
        positions = self.snapped_positions()
        codes = self.codes + (torch.round(self.codes) - self.codes).detach()
        weights = self.weights if self.used is None else self.weights * self.used
        weights = quantise_weights(self.shape, weights)[0] if rounded_weights else weights
        raw = evaluate_bank(self.shape, weights, self.local(positions), codes, self.batch)
        return attributes_to_tensors(positions, self.output_offset + self.output_scale * raw, self.sh_degree)

    def local(self, positions: Tensor) -> Tensor:
        """[N, 3] in -1 to 1 within each Gaussian's cluster."""
        box = torch.from_numpy(self.boxes).to(positions)[torch.from_numpy(self.clusters).to(positions.device)]
        return (positions - box[:, 0]) / box[:, 1]

    def bits(self, noise: Tensor) -> Tensor:
        """The codes' expected bits under the prior, with uniform `noise` [N, C] standing in for rounding."""
        return laplace_bits(self.codes, noise, self.prior_mean, self.prior_log_scale)

    def freeze_positions(self) -> None:
        """Positions stay in their cells from now on, and clusters become equal runs of their Morton order again."""
        with torch.no_grad():
            self.positions.copy_(self.snapped_positions())
        self.positions.requires_grad_(False)
        self.follow_curve()

    def follow_curve(self) -> None:
        """Clusters become equal runs of the Morton order again after positions have moved.

        Only then does one octree hold them all; runs that overlap cost half as much again.
        """
        positions = self.positions.detach().cpu().numpy()
        self.set_clusters(morton_clusters(self.grid, positions, len(self.weights)))

    def set_clusters(self, clusters: NDArray[np.int64]) -> None:
        """Gives each Gaussian [N] its network."""
        self.clusters = clusters
        self.batch = ClusterBatch(clusters, len(self.weights), self.positions.device)

    def file_order(self) -> NDArray[np.int64]:
        """[N] indices in the order of `pack`: by cluster, then along the Morton curve."""
        cells = self.grid.cells(self.positions.detach().cpu().numpy())
        return np.lexsort((morton_codes(cells), self.clusters))

    @torch.no_grad()
    def pack(self) -> NeuralGaussians:
        """What goes into the file: every number as it will be read."""
        weights = self.weights if self.used is None else self.weights * self.used
        quantised, steps = quantise_weights(self.shape, weights)
        cells = self.grid.cells(self.positions.cpu().numpy())
        order = self.file_order()
        codes = torch.round(self.codes).clamp(-LARGEST_CODE, LARGEST_CODE)
        return NeuralGaussians(
            positions=self.grid.positions(cells[order]),
            codes=codes.cpu().numpy().astype(np.int16)[order],
            counts=np.bincount(self.clusters, minlength=len(self.weights)),
            boxes=self.boxes,
            bank=MlpBank(self.shape, exact_weights(self.shape, quantised.cpu().numpy(), steps.cpu().numpy())),
            output_offset=self.output_offset.cpu().numpy(),
            output_scale=self.output_scale.cpu().numpy(),
            sh_degree=self.sh_degree,
            grid=self.grid,
            weight_steps=steps.cpu().numpy(),
            antialiased=self.antialiased,
        )


def attributes_to_tensors(positions: Tensor, attributes: Tensor, sh_degree: int) -> GaussianTensors:
    """Rasteriser input from attributes [N, D] in the order of `scenes.neural_gaussians.AttributeLayout`."""
    opacity, log_scales, vectors, sh = attributes.split([1, 3, 3, 3 * sh_count(sh_degree)], dim=1)  # one gradient
    return GaussianTensors(
        positions,
        log_scales,
        torch.cat([torch.ones_like(vectors[:, :1]), vectors], dim=1),
        opacity[:, 0],
        sh.reshape(len(positions), sh_count(sh_degree), 3),
    )


def exact_weights(shape: BankShape, weights: NDArray[np.float32], steps: NDArray[np.float32]) -> NDArray[np.float32]:
    """[K, P] float32(integer * step), as a reader computes it."""
    exact = np.empty_like(weights)
    for i, block in enumerate(shape.blocks()):
        integers = np.rint(weights[:, block.offset : block.stop] / steps[:, i : i + 1]).astype(np.int8)
        exact[:, block.offset : block.stop] = integers.astype(np.float32) * steps[:, i : i + 1]
    return exact


def start_model(
    gaussians: Gaussians,
    weight: NDArray[np.float64],
    *,
    coarseness: float,
    layers: int,
    width: int,
    networks: int,
    seed: int,
    device: torch.device,
    recipe: Recipe = DEFAULT_RECIPE,
    frame: Frame | None = None,
) -> NeuralModel:
    """A model that decodes to `gaussians` as well as a rounded principal component analysis can.

    `weight` [N] says how visible each is; one code unit is `coarseness` perceptual steps (`canonical.attribute_steps`).
    Without a `frame` the scene gets its own.
    """
    grid = position_grid(gaussians) if frame is None else frame.grid
    attributes = canonical_attributes(gaussians)
    steps = attribute_steps(gaussians.sh_degree).astype(np.float16).astype(np.float32)
    share = np.sqrt(weight / weight.mean()).clip(0.1, 10)
    mean = _half_mean(attributes, share)
    offset = mean if frame is None else frame.offset
    dimensions = CODES[gaussians.sh_degree] if recipe.codes else 0
    components, codes = _principal_components((attributes - mean) / steps, share, dimensions)
    clusters = morton_clusters(grid, gaussians.positions, networks)
    boxes = cluster_boxes(gaussians.positions, clusters, networks)
    frequencies = FREQUENCIES
    if recipe.fresh and layers:
        local = ((gaussians.positions - boxes[clusters, 0]) / boxes[clusters, 1]).astype(np.float32)
        frequencies = choose_frequencies(attributes / steps, local, clusters, layers=layers, width=width).chosen
    shape = BankShape(
        frequencies,
        codes.shape[1],
        width,
        layers,
        attributes.shape[1],
        linear=recipe.codes,
        modulation=(recipe.modulation,) * 3 if recipe.modulation and layers else (),
    )
    weights = _start_weights(shape, components * coarseness, (mean - offset) / steps, networks, seed)
    codes = torch.from_numpy((codes / coarseness).astype(np.float32))
    spread = ((codes - codes.mean(0)) ** 2).mean(0)

    def learnt(tensor: Tensor) -> Tensor:
        return tensor.detach().clone().to(device).requires_grad_()

    return NeuralModel(
        positions=learnt(torch.from_numpy(gaussians.positions.copy())),
        codes=learnt(codes),
        weights=learnt(weights),
        prior_mean=learnt(codes.mean(0)),
        prior_log_scale=learnt((spread / 2).clamp_min(0.01).log() / 2),  # a Laplace distribution of that variance
        shape=shape,
        grid=grid,
        clusters=clusters,
        boxes=boxes,
        output_offset=torch.from_numpy(offset).to(device),
        output_scale=torch.from_numpy(steps).to(device),
        sh_degree=gaussians.sh_degree,
        antialiased=gaussians.antialiased,
        used=None if recipe.position_input else _without_position(shape).to(device),
    )


def shared_frame(gaussians: Gaussians, extent: Extent) -> Frame:
    """The frame of chunks of `gaussians`, most of which are within `extent`."""
    some = gaussians.select(np.arange(0, len(gaussians), -(-len(gaussians) // FRAMED)))
    return Frame(position_grid(gaussians, extent), _half_mean(canonical_attributes(some), np.ones(len(some))))


def _half_mean(attributes: NDArray[np.float32], share: NDArray[np.float64]) -> NDArray[np.float32]:
    """[D] the weighted mean, as half floats have it."""
    return np.average(attributes, axis=0, weights=share).astype(np.float16).astype(np.float32)


def _start_weights(
    shape: BankShape, linear: NDArray[np.float64], bias: NDArray[np.float32], networks: int, seed: int
) -> Tensor:
    """[K, P] with `linear` [C, D] as every network's linear path, and `bias` [D]."""
    weights = initial_weights(shape, networks, torch.Generator().manual_seed(seed))
    starts = {"linear": linear.astype(np.float32).reshape(1, -1), "output_bias": bias[None]}
    for block in shape.blocks():
        if block.name in starts:
            weights[:, block.offset : block.stop] = torch.from_numpy(starts[block.name])
    return weights


def _without_position(shape: BankShape) -> Tensor:
    """[P] zero for the weights of the encoded position, one for the others."""
    used = torch.ones(shape.parameters)
    for block in shape.blocks():
        if block.name == "hidden0":
            used[block.offset : block.offset + (block.rows - shape.code) * block.columns] = 0
    return used


def _principal_components(
    values: NDArray[np.float32], share: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Components [C, D] and codes [N, C] of centred `values` [N, D], weighted by `share` [N]."""
    weighted = values * np.sqrt(share)[:, None]
    vectors = np.linalg.eigh(weighted.T.astype(np.float64) @ weighted)[1][:, ::-1][:, :count]
    vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])  # eigh's signs are free
    return vectors.T, values.astype(np.float64) @ vectors


def position_grid(gaussians: Gaussians, extent: Extent | None = None) -> PositionGrid:
    """A cubic grid over all positions, its step a fraction of what the smaller Gaussians of the middle cover.

    A background far away makes the span large, and its own Gaussians too; it must not make the step large.
    """
    positions = gaussians.positions.astype(np.float64)
    low, high = positions.min(axis=0), positions.max(axis=0)
    span = max(float((high - low).max()), 1e-6) * 1.02
    extent = extent or scene_extent(gaussians)
    inside = np.linalg.norm(positions - extent.centre, axis=1) <= extent.radius
    middle_scales = np.sort(gaussians.log_scales[inside if inside.any() else slice(None)], axis=1)[:, 1]
    fine = max(STEP_SHARE * float(np.exp(np.median(middle_scales.astype(np.float64)))), span / (2**MOST_BITS - 1))
    bits = int(np.clip(np.ceil(np.log2(span / fine + 1)), FEWEST_BITS, MOST_BITS))
    step = float(f"{min(fine, span / (2**FEWEST_BITS - 1)):.4g}")  # few digits: they are text in the file
    x, y, z = (round(float(o / step)) * step for o in (low + high) / 2 - step * 2**bits / 2)
    return PositionGrid((float(f"{x:.9g}"), float(f"{y:.9g}"), float(f"{z:.9g}")), step, bits)


def morton_clusters(grid: PositionGrid, positions: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """[N] clusters of equal size, each a run of the Morton order."""
    ranks = np.empty(len(positions), np.int64)
    ranks[np.argsort(morton_codes(grid.cells(positions)), kind="stable")] = np.arange(len(positions))
    return ranks * count // max(len(positions), 1)


def cluster_boxes(positions: NDArray[np.float32], clusters: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """[K, 2, 3] centre and half extent of each cluster, a little widened for positions that still move.

    Rounded to half floats where these reach, since they are cheaper in the file.
    """
    boxes = np.ones((count, 2, 3), np.float32)
    for k in range(count):
        mine = positions[clusters == k]
        if len(mine):
            low, high = mine.min(axis=0), mine.max(axis=0)
            boxes[k] = (low + high) / 2, np.maximum((high - low) / 2 * 1.05, 1e-4 * np.abs(high).max() + 1e-6)
    with np.errstate(over="ignore"):
        halves = boxes.astype(np.float16).astype(np.float32)
    return halves if np.isfinite(halves).all() and (halves[:, 1] > 0).all() else boxes
