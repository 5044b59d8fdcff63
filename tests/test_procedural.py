"""The sample scene: exact counts, surfaces that hold their Gaussians, highlights that move as the law says."""

from __future__ import annotations

import numpy as np
import pytest

from scenes.gaussians import Gaussians, rotation_matrices
from scenes.harmonics import lobe_sh, sh_basis
from scenes.procedural import WORLD_FROM_SCENE, sample_scene, sample_things
from scenes.procedural_light import SUN, unit
from scenes.procedural_surfaces import Doubles, arc_profile, box_samples, lathe_samples
from scenes.procedural_textures import fractal_noise, value_noise
from scenes.procedural_things import BALL_AT, BALL_RADIUS, TABLE_RADIUS, things

COUNT = 6000


@pytest.fixture(scope="module")
def scene() -> Gaussians:
    return sample_scene(COUNT, seed=3)


def sphere_directions(count: int) -> Doubles:
    """[count, 3] a Fibonacci lattice: even enough for quadrature."""
    z = 1 - (2 * np.arange(count) + 1) / count
    angle = np.pi * (1 + 5**0.5) * np.arange(count)
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=1)


def ball_rows(count: int, seed: int) -> slice:
    """Where the ball's Gaussians lie in the scene."""
    samples, start = sample_things(count, seed), 0
    for name, one in samples.items():
        if name == "ball":
            return slice(start, start + len(one))
        start += len(one)
    raise AssertionError("no ball")


def test_harmonics_are_orthonormal() -> None:
    basis = sh_basis(sphere_directions(20_000), 3)
    np.testing.assert_allclose(basis.T @ basis * 4 * np.pi / len(basis), np.eye(16), atol=2e-3)


@pytest.mark.parametrize("sharpness", [0.7, 3.0, 16.0])
def test_lobe_is_the_projection_of_its_function(sharpness: float) -> None:
    axis = unit([[0.3, -0.5, 0.8], [-1.0, 0.1, 0.2]])
    directions = sphere_directions(20_000)
    values = np.exp(sharpness * (directions @ axis.T - 1))  # [D, 2]
    expected = values.T @ sh_basis(directions, 3) * 4 * np.pi / len(directions)
    np.testing.assert_allclose(lobe_sh(axis, sharpness, 3), expected, atol=1e-3)


def test_same_seed_same_scene(scene: Gaussians) -> None:
    again, other = sample_scene(COUNT, seed=3), sample_scene(COUNT, seed=4)
    for name in ("positions", "log_scales", "rotations", "opacity_logits", "sh"):
        np.testing.assert_array_equal(getattr(scene, name), getattr(again, name))
        assert not np.array_equal(getattr(scene, name), getattr(other, name))


@pytest.mark.parametrize("count", [500, 777, 20_000])
def test_exactly_as_many_as_asked_for(count: int) -> None:
    scene = sample_scene(count, seed=1)
    assert len(scene) == count
    assert scene.sh_degree == 3
    assert scene.finite().all()


def test_too_few_to_show_all_things() -> None:
    with pytest.raises(ValueError, match="expected at least 500 Gaussians"):
        sample_scene(499)


def test_properties_are_those_of_a_trained_scene(scene: Gaussians) -> None:
    opacity = 1 / (1 + np.exp(-scene.opacity_logits))
    assert opacity.min() > 0.5
    assert opacity.max() < 0.999
    scales = np.exp(scene.log_scales)
    assert (scales[:, 2] < 0.25 * scales[:, :2].min(axis=1)).all()  # flat
    directions = np.broadcast_to(unit([0.2, 0.5, 0.8]), (COUNT, 3))
    colours = 0.5 + np.einsum("nk,nkc->nc", sh_basis(np.array(directions), 3), scene.sh)
    assert (colours > 1.02).mean() < 0.05  # bright, but not burnt out
    assert 0.05 < np.median(colours) < 0.8


def test_every_thing_is_there_and_lies_on_its_surface() -> None:
    samples = sample_things(COUNT, seed=0)
    everything = things()
    assert [*samples] == [thing.name for thing in everything]
    assert {"table", "vase", "ball", "ring", "box", "egg"} <= {*samples}
    for thing in everything:
        one = samples[thing.name]
        assert len(one) >= 20, thing.name
        np.testing.assert_allclose(np.linalg.norm(one.normals, axis=1), 1, atol=1e-9)
        if thing.name not in ("vase", "table"):  # their distances are bounds: the vase is hollow, the table has a rim
            np.testing.assert_allclose(thing.distance(one.positions), 0, atol=2e-3, err_msg=thing.name)


def test_normals_point_up_the_distance() -> None:
    samples, step = sample_things(COUNT, seed=0), 1e-5
    for thing in things():
        if thing.name in ("vase", "table", "box"):  # bounds, and a box's edges have no gradient
            continue
        one = samples[thing.name]
        gradient = np.stack(
            [(thing.distance(one.positions + e) - thing.distance(one.positions - e)) for e in step * np.eye(3)], axis=1
        )
        assert ((gradient / (2 * step) * one.normals).sum(axis=1) > 0.99).all(), thing.name


def test_gaussians_lie_flat_on_the_ball(scene: Gaussians) -> None:
    ball = scene.select(ball_rows(COUNT, 3))
    outward = unit(ball.positions - WORLD_FROM_SCENE @ BALL_AT)
    thin = rotation_matrices(ball.rotations)[:, :, 2]
    assert (np.abs((outward * thin).sum(axis=1)) > 0.999).all()
    np.testing.assert_allclose(
        np.linalg.norm(ball.positions - WORLD_FROM_SCENE @ BALL_AT, axis=1), BALL_RADIUS, atol=1e-3
    )


def test_up_is_minus_y(scene: Gaussians) -> None:
    assert scene.positions[:, 1].min() < -0.9  # the rim of the vase
    assert scene.positions[:, 1].max() < 0.15  # the edge of the table
    assert np.abs(scene.positions[:, [0, 2]]).max() < TABLE_RADIUS + 0.1


@pytest.mark.parametrize("eye", [(0.5, -1.6, -2.4), (2.6, -1.5, 0.4), (1.5, -2.6, -0.6)])
def test_the_highlight_lies_where_a_mirror_would_put_it(eye: tuple[float, float, float]) -> None:
    ball = sample_scene(20_000, seed=0).select(ball_rows(20_000, 0))
    normals = unit(ball.positions - WORLD_FROM_SCENE @ BALL_AT)
    directions = unit(ball.positions - np.array(eye))
    shine = np.einsum("nk,nk->n", sh_basis(directions, 3)[:, 1:], ball.sh[:, 1:, 0].astype(np.float64))
    shine[(normals * directions).sum(axis=1) > 0] = -np.inf  # turned away
    brightest = normals[np.argsort(shine)[-10:]].mean(axis=0)
    half = unit(unit(WORLD_FROM_SCENE @ SUN) + unit(np.array(eye) - WORLD_FROM_SCENE @ BALL_AT))
    assert shine.max() > 0.25  # it shows
    assert np.degrees(np.arccos(unit(brightest) @ half)) < 12


def test_samples_leave_no_gaps_and_do_not_clump() -> None:
    rng = np.random.default_rng(0)
    spacing = 0.05
    one = lathe_samples(arc_profile(1.0, (0, 0), -np.pi / 2, np.pi / 2), spacing, rng)
    assert len(one) == pytest.approx(4 * np.pi / spacing**2, rel=0.03)
    probes = unit(rng.normal(size=(500, 3)))
    gaps = np.linalg.norm(probes[:, None] - one.positions, axis=2).min(axis=1)
    assert gaps.max() < 1.2 * spacing
    distances = np.linalg.norm(one.positions[:400, None] - one.positions, axis=2)
    assert np.median(np.sort(distances, axis=1)[:, 1]) > 0.5 * spacing


def test_boxes_have_five_faces() -> None:
    one = box_samples((0.3, 0.2, 0.1), 0.02, np.random.default_rng(0))
    area = 2 * (0.6 * 0.2 + 0.4 * 0.2) + 0.6 * 0.4
    assert len(one) == pytest.approx(area / 0.02**2, rel=0.03)
    assert {tuple(n) for n in one.normals} == {(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, 1)}


def test_noise_is_smooth_and_bounded() -> None:
    points = np.random.default_rng(0).uniform(-20, 20, (4000, 3))
    for noise in (value_noise(points, 5), fractal_noise(points, 5)):
        assert noise.min() >= 0
        assert noise.max() <= 1
        assert noise.std() > 0.08
    step = np.abs(value_noise(points + 1e-4, 5) - value_noise(points, 5))
    assert step.max() < 1e-3  # the gradient of eased noise stays under 1.5 per axis
