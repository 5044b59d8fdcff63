"""The bank in GLSL against the bank in numpy."""

from __future__ import annotations

import moderngl
import numpy as np
import pytest
from gaussian_samples import random_neural

from renderer import bank_glsl
from renderer.context import create_context
from renderer.decode import decode, decode_jobs, job_size
from renderer.layouts import LOG_SCALE_LIMIT, LOGIT_LIMIT
from scenes.bank import BankShape
from scenes.errors import KilofieldError
from scenes.neural_gaussians import NeuralGaussians

TOLERANCE = 1e-4  # of each attribute's range

EIGHT = tuple(float(2**i) for i in range(8))
TEN = tuple(float(2**i) for i in range(10))
# shape, SH degree, networks
BANKS = [
    (BankShape((), 8, 16, 0, 10), 0, 1),
    (BankShape((), 16, 16, 0, 55), 3, 7),
    (BankShape((), 0, 16, 1, 10, linear=False, activation="relu"), 0, 7),
    (BankShape((1.5,), 8, 32, 1, 19, activation="softplus", output_activation="tanh"), 1, 7),
    (BankShape((1.0, 2.0), 16, 32, 2, 34, activation="tanh"), 2, 7),
    (BankShape((1.0, 2.0, 4.0), 16, 64, 2, 19, linear=False, activation="tanh"), 1, 1),
    (BankShape(EIGHT, 8, 16, 4, 55, activation="sine"), 3, 7),
    (BankShape((1.0,), 8, 16, 1, 10, modulation=(4, 4, 4)), 0, 7),
    (BankShape((1.0, 2.0), 0, 32, 3, 34, linear=False, activation="softplus", modulation=(7, 1, 2)), 2, 2),
    (BankShape(TEN, 0, 128, 2, 34, linear=False, activation="relu"), 2, 1),
    (BankShape(TEN, 16, 128, 4, 55, activation="tanh", output_activation="tanh"), 3, 7),
]


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


def assert_decodes_alike(context: moderngl.Context, scene: NeuralGaussians) -> None:
    gpu = decode(context, scene)
    found, expected = gpu.read(), scene.decode()
    np.testing.assert_array_equal(found.positions, expected.positions)
    for name in ("log_scales", "rotations", "opacity_logits", "sh"):
        a, b = getattr(found, name), getattr(expected, name)
        assert np.abs(a - b).max() <= TOLERANCE * np.ptp(b) + rounding(name, b), name
    np.testing.assert_allclose(gpu.radii, np.exp(expected.log_scales.max(axis=1)), rtol=1e-3)


def rounding(name: str, values: np.ndarray) -> float:
    """Half a step of the 16 bits an attribute is kept in."""
    steps = {"log_scales": 2 * LOG_SCALE_LIMIT / 65535, "opacity_logits": 2 * LOGIT_LIMIT / 65535, "rotations": 2**-15}
    return 0.5 * steps[name] if name in steps else 2**-11 * float(np.abs(values).max())


@pytest.mark.parametrize(("shape", "degree", "networks"), BANKS)
def test_glsl_agrees_with_numpy(context: moderngl.Context, shape: BankShape, degree: int, networks: int) -> None:
    assert_decodes_alike(context, random_neural(shape, networks, 400, degree, seed=shape.parameters))


def test_jobs_of_several_rounds(context: moderngl.Context) -> None:
    """Every thread decodes several Gaussians, close to the loops llvmpipe allows a thread."""
    shape = BankShape((1.0,), 8, 128, 4, 10)
    assert 2 * 64 <= job_size(shape) < 8 * 64
    assert_decodes_alike(context, random_neural(shape, 1, 700, 0, seed=1))


def test_weights_too_large_for_shared_memory(context: moderngl.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_glsl, "SHARED_BYTES", 100)
    assert_decodes_alike(context, random_neural(BankShape((1.0,), 8, 16, 1, 10), 3, 200, 0, seed=2))


def test_a_network_llvmpipe_would_leave_half_way_is_refused(context: moderngl.Context) -> None:
    scene = random_neural(BankShape((), 8, 512, 4, 10), 1, 10, 0, seed=3)
    with pytest.raises(
        KilofieldError, match="bank: expected a network of fewer loop iterations, found 4 layers of 512"
    ):
        decode(context, scene)


def test_no_gaussians(context: moderngl.Context) -> None:
    scene = random_neural(BankShape((), 8, 16, 1, 10), 1, 0, 0, seed=4)
    assert len(decode(context, scene).read()) == 0


def test_jobs_cover_each_gaussian_once_with_its_own_network() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 400, 50) * (rng.random(50) < 0.7)
    clusters = np.repeat(np.arange(50), counts)
    for first, stop in ((0, len(clusters)), (333, 4444)):
        jobs = decode_jobs(counts, first, stop, 128)
        assert jobs["count"].max() <= 128
        covered = np.concatenate([np.arange(j["first"], j["first"] + j["count"]) for j in jobs])
        np.testing.assert_array_equal(covered, np.arange(first, stop))
        np.testing.assert_array_equal(np.repeat(jobs["network"], jobs["count"]), clusters[first:stop])
