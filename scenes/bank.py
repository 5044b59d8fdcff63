"""The MLP bank: K small networks of one shape, each owning a part of the scene.

This is the slow, obvious twin in numpy; `fast_bank.py` is the fast one. `fitting/torch_bank.py` fits the same bank and
`renderer/bank_glsl.py` generates the shader that evaluates it, both from the layout declared here.

    code [C] ----------------------- linear path ------------------------.
                                                                         v
    (position, sines, cosines) + code -> hidden x layers -> output ----> + -> output activation -> [D]

With `modulation`, a hidden layer is gamma(x) * normalised(W h + b) + beta(x) before its activation: coordinate-aware
modulation (Lee et al., "Coordinate-Aware Modulation for Neural Fields", arXiv 2311.14993). gamma and beta are one
number each for a layer and a position, from a small grid over the network's box.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scenes.gaussians import Floats

ACTIVATIONS = ("tanh", "relu", "softplus", "sine")
OUTPUT_ACTIVATIONS = ("none", "tanh")
SINE_FREQUENCY = 3.0  # sin(3 z): findings on SDF cells; the fixed gain of the "sine" activation
MAX_MODULATION = 32  # grid points a side
# gamma = 1 + 10 g and beta = 10 b with the weights g, b: one learning rate then moves grids ten times as fast as the
# other weights under Adam, which is what the authors' code does (their grids have a rate of their own)
MODULATION_GAIN = 10.0
NORM_EPSILON = 1e-5  # added to the variance, as by F.instance_norm, which the authors' code calls


@dataclass(frozen=True)
class Block:
    """One matrix or vector of a network, as it lies in the flat weights."""

    name: str
    rows: int  # inputs (1 for a bias)
    columns: int  # outputs
    offset: int  # first element in the flat weights of one network

    @property
    def stop(self) -> int:
        """The element after the last."""
        return self.offset + self.rows * self.columns


@dataclass(frozen=True)
class BankShape:
    """The one architecture all networks of a bank share."""

    frequencies: tuple[float, ...]  # angular frequencies of the positional encoding, radians per local unit
    code: int  # latent dimensions C, 0 for none
    width: int  # hidden width, a multiple of 4
    layers: int  # hidden layers; 0 leaves the linear path and the bias
    outputs: int  # D
    linear: bool = True  # direct path from the code to the outputs
    activation: str = "tanh"  # of the hidden layers
    output_activation: str = "none"
    modulation: tuple[int, ...] = ()  # points along x, y, z of each hidden layer's grid of gamma and beta; () for none

    def __post_init__(self) -> None:
        if self.width % 4 or min(self.code, self.width, self.layers) < 0 or self.outputs < 1:
            raise ValueError(f"bank: expected a width that is a multiple of 4 and sizes >= 0, found {self}")
        if self.activation not in ACTIVATIONS or self.output_activation not in OUTPUT_ACTIVATIONS:
            raise ValueError(f"bank: unknown activation {self.activation!r} or {self.output_activation!r}")
        if self.linear and not self.code:
            raise ValueError("bank: a linear path needs a code")
        sides = self.modulation
        if sides and (len(sides) != 3 or not 1 <= min(sides) <= max(sides) <= MAX_MODULATION):
            raise ValueError(f"bank: expected modulation by 1 to {MAX_MODULATION} points on 3 axes, found {sides}")
        if sides and not self.layers * self.width:
            raise ValueError(f"bank: expected hidden layers to modulate, found {self}")

    @property
    def inputs(self) -> int:
        """Inputs of the first hidden layer: position 3, sine and cosine of each frequency on 3 axes, code."""
        return 3 + 6 * len(self.frequencies) + self.code

    def blocks(self) -> list[Block]:
        """The layout inside the flat weights [P]: the one declaration numpy, torch, GLSL and the file share.

        Matrices are [rows = inputs, columns = outputs], row-major. A modulation has a row for each grid point, x
        slowest and z fastest, with its g and b.
        """
        return list(_layout(self))

    @property
    def parameters(self) -> int:
        """P, the weights of one network."""
        return self.blocks()[-1].stop


@cache
def _layout(shape: BankShape) -> tuple[Block, ...]:
    """See `BankShape.blocks`, which numpy asks for at every evaluation."""
    sizes: list[tuple[str, int, int]] = []
    fan_in = shape.inputs
    for layer in range(shape.layers):
        sizes += [(f"hidden{layer}", fan_in, shape.width), (f"hidden{layer}_bias", 1, shape.width)]
        if shape.modulation:
            sizes.append((f"modulation{layer}", math.prod(shape.modulation), 2))
        fan_in = shape.width
    if shape.layers:
        sizes.append(("output", shape.width, shape.outputs))
    sizes.append(("output_bias", 1, shape.outputs))
    if shape.linear:
        sizes.append(("linear", shape.code, shape.outputs))
    blocks, offset = [], 0
    for name, rows, columns in sizes:
        blocks.append(Block(name, rows, columns, offset))
        offset += rows * columns
    return tuple(blocks)


@dataclass(frozen=True)
class MlpBank:
    """K networks; `weights` [K, P] float32 in the layout of `shape.blocks()`."""

    shape: BankShape
    weights: Floats

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or self.weights.shape[1] != self.shape.parameters:
            raise ValueError(f"weights: expected [K, {self.shape.parameters}], found {self.weights.shape}")

    def __len__(self) -> int:
        return len(self.weights)

    def block(self, network: int, name: str) -> Floats:
        """The matrix [rows, columns] called `name` of one network."""
        block = next(b for b in self.shape.blocks() if b.name == name)
        return self.weights[network, block.offset : block.stop].reshape(block.rows, block.columns)

    def evaluate(self, network: NDArray[np.integer], local: Floats, codes: Floats) -> Floats:
        """Outputs [N, D] for `local` [N, 3] coordinates in [-1, 1] and `codes` [N, C] of networks `network` [N]."""
        outputs = np.empty((len(local), self.shape.outputs), np.float32)
        for k in np.unique(network):
            mine = network == k
            outputs[mine] = self._evaluate_one(int(k), local[mine], codes[mine])
        return outputs

    def _evaluate_one(self, network: int, local: Floats, codes: Floats) -> Floats:
        hidden = np.concatenate([encode_position(local, self.shape.frequencies), codes], axis=1)
        for layer in range(self.shape.layers):
            linear = hidden @ self.block(network, f"hidden{layer}") + self.block(network, f"hidden{layer}_bias")
            if self.shape.modulation:
                grid = self.block(network, f"modulation{layer}")
                linear = modulate(linear, grid, local, self.shape.modulation)
            hidden = activate(linear, self.shape.activation)
        outputs = np.zeros((len(local), self.shape.outputs), np.float32) + self.block(network, "output_bias")
        if self.shape.layers:
            outputs += hidden @ self.block(network, "output")
        if self.shape.linear:
            outputs += codes @ self.block(network, "linear")
        return np.tanh(outputs) if self.shape.output_activation == "tanh" else outputs


def encode_position(local: Floats, frequencies: tuple[float, ...]) -> Floats:
    """[N, 3 + 6 F]: x y z, then for each frequency sin of x y z and cos of x y z (NeRF, section 5.1)."""
    parts = [local]
    for frequency in frequencies:
        parts += [np.sin(np.float32(frequency) * local), np.cos(np.float32(frequency) * local)]
    return np.concatenate(parts, axis=1)


def modulate(features: Floats, grid: Floats, local: Floats, sides: tuple[int, ...]) -> Floats:
    """gamma(x) * normalised features + beta(x) (CAM, arXiv 2311.14993), [N, W].

    `features` [N, W] get mean 0 and variance 1 over each sample's own W features, as in the authors' code; `grid`
    [XYZ, 2] are a modulation's weights g and b at `sides` X, Y, Z points; `local` [N, 3] is x.
    """
    g, b = interpolate(grid.reshape(*sides, 2), local).T[:, :, None]
    centred = features - features.mean(axis=1, keepdims=True)
    normalised = centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(NORM_EPSILON))
    return (1 + np.float32(MODULATION_GAIN) * g) * normalised + np.float32(MODULATION_GAIN) * b


def interpolate(grid: Floats, local: Floats) -> Floats:
    """[N, C] trilinear in `grid` [X, Y, Z, C], whose outermost points are at -1 and 1; constant beyond them."""
    last = np.array(grid.shape[:3]) - 1
    place = (np.clip(local, -1, 1) + 1) * (last / 2).astype(np.float32)
    cell = np.minimum(place.astype(np.int64), np.maximum(last - 1, 0))
    share = place - cell.astype(np.float32)
    values = np.zeros((len(local), grid.shape[-1]), np.result_type(grid, local))
    for corner in product((0, 1), repeat=3):
        factors = np.where(np.array(corner) == 1, share, 1 - share).prod(axis=1)
        values += factors[:, None] * grid[tuple(np.minimum(cell + corner, last).T)]
    return values


def activate(x: Floats, activation: str) -> Floats:
    """The hidden activation, elementwise."""
    if activation == "tanh":
        return np.tanh(x)
    if activation == "relu":
        return np.maximum(x, 0)
    if activation == "softplus":
        return np.logaddexp(x, 0).astype(x.dtype)
    return np.sin(np.float32(SINE_FREQUENCY) * x)
