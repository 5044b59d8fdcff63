"""How many Gaussians to keep and how finely to quantise, for a quality or a budget of bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fitting.neuralgs.options import Recipe
from fitting.neuralgs.tune import Tuner
from scenes.errors import KilofieldError
from scenes.kilo_writer import encode_kilo
from scenes.neural_gaussians import NeuralGaussians

# Bytes a Gaussian takes in the file at coarseness 1, by SH degree: measured on the benchmark scenes, used to plan only
PLANNED_BYTES = {0: 6.0, 1: 8.0, 2: 9.5, 3: 9.8}
FIXED_BYTES = 2000  # manifest, tables and one network
FEWEST = 500  # Gaussians: below this the fixed part of the file costs more
NETWORK_GAUSSIANS = 20_000  # Gaussians that pay for one more network
LARGEST_SHARE = 0.9  # of the original Gaussians: more is not worth merging for


@dataclass(frozen=True)
class Plan:
    """What the fit starts with."""

    count: int  # Gaussians kept
    coarseness: float  # code units in perceptual steps
    networks: int
    price: float  # loss per megabit of codes

    def changed(self, recipe: Recipe) -> Plan:
        """With what `recipe` sets itself."""
        return replace(self, networks=recipe.networks or self.networks, price=self.price if recipe.rate else 0.0)


QUALITIES: dict[str, tuple[float, float, float]] = {  # share kept, exponent on the scene's size, coarseness
    "small": (0.14, 0.9, 1.6),
    "medium": (0.28, 0.9, 1.35),
    "high": (0.55, 0.95, 0.85),
}
REFERENCE_COUNT = 50_000  # scenes of this size keep exactly the share; larger ones a little less of what they have
# What all bits of a file as large as planned cost in the loss. Per bit they are the cheaper the more there are, as the
# slope of distortion by rate is flatter there: one price for all scenes lost 1 dB on one or the other in long fits.
RATE_WEIGHT = 0.01


def plan_for_quality(quality: str, count: int, sh_degree: int, richer: float = 1.0) -> Plan:
    """The plan for a named quality and a scene of `count` visible Gaussians, `richer` times as many kept as usual."""
    share, exponent, coarseness = QUALITIES[quality]
    kept = richer * share * REFERENCE_COUNT * (count / REFERENCE_COUNT) ** exponent
    return _plan(kept, count, coarseness, FIXED_BYTES + kept * PLANNED_BYTES[sh_degree])


def plan_for_bytes(max_bytes: int, count: int, sh_degree: int) -> Plan:
    """The plan for a budget: as many Gaussians as it pays for at a coarseness near one."""
    kept = (max_bytes - FIXED_BYTES) / PLANNED_BYTES[sh_degree]
    coarseness = 1.0
    if kept > LARGEST_SHARE * count:  # rich: spend the rest on finer steps
        coarseness = float(np.clip(LARGEST_SHARE * count / kept, 0.25, 1.0))
    return _plan(kept, count, coarseness, max_bytes)


def _plan(kept: float, count: int, coarseness: float, planned_bytes: float) -> Plan:
    kept = int(np.clip(kept, min(FEWEST, count), max(LARGEST_SHARE * count, 1)))
    price = RATE_WEIGHT / (8e-6 * planned_bytes)
    return Plan(kept, coarseness, max(1, round(kept / NETWORK_GAUSSIANS)), price)


AIM = 0.985  # of the budget, so that the last small changes still fit


def rescale_towards(tuner: Tuner, max_bytes: int) -> None:
    """Changes the codes' unit so that the file comes near the budget: log2 of the factor is bits a code."""
    model = tuner.model
    if not model.shape.code:
        return
    excess = 8 * (encode_kilo(model.pack())[1].total - AIM * max_bytes) / max(model.codes.numel(), 1)  # bits a code
    factor = float(np.clip(2.0**-excess, 0.6, 1.6))
    with torch.no_grad():
        model.codes.mul_(factor)
        model.prior_mean.mul_(factor)
        model.prior_log_scale.add_(float(np.log(factor)))
        for block in model.shape.blocks():
            rows = model.weights[:, block.offset : block.stop].view(-1, block.rows, block.columns)
            if block.name == "linear":
                rows.div_(factor)
            elif block.name == "hidden0":
                rows[:, block.rows - model.shape.code :].div_(factor)
    moments = tuner.optimiser.state.get(model.codes, {})
    if moments:  # gradients by a code shrink as its unit does
        moments["exp_avg"].div_(factor)
        moments["exp_avg_sq"].div_(factor**2)


def drop_to_fit(
    neural: NeuralGaussians, visible: NDArray[np.float64], max_bytes: int, tool: dict[str, Any]
) -> NeuralGaussians:
    """The scene without its least visible Gaussians, as few of them as bring the file under `max_bytes`.

    `visible` [N] is each Gaussian's weight, in the order of `neural`; `tool` is what the manifest says of the maker.
    Raises `KilofieldError` if nothing would be left.
    """
    ranks = np.argsort(np.argsort(-visible, kind="stable"))

    def kept(count: int) -> NeuralGaussians:
        mask = ranks < count
        counts = np.bincount(neural.clusters[mask], minlength=len(neural.counts))
        return replace(neural, positions=neural.positions[mask], codes=neural.codes[mask], counts=counts)

    def fits(count: int) -> bool:
        return encode_kilo(kept(count), tool=tool)[1].total <= max_bytes

    if fits(len(neural)):
        return neural
    low, high = 0, len(neural)  # fits, does not
    while high - low > max(len(neural) // 1000, 1):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    if low == 0:
        smallest = encode_kilo(kept(1), tool=tool)[1].total
        raise KilofieldError(
            f"--max-mb: expected at least {smallest / 1e6:.4f} MB for this scene, found {max_bytes / 1e6:g} MB"
        )
    return kept(low)
