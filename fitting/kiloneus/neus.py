"""NeuS: a signed distance field and its colour, to be learnt from photographs through volume rendering.

    position -> hash grid -> geometry network (one hidden layer) -> signed distance, 15 features
                                                                 -> its gradient by position, in closed form
    position, normal, direction, features -> colour network (two hidden layers) -> RGB

Wang et al. 2021, "NeuS: Learning Neural Implicit Surfaces by Volume Rendering" (arXiv 2106.10689); the hash grid makes
a network of one hidden layer enough. With one hidden layer the gradient is a formula like any other,

    d f / d inputs = (softplus'(h) * output weights) @ hidden weights,

so a loss on it (eikonal) takes one ordinary backward pass. Positions and distances are in units of the box [-1, 1]^3
the scene was fitted into (`bounds.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fitting.hash_grid import HashGridShape, encode

HIDDEN = 64
FEATURES = 15  # from the geometry network to the colour network
BETA = 100.0  # of softplus: nearly a relu, but smooth enough for normals (NeuS, IDR)
RADIUS = 0.6  # of the sphere that an untrained field is
SHARPNESS = 40.0  # at the start
HARMONICS = 8  # numbers a direction becomes: spherical harmonics of degree 1 and 2
BACKGROUND = 32  # hidden neurons


@dataclass(frozen=True)
class Geometry:
    """The field at N points."""

    sdf: Tensor  # [N]
    gradient: Tensor  # [N, 3] about of length 1
    features: Tensor  # [N, F] for the colour, of any meaning


@dataclass
class Neus:
    """The model: a table of features and the weights of three small networks, by name."""

    shape: HashGridShape
    tensors: dict[str, Tensor]
    level_weights: Tensor  # [L F] 0 for levels that do not take part yet

    @classmethod
    def new(cls, shape: HashGridShape, generator: torch.Generator, device: torch.device) -> Neus:
        """An untrained model: a sphere."""
        tensors = {"table": shape.initial_table(generator), **_initial_networks(shape, generator)}
        tensors = {name: t.to(device).requires_grad_() for name, t in tensors.items()}
        return cls(shape, tensors, torch.ones(shape.outputs, device=device))

    @property
    def sharpness(self) -> Tensor:
        """The learnt s of the logistic density, per unit of the box."""
        return self.tensors["log_sharpness"].exp()

    def use_levels(self, levels: float) -> None:
        """Lets only the first `levels` of the grid take part, the last of them by a fraction (coarse to fine)."""
        numbers = torch.arange(self.shape.n_levels, device=self.level_weights.device)
        weights = (levels - numbers).clamp(0, 1)
        self.level_weights = weights.repeat_interleave(self.shape.n_features_per_level)

    def geometry(self, points: Tensor) -> Geometry:
        """Distance, gradient and features at `points` [N, 3]."""
        t = self.tensors
        encoded, pull = encode(self.shape, t["table"], 0.5 * points + 0.5)
        inputs = torch.cat([points, encoded * self.level_weights], dim=1)
        hidden = torch.addmm(t["geometry_bias"], inputs, t["geometry"])  # [N, HIDDEN]
        active, rising = softplus_and_slope(hidden)
        outputs = torch.addmm(t["output_bias"], active, t["output"])
        slopes = (rising * t["output"][:, 0]) @ t["geometry"].T  # [N, 3 + L F]
        gradient = slopes[:, :3] + 0.5 * pull(slopes[:, 3:] * self.level_weights)
        return Geometry(outputs[:, 0], gradient, outputs[:, 1:])

    @torch.no_grad()
    def distance(self, points: Tensor) -> Tensor:
        """[N] the distance alone, without gradients of any kind."""
        t = self.tensors
        encoded, _ = encode(self.shape, t["table"], 0.5 * points + 0.5)
        inputs = torch.cat([points, encoded * self.level_weights], dim=1)
        hidden = torch.addmm(t["geometry_bias"], inputs, t["geometry"])
        return softplus_and_slope(hidden)[0] @ t["output"][:, 0] + t["output_bias"][0]

    def colour(self, points: Tensor, normals: Tensor, directions: Tensor, features: Tensor) -> Tensor:
        """RGB [N, 3] in [0, 1] at `points` with unit `normals`, seen along unit `directions`."""
        t = self.tensors
        hidden = torch.cat([points, normals, harmonics(directions), features], dim=1)
        for layer in ("colour0", "colour1"):
            hidden = torch.relu_(torch.addmm(t[layer + "_bias"], hidden, t[layer]))
        return torch.sigmoid(torch.addmm(t["colour2_bias"], hidden, t["colour2"]))

    def background(self, directions: Tensor) -> Tensor:
        """RGB [R, 3] of what lies behind everything, of photographs without alpha."""
        t = self.tensors
        hidden = torch.relu(torch.addmm(t["background0_bias"], harmonics(directions), t["background0"]))
        return torch.sigmoid(torch.addmm(t["background1_bias"], hidden, t["background1"]))


def softplus_and_slope(x: Tensor) -> tuple[Tensor, Tensor]:
    """log(1 + exp(BETA x)) / BETA, and its derivative by x; of any shape."""
    return _Softplus.apply(x)  # type: ignore[return-value]


class _Softplus(torch.autograd.Function):
    """Both at once; the logarithm is of the larger of slope and 1 - slope. torch's own takes three times as long."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        slope = torch.sigmoid(BETA * x)
        value = torch.maximum(slope, 1 - slope).log_().mul_(-1 / BETA).add_(torch.relu(x))
        ctx.save_for_backward(slope)
        return value, slope

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # type: ignore[override]
        (slope,) = ctx.saved_tensors
        by_value, by_slope = gradients
        return (1 - slope).mul_(BETA).mul_(by_slope).add_(by_value).mul_(slope)


def harmonics(directions: Tensor) -> Tensor:
    """[N, 8] real spherical harmonics of degree 1 and 2, each with a mean square of 1/3 over all directions."""
    x, y, z = directions.unbind(1)
    second = [x * y, y * z, x * z, 0.5 * (x * x - y * y), (1.5 * z * z - 0.5) / 3**0.5]
    return torch.cat([directions, 5**0.5 * torch.stack(second, dim=1)], dim=1)


def sphere_directions(count: int) -> Tensor:
    """[count, 3] unit vectors spread evenly (a Fibonacci lattice)."""
    numbers = torch.arange(count, dtype=torch.float64) + 0.5
    z, turn = 1 - 2 * numbers / count, math.pi * (1 + 5**0.5) * numbers
    ring = torch.sqrt(1 - z * z)
    return torch.stack([ring * torch.cos(turn), ring * torch.sin(turn), z], dim=1).float()


def _initial_networks(shape: HashGridShape, generator: torch.Generator) -> dict[str, Tensor]:
    """Weights as [inputs, outputs]; the geometry network is a sphere of `RADIUS`.

    The mean of relu(d . x) over unit vectors d is |x| / 4 (Atzmon and Lipman 2020, SAL, with random ones).
    """

    def layer(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, generator=generator) * (2 / rows) ** 0.5

    geometry = torch.cat([sphere_directions(HIDDEN).T, layer(shape.outputs, HIDDEN)])
    output = torch.cat([torch.full((HIDDEN, 1), 4 / HIDDEN), layer(HIDDEN, FEATURES)], dim=1)
    output_bias = torch.zeros(1 + FEATURES)
    output_bias[0] = -RADIUS
    weights = {
        "geometry": geometry,
        "output": output,
        "colour0": layer(6 + HARMONICS + FEATURES, HIDDEN),
        "colour1": layer(HIDDEN, HIDDEN),
        "colour2": layer(HIDDEN, 3),
        "background0": layer(HARMONICS, BACKGROUND),
        "background1": layer(BACKGROUND, 3),
    }
    biases = {f"{name}_bias": torch.zeros(w.shape[1]) for name, w in weights.items()} | {"output_bias": output_bias}
    return {**weights, **biases, "log_sharpness": torch.tensor(math.log(SHARPNESS))}
