"""Scenes for the tests of file formats, and how far two scenes are apart in each attribute."""

from __future__ import annotations

import numpy as np

from scenes.content import sigmoid
from scenes.gaussians import Gaussians
from scenes.quaternions import unit_quaternions

FIELDS = ("positions", "log_scales", "rotations", "opacity", "colour", "sh")


def sample(count: int = 300, sh_degree: int = 3, seed: int = 1, antialiased: bool = False) -> Gaussians:
    """A cloud a few units wide whose numbers are within what every format has room for."""
    rng = np.random.default_rng(seed)
    sh = rng.uniform(-0.6, 0.6, (count, (sh_degree + 1) ** 2, 3))
    sh[:, 0] = rng.uniform(-1.7, 1.7, (count, 3))
    return Gaussians(
        positions=rng.normal(0, 1.5, (count, 3)).astype(np.float32),
        log_scales=rng.uniform(-6, -1, (count, 3)).astype(np.float32),
        rotations=unit_quaternions(rng.normal(size=(count, 4)).astype(np.float32)),
        opacity_logits=rng.uniform(-4, 4, count).astype(np.float32),
        sh=sh.astype(np.float32),
        antialiased=antialiased,
    )


def in_order_of(found: Gaussians, wanted: Gaussians) -> Gaussians:
    """The Gaussians of `found` in the order of those of `wanted` that are nearest to them; each has one of its own."""
    apart = np.linalg.norm(wanted.positions[:, None] - found.positions[None], axis=2)
    nearest = apart.argmin(axis=1)
    assert len(set(nearest.tolist())) == len(wanted) == len(found)
    return found.select(nearest)


def differences(a: Gaussians, b: Gaussians) -> dict[str, float]:
    """The largest difference in each attribute; opacities after the sigmoid, quaternions q and -q are the same."""
    turns = [unit_quaternions(g.rotations) for g in (a, b)]
    turns[1] = turns[1] * np.sign((turns[0] * turns[1]).sum(axis=1, keepdims=True))
    pairs = {
        "positions": (a.positions, b.positions),
        "log_scales": (a.log_scales, b.log_scales),
        "rotations": (turns[0], turns[1]),
        "opacity": (sigmoid(a.opacity_logits), sigmoid(b.opacity_logits)),
        "colour": (a.sh[:, 0], b.sh[:, 0]),
        "sh": (a.sh[:, 1:], b.sh[:, 1:]),
    }
    return {name: float(np.abs(x - y).max(initial=0)) for name, (x, y) in pairs.items()}


def assert_close(found: Gaussians, wanted: Gaussians, **limits: float) -> None:
    """Each attribute of `found` is within its limit of `wanted`; 1e-6 where none is given."""
    assert found.sh_degree == wanted.sh_degree
    apart = differences(found, wanted)
    beyond = {name: apart[name] for name in FIELDS if not apart[name] <= limits.get(name, 1e-6)}
    assert beyond == {}
