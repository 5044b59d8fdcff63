"""One network of a bank at many Gaussians: what `MlpBank.evaluate` computes, several times faster.

Features lie one input after another, so that sines and cosines run over long rows, and a block of Gaussians is small
enough for all of its arrays to stay in the cache. Matrices are multiplied a few Gaussians at a time: for larger
products BLAS starts threads of its own, which keep spinning afterwards and take the cores from whoever decodes in
parallel or draws meanwhile. A large matrix still gets them, where they pay.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes.bank import BankShape, MlpBank, activate, modulate
from scenes.gaussians import Floats

BLOCK = 4096  # Gaussians at a time
TILE = 128  # Gaussians of a product: OpenBLAS has no threads under 2^18 multiplications, so up to 2048 weights


def evaluate_network(bank: MlpBank, network: int, local: Floats, codes: NDArray[np.integer]) -> Floats:
    """Outputs [n, D] of one network for `local` [n, 3] coordinates in [-1, 1] and integer `codes` [n, C].

    Best for up to `BLOCK` Gaussians, with `local` the transpose of a contiguous array.
    """
    shape, count = bank.shape, len(local)
    features = _features(shape, local, codes)  # [I, m], m a multiple of `TILE`
    tiles = features.reshape(len(features), -1, TILE).transpose(1, 2, 0)  # [m / TILE, TILE, I]
    hidden = tiles
    for layer in range(shape.layers):
        hidden = hidden @ bank.block(network, f"hidden{layer}")
        hidden += bank.block(network, f"hidden{layer}_bias")
        if shape.modulation:
            grid = bank.block(network, f"modulation{layer}")
            rows = modulate(hidden.reshape(-1, shape.width), grid, features[:3].T, shape.modulation)
            hidden = rows.reshape(hidden.shape)
        hidden = activate(hidden, shape.activation)
    outputs = np.zeros((*tiles.shape[:2], shape.outputs), np.float32)
    outputs += bank.block(network, "output_bias")
    if shape.layers:
        outputs += hidden @ bank.block(network, "output")
    if shape.linear:
        outputs += tiles[..., shape.inputs - shape.code :] @ bank.block(network, "linear")
    if shape.output_activation == "tanh":
        np.tanh(outputs, out=outputs)
    return outputs.reshape(-1, shape.outputs)[:count]


def _features(shape: BankShape, local: Floats, codes: NDArray[np.integer]) -> Floats:
    """[I, m] the inputs of the first layer, one a row; zeros behind the n Gaussians up to a whole tile."""
    count = len(local)
    features = np.empty((shape.inputs, -(-count // TILE) * TILE), np.float32)
    features[:, count:] = 0
    mine = features[:, :count]
    mine[:3] = local.T
    for i, frequency in enumerate(shape.frequencies):
        angles = np.float32(frequency) * mine[:3]
        np.sin(angles, out=mine[3 + 6 * i : 6 + 6 * i])
        np.cos(angles, out=mine[6 + 6 * i : 9 + 6 * i])
    mine[shape.inputs - shape.code :] = codes.T
    return features
