"""The MLP bank in torch: the same networks as `scenes.bank.MlpBank`, batched and differentiable."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenes.bank import MODULATION_GAIN, NORM_EPSILON, SINE_FREQUENCY, BankShape


class ClusterBatch:
    """Pads N members of K clusters into [K, M, ...], so that all networks run as one batched matrix product."""

    def __init__(self, clusters: NDArray[np.integer], count: int, device: torch.device) -> None:
        counts = np.bincount(clusters, minlength=count)
        order = np.argsort(clusters, kind="stable")
        first = np.cumsum(counts) - counts
        row = np.empty(len(clusters), np.int64)
        row[order] = np.arange(len(clusters)) - np.repeat(first, counts)
        self.shape = (count, max(int(counts.max()), 1))
        self.flat = torch.from_numpy(clusters.astype(np.int64) * self.shape[1] + row).to(device)  # [N]

    def pad(self, values: Tensor) -> Tensor:
        """[N, C] to [K, M, C], zeros where a cluster has fewer than M members."""
        if self.shape[0] == 1:  # nothing to move
            return values[None]
        padded = values.new_zeros(self.shape[0] * self.shape[1], values.shape[1])
        return padded.index_copy(0, self.flat, values).view(*self.shape, -1)

    def unpad(self, values: Tensor) -> Tensor:
        """[K, M, D] back to [N, D]."""
        if self.shape[0] == 1:
            return values[0]
        return values.reshape(self.shape[0] * self.shape[1], -1)[self.flat]


def evaluate_bank(shape: BankShape, weights: Tensor, local: Tensor, codes: Tensor, batch: ClusterBatch) -> Tensor:
    """Outputs [N, D] of the bank with flat `weights` [K, P] at `local` [N, 3] and `codes` [N, C]."""
    blocks = {b.name: weights[:, b.offset : b.stop].view(-1, b.rows, b.columns) for b in shape.blocks()}
    padded_codes = batch.pad(codes) if shape.code else None
    outputs: Tensor = blocks["output_bias"]
    if shape.layers:
        place = batch.pad(local)
        parts = [encode_position(place, shape.frequencies)]
        hidden = torch.cat(parts if padded_codes is None else [*parts, padded_codes], dim=2)  # [K, M, inputs]
        for layer in range(shape.layers):
            bias, matrix = blocks[f"hidden{layer}_bias"], blocks[f"hidden{layer}"]
            hidden = torch.baddbmm(bias, hidden, matrix)
            if shape.modulation:
                hidden = modulate(hidden, blocks[f"modulation{layer}"].view(-1, *shape.modulation, 2), place)
            hidden = activate(hidden, shape.activation)
        outputs = torch.baddbmm(outputs, hidden, blocks["output"])
    if shape.linear and padded_codes is not None:
        outputs = outputs + torch.bmm(padded_codes, blocks["linear"])
    outputs = outputs.expand(-1, batch.shape[1], -1)
    return batch.unpad(torch.tanh(outputs) if shape.output_activation == "tanh" else outputs)


def encode_position(local: Tensor, frequencies: tuple[float, ...]) -> Tensor:
    """[..., 3 + 6 F]: the position, then sine and cosine of each frequency; as in `scenes.bank`."""
    parts = [local]
    for frequency in frequencies:
        parts += [torch.sin(frequency * local), torch.cos(frequency * local)]
    return torch.cat(parts, dim=-1)


def modulate(features: Tensor, grids: Tensor, local: Tensor) -> Tensor:
    """`scenes.bank.modulate` for K networks: `features` [K, M, W], `grids` [K, X, Y, Z, 2], `local` [K, M, 3]."""
    volumes = grids.permute(0, 4, 1, 2, 3)
    places = local.flip(-1)[:, :, None, None]  # grid_sample names the last dimension first
    found = torch.nn.functional.grid_sample(volumes, places, padding_mode="border", align_corners=True)
    g, b = found[..., 0, 0].unsqueeze(-1).unbind(1)  # [K, M, 1]
    normalised = torch.nn.functional.layer_norm(features, features.shape[-1:], eps=NORM_EPSILON)
    return (1 + MODULATION_GAIN * g) * normalised + MODULATION_GAIN * b


def activate(x: Tensor, activation: str) -> Tensor:
    """The hidden activation, elementwise."""
    if activation == "tanh":
        return torch.tanh(x)
    if activation == "relu":
        return torch.relu(x)
    if activation == "softplus":
        return torch.nn.functional.softplus(x)
    return torch.sin(SINE_FREQUENCY * x)


def initial_weights(shape: BankShape, networks: int, generator: torch.Generator) -> Tensor:
    """[K, P]: Xavier-uniform hidden layers, an output layer near zero; zero biases, linear path and modulation.

    With the output layer near zero, training starts at whatever the linear path and the bias are set to.
    """
    weights = torch.zeros(networks, shape.parameters)
    for block in shape.blocks():
        if block.name.endswith("bias") or block.name.startswith("modulation") or block.name == "linear":
            continue
        bound = (6 / (block.rows + block.columns)) ** 0.5 * (0.01 if block.name == "output" and shape.linear else 1.0)
        size = (networks, block.rows * block.columns)
        weights[:, block.offset : block.stop] = (2 * torch.rand(size, generator=generator) - 1) * bound
    return weights


def quantise_weights(shape: BankShape, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [K, P] rounded to int8 steps per block (straight through), and the steps [K, B], half floats."""
    parts, steps = [], []
    for block in shape.blocks():
        part = weights[:, block.offset : block.stop]
        step = (part.detach().abs().amax(dim=1, keepdim=True) / 127).clamp_min(1e-6).half().float()
        integers = torch.round(part.detach() / step).clamp(-127, 127)
        parts.append(part + (integers * step - part.detach()))
        steps.append(step)
    return torch.cat(parts, dim=1), torch.cat(steps, dim=1)
