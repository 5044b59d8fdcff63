"""`--quality lossless`: every visible Gaussian kept, each rounded as coarsely as cannot be seen.

Nothing is merged and nothing is tuned. What a rounding error does to the pictures is measured: for random signs r, the
gradient g of sum(r * picture) by a Gaussian's attributes has E[g g^T] = J^T J, so that e^T (J^T J) e is the squared
error an attribute error e leaves in the picture (Hutchinson's estimator, 1990, pixel by pixel). Gaussians of like
sensitivity share a network, here only a matrix, which turns codes with steps of equal harm and without correlation into
attributes; by the usual argument on high-rate transform coding (Gersho and Gray 1992, chapter 8) that takes the fewest
bits. Positions get the grid step of the same harm. One number is left, the harm of a step: it is searched until the
held-out views are as good as asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fitting.neuralgs.canonical import attribute_steps, canonical_attributes
from fitting.neuralgs.job import Job
from fitting.neuralgs.model import attributes_to_tensors, exact_weights
from fitting.neuralgs.targets import Target
from fitting.neuralgs.tune import judge
from fitting.rasterize import rasterize
from fitting.tensors import GaussianTensors
from fitting.torch_bank import quantise_weights
from scenes.bank import BankShape, MlpBank
from scenes.gaussians import Floats, Gaussians
from scenes.neural_gaussians import AttributeLayout, NeuralGaussians, PositionGrid
from scenes.octree import MAX_BITS, morton_codes

Doubles = NDArray[np.float64]

VISUALLY_LOSSLESS = 50.0  # dB
MARGIN = 1.7  # dB above it in the judged views, for views that are harder
TOLERANCE = 0.1  # dB above that at which the search ends
SEARCHES = 8  # tries at most
MORE_VIEWS = 16  # judged beside those held out: nothing is fitted, so they are as good
PROBE_VIEWS = 48  # pictures the sensitivity is measured in
CLASS_GAUSSIANS, MOST_CLASSES = 4000, 8  # Gaussians that pay for one more class of sensitivity, and classes at most
MOST_OPAQUE = 7.0  # logit; more is the same picture
THINNEST = 2e-4  # scene radii: a small part of a pixel, which the rasteriser's low-pass hides
CLASS_ROUNDS = 20  # of k-means
FLATTEST = 0.05  # of the mean eigenvalue of sensitivity: weights are 8-bit, and no direction is free
POSITION_SHARE = 0.5  # of a step of equal harm: a surface along the grid moves as a whole, which shows more than noise
COARSEST = 0.7  # perceptual steps: sensitivities are those of small errors, and say little of large ones
LARGEST_CODE = 32_000  # int16


@dataclass(frozen=True)
class Sensitivity:
    """What errors do to the pictures, as squared errors summed over the values of a picture (mean of the views)."""

    classes: NDArray[np.int64]  # [N]
    matrices: Doubles  # [K, D, D] by attributes, mean of each class
    position: float  # by one axis of a position, world units, mean of all


@dataclass(frozen=True)
class Transform:
    """Codes to attributes, for the harm of a step 1; attributes = offset + scale * (codes @ matrix + bias)."""

    scale: Doubles  # [D]
    offset: Doubles  # [D]
    bias: Doubles  # [K, D]
    matrices: Doubles  # [K, D, D]


def fit_lossless(job: Job, seed: int, say: Callable[[float, str], None]) -> NeuralGaussians:
    """All Gaussians of `job` in the fewest bytes found that show them at `VISUALLY_LOSSLESS` dB in its views.

    `say(share, detail)` is told the progress. The clusters of the result need a chunk each (`encode_kilo`).
    """
    attributes = _attributes(job)
    found = _sensitivity(job, attributes, seed, lambda share: say(0.6 * share, "measuring what shows"))
    coarsest = COARSEST * attribute_steps(job.gaussians.sh_degree).astype(np.float64)
    values = 3 * float(np.mean([t.rgba.shape[0] * t.rgba.shape[1] for t in job.held_out]))
    dimensions = attributes.shape[1] + 3
    wanted = VISUALLY_LOSSLESS + MARGIN
    harm = float(np.sqrt(12 * 10 ** (-wanted / 10) * values / (len(attributes) * dimensions)))  # if errors just add up
    return _search(
        lambda h: _quantise(job.gaussians, attributes, found, _transform(attributes, found, h / coarsest), h),
        lambda neural: _quality(neural, job),
        harm,
        wanted,
        lambda turn, psnr: say(0.6 + 0.4 * turn / SEARCHES, f"{psnr:.2f} dB"),
    )


def _quality(neural: NeuralGaussians, job: Job) -> float:
    """PSNR (dB) of the mean squared error over views; the mean of PSNRs would let easy views make up for hard ones."""
    tensors = GaussianTensors.of(neural.decode(), job.device)
    views = [*job.held_out, *job.targets[:: -(-len(job.targets) // MORE_VIEWS)]]
    each = [judge(tensors, [view], neural.antialiased)[0] for view in views]
    return float(-10 * np.log10(np.mean(10 ** (-np.array(each) / 10))))


def _search(
    quantise: Callable[[float], NeuralGaussians],
    quality: Callable[[NeuralGaussians], float],
    harm: float,
    wanted: float,
    say: Callable[[int, float], None],
) -> NeuralGaussians:
    """The coarsest found that reaches `wanted` dB, or the best where none does."""
    best: tuple[tuple[bool, float], NeuralGaussians] | None = None
    fine, coarse = 0.0, np.inf  # harms known to reach it, and not to
    for turn in range(SEARCHES):
        neural = quantise(harm)
        psnr = quality(neural)
        say(turn + 1, psnr)
        enough = psnr >= wanted
        rank = (enough, harm if enough else psnr)
        if best is None or rank > best[0]:
            best = rank, neural
        if 0 <= psnr - wanted <= TOLERANCE:
            break
        fine, coarse = (max(fine, harm), coarse) if enough else (fine, min(coarse, harm))
        harm *= 10 ** ((psnr - wanted - 0.5 * TOLERANCE) / 20)  # errors grow as steps do
        if not fine < harm < coarse:  # nor quite that regularly
            harm = float(np.sqrt(fine * coarse))
    assert best is not None
    return best[1]


def _attributes(job: Job) -> Doubles:
    """[N, D] canonical attributes, without differences no picture shows."""
    layout = AttributeLayout(job.gaussians.sh_degree)
    attributes = canonical_attributes(job.gaussians).astype(np.float64)
    attributes[:, 0] = np.minimum(job.gaussians.opacity_logits, MOST_OPAQUE)
    floor = np.log(max(THINNEST * job.radius, 1e-30))
    attributes[:, layout.log_scale] = np.maximum(attributes[:, layout.log_scale], floor)
    return attributes


def _sensitivity(job: Job, attributes: Doubles, seed: int, progress: Callable[[float], None]) -> Sensitivity:
    """Two rounds over the views: one to sort Gaussians into classes, one for the matrices of these."""
    count, width = attributes.shape
    views = job.targets[:: -(-len(job.targets) // PROBE_VIEWS)]
    each, position = np.zeros((count, width)), 0.0
    for i, target in enumerate(views):
        by_attribute, by_position = _probe(job, attributes, target, (seed, 4, i))
        each += by_attribute**2 / len(views)
        position += float((by_position**2).mean()) / len(views)
        progress(0.5 * (i + 1) / len(views))
    classes = _classes(each)
    members = [np.flatnonzero(classes == k) for k in range(classes.max() + 1)]
    matrices = np.zeros((len(members), width, width))
    for i, target in enumerate(views):
        by_attribute, _ = _probe(job, attributes, target, (seed, 5, i))
        for k, mine in enumerate(members):
            matrices[k] += by_attribute[mine].T @ by_attribute[mine] / (len(mine) * len(views))
        progress(0.5 + 0.5 * (i + 1) / len(views))
    return Sensitivity(classes, matrices, position)


def _probe(job: Job, attributes: Doubles, target: Target, seed: tuple[int, int, int]) -> tuple[Doubles, Doubles]:
    """Gradients of a randomly signed sum of one picture's values, by attributes [N, D] and by positions [N, 3]."""
    by = torch.from_numpy(attributes.astype(np.float32)).to(job.device).requires_grad_()
    positions = torch.from_numpy(job.gaussians.positions.copy()).to(job.device).requires_grad_()
    antialiased = job.gaussians.antialiased
    tensors = attributes_to_tensors(positions, by, job.gaussians.sh_degree)
    picture = rasterize(*tensors, target.view((0.0, 0.0, 0.0), antialiased))
    signs = np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), tuple(picture.shape))
    (picture * torch.from_numpy(signs).to(job.device)).sum().backward()
    assert by.grad is not None
    assert positions.grad is not None
    return by.grad.cpu().numpy().astype(np.float64), positions.grad.cpu().numpy().astype(np.float64)


def _classes(each: Doubles) -> NDArray[np.int64]:
    """[N] classes by sensitivities `each` [N, D], those of like harm together (k-means of its logarithm)."""
    relative = each / np.maximum(each.mean(axis=0), 1e-300)
    level = np.log(relative.mean(axis=1) + 1e-9)
    count = int(np.clip(len(each) // CLASS_GAUSSIANS, 1, MOST_CLASSES))
    centres = np.linspace(level.min(), level.max(), 2 * count + 1)[1::2]
    nearest = np.zeros(len(each), np.int64)
    for _ in range(CLASS_ROUNDS):
        nearest = np.searchsorted((centres[1:] + centres[:-1]) / 2, level)
        sums, counts = np.bincount(nearest, level, count), np.bincount(nearest, minlength=count)
        centres = np.where(counts > 0, sums / np.maximum(counts, 1), centres)
    return np.unique(nearest, return_inverse=True)[1]


def _transform(attributes: Doubles, found: Sensitivity, least: Doubles) -> Transform:
    """For each class: steps of equal harm (M^(-1/2)), turned so that its codes do not correlate.

    `least` [D] is the root of the least sensitivity each attribute is taken to have.
    """
    floored = found.matrices + np.diag(least**2)
    scale = _halves(1 / np.sqrt(np.diagonal(floored.mean(axis=0))))
    offset = _halves(attributes.mean(axis=0))
    bias, matrices = np.zeros((len(found.matrices), len(scale))), np.zeros_like(found.matrices)
    for k, matrix in enumerate(floored):
        mine = (attributes[found.classes == k] - offset) / scale
        bias[k] = mine.mean(axis=0)
        values, vectors = np.linalg.eigh(matrix * np.outer(scale, scale))
        values = np.maximum(values, FLATTEST * values.mean() + 1e-30)
        root, inverse = ((vectors * values**power) @ vectors.T for power in (0.5, -0.5))
        harmless = (mine - bias[k]) @ root
        turn = np.linalg.eigh(harmless.T @ harmless)[1][:, ::-1]
        turn = turn * np.sign(turn[np.abs(turn).argmax(axis=0), np.arange(len(scale))])  # eigh's signs are free
        matrices[k] = turn.T @ inverse
    return Transform(scale, offset, bias, matrices)


def _halves(values: Doubles) -> Doubles:
    """Rounded to half floats, which are cheaper in the file."""
    tiny, huge = 2.0**-14, 6e4
    return np.where(values < 0, -1, 1) * np.clip(np.abs(values), tiny, huge).astype(np.float16).astype(np.float64)


def _quantise(
    gaussians: Gaussians, attributes: Doubles, found: Sensitivity, transform: Transform, harm: float
) -> NeuralGaussians:
    """The scene with steps of `harm`, the square root of the squared error a step's error leaves, times sqrt(12)."""
    grid = _grid(gaussians, POSITION_SHARE * harm / np.sqrt(found.position + 1e-300))
    order = np.lexsort((morton_codes(grid.cells(gaussians.positions)), found.classes))
    classes, width = found.classes[order], attributes.shape[1]
    shape = BankShape((), width + 1, 0, 0, width)
    linear = np.pad(harm * transform.matrices, ((0, 0), (0, 1), (0, 0)))  # the last code's row is found below
    bank, _ = _bank(shape, transform.bias, linear)
    codes = np.empty((len(attributes), width + 1), np.int16)
    for k in range(len(bank)):
        mine = (attributes[order[classes == k]] - transform.offset) / transform.scale
        codes[classes == k], linear[k, -1] = _codes(mine, bank.block(k, "output_bias"), bank.block(k, "linear"))
    bank, steps = _bank(shape, transform.bias, linear)
    positions = grid.positions(grid.cells(gaussians.positions[order]))
    return NeuralGaussians(
        positions=positions,
        codes=codes,
        counts=np.bincount(classes, minlength=len(bank)),
        boxes=np.tile(np.array([[[0.0] * 3, [1.0] * 3]], np.float32), (len(bank), 1, 1)),  # no network asks where it is
        bank=bank,
        output_offset=transform.offset.astype(np.float32),
        output_scale=transform.scale.astype(np.float32),
        sh_degree=gaussians.sh_degree,
        grid=grid,
        weight_steps=steps,
        antialiased=gaussians.antialiased,
    )


def _bank(shape: BankShape, bias: Doubles, linear: Doubles) -> tuple[MlpBank, NDArray[np.float32]]:
    """The bank with `bias` [K, D] and `linear` [K, D + 1, D] as the file holds them, and their steps."""
    flat = torch.from_numpy(np.concatenate([bias, linear.reshape(len(linear), -1)], axis=1).astype(np.float32))
    rounded, steps = (t.numpy() for t in quantise_weights(shape, flat))
    return MlpBank(shape, exact_weights(shape, rounded, steps)), steps


def _codes(values: Doubles, bias: Floats, linear: Floats) -> tuple[NDArray[np.int16], Doubles]:
    """Codes [n, D + 1] of a class's `values` [n, D], and the row of their last column.

    That column is one number for all: it holds what rounding leaves on the class's mean, since an error that all
    Gaussians share shows far more than as much noise.
    """
    matrix = linear[:-1].astype(np.float64)
    exact = np.linalg.solve(matrix.T, (values - bias).T).T
    rounded = np.clip(np.rint(exact), -LARGEST_CODE, LARGEST_CODE)
    rest = (values - bias - rounded @ matrix).mean(axis=0)
    times = np.ceil(np.abs(rest).max() / np.abs(matrix).max())  # so that no weight grows
    times = float(np.clip(times, 1, LARGEST_CODE))
    return np.pad(rounded, ((0, 0), (0, 1)), constant_values=times).astype(np.int16), rest / times


def _grid(gaussians: Gaussians, step: float) -> PositionGrid:
    """The smallest cubic grid of `step` or, where that takes too many bits, of the finest step there is."""
    low, high = (f(gaussians.positions.astype(np.float64), axis=0) for f in (np.min, np.max))
    span = max(float((high - low).max()), 1e-6) * 1.001
    step = float(f"{np.clip(step, span / (2**MAX_BITS - 2), span):.4g}")  # few digits: they are text in the file
    bits = max(int(np.ceil(np.log2(span / step + 2))), 1)
    x, y, z = (float(f"{o:.9g}") for o in low - 0.5 * step)
    return PositionGrid((x, y, z), step, min(bits, MAX_BITS))
