"""Known answers for PSNR and SSIM, and SSIM against a plain twin."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from fitting import perceptual
from renderer.metrics import (
    ViewScore,
    decibels,
    json_number,
    mean_score,
    mean_squared_error,
    object_error,
    objectless,
    psnr,
    psnr_of_error,
    ssim,
)
from scenes.errors import KilofieldError


def picture(seed: int, height: int = 24, width: int = 31) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


@pytest.mark.parametrize(("difference", "expected"), [(1.0, 0.0), (0.1, 20.0), (0.01, 40.0)])
def test_psnr_of_a_constant_difference(difference: float, expected: float) -> None:
    grey = np.zeros((16, 16, 3))
    assert psnr(grey, grey + difference) == pytest.approx(expected, abs=1e-9)


def test_one_level_of_8_bits_is_48_13_db() -> None:
    a = np.full((8, 8, 3), 100 / 255)
    assert psnr(a, a + 1 / 255) == pytest.approx(20 * math.log10(255), abs=1e-6)


def test_equal_images_are_inf_in_print_and_null_in_json() -> None:
    a = picture(1)
    assert psnr(a, a) == math.inf
    assert decibels(psnr(a, a)) == "inf"
    assert json.dumps(json_number(psnr(a, a))) == "null"
    assert decibels(31.4159) == "31.42"
    assert json_number(31.4159) == 31.4159


def test_a_tiny_error_in_a_large_picture_is_not_lost_to_float32() -> None:
    a = np.zeros((500, 500, 3), np.float32)
    b = a.copy()
    b[7, 9, 1] = 1e-4
    assert mean_squared_error(a, b) == pytest.approx(float(np.float32(1e-4)) ** 2 / 750_000, rel=1e-12)


def test_images_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        mean_squared_error(np.zeros((4, 5, 3)), np.zeros((4, 1, 3)))  # would broadcast without the check


def test_ssim_of_equal_images_is_one_and_it_is_symmetric() -> None:
    a, b = picture(1), picture(2)
    assert ssim(a, a) == pytest.approx(1.0, abs=1e-12)
    assert ssim(a, b) == pytest.approx(ssim(b, a), abs=1e-12)
    assert ssim(a, b) < 0.2


def test_ssim_of_two_flat_pictures_is_the_luminance_term() -> None:
    a, b = np.full((16, 16, 3), 0.3), np.full((16, 16, 3), 0.7)
    c1 = 0.01**2
    assert ssim(a, b) == pytest.approx((2 * 0.3 * 0.7 + c1) / (0.3**2 + 0.7**2 + c1), abs=1e-9)


def slow_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2004, equation 13, at every pixel whose 11 x 11 window lies in the picture."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-0.5 * (offsets / 1.5) ** 2)
    window = np.outer(weights, weights)[..., None] / weights.sum() ** 2
    c1, c2 = 0.01**2, 0.03**2
    scores = []
    for y in range(5, a.shape[0] - 5):
        for x in range(5, a.shape[1] - 5):
            p, q = (i[y - 5 : y + 6, x - 5 : x + 6].astype(np.float64) for i in (a, b))
            mean_p, mean_q = (window * p).sum((0, 1)), (window * q).sum((0, 1))
            variance_p = (window * p * p).sum((0, 1)) - mean_p**2
            variance_q = (window * q * q).sum((0, 1)) - mean_q**2
            covariance = (window * p * q).sum((0, 1)) - mean_p * mean_q
            luminance = (2 * mean_p * mean_q + c1) / (mean_p**2 + mean_q**2 + c1)
            scores.append(luminance * (2 * covariance + c2) / (variance_p + variance_q + c2))
    return float(np.mean(scores))


def test_ssim_against_the_paper_written_out() -> None:
    a = picture(3)
    b = np.clip(a + 0.2 * picture(4) - 0.1, 0, 1)
    assert ssim(a, b) == pytest.approx(slow_ssim(a, b), abs=1e-6)


def test_a_picture_smaller_than_the_window_is_a_user_error() -> None:
    with pytest.raises(KilofieldError, match="at least 11x11 pixels, found 31x10"):
        ssim(picture(1, height=10), picture(2, height=10))


def test_means_over_views() -> None:
    views = [ViewScore("a", error=1e-2, ssim=0.8), ViewScore("b", error=1e-4, ssim=0.9)]
    mean = mean_score(views)
    assert (mean.psnr, mean.ssim, mean.lpips) == (pytest.approx(30.0), pytest.approx(0.85), None)
    assert mean.psnr_of_mean_error == pytest.approx(psnr_of_error(0.00505))
    assert mean.psnr_of_mean_error < mean.psnr


def test_the_mean_lpips_needs_every_view() -> None:
    views = [ViewScore("a", 1e-2, 0.8, lpips=0.1), ViewScore("b", 1e-4, 0.9, lpips=0.3)]
    assert mean_score(views).lpips == pytest.approx(0.2)
    assert mean_score([*views, ViewScore("c", 1e-4, 0.9)]).lpips is None


def test_one_identical_view_makes_the_mean_psnr_infinite_but_not_the_psnr_of_the_mean() -> None:
    mean = mean_score([ViewScore("a", 0.0, 1.0), ViewScore("b", 1e-4, 0.9)])
    assert mean.psnr == math.inf
    assert mean.psnr_of_mean_error == pytest.approx(10 * math.log10(2e4))


def test_black_surroundings_flatter_the_psnr_of_all_pixels_and_not_the_objects() -> None:
    a, b, alpha = np.zeros((20, 30, 3)), np.zeros((20, 30, 3)), np.zeros((20, 30))
    a[5:10, 10:16], b[5:10, 10:16], alpha[5:10, 10:16] = 0.5, 0.6, 1.0  # 30 of 600 pixels
    score = ViewScore("a", mean_squared_error(a, b), 0.9, object_error=object_error(a, b, alpha))
    assert score.object_psnr == pytest.approx(20.0)
    assert score.psnr == pytest.approx(20.0 + 10 * math.log10(20))


def test_the_object_is_where_the_alpha_of_a_reaches_one_of_255() -> None:
    a = picture(1)
    b = a.copy()
    alpha = np.zeros(a.shape[:2], np.float32)
    alpha[3, 4], alpha[5, 6] = np.float32(1 / 255), np.float32(0.99 / 255)
    b[5, 6] += 0.5  # too faint to count
    assert object_error(a, b, alpha) == 0
    b[3, 4] += 0.5
    assert object_error(a, b, alpha) == pytest.approx(0.25)
    assert object_error(a, b, np.zeros_like(alpha)) is None


def test_views_without_the_object_are_left_out_of_its_mean_with_a_word() -> None:
    views = [ViewScore("a", 1e-2, 0.8, object_error=1e-2), ViewScore("b", 1e-4, 0.9, object_error=1e-4)]
    assert mean_score(views).object_psnr == pytest.approx(30.0)
    assert objectless(mean_score(views), 2) == ""
    more = mean_score([*views, ViewScore("c", 0.0, 1.0)])
    assert (more.object_psnr, more.object_views) == (pytest.approx(30.0), 2)
    assert objectless(more, 3) == "1 of 3 cameras shows nothing of A and is not in its object PSNR"
    assert objectless(mean_score([ViewScore("c", 0.0, 1.0)] * 4), 4).startswith("4 of 4 cameras show nothing of A")
    assert decibels(mean_score([ViewScore("c", 0.0, 1.0)]).object_psnr) == "-"


def test_lpips_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(perceptual, "find_spec", lambda name: None if name == "lpips" else object())
    with pytest.raises(KilofieldError, match=r"^the package lpips is not installed$"):
        perceptual.lpips_metric()
    monkeypatch.setattr(perceptual, "find_spec", lambda _: object())
    assert perceptual.missing() == f"alexnet-owt-7be5be79.pth is not in {tmp_path}/hub/checkpoints"
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth").touch()
    assert perceptual.missing() == ""
