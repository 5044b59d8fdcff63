"""Values of a bank's networks and their derivatives by position, batched and differentiable by the weights.

The twin of `scenes/bank_gradient.py`. Every neuron carries its value and three tangents through the same batched matrix
product, so that a loss on gradients (eikonal, normals) needs no second differentiation.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from fitting.torch_bank import activate
from scenes.bank import MODULATION_GAIN, NORM_EPSILON, SINE_FREQUENCY, BankShape


def evaluate_with_gradient(
    shape: BankShape, weights: Tensor, local: Tensor, codes: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Outputs [K, M, D] of K networks with flat `weights` [K, P] at M places each, and derivatives [K, 3, M, D].

    `local` [K, M, 3], `codes` [K, M, C] constants.
    """
    blocks = {b.name: weights[:, b.offset : b.stop].view(-1, b.rows, b.columns) for b in shape.blocks()}
    hidden, tangents = _encode(local, shape.frequencies)
    if codes is not None:
        hidden = torch.cat([hidden, codes], dim=2)
        tangents = torch.nn.functional.pad(tangents, (0, codes.shape[2]))
    for layer in range(shape.layers):
        hidden, tangents = _product(hidden, tangents, blocks[f"hidden{layer}"])
        hidden = hidden + blocks[f"hidden{layer}_bias"]
        if shape.modulation:
            grids = blocks[f"modulation{layer}"].view(-1, *shape.modulation, 2)
            hidden, tangents = _modulate(hidden, tangents, grids, local)
        tangents = _slope(hidden, shape.activation)[:, None] * tangents
        hidden = activate(hidden, shape.activation)
    outputs = blocks["output_bias"].expand(-1, local.shape[1], -1)
    gradients = outputs.new_zeros(1)
    if shape.layers:
        product_, gradients = _product(hidden, tangents, blocks["output"])
        outputs = outputs + product_
    if shape.linear and codes is not None:
        outputs = outputs + torch.bmm(codes, blocks["linear"])
    if shape.output_activation == "tanh":
        outputs = torch.tanh(outputs)
        gradients = gradients * (1 - outputs.square())[:, None]
    return outputs, gradients.expand(-1, 3, *outputs.shape[1:])


def _product(hidden: Tensor, tangents: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Values [K, M, I] and tangents [K or 1, 3, M or 1, I] times `matrix` [K, I, W].

    Tangents that are the same everywhere stay so: those of the bare position are.
    """
    networks, count, inputs = hidden.shape
    if tangents.shape[0] == 1 and tangents.shape[2] == 1:
        same = torch.matmul(tangents[0, :, 0], matrix)  # [K, 3, W]
        return torch.bmm(hidden, matrix), same[:, :, None]
    stacked = torch.cat([hidden[:, None], tangents.expand(networks, 3, count, inputs)], dim=1)
    both = torch.bmm(stacked.view(networks, 4 * count, inputs), matrix).view(networks, 4, count, matrix.shape[2])
    return both[:, 0], both[:, 1:]


def _encode(local: Tensor, frequencies: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Inputs [K, M, I] and their tangents [K, 3, M, I], or [1, 3, 1, 3] for the bare position."""
    eye = torch.eye(3, dtype=local.dtype, device=local.device)
    if not frequencies:
        return local, eye[None, :, None]
    parts, tangents = [local], [eye[None, :, None].expand(local.shape[0], 3, local.shape[1], 3)]
    for frequency in frequencies:
        sine, cosine = torch.sin(frequency * local), torch.cos(frequency * local)
        parts += [sine, cosine]
        tangents += [torch.diag_embed(x).transpose(1, 2) for x in (frequency * cosine, -frequency * sine)]
    return torch.cat(parts, dim=2), torch.cat(tangents, dim=3)


def _slope(x: Tensor, activation: str) -> Tensor:
    """The derivative of `activate`."""
    if activation == "tanh":
        return 1 - torch.tanh(x).square()
    if activation == "relu":
        return (x > 0).to(x.dtype)
    if activation == "softplus":
        return torch.sigmoid(x)
    return SINE_FREQUENCY * torch.cos(SINE_FREQUENCY * x)


def _modulate(features: Tensor, tangents: Tensor, grids: Tensor, local: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinate-aware modulation (arXiv 2311.14993) of values and tangents; see `scenes.bank.modulate`."""
    values, slopes = _interpolate(grids, local)  # [K, M, 2], [K, 3, M, 2]
    centred = features - features.mean(dim=2, keepdim=True)
    moved = tangents - tangents.mean(dim=3, keepdim=True)
    scale = torch.rsqrt(centred.square().mean(dim=2, keepdim=True) + NORM_EPSILON)
    normalised = centred * scale
    growth = (normalised[:, None] * moved).mean(dim=3, keepdim=True)
    turned = scale[:, None] * (moved - normalised[:, None] * growth)
    grown = 1 + MODULATION_GAIN * values[..., :1]
    outputs = grown * normalised + MODULATION_GAIN * values[..., 1:]
    by_grid = MODULATION_GAIN * (slopes[..., :1] * normalised[:, None] + slopes[..., 1:])
    return outputs, grown[:, None] * turned + by_grid


def _interpolate(grids: Tensor, local: Tensor) -> tuple[Tensor, Tensor]:
    """`scenes.bank_gradient.interpolate_with_gradient` for K networks: [K, M, C] and [K, 3, M, C]."""
    last = torch.tensor(grids.shape[1:4], device=local.device) - 1
    place = (local.clamp(-1, 1) + 1) * (last / 2).to(local.dtype)
    cell = torch.minimum(place.long(), (last - 1).clamp_min(0))
    share = place - cell.to(local.dtype)
    flat = grids.flatten(1, 3)
    values = flat.new_zeros(*local.shape[:2], grids.shape[-1])
    slopes = [torch.zeros_like(values) for _ in range(3)]
    for corner in product((0, 1), repeat=3):
        side = torch.tensor(corner, device=local.device)
        at = torch.minimum(cell + side, last)
        index = (at[..., 0] * grids.shape[2] + at[..., 1]) * grids.shape[3] + at[..., 2]
        point = flat.gather(1, index[..., None].expand(-1, -1, grids.shape[-1]))
        x, y, z = torch.where(side == 1, share, 1 - share).unsqueeze(-1).unbind(2)
        values = values + x * y * z * point
        for axis, others in enumerate((y * z, x * z, x * y)):
            slopes[axis] = slopes[axis] + (2 * corner[axis] - 1) * (last[axis] / 2) * others * point
    within = (local.abs() < 1).to(local.dtype).transpose(1, 2)[..., None]
    return values, torch.stack(slopes, dim=1) * within
