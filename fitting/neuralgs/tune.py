"""Fine-tuning through the rasteriser: everything moves, and every bit of the codes has its price.

Each step draws one view and one background, and lowers

    0.4 L1 + 5 L2 + 0.2 (1 - SSIM) + price x megabits of codes

L1 and D-SSIM are 3DGS's; the squares are there because PSNR is what people compare, and its worst view.

Random numbers depend on the seed and the step alone, so a resumed run goes on exactly as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fitting.losses import frequency_loss, ssim
from fitting.neuralgs.model import NeuralModel
from fitting.neuralgs.options import DEFAULT_RECIPE, Recipe
from fitting.neuralgs.targets import Target, mean_quality
from fitting.rasterize import rasterize
from fitting.tensors import GaussianTensors
from scenes.kilo import unpack_kilo
from scenes.kilo_writer import encode_kilo
from scenes.neural_gaussians import NeuralGaussians

BETAS = (0.9, 0.99)
EPSILON = 1e-15  # gradients of single codes are far below Adam's default
WARM_UP = 20  # steps
FINAL_RATE = 0.02  # of the learning rate, at the end of the cosine
QUANTISE_AT = 0.5  # of the steps: weights are rounded from here on
FREEZE_AT = 0.85  # positions stay on their grid cells, and in their clusters, from here on
POSITION_RATE = 1e-4  # learning rates: positions in scene radii,
CODE_RATE, WEIGHT_RATE, PRIOR_RATE = 0.05, 2e-3, 0.02  # codes in units of a step
L1_WEIGHT, SQUARE_WEIGHT, SSIM_WEIGHT = 0.4, 5.0, 0.2
LOWEST_REACH = 0.05  # of the spectrum: where the frequency loss starts
BLACK_SHARE = WHITE_SHARE = 0.3  # of the backgrounds, what most viewers show; the others are any colour


@dataclass
class Tuner:
    """A fit in progress: what a checkpoint holds."""

    model: NeuralModel
    targets: Sequence[Target]
    radius: float  # of the scene, world units
    steps: int
    seed: int
    price: float  # loss per megabit of codes
    recipe: Recipe = DEFAULT_RECIPE
    step: int = 0

    def __post_init__(self) -> None:
        rates = {
            "positions": POSITION_RATE * self.radius,
            "codes": CODE_RATE,
            "weights": WEIGHT_RATE,
            "prior_mean": PRIOR_RATE,
            "prior_log_scale": PRIOR_RATE,
        }
        groups = [{"params": [t], "lr": rates[n], "base": rates[n]} for n, t in self.model.parameters().items()]
        self.optimiser = torch.optim.Adam(groups, betas=BETAS, eps=EPSILON, fused=True)

    def run(self, until: int, each: Callable[[Tuner, float], None]) -> None:
        """Steps up to `until`, calling `each(self, loss)` after every one."""
        while self.step < until:
            each(self, self._one_step())

    def _one_step(self) -> float:
        rng = np.random.default_rng((self.seed, 2, self.step))
        self._schedule()
        target = self.targets[self._view_index()]
        background = random_background(rng)
        tensors = self.model.decode(rounded_weights=self.step >= QUANTISE_AT * self.steps)
        image = rasterize(*tensors, target.view(background, self.model.antialiased))
        noise = torch.from_numpy(rng.random(self.model.codes.shape, np.float32) - np.float32(0.5))
        bits = self.model.bits(noise.to(self.model.codes.device))
        loss = self._picture_loss(image, target.over(background)) + self.price * 1e-6 * bits
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.step += 1
        return float(loss.detach())

    def _picture_loss(self, image: Tensor, truth: Tensor) -> Tensor:
        difference = image - truth
        loss = L1_WEIGHT * difference.abs().mean() + SQUARE_WEIGHT * (difference**2).mean()
        loss = loss + SSIM_WEIGHT * (1 - ssim(image, truth))
        if self.recipe.frequency_weight:
            reach = min(max(self.step / (FREEZE_AT * self.steps), LOWEST_REACH), 1.0)
            loss = loss + self.recipe.frequency_weight * frequency_loss(image, truth, reach)
        return loss

    def _view_index(self) -> int:
        """Every view once in each round, in a new order each time."""
        turn, place = divmod(self.step, len(self.targets))
        return int(np.random.default_rng((self.seed, 3, turn)).permutation(len(self.targets))[place])

    def _schedule(self) -> None:
        done = self.step / self.steps
        factor = min((self.step + 1) / WARM_UP, FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + float(np.cos(np.pi * done))))
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * factor
        if self.step >= FREEZE_AT * self.steps and self.model.positions.requires_grad:
            self.model.freeze_positions()

    def state(self) -> dict[str, object]:
        """All that changes, for a checkpoint: tensors and numbers only."""
        tensors = {name: t.detach() for name, t in self.model.parameters().items()}
        clusters = torch.from_numpy(self.model.clusters)
        return {
            "step": self.step,
            "price": self.price,
            "tensors": tensors,
            "clusters": clusters,
            "frozen": not self.model.positions.requires_grad,
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict[str, object]) -> None:
        """Goes back to a checkpoint's `state()`."""
        if state["frozen"]:
            self.model.freeze_positions()
        with torch.no_grad():
            for name, tensor in self.model.parameters().items():
                tensor.copy_(state["tensors"][name])  # type: ignore[index]
        self.model.set_clusters(state["clusters"].numpy())  # type: ignore[attr-defined]
        self.optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
        self.step, self.price = int(state["step"]), float(state["price"])  # type: ignore[call-overload,arg-type]


def random_background(rng: np.random.Generator) -> tuple[float, float, float]:
    """Black or white now and then, any colour otherwise: edges must be right in front of everything."""
    kind = rng.random()
    if kind < BLACK_SHARE + WHITE_SHARE:
        return (0.0, 0.0, 0.0) if kind < BLACK_SHARE else (1.0, 1.0, 1.0)
    red, green, blue = rng.random(3)
    return float(red), float(green), float(blue)


@torch.no_grad()
def judge(tensors: Sequence[Tensor], targets: Sequence[Target], antialiased: bool) -> tuple[float, float]:
    """Mean PSNR (dB) and SSIM over `targets`, on black."""
    black = (0.0, 0.0, 0.0)
    pictures = [rasterize(*tensors, t.view(black, antialiased)) for t in targets]  # type: ignore[misc]
    return mean_quality(pictures, [t.over(black) for t in targets])


def judge_file(
    neural: NeuralGaussians, held_out: Sequence[Target], device: torch.device, chunks: list[int] | None = None
) -> tuple[float, float]:
    """PSNR and SSIM of what a reader of the file sees."""
    decoded = unpack_kilo(encode_kilo(neural, chunks=chunks)[0]).decode()
    return judge(GaussianTensors.of(decoded, device), held_out, neural.antialiased)
