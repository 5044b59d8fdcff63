"""Networks without codes learn the attributes before any picture: they cannot start from principal components.

As in NeuralGS (arXiv 2503.23162, section 3.2), where position alone has to give the attributes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fitting.neuralgs.model import NeuralModel
from fitting.torch_bank import evaluate_bank

STEPS = 1500
RATE = 5e-3  # Adam, falling to zero along a cosine


def fit_attributes(model: NeuralModel, attributes: Tensor, share: Tensor) -> None:
    """Lowers the squared error to `attributes` [N, D], in output units, each Gaussian weighted by `share` [N]."""
    aims = (attributes - model.output_offset) / model.output_scale
    local = model.local(model.snapped_positions().detach())
    optimiser = torch.optim.Adam([model.weights])
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        outputs = evaluate_bank(model.shape, model.weights, local, model.codes.detach(), model.batch)
        loss = (share[:, None] * (outputs - aims) ** 2).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
