"""What an output layer is applied to: the last hidden layer of networks, and so the derivatives by its weights.

Where cells share their hidden layers the output layer is all they learn. Derivatives by it need no differentiation:
they are the hidden layer itself (forty times faster than `per_place_jacobian`, of which this is the closed form).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from fitting.torch_bank_gradient import evaluate_with_gradient
from scenes.bank import BankShape


def shared_size(shape: BankShape) -> int:
    """Weights before the output layer. Its own are `shape.width` + 1 rows of `shape.outputs`, the bias last."""
    return next(block.offset for block in shape.blocks() if block.name.startswith("output"))


def inputs_of_output(
    shape: BankShape, weights: Tensor, local: Tensor, codes: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The last hidden layer and a one [k, M, W + 1], and derivatives by the place [k, 3, M, W + 1].

    Of networks `weights` [k, P] at `local` [k, M, 3]; `shape` has hidden layers and no linear path.
    """
    passing = replace(shape, outputs=shape.width, output_activation="none")
    first, count = shared_size(shape), len(weights)
    eye = torch.eye(shape.width, dtype=weights.dtype, device=weights.device).flatten()
    output = torch.cat([eye, eye.new_zeros(shape.width)]).expand(count, -1)
    values, slopes = evaluate_with_gradient(passing, torch.cat([weights[:, :first], output], dim=1), local, codes)
    pad = torch.nn.functional.pad
    return pad(values, (0, 1), value=1.0), pad(slopes, (0, 1))
