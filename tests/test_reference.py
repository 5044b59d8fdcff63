"""The numpy reference renderer against gsplat's pictures and against answers known in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from oracles import HEIGHT, NAMES, WIDTH, read_oracle

from renderer.reference import render_reference, trace_reference
from scenes.cameras import Camera
from scenes.gaussians import SH_C0, Floats, Gaussians


def centred(colour: tuple[float, float, float], logit: float, log_scale: float, depth: float) -> Gaussians:
    """One round Gaussian on the optical axis of a camera at the origin."""
    return Gaussians(
        np.array([[0, 0, depth]], np.float32),
        np.full((1, 3), log_scale, np.float32),
        np.array([[0.3, 0.5, -0.2, 0.9]], np.float32),
        np.array([logit], np.float32),
        ((np.array(colour, np.float32) - 0.5) / SH_C0).astype(np.float32).reshape(1, 1, 3),
    )


def stack(*parts: Gaussians) -> Gaussians:
    def joined(name: str) -> Floats:
        return np.concatenate([getattr(part, name) for part in parts])

    attributes = (joined("positions"), joined("log_scales"), joined("rotations"), joined("opacity_logits"))
    return Gaussians(*attributes, joined("sh"))


CAMERA = Camera(np.eye(4), 2 * np.arctan(0.5))  # focal length = height in pixels


@pytest.mark.parametrize("name", NAMES)
def test_gsplat_pictures(data: Path, name: str) -> None:
    oracle = read_oracle(data, name)
    render = trace_reference(oracle.gaussians, oracle.camera, WIDTH, HEIGHT)
    assert np.abs(render.image - oracle.image[..., :3]).max() < 2e-6
    assert np.abs(1 - render.transmittance - oracle.image[..., 3]).max() < 2e-6


def test_one_gaussian_in_closed_form() -> None:
    """A sphere of standard deviation s at depth z covers f s / z pixels, plus the dilation."""
    size, depth, scale, opacity = 32, 4.0, 0.25, 0.8
    gaussian = centred((0.2, 0.7, 0.4), np.log(opacity / (1 - opacity)), np.log(scale), depth)
    background = np.array([0.9, 0.1, 0.3])
    image = render_reference(gaussian, CAMERA, size, size, tuple(background))
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    alpha = opacity * np.exp(-0.5 * (x * x + y * y) / ((size * scale / depth) ** 2 + 0.3))
    alpha = np.where(alpha < 1 / 255, 0, alpha)[..., None]
    assert 0 < (alpha == 0).mean() < 1
    np.testing.assert_allclose(image, alpha * [0.2, 0.7, 0.4] + (1 - alpha) * background, atol=1e-6)


def test_antialiasing_keeps_the_light_of_a_speck() -> None:
    """Far under a pixel, the compensated Gaussian adds up to opacity times its true area in pixels."""
    size, depth, scale, opacity = 33, 4.0, 0.02, 0.8
    gaussian = centred((1, 1, 1), np.log(opacity / (1 - opacity)), np.log(scale), depth)
    mip = Gaussians(**{**vars(gaussian), "antialiased": True})
    sigma = size * scale / depth
    area = 2 * np.pi * sigma**2 * opacity
    light = render_reference(mip, CAMERA, size, size)[..., 0].sum()
    blurred = render_reference(gaussian, CAMERA, size, size)[..., 0].sum()
    assert light == pytest.approx(area, rel=0.1)  # what falls under 1/255 is lost
    assert blurred > 5 * area


def test_alpha_is_capped_and_pixels_stop() -> None:
    """Of opaque layers the first gives 0.99, the second 0.0099, and the third would go under T = 1e-4."""
    layers = [centred((1, 0, 0), 20, 4, 4), centred((0, 1, 0), 20, 4, 5), centred((0, 0, 1), 20, 4, 6)]
    render = trace_reference(stack(*layers[::-1]), CAMERA, 8, 8)
    np.testing.assert_allclose(render.image[4, 4], [0.99, 0.0099, 0], atol=1e-7)
    np.testing.assert_allclose(render.transmittance[4, 4], 1e-4, atol=1e-9)
    np.testing.assert_allclose(render.importance, [0, 0.0099 * 64, 0.99 * 64], atol=1e-9)


def test_nearer_than_the_near_plane_is_not_drawn() -> None:
    gone = stack(centred((1, 1, 1), 2, -1, 0.199), centred((1, 1, 1), 2, -1, -3))
    image = render_reference(gone, CAMERA, 8, 8, (0.1, 0.2, 0.3))
    assert np.array_equal(image, np.broadcast_to([0.1, 0.2, 0.3], (8, 8, 3)))
    there = render_reference(centred((1, 1, 1), 2, -1, 0.201), CAMERA, 8, 8, (0.1, 0.2, 0.3))
    assert there[4, 4, 0] > 0.5


def test_light_is_shared_out() -> None:
    """Importance adds up to what the background has lost."""
    rng = np.random.default_rng(5)
    parts = [centred(tuple(rng.random(3)), rng.normal(), rng.uniform(-3, -1), rng.uniform(1, 6)) for _ in range(12)]
    scene = stack(*parts)
    scene.positions[:, :2] = rng.normal(0, 0.5, (12, 2))
    render = trace_reference(scene, CAMERA, 20, 15)
    assert render.importance.sum() == pytest.approx((1 - render.transmittance).sum(), rel=1e-12)
    assert render.importance.sum() > 10
