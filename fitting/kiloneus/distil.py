"""What the cells' networks are fitted to: distances and gradients, or colours, as least-squares problems.

geometry    value and gradient at places of the enlarged cell; nearer to the surface counts more
appearance  colour at places near the surface, from directions of all kinds if the teacher's colour has them
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fitting.kiloneus.cells import Places
from fitting.kiloneus.levenberg import per_place_jacobian
from fitting.kiloneus.output_layer import inputs_of_output, shared_size
from fitting.torch_bank_gradient import evaluate_with_gradient
from scenes.bank import BankShape
from scenes.gaussians import Floats

PULL = 1e-5  # of geometry weights to 0, against a cell's whole cost: keeps them small, and so cheap to write
GRADIENT = 0.1  # weight of a gradient's error against that of a distance in cells, squared
NEARNESS = 0.35  # cells: places this far from the surface count e^-1
FARNESS = 0.01  # what far places count: enough that no zero arises where there is no surface
DECAY = 1e-4  # pulls an appearance weight to 0, so that colours nobody saw stay tame


@dataclass
class GeometryProblem:
    """Distances in cells and unit gradients at S places of each of K cells."""

    shape: BankShape
    local: Tensor  # [K, S, 3]
    target: Tensor  # [K, S, 4] distance, gradient times the root of its weight
    importance: Tensor  # [K, S] root of the weight of a place
    overlap: float
    drawn: int  # places an iteration
    moving: int = 0  # the first weight that may change; those before it are the same in all cells
    places: Tensor | None = None  # [drawn] of S

    @classmethod
    def of(cls, shape: BankShape, places: Places, overlap: float, drawn: int) -> GeometryProblem:
        """The problem of learning `places`."""
        distance, gradient = torch.from_numpy(places.distance), torch.from_numpy(places.gradient)
        target = torch.cat([distance[..., None], GRADIENT**0.5 * gradient], dim=2)
        importance = (torch.exp(-(distance / NEARNESS).square()) + FARNESS).sqrt()
        return cls(shape, torch.from_numpy(places.local), target, importance, overlap, min(drawn, distance.shape[1]))

    @property
    def residual_count(self) -> int:
        """Of the places drawn: a distance and three components of the gradient each; and the pull on the weights."""
        return 4 * self.drawn + self.shape.parameters - self.moving

    def draw(self, generator: torch.Generator) -> None:
        """Other places, the same ones in all cells."""
        self.places = torch.randperm(self.local.shape[1], generator=generator)[: self.drawn]

    def residuals(self, weights: Tensor, cells: slice) -> Tensor:
        """[k, R]"""
        return torch.cat([self.errors(weights, cells), PULL**0.5 * weights[:, self.moving :]], dim=1)

    def jacobian(self, weights: Tensor, cells: slice) -> Tensor:
        """[k, R, P - moving]"""
        return _with_pull(self.slopes(weights, cells), PULL**0.5)

    def errors(self, weights: Tensor, cells: slice) -> Tensor:
        """[k, 4 drawn] residuals but for the pull."""
        target, importance = (x[cells][:, self.places] for x in (self.target, self.importance))
        return (importance[..., None] * (self.found(weights, cells) - target)).flatten(1)

    def found(self, weights: Tensor, cells: slice) -> Tensor:
        """[k, drawn, 4] what `target` is wanted of."""
        values, slopes = evaluate_with_gradient(self.shape, weights, self.local[cells][:, self.places])
        return torch.cat([values, self._gain * slopes[..., 0].transpose(1, 2)], dim=2)

    def slopes(self, weights: Tensor, cells: slice) -> Tensor:
        """[k, 4 drawn, P - moving] derivatives of `errors`."""
        local, importance = self.local[cells][:, self.places], self.importance[cells][:, self.places]
        if _outputs_alone(self.shape, self.moving):
            values, slopes = inputs_of_output(self.shape, weights, local)
            found = torch.cat([values[:, :, None], self._gain * slopes.transpose(1, 2)], dim=2)
        else:
            found = per_place_jacobian(self._at, weights, local, self.moving)
        return (importance[..., None, None] * found).flatten(1, 2)

    def of_cells(self, cells: Tensor) -> GeometryProblem:
        """The problem of some of the cells, at the same places."""
        return replace(self, local=self.local[cells], target=self.target[cells], importance=self.importance[cells])

    def double(self) -> GeometryProblem:
        """The problem in double precision."""
        return replace(
            self, local=self.local.double(), target=self.target.double(), importance=self.importance.double()
        )

    @property
    def _gain(self) -> float:
        """Local derivatives to those by cells, times the root of the gradient's weight."""
        return GRADIENT**0.5 * 2 / (1 + self.overlap)

    def _at(self, weights: Tensor, place: Tensor) -> Tensor:
        values, slopes = evaluate_with_gradient(self.shape, weights[None], place[None, None])
        return torch.cat([values[0, 0], self._gain * slopes[0, :, 0, 0]])


@dataclass
class AppearanceProblem:
    """Colours at S places of each of K cells; `inputs` are local coordinates and codes, one behind the other."""

    shape: BankShape
    inputs: Tensor  # [K, S, 3 + C]
    target: Tensor  # [K, S, 3] 2 * colour - 1
    importance: Tensor  # [K, S] root of the weight of a place
    drawn: int
    moving: int = 0
    places: Tensor | None = None

    @classmethod
    def of(
        cls, shape: BankShape, local: Floats, codes: Floats, colours: Floats, importance: Floats, drawn: int
    ) -> AppearanceProblem:
        """The problem of learning `colours` [K, S, 3] at `local` [K, S, 3] with `codes` [K, S, C]."""
        inputs = torch.from_numpy(np.concatenate([local, codes], axis=2).astype(np.float32))
        target = torch.from_numpy(2 * colours - 1)
        return cls(shape, inputs, target, torch.from_numpy(importance).sqrt(), min(drawn, colours.shape[1]))

    @property
    def residual_count(self) -> int:
        """Of the places drawn, and the pull on the weights."""
        return 3 * self.drawn + self.shape.parameters - self.moving

    def draw(self, generator: torch.Generator) -> None:
        """Other places, the same ones in all cells."""
        self.places = torch.randperm(self.inputs.shape[1], generator=generator)[: self.drawn]

    def residuals(self, weights: Tensor, cells: slice) -> Tensor:
        """[k, R]"""
        inputs, target, importance = (x[cells][:, self.places] for x in (self.inputs, self.target, self.importance))
        found, _ = evaluate_with_gradient(self.shape, weights, inputs[..., :3], self._codes(inputs))
        errors = (importance[..., None] * (found - target)).flatten(1)
        return torch.cat([errors, self._pull * weights[:, self.moving :]], dim=1)

    def jacobian(self, weights: Tensor, cells: slice) -> Tensor:
        """[k, R, P - moving]"""
        inputs, importance = self.inputs[cells][:, self.places], self.importance[cells][:, self.places]
        if _outputs_alone(self.shape, self.moving):
            found = self._by_output_layer(weights, inputs)
        else:
            found = per_place_jacobian(self._at, weights, inputs, self.moving)
        return _with_pull((importance[..., None, None] * found).flatten(1, 2), self._pull)

    def _by_output_layer(self, weights: Tensor, inputs: Tensor) -> Tensor:
        """[k, M, 3, P - moving] derivatives by the output layer's weights, a row of three for each of its inputs."""
        values, _ = inputs_of_output(self.shape, weights, inputs[..., :3], self._codes(inputs))
        found = values @ weights[:, self.moving :].view(len(weights), -1, 3)
        slope = 1 - torch.tanh(found).square() if self.shape.output_activation == "tanh" else torch.ones_like(found)
        return (values[:, :, None, :, None] * torch.diag_embed(slope)[:, :, :, None]).flatten(3)

    def of_cells(self, cells: Tensor) -> AppearanceProblem:
        """The problem of some of the cells, at the same places."""
        return replace(self, inputs=self.inputs[cells], target=self.target[cells], importance=self.importance[cells])

    def double(self) -> AppearanceProblem:
        """The problem in double precision."""
        return replace(
            self, inputs=self.inputs.double(), target=self.target.double(), importance=self.importance.double()
        )

    @property
    def _pull(self) -> float:
        return (DECAY * self.drawn) ** 0.5

    def _codes(self, inputs: Tensor) -> Tensor | None:
        return inputs[..., 3:] if self.shape.code else None

    def _at(self, weights: Tensor, inputs: Tensor) -> Tensor:
        inputs = inputs[None, None]
        return evaluate_with_gradient(self.shape, weights[None], inputs[..., :3], self._codes(inputs))[0][0, 0]


def _outputs_alone(shape: BankShape, moving: int) -> bool:
    """Whether all that may change is an output layer over hidden ones."""
    return shape.layers > 0 and not shape.linear and moving == shared_size(shape)


def _with_pull(jacobian: Tensor, strength: float) -> Tensor:
    """[k, R + p, p] `jacobian` [k, R, p] with the rows of a pull to 0 on each weight."""
    pull = strength * torch.eye(jacobian.shape[2], dtype=jacobian.dtype)
    return torch.cat([jacobian, pull.expand(len(jacobian), -1, -1)], dim=1)
