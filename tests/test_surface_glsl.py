"""Surfaces in GLSL against their twin in numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import moderngl
import numpy as np
import pytest

from renderer import surface_passes
from renderer.context import create_context
from renderer.layouts import BINDINGS
from renderer.metrics import psnr
from renderer.packed_bank import PackedShape, pack, upload
from renderer.shader_library import compile_compute, set_uniforms
from renderer.surface_glsl import bank_bounds, bank_chunk, bank_defines
from renderer.surface_renderer import SurfaceRenderer
from renderer.surface_settings import SURFACE_VIEWS, MarchSettings, Slice, SurfaceSettings
from renderer.surface_views import SurfacePicture, render_reference
from scenes.bank import BankShape, MlpBank
from scenes.bank_gradient import evaluate_with_gradient
from scenes.cameras import Camera, look_at
from scenes.errors import KilofieldError
from scenes.surface import NeuralSurface
from tests.surface_samples import (
    box_surface,
    fitted_surface,
    plane_surface,
    random_bank,
    random_surface,
    sphere,
    torus,
)

SIZE = (56, 40)
PLAIN = SurfaceSettings()


def colours(points: np.ndarray) -> np.ndarray:
    return 0.5 + 0.4 * np.sin([8, 6, 7] * points + [0, 1, 2])


def view_of(middle: tuple[float, float, float], fov_y: float = 0.8) -> Camera:
    up = np.array([0.0, 0.0, 1.0])
    return look_at(np.add(middle, (1.6, -1.4, 1.5)), np.asarray(middle), up, fov_y)


CAMERA = view_of((0, 0, 0))
AROUND_RANDOM = view_of((0.35, 0.85, 1.05))


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


@pytest.fixture(scope="module")
def ring() -> NeuralSurface:
    return fitted_surface(torus, cells=12, colour=colours)


def picture(
    context: moderngl.Context, surface: NeuralSurface, camera: Camera = CAMERA, settings: SurfaceSettings = PLAIN
) -> SurfacePicture:
    renderer = SurfaceRenderer(context, surface)
    try:
        return renderer.picture(camera, *SIZE, settings)
    finally:
        renderer.release()


def assert_alike(
    found: SurfacePicture, expected: SurfacePicture, surface: NeuralSurface, pixels: int = 0, degrees: float = 0.5
) -> None:
    """Depths within 1e-3 of the box's diagonal and pictures of 40 dB, `pixels` aside, at which a ray just misses."""
    hit = np.isfinite(expected.depth)
    assert hit.mean() > 0.1
    assert (np.isfinite(found.depth) != hit).sum() <= pixels
    both = hit & np.isfinite(found.depth)
    diagonal = surface.grid.edge * np.linalg.norm(surface.grid.size)
    for a, b in ((found.depth, expected.depth), (found.distance, expected.distance)):
        assert (np.abs(a[both] - b[both]) > 1e-3 * diagonal).sum() <= pixels
    angle = 2 * np.arcsin(np.clip(0.5 * np.linalg.norm(found.normals - expected.normals, axis=2), 0, 1))
    assert (angle[both] > np.radians(degrees)).sum() <= pixels
    # a hit on the face between two cells may be in either
    assert (found.network != expected.network).mean() < 0.05
    assert abs(found.evaluations.sum() / expected.evaluations.sum() - 1) < 0.02
    wrong = np.sort(np.square(found.rgba - expected.rgba).mean(axis=2).ravel())
    assert -10 * np.log10(wrong[: len(wrong) - pixels].mean() + 1e-12) > 40


SURFACES: dict[str, tuple[Callable[[], NeuralSurface], Camera, int]] = {
    "sphere": (lambda: fitted_surface(sphere, cells=10, colour=colours), CAMERA, 0),
    "one colour in all directions": (lambda: fitted_surface(sphere, cells=6, colour=colours, code=0), CAMERA, 0),
    "box": (box_surface, CAMERA, 0),
    "plane": (plane_surface, CAMERA, 2),  # relus bend where a coordinate is 0
    "random": (random_surface, AROUND_RANDOM, 25),  # steep and thin: rays that just miss or just hit
    "random, no blend": (lambda: random_surface(overlap=0.0), AROUND_RANDOM, 25),
}


@pytest.mark.parametrize("grouping", ["direct", "grouped"])
@pytest.mark.parametrize("name", SURFACES)
def test_glsl_agrees_with_numpy(context: moderngl.Context, name: str, grouping: str) -> None:
    make, camera, pixels = SURFACES[name]
    surface = make()
    settings = SurfaceSettings(grouping=grouping)
    expected = render_reference(surface, camera, *SIZE, settings)
    assert_alike(picture(context, surface, camera, settings), expected, surface, pixels)


@pytest.mark.parametrize("view", SURFACE_VIEWS)
def test_views(context: moderngl.Context, ring: NeuralSurface, view: str) -> None:
    settings = SurfaceSettings(view=view, slice=Slice((0.0, 1.0, 0.2)), samples=1 if view == "slice" else 2)
    found, expected = (
        f(ring, CAMERA, *SIZE, settings) for f in (lambda *a: picture(context, a[0], a[1], a[4]), render_reference)
    )
    assert_alike(found, expected, ring)
    assert len(np.unique(expected.rgba)) > 20


def test_pictures_of_modulated_networks(context: moderngl.Context) -> None:
    surface = fitted_surface(torus, cells=4, activation="tanh", modulation=(3, 2, 4))
    expected = render_reference(surface, CAMERA, *SIZE, PLAIN)
    assert_alike(picture(context, surface), expected, surface)


PROBE = """#version 430 core
#include "layouts.glsl"
layout(local_size_x = GROUP) in;
layout(std430, binding = 0) readonly buffer Points { vec4 points[]; }; // local position, network
layout(std430, binding = 1) readonly buffer Codes { vec4 codes[]; };
layout(std430, binding = 2) writeonly buffer Results { Output results[]; };
uniform int count;
#include "surface_field.glsl"
#include "bank_gradient.glsl"
void field_add(vec3 local, float share, vec3 slope) {}
void main() {
    int i = int(gl_GlobalInvocationID.x);
    if (i >= count) return;
    network_begin(int(points[i].w));
    for (int c = 0; c < bank_code; ++c) bank_codes[c] = codes[i * bank_code + c];
    bank_evaluate(points[i].xyz);
    for (int k = 0; k < bank_output_count; ++k) results[i * bank_output_count + k] = bank_outputs[k];
}
"""


def evaluate_glsl(
    context: moderngl.Context, bank: MlpBank, network: np.ndarray, local: np.ndarray, codes: np.ndarray, gradient: bool
) -> np.ndarray:
    """[N, D, 1] values, or [N, D, 4] with their derivatives, by `shaders/bank_gradient.glsl`."""
    packed, channels = PackedShape(bank.shape), 4 if gradient else 1
    source = PROBE.replace("Output", "vec4" if gradient else "float")
    chunks = {"probe.comp": source, "bank.glsl": bank_chunk(packed, gradient, uniform=True)}
    shader = compile_compute(context, "probe.comp", {"GROUPED": 0} | bank_defines(packed, gradient), chunks)
    set_uniforms(shader, **bank_bounds(packed, gradient), count=len(local))
    padded = np.zeros((len(local), max(4 * packed.code, 4)), np.float32)
    padded[:, : codes.shape[1]] = codes
    points = np.column_stack([local, network]).astype(np.float32)
    results = np.full((len(local), bank.shape.outputs, channels), np.nan, np.float32)
    buffers = [context.buffer(array.tobytes()) for array in (points, padded, results)]
    for binding, buffer in enumerate(buffers):
        buffer.bind_to_storage_buffer(binding)
    weights = upload(context, bank)
    weights.bind_to_storage_buffer(BINDINGS["WEIGHTS"])
    shader.run(-(-len(local) // 64))
    found = np.frombuffer(buffers[2].read(), np.float32).reshape(results.shape)
    for thing in (*buffers, weights, shader):
        thing.release()
    return found


@pytest.mark.parametrize(
    ("activation", "modulation"),
    [("sine", ()), ("tanh", ()), ("relu", ()), ("softplus", ()), ("sine", (3, 2, 4)), ("softplus", (1, 3, 2))],
)
def test_networks_and_their_derivatives(
    context: moderngl.Context, activation: str, modulation: tuple[int, ...]
) -> None:
    for shape in (
        BankShape((1.0, 2.5), 0, 12, 2, 1, linear=False, activation=activation, modulation=modulation),
        BankShape((), 6, 8, 1, 3, activation=activation, output_activation="tanh", modulation=modulation),
    ):
        bank = random_bank(shape, 5, seed=1, spread=0.3)
        rng = np.random.default_rng(2)
        local = rng.uniform(-1.1, 1.1, (200, 3)).astype(np.float32)
        network, codes = rng.integers(0, 5, 200), rng.normal(size=(200, shape.code)).astype(np.float32)
        values, slopes = evaluate_with_gradient(bank, network, local, codes)
        expected = np.concatenate([values[:, None], slopes], axis=1).transpose(0, 2, 1)  # [N, D, 4]
        for gradient in (False, True):
            found = evaluate_glsl(context, bank, network, local, codes, gradient)
            wanted = expected[..., : found.shape[2]]
            assert np.abs(found - wanted).max() < 2e-4 * np.abs(wanted).max()


def test_networks_the_device_cannot_bind(context: moderngl.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(context.info, "GL_MAX_SHADER_STORAGE_BLOCK_SIZE", 1000)
    with pytest.raises(KilofieldError, match="surface: expected at most 1,000 bytes of networks on this device, found"):
        upload(context, random_surface().geometry)


@pytest.mark.parametrize("projection", ["orthographic", "equirectangular"])
def test_projections(context: moderngl.Context, ring: NeuralSurface, projection: str) -> None:
    camera = replace(CAMERA, projection=projection, view_height=1.6, pixel_aspect=1.1, centre=(0.45, 0.55))
    if projection == "equirectangular":
        camera = look_at(
            np.array([0.0, 0.1, 0.05]), np.array([1.0, 0.3, 0.2]), np.array([0.0, 0.0, 1.0]), 1.0, near=0.01
        )
        camera = replace(camera, projection=projection)
    for view in ("depth", "slice"):
        settings = SurfaceSettings(view=view)
        assert_alike(picture(context, ring, camera, settings), render_reference(ring, camera, *SIZE, settings), ring, 2)


def test_from_inside(context: moderngl.Context) -> None:
    ball = fitted_surface(sphere, cells=8)
    camera = look_at(np.array([0.2, 0.1, 0.0]), np.array([1.0, 0.3, 0.2]), np.array([0.0, 0.0, 1.0]), 1.2, near=0.01)
    found = picture(context, ball, camera)
    assert np.isfinite(found.depth).all()  # no holes
    assert_alike(found, render_reference(ball, camera, *SIZE, PLAIN), ball)


def test_the_near_plane_cuts(context: moderngl.Context) -> None:
    ball, camera = fitted_surface(sphere, cells=8), replace(CAMERA, near=2.4)
    expected = render_reference(ball, camera, *SIZE, PLAIN)
    assert_alike(picture(context, ball, camera), expected, ball)
    assert expected.depth.min() > 2.4


def test_skipping_empty_cubes_changes_nothing(context: moderngl.Context, ring: NeuralSurface) -> None:
    every = SurfaceSettings(march=MarchSettings(skip=False))
    renderer = SurfaceRenderer(context, ring)
    skipping, walking, again = (renderer.picture(CAMERA, *SIZE, settings) for settings in (PLAIN, every, PLAIN))
    renderer.release()
    assert_alike(walking, skipping, ring)
    np.testing.assert_array_equal(again.rgba, skipping.rgba)


def test_slices_of_the_march(context: moderngl.Context, ring: NeuralSurface, monkeypatch: pytest.MonkeyPatch) -> None:
    """A march that is interrupted goes on as if it had not been, the cost of several samples included."""
    settings = SurfaceSettings(samples=2)
    whole = picture(context, ring, settings=settings)
    monkeypatch.setattr(surface_passes, "samples_of_a_dispatch", lambda packed: 3)
    for grouping in ("direct", "grouped"):
        cut = picture(context, ring, settings=replace(settings, grouping=grouping))
        np.testing.assert_array_equal(cut.evaluations, whole.evaluations)
        np.testing.assert_allclose(cut.distance, whole.distance, atol=1e-6)


def test_a_limit_on_steps(context: moderngl.Context, ring: NeuralSurface) -> None:
    few = SurfaceSettings(march=MarchSettings(steps=4))
    found, expected = picture(context, ring, settings=few), render_reference(ring, CAMERA, *SIZE, few)
    np.testing.assert_array_equal(np.isfinite(found.depth), np.isfinite(expected.depth))
    assert np.isfinite(found.depth).sum() < np.isfinite(picture(context, ring).depth).sum()


def test_samples_are_added_while_the_camera_rests(context: moderngl.Context, ring: NeuralSurface) -> None:
    renderer = SurfaceRenderer(context, ring)
    settings = SurfaceSettings(samples=5)
    target = context.simple_framebuffer(SIZE, components=4)
    whole = renderer.render(CAMERA, *SIZE, settings)
    renderer.render(AROUND_RANDOM, *SIZE, settings)
    for frame in range(1, 8):  # two more than there are samples
        renderer.draw(CAMERA, target, settings, most=1)
        assert renderer.facts.samples == min(frame, 5)
        assert renderer.finished == (frame >= 5)
    drawn = np.frombuffer(target.read(components=3, alignment=1), np.uint8).reshape(SIZE[1], SIZE[0], 3)[::-1]
    assert np.abs(drawn / 255 - np.clip(whole, 0, 1)).max() < 0.51 / 255
    renderer.draw(AROUND_RANDOM, target, settings, most=1)
    assert renderer.facts.samples == 1
    renderer.release()


def test_background_and_headlight(context: moderngl.Context, ring: NeuralSurface) -> None:
    settings = SurfaceSettings(background=(0.2, 0.4, 0.6), headlight=True, material=(1.0, 0.5, 0.25))
    renderer = SurfaceRenderer(context, ring)
    found = renderer.render(CAMERA, *SIZE, settings)
    rgba = renderer.render_rgba(CAMERA, *SIZE, settings)
    renderer.release()
    np.testing.assert_allclose(found[0, 0], settings.background, atol=1e-6)
    lit = rgba[rgba[..., 3] == 1][:, :3]
    np.testing.assert_allclose(lit[:, 0], 4 * lit[:, 2], rtol=1e-5)  # the material, more or less of it
    expected = render_reference(ring, CAMERA, *SIZE, settings)
    assert psnr(expected.rgba, rgba) > 60


def test_no_cells(context: moderngl.Context) -> None:
    surface = random_surface((2, 2, 2), missing=8)
    assert not np.isfinite(picture(context, surface, AROUND_RANDOM).depth).any()


def test_packed_networks_hold_every_weight() -> None:
    shape = BankShape((1.0, 2.0), 5, 8, 2, 3, activation="tanh", modulation=(3, 1, 2))
    bank = random_bank(shape, 4, seed=0)
    packed = pack(bank)
    assert packed.shape == (4, PackedShape(shape).size, 4)
    for network, mine in zip(bank.weights, packed, strict=True):
        np.testing.assert_array_equal(np.sort(mine[mine != 0]), np.sort(network))


def test_a_network_llvmpipe_would_leave_half_way_is_refused() -> None:
    shape = BankShape((1.0,), 0, 512, 4, 1, linear=False)
    with pytest.raises(
        KilofieldError, match="surface: expected networks of fewer loop iterations, found 4 layers of 512"
    ):
        surface_passes.samples_of_a_dispatch(PackedShape(shape))
