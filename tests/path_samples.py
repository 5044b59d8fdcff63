"""Small scenes with known answers, for the path tracer and for its twin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from renderer.camera_rays import camera_rays
from renderer.path_environment import Surroundings, surroundings_of
from renderer.path_random import PAIR_PIXEL, Sampler, pixel_seeds
from scenes.cameras import Camera, look_at
from scenes.scene_file import (
    Box,
    ConstantSky,
    Diffuse,
    EnvironmentImage,
    Glass,
    Material,
    Metal,
    Plane,
    RectangleLight,
    SceneDescription,
    Sky,
    Sphere,
    SphereLight,
    Surface,
    placed,
)
from scenes.sky import directions_of, sun_irradiance
from scenes.stage import Stage
from scenes.surface import NeuralSurface

DARK = ConstantSky((0.0, 0.0, 0.0))
BALL = Path("ball.kilo")  # of surfaces that are handed over as they are
Tracer = Callable[..., np.ndarray]  # (stage, camera, size, samples, **how) -> [H, W, 3]


def camera(eye: tuple[float, float, float] = (0.0, -4.0, 0.0), degrees: float = 35.0, **how: Any) -> Camera:
    view = look_at(np.array(eye), np.zeros(3), np.array([0.0, 0.0, 1.0]), np.radians(degrees))
    return Camera(view.camera_from_world, view.fov_y, near=0.01, **how)


def stage_of(*things: Any, environment: Any = DARK, lights: tuple = (), **more: Any) -> Stage:
    surfaces: dict[Path, NeuralSurface] = more.pop("surfaces", {})
    meshes, picture = more.pop("meshes", {}), more.pop("picture", None)
    scene = SceneDescription(tuple(things), lights, environment, **more)
    return Stage(scene, surfaces, meshes, environment=picture)


def ball(material: Material, radius: float = 1.0, place: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Sphere:
    return Sphere(radius, material, placed(place))


def picture_stage(*things: Any, **more: Any) -> Stage:
    """Under a smooth picture of all colours, bright in one place."""
    right, up, front = np.moveaxis(directions_of(64, 32), -1, 0)
    light = np.stack([1 + right, 1 + 0.8 * up, 1 + np.sin(3 * front)], axis=-1)
    light += 8 * np.exp(-8 * ((right - 0.6) ** 2 + (up - 0.6) ** 2 + (front + 0.5) ** 2))[..., None]
    image = EnvironmentImage(Path("sky.exr"), 0.7, 30.0)
    return stage_of(*things, environment=image, picture=light.astype(np.float32), **more)


def cornell(**more: Any) -> Stage:
    """A box of coloured walls, a lamp in its ceiling, a block of metal and a glass ball."""
    white, red, green = (Diffuse(colour) for colour in ((0.73, 0.73, 0.73), (0.63, 0.06, 0.05), (0.14, 0.45, 0.09)))
    return stage_of(
        Plane((0, 0, 1), -1, white),
        Plane((0, 0, -1), -1, white),
        Plane((0, -1, 0), -1, white),
        Plane((1, 0, 0), -1, red),
        Plane((-1, 0, 0), -1, green),
        Box((0.6, 0.6, 1.2), Metal((0.9, 0.8, 0.6), 0.4), placed((-0.35, 0.3, -0.4), degrees=20)),
        ball(Glass(1.5), 0.35, (0.4, -0.3, -0.65)),
        lights=(
            RectangleLight((12, 11, 9), (0.6, 0.6), placed((0, 0, 0.98), (1, 0, 0), 180)),
            SphereLight((3, 4, 6), 0.1, (-0.6, -0.6, 0.2)),
        ),
        **more,
    )


def meadow(surface: NeuralSurface, material: Material, ground: tuple[float, float, float], **more: Any) -> Stage:
    """A surface of radius 0.7 or so on a plane, in the sun."""
    return stage_of(
        Surface(BALL, material, placed((0, 0, 0.2), (1, 2, 0.5), 40, 1.1)),
        Plane((0, 0, 1), -0.6, Diffuse(ground)),
        surfaces={BALL: surface},
        environment=Sky(sun_direction=(0.7, -0.4, 0.8)),
        **more,
    )


# Known answers


def furnace(tracer: Tracer) -> None:
    """Under a sky of 1 everything white is 1, and a lone ball has its albedo."""
    sky = ConstantSky((1.0, 1.0, 1.0))
    albedo = (0.2, 0.5, 0.8)
    found = tracer(stage_of(ball(Diffuse(albedo)), environment=sky), camera(degrees=20), (8, 8), 64)
    np.testing.assert_allclose(found.mean(axis=(0, 1)), albedo, rtol=0.01)
    white = Diffuse((1.0, 1.0, 1.0))
    floor = Plane((0, 0, 1), -1, white)
    for material in (white, Glass(1.5), Metal((1.0, 1.0, 1.0), 0.0)):
        stage = stage_of(ball(material), floor, environment=sky, bounces=64)
        found = tracer(stage, camera(), (8, 8), 24)
        np.testing.assert_allclose(found.mean(axis=(0, 1)), 1, rtol=0.01)
    # facets take from each other: where alpha is 1, D = 1 / pi, and what is left of 1 is the integral of i / (i + o)
    # over the cosines i
    rough = tracer(stage_of(ball(Metal((1.0, 1.0, 1.0), 1.0)), environment=sky), camera(degrees=20), (8, 8), 64)
    cosines = np.stack(
        [-(seen * normals).sum(axis=1) for normals, _, seen in balls_seen(camera(degrees=20), (8, 8), 64)]
    )
    assert abs(rough.mean() / (1 - cosines * np.log((1 + cosines) / cosines)).mean() - 1) < 0.01


def small_light(tracer: Tracer) -> None:
    """A ball lit from afar: albedo / pi times the irradiance, where all of the light is above the horizon."""
    albedo, radius, place = 0.6, 0.2, np.array([6.0, -8.0, 5.0])
    stage = stage_of(
        ball(Diffuse((albedo, albedo, albedo))), lights=(SphereLight((300.0, 200.0, 100.0), radius, tuple(place)),)
    )
    view, size, samples = camera(), (24, 24), 16
    found = tracer(stage, view, size, samples)
    expected, lit = np.zeros((24 * 24, 3)), np.ones(24 * 24, bool)
    for normals, hit, _ in balls_seen(view, size, samples):
        towards = place - normals
        square = (towards**2).sum(axis=1)
        cosine = (normals * towards).sum(axis=1) / np.sqrt(square)
        lit &= hit & (cosine > 0.1)
        expected += (albedo / np.pi * cosine * np.pi * radius**2 / square)[:, None] * (300, 200, 100) / samples
    assert lit.sum() > 50
    np.testing.assert_allclose(found.reshape(-1, 3)[lit], expected[lit], rtol=0.01)


def sun_and_shadow(tracer: Tracer) -> None:
    """A plane in the sun: albedo / pi times its irradiance, and nothing in the shadow of a box."""
    sky = Sky((1.0, 0.0, 2.0), sky=0.0)
    stage = stage_of(
        Plane((0, 0, 1), 0, Diffuse((0.5, 0.5, 0.5))),
        Box((0.5, 0.5, 0.5), transform=placed((0, 0, 1))),
        environment=sky,
    )
    above = camera((-0.5, 0.001, 4.0), projection="orthographic", view_height=0.1)
    view = look_at(np.array([-0.5, 0, 4.0]), np.array([-0.5, 0, 0.0]), np.array([0.0, 1, 0]), 0.1)
    # the box's middle, 1 above the plane, throws its shadow half a unit away from the sun
    above = Camera(view.camera_from_world, 0.1, projection="orthographic", view_height=0.1, near=0.01)
    stage_without = stage_of(Plane((0, 0, 1), 0, Diffuse((0.5, 0.5, 0.5))), environment=sky, bounces=1)
    expected = 0.5 / np.pi * sun_irradiance(sky, (0.0, 0.0, 1.0)) * 2 / np.sqrt(5)
    np.testing.assert_allclose(tracer(stage_without, above, (4, 4), 32).mean(axis=(0, 1)), expected, rtol=0.01)
    stage = stage_of(*stage.scene.objects, environment=sky, bounces=1)
    assert (tracer(stage, above, (4, 4), 4) == 0).all()


def mirror(tracer: Tracer) -> None:
    """A mirror shows what is where the law of reflection says, sample by sample."""
    stage, view, size, samples = picture_stage(ball(Metal((0.9, 0.7, 0.5), 0.0))), camera(), (20, 20), 4
    sky, expected = surroundings_of(stage), np.zeros((400, 3))
    for normals, hit, seen in balls_seen(view, size, samples):
        cosine = -(seen * normals).sum(axis=1)
        colour = np.array((0.9, 0.7, 0.5)) + np.array((0.1, 0.3, 0.5)) * (1 - cosine[:, None]) ** 5
        reflected = colour * sky.radiance(seen + 2 * cosine[:, None] * normals)
        expected += np.where(hit[:, None], reflected, sky.radiance(seen)) / samples
    found = tracer(stage, view, size, samples).reshape(-1, 3)
    wrong = np.abs(found - expected).max(axis=1) > 0.02 * expected.max(axis=1)
    assert wrong.mean() < 0.03  # at the ball's edge float32 may see it or not
    assert np.ptp(expected) > 1


def glass(tracer: Tracer) -> None:
    """A glass ball: the sum over how often light is reflected inside, by Fresnel's and Snell's laws."""
    ior, view, size, samples = 1.5, camera(degrees=30), (12, 12), 256
    stage = picture_stage(ball(Glass(ior)), bounces=12)
    sky, expected = surroundings_of(stage), np.zeros((144, 3))
    for normals, hit, seen in balls_seen(view, size, samples):
        light = glass_ball(sky, normals, seen, ior)
        expected += np.where(hit[:, None], light, sky.radiance(seen)) / samples
    found = tracer(stage, view, size, samples).reshape(-1, 3)
    assert np.abs(found.mean(axis=0) / expected.mean(axis=0) - 1).max() < 0.01
    assert np.abs(found - expected).max() < 0.12 * expected.max()


def glass_ball(sky: Surroundings, normals: np.ndarray, seen: np.ndarray, ior: float) -> np.ndarray:
    """In the plane of ray and middle: a ray turns by twice (outer - inner angle), and by pi - 2 inner a reflection."""
    cosine = np.clip(-(seen * normals).sum(axis=1), 0, 1)
    outer = np.arccos(cosine)
    inner = np.arcsin(np.sin(outer) / ior)
    across = (np.cos(outer) - ior * np.cos(inner)) / (np.cos(outer) + ior * np.cos(inner))
    along = (np.cos(inner) - ior * np.cos(outer)) / (np.cos(inner) + ior * np.cos(outer))
    share = 0.5 * (across**2 + along**2)
    side = seen + cosine[:, None] * normals  # along the surface
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12)

    def turned(angle: np.ndarray) -> np.ndarray:
        """The ray turned so far towards the surface's inside."""
        start = np.pi / 2 - outer  # of the ray, below the tangent
        return np.cos(start + angle)[:, None] * side - np.sin(start + angle)[:, None] * normals

    light = share[:, None] * sky.radiance(seen + 2 * cosine[:, None] * normals)
    for inside in range(10):
        angle = 2 * (outer - inner) + inside * (np.pi - 2 * inner)
        light += ((1 - share) ** 2 * share**inside)[:, None] * sky.radiance(turned(angle))
    return light


def balls_seen(view: Camera, size: tuple[int, int], samples: int) -> Any:
    """For each sample: normals of the unit ball where rays meet it, whether they do, and the rays' directions."""
    for index in range(samples):
        place = Sampler(pixel_seeds(np.arange(size[0] * size[1]), 0), index).pair(PAIR_PIXEL)
        rays = camera_rays(view, *size, (place.x - 0.5, place.y - 0.5))
        along = -(rays.origins * rays.directions).sum(axis=1)
        room = along**2 - (rays.origins**2).sum(axis=1) + 1
        points = rays.origins + (along - np.sqrt(np.maximum(room, 0)))[:, None] * rays.directions
        yield points / np.linalg.norm(points, axis=1, keepdims=True), room > 0, rays.directions


def variance_falls(tracer: Tracer) -> None:
    """With independent samples as 1 / samples; with the sequence faster."""
    stage = stage_of(
        Plane((0, 0, 1), -1, Diffuse((0.6, 0.6, 0.6))),
        ball(Diffuse((0.7, 0.4, 0.3)), 0.6),
        environment=Sky(),
        lights=(RectangleLight((4, 4, 4), (1, 1), placed((0, 0, 2.5), (1, 0, 0), 180)),),
        bounces=2,
    )

    def variance(samples: int, independent: bool) -> float:
        pictures = [tracer(stage, camera(), (24, 24), samples, seed=s, independent=independent) for s in range(12)]
        return float(np.var(np.clip(pictures, 0, 20), axis=0, ddof=1).mean())

    one, sixteen = variance(1, True), variance(16, True)
    assert abs(one / 16 / sixteen - 1) < 0.1
    assert variance(16, False) < 0.6 * sixteen


def anywhere_and_any_size(tracer: Tracer) -> None:
    """Places and units mean nothing: what float32 loses far from the origin is not seen."""

    def picture(scale: float, place: tuple[float, float, float]) -> np.ndarray:
        def at(x: float, y: float, z: float) -> tuple[float, float, float]:
            return scale * x + place[0], scale * y + place[1], scale * z + place[2]

        stage = stage_of(
            Plane((0, 0, 1), 0, Diffuse((0.5, 0.5, 0.5)), placed(at(0, 0, 0))),
            Sphere(0.5, Diffuse((0.8, 0.4, 0.2)), placed(at(-0.6, 0, 0.5), scale=scale)),
            Box((0.8, 0.8, 0.8), Metal((0.9, 0.9, 0.9), 0.3), placed(at(0.6, 0, 0.4), scale=scale)),
            lights=(
                SphereLight((10, 10, 10), 0.3 * scale, at(0, -1, 2.5)),
                RectangleLight((5, 5, 5), (1, 1), placed(at(1, 1, 3), (1, 0, 0), 180, scale)),
            ),
        )
        view = look_at(np.array(at(0.5, -5, 2)), np.array(at(0, 0, 0.4)), np.array([0.0, 0.0, 1.0]), 0.6)
        return tracer(stage, Camera(view.camera_from_world, 0.6, near=0.01 * scale), (20, 15), 8)

    expected = picture(1.0, (0, 0, 0))
    for scale, place in ((1e-3, (0, 0, 0)), (1e3, (0, 0, 0)), (1.0, (100, -200, 50)), (0.01, (1, 2, 3))):
        off = np.abs(picture(scale, place) - expected).max(axis=2) / expected.mean()
        assert np.median(off) < 1e-3
        assert (off > 0.05).mean() < 0.03  # at edges


KNOWN = {
    "anywhere": anywhere_and_any_size,
    "furnace": furnace,
    "small light": small_light,
    "sun and shadow": sun_and_shadow,
    "mirror": mirror,
    "glass": glass,
    "variance": variance_falls,
}
