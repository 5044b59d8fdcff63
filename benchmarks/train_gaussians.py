"""Fits Gaussians to photographs of one object: a small 3DGS (arXiv 2308.04079) over our own rasteriser.

    alpha masks -> visual hull -> one Gaussian a voxel -> Adam on L1 + D-SSIM, half size first, random backgrounds,
    where positions are pulled hardest a Gaussian becomes two, what is faint or hidden goes

Kilofield compresses scenes that others trained; this is here so that a benchmark can start from photographs alone. It
densifies by the gradient of positions in the world instead of the picture's, which needs cameras at about one distance,
and by rounds of a fixed growth, so that the count is known beforehand. Example:

    .venv/bin/python -m benchmarks.train_gaussians ../shared/data/captures/chair chair.ply
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.visual_hull import Hull, visual_hull
from fitting.losses import photometric_loss
from fitting.neuralgs.targets import Target, photograph_target
from fitting.neuralgs.tune import judge, random_background
from fitting.rasterize import rasterize
from fitting.tensors import GaussianTensors
from scenes.captures import Frame, read_capture
from scenes.gaussians import SH_C0, Gaussians, sh_count
from scenes.ply import write_ply

# Learning rates, after 3DGS; its 30,000 steps can afford smaller ones. Positions in radii of the object.
RATES = {"positions": 5e-4, "log_scales": 7e-3, "rotations": 2e-3, "opacity_logits": 5e-2, "dc": 5e-3, "rest": 4e-4}
FINAL_RATE = 0.02  # of the learning rates, reached exponentially
BETAS, EPSILON = (0.9, 0.999), 1e-15
START_OPACITY = 0.2
START_SCALE = 0.5  # voxels
FAINTEST = 0.02  # opacity below which a Gaussian is dropped
SPLIT_SHIFT, SPLIT_SHRINK = 0.6, 0.6  # standard deviations along the longest axis; of its length


@dataclass(frozen=True)
class Plan:
    """How long and how finely to fit."""

    steps: int = 3000
    voxels: int = 96  # along the object's longest side
    degree: int = 2  # of the spherical harmonics
    rounds: int = 6  # of densification, in the first `dense_until` of the steps
    growth: float = 0.25  # more Gaussians by each
    dense_until: float = 0.6
    half_size: float = 0.45  # of the steps see photographs of half the size
    seed: int = 0


@dataclass
class Trainer:
    """A fit in progress."""

    parameters: dict[str, Tensor]
    radius: float  # of the object, world units
    plan: Plan
    step: int = 0
    pull: Tensor = field(init=False)  # [N] sum of the position gradients' lengths since the last round
    seen: Tensor = field(init=False)  # [N] views in which a Gaussian had any

    def __post_init__(self) -> None:
        groups = [{"params": [t.requires_grad_()], "base": RATES[n], "name": n} for n, t in self.parameters.items()]
        groups[0]["base"] = RATES["positions"] * self.radius
        self.optimiser = torch.optim.Adam(groups, lr=0.0, betas=BETAS, eps=EPSILON)
        self._forget()

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """What the rasteriser takes."""
        p = self.parameters
        sh = torch.cat([p["dc"], p["rest"]], dim=1)
        return p["positions"], p["log_scales"], p["rotations"], p["opacity_logits"], sh

    def gaussians(self) -> Gaussians:
        """The Gaussians as they are now."""
        return Gaussians(*(t.detach().numpy().copy() for t in self.tensors()))

    def fit(self, target: Target) -> float:
        """One step towards one photograph over a random background; its loss."""
        rng = np.random.default_rng((self.plan.seed, self.step))
        background = random_background(rng)
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * FINAL_RATE ** (self.step / self.plan.steps)
        self.optimiser.zero_grad(set_to_none=True)
        image = rasterize(*self.tensors(), target.view(background, antialiased=False))
        loss = photometric_loss(image, target.over(background))
        loss.backward()
        self._remember()
        self.optimiser.step()
        self.step += 1
        return float(loss.detach())

    def densify(self) -> None:
        """Drops the faint and the hidden, and makes two of the Gaussians that are pulled hardest."""
        with torch.no_grad():
            kept = (torch.sigmoid(self.parameters["opacity_logits"]) > FAINTEST) & (self.seen > 0)
            score = torch.where(kept, self.pull / self.seen.clamp(min=1), -1)
            split = score.topk(int(self.plan.growth * int(kept.sum()))).indices
            shift = self._halve(split)
            index = torch.cat([kept.nonzero()[:, 0], split])
            self._reindex(index)
            self.parameters["positions"][-len(split) :] -= 2 * shift  # its other half has moved by `shift`
        self._forget()

    def _halve(self, index: Tensor) -> Tensor:
        """Shortens the longest axes of some Gaussians and moves them along it; the shift [len(index), 3]."""
        log_scales = self.parameters["log_scales"][index]
        length, longest = log_scales.max(dim=1)
        axis = _column(self.parameters["rotations"][index], longest)
        shift = SPLIT_SHIFT * length.exp()[:, None] * axis
        log_scales[torch.arange(len(index)), longest] += math.log(SPLIT_SHRINK)
        self.parameters["log_scales"][index] = log_scales
        self.parameters["positions"][index] += shift
        return shift

    def _reindex(self, index: Tensor) -> None:
        """Keeps the Gaussians at `index`, with what Adam knows of them."""
        for group in self.optimiser.param_groups:
            old = group["params"][0]
            state = self.optimiser.state.pop(old)
            new = old[index].clone().requires_grad_()
            self.optimiser.state[new] = {k: v[index] if v.ndim else v for k, v in state.items()}
            group["params"] = [new]
            self.parameters[group["name"]] = new

    def _remember(self) -> None:
        gradient = self.parameters["positions"].grad
        assert gradient is not None
        length = gradient.norm(dim=1)
        self.pull += length
        self.seen += length > 0

    def _forget(self) -> None:
        self.pull = torch.zeros(len(self.parameters["positions"]))
        self.seen = torch.zeros_like(self.pull)


def train(frames: Sequence[Frame], plan: Plan, report: bool = False) -> Gaussians:
    """Gaussians fitted to photographs with alpha masks."""
    torch.set_num_threads(1)  # the rasteriser has threads of its own
    hull = visual_hull(frames, plan.voxels)
    trainer = Trainer(start(hull, plan.degree), float(np.ptp(hull.centres, axis=0).max()) / 2, plan)
    size = max(frames[0].width, frames[0].height)
    half, whole = ([photograph_target(f, s, torch.device("cpu")) for f in frames] for s in (size // 2, size))
    dense = [int(plan.steps * plan.dense_until * (i + 1) / plan.rounds) for i in range(plan.rounds)]
    started, mean = time.monotonic(), 0.0
    for step in range(plan.steps):
        turn, place = divmod(step, len(frames))
        view = np.random.default_rng((plan.seed, 1, turn)).permutation(len(frames))[place]
        loss = trainer.fit((half if step < plan.half_size * plan.steps else whole)[view])
        mean += (loss - mean) / min(step + 1, 100)
        if step + 1 in dense:
            trainer.densify()
        if report and (step + 1) % 100 == 0:
            count, seconds = len(trainer.pull), time.monotonic() - started
            print(f"step {step + 1:,}: {count:,} Gaussians, loss {mean:.4f}, {seconds:.0f} s", flush=True)
    return trainer.gaussians()


def start(hull: Hull, degree: int) -> dict[str, Tensor]:
    """A round Gaussian on every voxel."""
    count = len(hull.centres)
    rotations = torch.zeros(count, 4)
    rotations[:, 0] = 1
    return {
        "positions": torch.tensor(hull.centres, dtype=torch.float32),
        "log_scales": torch.full((count, 3), math.log(START_SCALE * hull.voxel)),
        "rotations": rotations,
        "opacity_logits": torch.full((count,), math.log(START_OPACITY / (1 - START_OPACITY))),
        "dc": torch.tensor((hull.colours[:, None] - 0.5) / SH_C0, dtype=torch.float32),
        "rest": torch.zeros(count, sh_count(degree) - 1, 3),
    }


def _column(rotations: Tensor, column: Tensor) -> Tensor:
    """[N, 3] the columns `column` [N] of the rotation matrices of quaternions [N, 4] w, x, y, z."""
    w, x, y, z = (rotations / rotations.norm(dim=1, keepdim=True)).unbind(dim=1)
    columns = [
        [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
        [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
        [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
    ]
    stacked = torch.stack([torch.stack(entries, dim=1) for entries in columns], dim=1)  # [N, columns, 3]
    return stacked[torch.arange(len(column)), column]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, write the .ply, and say how well it shows the test photographs."""
    parser = argparse.ArgumentParser(prog="benchmarks.train_gaussians", description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("target", type=Path, help="the .ply to write")
    parser.add_argument("--steps", type=int, default=Plan.steps)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    wanted = parser.parse_args(arguments)
    capture = read_capture(wanted.capture)
    gaussians = train(capture.train, Plan(steps=wanted.steps, seed=wanted.seed), report=True)
    write_ply(wanted.target, gaussians)
    judged = [photograph_target(frame, max(frame.width, frame.height), torch.device("cpu")) for frame in capture.test]
    if judged:
        psnr, ssim = judge(GaussianTensors.of(gaussians), judged, antialiased=False)
        print(f"{wanted.target}: {len(gaussians):,} Gaussians, test photographs {psnr:.2f} dB, SSIM {ssim:.4f}")


if __name__ == "__main__":
    main()
