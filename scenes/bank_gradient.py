"""Values of a bank's networks together with their derivatives by position: forward-mode differentiation in numpy.

Every neuron carries (value, d/dx, d/dy, d/dz): a signed distance and its normal come out of one pass. This is the slow
twin of `fitting/torch_bank_gradient.py` and of `shaders/bank_gradient.glsl`.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from scenes.bank import MODULATION_GAIN, NORM_EPSILON, SINE_FREQUENCY, MlpBank, activate, encode_position
from scenes.gaussians import Floats


def evaluate_with_gradient(
    bank: MlpBank, network: NDArray[np.integer], local: Floats, codes: Floats | None = None
) -> tuple[Floats, Floats]:
    """Outputs [N, D] at `local` [N, 3] of networks `network` [N], and their derivatives [N, 3, D] by `local`.

    `codes` [N, C] are constants; none for a bank without.
    """
    codes = np.zeros((len(local), bank.shape.code), np.float32) if codes is None else codes
    outputs = np.empty((len(local), bank.shape.outputs), np.float32)
    gradients = np.empty((len(local), 3, bank.shape.outputs), np.float32)
    order = np.argsort(network, kind="stable")
    first = np.flatnonzero(np.diff(network[order], prepend=-1))
    for mine in np.split(order, first[1:]) if len(order) else []:
        outputs[mine], gradients[mine] = _evaluate_one(bank, int(network[mine[0]]), local[mine], codes[mine])
    return outputs, gradients


def _evaluate_one(bank: MlpBank, network: int, local: Floats, codes: Floats) -> tuple[Floats, Floats]:
    shape = bank.shape
    hidden = np.concatenate([encode_position(local, shape.frequencies), codes], axis=1)
    tangents = _encoding_tangents(local, shape.frequencies, shape.code)
    for layer in range(shape.layers):
        matrix = bank.block(network, f"hidden{layer}")
        hidden, tangents = hidden @ matrix + bank.block(network, f"hidden{layer}_bias"), tangents @ matrix
        if shape.modulation:
            grid = bank.block(network, f"modulation{layer}").reshape(*shape.modulation, 2)
            hidden, tangents = _modulate(hidden, tangents, grid, local)
        tangents = activation_slope(hidden, shape.activation)[:, None] * tangents
        hidden = activate(hidden, shape.activation)
    outputs = np.zeros((len(local), shape.outputs), np.float32) + bank.block(network, "output_bias")
    gradients = np.zeros((len(local), 3, shape.outputs), np.float32)
    if shape.layers:
        outputs += hidden @ bank.block(network, "output")
        gradients += tangents @ bank.block(network, "output")
    if shape.linear:
        outputs += codes @ bank.block(network, "linear")
    if shape.output_activation == "tanh":
        outputs = np.tanh(outputs)
        gradients *= (1 - np.square(outputs))[:, None]
    return outputs, gradients


def _encoding_tangents(local: Floats, frequencies: tuple[float, ...], code: int) -> Floats:
    """[N, 3, I] derivatives of the first layer's inputs by the three coordinates."""
    eye = np.eye(3, dtype=np.float32)
    parts = [np.broadcast_to(eye, (len(local), 3, 3))]
    for frequency in (np.float32(f) for f in frequencies):
        parts += [
            eye * (frequency * np.cos(frequency * local))[:, None],
            eye * (-frequency * np.sin(frequency * local))[:, None],
        ]
    return np.concatenate([*parts, np.zeros((len(local), 3, code), np.float32)], axis=2).astype(local.dtype)


def activation_slope(x: Floats, activation: str) -> Floats:
    """The derivative of `scenes.bank.activate`."""
    if activation == "tanh":
        return (1 - np.square(np.tanh(x))).astype(x.dtype)
    if activation == "relu":
        return (x > 0).astype(x.dtype)
    if activation == "softplus":
        return (0.5 + 0.5 * np.tanh(0.5 * x)).astype(x.dtype)
    sine = np.float32(SINE_FREQUENCY)
    return (sine * np.cos(sine * x)).astype(x.dtype)


def _modulate(features: Floats, tangents: Floats, grid: Floats, local: Floats) -> tuple[Floats, Floats]:
    """`scenes.bank.modulate` of values [N, W] and their tangents [N, 3, W]; `grid` [X, Y, Z, 2]."""
    values, slopes = interpolate_with_gradient(grid, local)
    g, b = values.T[:, :, None]
    centred = features - features.mean(axis=1, keepdims=True)
    moved = tangents - tangents.mean(axis=2, keepdims=True)
    scale = 1 / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(NORM_EPSILON))
    normalised = centred * scale
    growth = (normalised[:, None] * moved).mean(axis=2, keepdims=True)  # of the deviation, relative to itself
    normalised_tangents = scale[:, None] * (moved - normalised[:, None] * growth)
    gain = np.float32(MODULATION_GAIN)
    outputs = (1 + gain * g) * normalised + gain * b
    by_grid = gain * (slopes[..., :1] * normalised[:, None] + slopes[..., 1:])
    return outputs, (1 + gain * g)[:, None] * normalised_tangents + by_grid


def interpolate_with_gradient(grid: Floats, local: Floats) -> tuple[Floats, Floats]:
    """`scenes.bank.interpolate` [N, C] and its derivatives [N, 3, C]; those are 0 where `local` is clamped."""
    last = np.array(grid.shape[:3]) - 1
    per_unit = (last / 2).astype(np.float32)
    place = (np.clip(local, -1, 1) + 1) * per_unit
    cell = np.minimum(place.astype(np.int64), np.maximum(last - 1, 0))
    share = place - cell.astype(np.float32)
    values = np.zeros((len(local), grid.shape[-1]), np.float32)
    slopes = np.zeros((len(local), 3, grid.shape[-1]), np.float32)
    for corner in product((0, 1), repeat=3):
        factors = np.where(np.array(corner) == 1, share, 1 - share)
        point = grid[tuple(np.minimum(cell + corner, last).T)]
        values += factors.prod(axis=1)[:, None] * point
        for axis in range(3):
            sign = np.float32(2 * corner[axis] - 1)
            others = np.delete(factors, axis, axis=1).prod(axis=1)
            slopes[:, axis] += (sign * per_unit[axis] * others)[:, None] * point
    return values, slopes * (np.abs(local) < 1)[:, :, None]
