"""FreSh does what its paper says (arXiv 2410.05050), and its parts obey their laws."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from image_regression import SIDE, chair, fit, network
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance

from fitting.fresh import CANDIDATES as FREQUENCIES
from fitting.fresh import binned, choose, choose_frequencies, grid_points, spectrum, untrained_outputs, wasserstein
from scenes.gaussians import Floats

WAVES = (1, 2, 4, 6, 8, 12, 16)  # periods of the highest frequency of each candidate over the picture
CANDIDATES = [tuple(float(np.pi) * wave * k / 4 for k in (1, 2, 3, 4)) for wave in WAVES]  # equal parameters


@cache
def outputs(frequencies: tuple[float, ...], seed: int) -> np.ndarray:
    """[48, 48, 3] of an untrained network."""
    return untrained_outputs(network(frequencies, 32, "sine"), grid_points((SIDE, SIDE, 1))[:, :, 0], seed)


def blurred(picture: Floats, pixels: float) -> Floats:
    """With a Gaussian of this standard deviation."""
    return np.asarray(gaussian_filter(picture, (pixels, pixels, 0)), np.float32)


@pytest.mark.parametrize("blur", [0, 4], ids=["sharp", "blurred"])
def test_the_chosen_frequency_is_nearly_the_best_of_a_full_search(data: Path, blur: float) -> None:
    picture = blurred(chair(data), blur)
    chosen = choose([picture], CANDIDATES, outputs).chosen
    psnrs = {c: fit(network(c, 32, "sine"), picture, seed=0)[0] for c in CANDIDATES}
    assert psnrs[chosen] >= 0.95 * max(psnrs.values())
    assert min(psnrs.values()) < 0.8 * max(psnrs.values())  # there was something to lose


def test_a_blurred_picture_gets_lower_frequencies(data: Path) -> None:
    picture = chair(data)
    sharp, smooth = (choose([blurred(picture, b)], CANDIDATES, outputs).chosen for b in (0, 4))
    assert smooth[-1] < sharp[-1]


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_a_wave_is_one_bin_of_the_spectrum(dimensions: int) -> None:
    axes = np.meshgrid(*[np.arange(20) / 20] * dimensions, indexing="ij")
    waves = (3, 2, 1)[:dimensions]
    angle = 2 * np.pi * sum(k * x for k, x in zip(waves, axes, strict=True))
    found = spectrum(np.stack([np.cos(angle), 5 + 2 * np.sin(angle)], axis=-1), 8)
    expected = np.zeros(8)
    expected[sum(waves) - 1] = 1
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_constant_has_an_even_spectrum() -> None:
    np.testing.assert_array_equal(spectrum(np.full((16, 16, 3), 0.3, np.float32), 8), np.full(8, 1 / 8))


def test_distance_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.dirichlet(np.ones(30), 2)
    places = np.arange(30)
    assert wasserstein(a, b) == pytest.approx(wasserstein_distance(places, places, a, b))
    assert wasserstein(a, a) == 0


def test_bins_hold_means_and_empty_ones_the_nearest() -> None:
    local = np.array([[-0.9, -0.9, -0.9], [-0.8, -0.9, -0.9], [0.9, 0.9, 1.0]], np.float32)
    found = binned(np.array([[1.0], [3.0], [7.0]], np.float32), local, 4)[..., 0]
    assert found[0, 0, 0] == 2
    assert found[3, 3, 3] == 7
    assert found[1, 0, 0] == 2  # empty
    assert found[3, 3, 2] == 7
    assert set(np.unique(found)) == {2, 7}


def test_gaussians_that_vary_faster_get_higher_frequencies() -> None:
    """Attributes of two clusters are waves of the position with a scatter of their own."""
    rng = np.random.default_rng(0)
    local = rng.uniform(-1, 1, (20_000, 3)).astype(np.float32)
    clusters, angles = rng.integers(0, 2, 20_000), local @ rng.normal(0, 1.8, (3, 10))

    def octaves(speed: float) -> int:
        attributes = (np.sin(speed * angles) + rng.normal(0, 0.05, angles.shape)).astype(np.float32)
        choice = choose_frequencies(attributes, local, clusters, layers=1, width=16, activation="sine")
        assert choice.chosen == FREQUENCIES[int(np.argmin(choice.distances))]
        return len(choice.chosen)

    assert octaves(0.5) < octaves(2) < octaves(8)
