"""Scenes that stay compressed in video memory: decoded again exactly, small, culled rightly, and the same picture."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np
import pytest
from gaussian_samples import camera_of_kind, random_neural
from numpy.typing import NDArray
from resident_scenes import shell, storable

from renderer import resident
from renderer.context import create_context
from renderer.decode import decode
from renderer.depth_order import DepthSorter
from renderer.gaussian_renderer import GaussianRenderer
from renderer.images import to_8_bit
from renderer.layouts import BINDINGS, NOT_DRAWN, RECORD
from renderer.metrics import psnr
from renderer.projection import FrameBuffers, Projection
from renderer.resident import Resident, lane_size, resident_glsl, scene_uniforms
from renderer.resident_culling import cull_planes
from renderer.resident_lanes import MAX_ENTRIES, PRECISION, Steps, encode_lanes, fit_table, raw_steps
from renderer.resident_scene import ResidentScene, pack
from renderer.settings import CropBox, RenderSettings
from renderer.shader_library import compile_compute, set_uniforms
from scenes.bank import BankShape, MlpBank
from scenes.cameras import PROJECTIONS, Camera, look_at
from scenes.errors import KilofieldError
from scenes.kilo import pack_kilo
from scenes.neural_gaussians import NeuralGaussians

Frame = tuple[NDArray[np.void], NDArray[np.uint32]]  # records, keys

TOLERANCE = 1e-4  # of each attribute's range
OUTPUT_BINDING = 2

# Every number of every Gaussian as floats: position, cluster, codes, attributes before their activations
DECODE_ALL = f"""#version 430 core
#include "layouts.glsl"
layout(local_size_x = GROUP) in;
layout(std430, binding = JOBS_BINDING) readonly buffer Jobs {{ ResidentJob jobs[]; }};
layout(std430, binding = {OUTPUT_BINDING}) writeonly buffer Decoded {{ float decoded[]; }};
#include "gaussian_packed.glsl"
#include "resident_gaussian.glsl"
void main() {{
    ResidentJob job = jobs[gl_WorkGroupID.x];
    bank_load(job.network);
    uint begin = lane_size * gl_LocalInvocationIndex;
    if (begin >= job.count) return;
    gaussians_begin(job, gl_LocalInvocationIndex);
    uint end = min(begin + lane_size, job.count);
    for (uint i = begin; i < end; ++i) {{
        vec3 position = next_gaussian();
        Attributes a = decode_attributes(position, job.network, bank_output_count);
        uint at = (job.first + i) * uint(4 + bank_code + bank_output_count);
        for (int k = 0; k < 3; ++k) decoded[at++] = a.position[k];
        decoded[at++] = float(a.cluster);
        for (int k = 0; k < bank_code; ++k) decoded[at++] = bank_codes[k];
        for (int k = 0; k < bank_output_count; ++k) decoded[at++] = output_value(k);
    }}
}}
"""

EIGHT = tuple(float(2**i) for i in range(8))
# shape, SH degree, networks, on a grid, int8 weights
BANKS = [
    (BankShape((), 8, 16, 0, 10), 0, 1, True, True),
    (BankShape((), 16, 16, 0, 55), 3, 7, False, False),
    (BankShape((), 0, 16, 1, 10, linear=False, activation="relu"), 0, 7, True, False),
    (BankShape((1.5,), 8, 32, 1, 19, activation="softplus", output_activation="tanh"), 1, 7, True, True),
    (BankShape((1.0, 2.0), 16, 32, 2, 34, activation="tanh"), 2, 7, False, True),
    (BankShape((1.0, 2.0, 4.0), 16, 64, 2, 19, linear=False), 1, 1, True, True),
    (BankShape(EIGHT, 8, 16, 4, 55, activation="sine"), 3, 7, True, False),
    (BankShape((1.0, 2.0), 8, 24, 2, 34, modulation=(4, 4, 4)), 2, 7, True, True),
    (BankShape((1.0,), 8, 16, 1, 10, modulation=(16, 16, 16)), 0, 2, True, True),  # too large for shared memory
    (BankShape((1.0, 2.0), 8, 96, 2, 55), 3, 2, True, True),  # too large for shared memory
    (BankShape((1.0, 2.0), 8, 96, 2, 34), 2, 2, True, False),
    (BankShape((1.0,), 8, 128, 4, 10), 0, 1, True, False),  # close to the loops llvmpipe allows a thread
]


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


def decode_all(context: moderngl.Context, packed: ResidentScene) -> NDArray[np.float32]:
    """[N, 4 + C + D] what the shader makes of the compressed form."""
    shape = packed.scene.bank.shape
    defines, chunks = resident_glsl(packed)
    shader = compile_compute(context, "probe.comp", defines, {**chunks, "probe.comp": DECODE_ALL})
    set_uniforms(shader, **scene_uniforms(packed))
    columns = 4 + shape.code + shape.outputs
    decoded = context.buffer(np.full((len(packed.scene), columns), np.nan, np.float32))
    decoded.bind_to_storage_buffer(OUTPUT_BINDING)
    buffers = []
    for name in ("stream", "tables", "networks", "jobs"):
        buffers.append(context.buffer(np.ascontiguousarray(getattr(packed, name))))
        buffers[-1].bind_to_storage_buffer(BINDINGS[name.upper()])
    shader.run(len(packed.jobs))
    context.memory_barrier()
    found = np.frombuffer(decoded.read(), np.float32).reshape(-1, columns).copy()
    for thing in (decoded, shader, *buffers):
        thing.release()
    return found


def assert_decodes_alike(context: moderngl.Context, scene: NeuralGaussians, lane: int = 8) -> ResidentScene:
    packed = pack(scene, lane)
    kept = packed.scene
    found = decode_all(context, packed)
    code = kept.bank.shape.code
    raw = kept.bank.evaluate(kept.clusters, kept.local_positions(), kept.codes.astype(np.float32))
    expected = kept.output_offset + kept.output_scale * raw
    reach = max(float(np.abs(kept.positions).max()), 1e-6)
    assert np.abs(found[:, :3] - kept.positions).max() <= (0 if kept.grid is None else 3e-7 * reach)
    np.testing.assert_array_equal(found[:, 3], kept.clusters)
    np.testing.assert_array_equal(found[:, 4 : 4 + code], kept.codes)
    assert (np.abs(found[:, 4 + code :] - expected) <= TOLERANCE * np.ptp(expected, axis=0)).all()
    np.testing.assert_allclose(packed.log_scales, expected[:, 1:4], atol=1e-5 * float(np.ptp(expected[:, 1:4])))
    return packed


@pytest.mark.parametrize(("shape", "degree", "networks", "on_grid", "stepped"), BANKS)
def test_shader_decodes_what_was_packed(
    context: moderngl.Context, shape: BankShape, degree: int, networks: int, on_grid: bool, stepped: bool
) -> None:
    scene = storable(random_neural(shape, networks, 700, degree, seed=shape.parameters), on_grid, stepped)
    lane = lane_size(shape, software=True)
    assert lane > 1
    assert_decodes_alike(context, scene, lane)


def test_order_and_lanes_of_any_length(context: moderngl.Context) -> None:
    """Clusters of 0 to 700 Gaussians, not in Morton order, several on one cell, in lanes of 1 to 16."""
    shape = BankShape((), 3, 4, 0, 10)
    scene = storable(random_neural(shape, 6, 1500, 0, seed=3), True, True, bits=4)
    scene = replace(scene, counts=np.array([1, 0, 700, 9, 513, 277], np.int64))
    for lane in (1, 3, 8, 16):
        packed = assert_decodes_alike(context, scene, lane)
        assert packed.lane == lane
    rows = [np.column_stack([s.clusters, s.positions, s.codes]) for s in (packed.scene, scene)]
    found, expected = (sorted(map(tuple, table.tolist())) for table in rows)
    assert found == expected


def test_codes_of_every_kind(context: moderngl.Context) -> None:
    """One value, a few, Laplacian, and all of int16; so many bits that lanes have to be shorter."""
    rng = np.random.default_rng(5)
    columns = [np.full(900, -7), rng.integers(-1, 2, 900), np.rint(rng.laplace(0, 300, 900))]
    columns += [rng.integers(-32768, 32768, 900) for _ in range(40)]
    columns[-1][:2] = -32768, 32767
    scene = storable(random_neural(BankShape((), 43, 4, 0, 10), 2, 900, 0, seed=4), True, True)
    packed = assert_decodes_alike(context, replace(scene, codes=np.stack(columns, axis=1).astype(np.int16)))
    assert packed.lane == 4


def decode_lane(words: NDArray[np.uint16], steps: list[Steps], items: NDArray[np.int64]) -> list[tuple[int, int]]:
    """(step, slot) of each symbol, by the description in resident_lanes.py, one at a time."""
    state, at, slots = int(words[0]) << 16 | int(words[1]), 2, []
    for item in items[items >= 0]:
        for number, step in enumerate(steps):
            bits, frequency, start = int(step.bits[item]), int(step.frequencies[item]), int(step.starts[item])
            slot = state % 2**bits
            slots.append((number, start if start <= slot < start + frequency else -1))
            state = frequency * (state >> bits) + slot - start
            if state < 2**16 and at < len(words):
                state, at = state << 16 | int(words[at]), at + 1
    assert (state, at) == (0, len(words))  # where the encoder began, and nothing left over
    return slots


def test_lanes_against_a_decoder_one_symbol_at_a_time() -> None:
    rng = np.random.default_rng(6)
    rare, wide = (rng.random(500) < 0.01).astype(int), np.rint(rng.laplace(0, 90, 500)).astype(int)
    lengths = rng.integers(0, 17, 500)
    steps = [
        *fit_table(rare).steps(rare),
        *fit_table(wide).steps(wide),
        raw_steps(rng.integers(0, 2**lengths), lengths),
    ]
    items = np.full((70, 8), -1)
    items.ravel()[:500] = np.arange(500)
    words, counts = encode_lanes(steps, items)
    for lane, own in zip(items, np.split(words, np.cumsum(counts)[:-1]), strict=True):
        if (lane >= 0).any():
            expected = [(n, int(step.starts[i])) for i in lane[lane >= 0] for n, step in enumerate(steps)]
            assert decode_lane(own, steps, lane) == expected


def test_lanes_are_as_short_as_the_entropy_says() -> None:
    """A lane costs 15 to 16 bits beside its symbols: 8 for its length, and what its state's top half leaves unused."""
    rng = np.random.default_rng(7)
    values = np.rint(rng.laplace(0, 5, (4000, 6))).astype(int)
    tables = [fit_table(column) for column in values.T]
    steps = [step for table, column in zip(tables, values.T, strict=True) for step in table.steps(column)]
    steps.append(raw_steps(rng.integers(0, 2**12, 4000), np.full(4000, 12)))
    entropy = 0.0
    for column in values.T:
        shares = np.unique(column, return_counts=True)[1] / 4000
        entropy -= 4000 * float(shares @ np.log2(shares))
    words, counts = encode_lanes(steps, np.arange(4000).reshape(-1, 8))
    assert len(words) == counts.sum()
    assert 16 * len(words) < (entropy + 12 * 4000) * 1.01 + 500 * 9


def test_tables_merge_rare_neighbours_and_stay_small() -> None:
    values = np.random.default_rng(8).integers(-32768, 32768, 100_000)
    table = fit_table(values)
    assert table.shift > 4
    assert len(table.symbols) <= MAX_ENTRIES
    assert table.starts[-1] == 2**PRECISION
    assert (np.diff(table.starts) > 0).all()
    np.testing.assert_array_equal(table.symbols, np.unique(values >> table.shift))


def test_a_quarter_more_than_the_file_at_most(context: moderngl.Context) -> None:
    for scene in (shell(12_000), shell(24_000, code=8, degree=0), shell(9_000, networks=5, degree=3)):
        size = len(pack_kilo(scene))
        kept = Resident(context, scene)
        assert size > 100_000
        assert size < kept.bytes < 1.25 * size
        kept.release()


def test_no_gaussians(context: moderngl.Context) -> None:
    renderer = GaussianRenderer(context, residency="resident")
    empty = random_neural(BankShape((), 8, 16, 0, 10), 1, 0, 0, seed=4)
    weights = empty.bank.weights.astype(np.float16).astype(np.float32)
    renderer.load(replace(empty, bank=MlpBank(empty.bank.shape, weights)))
    assert not renderer.render(camera_of_kind("pinhole"), 32, 24).any()


def test_what_a_file_cannot_hold_is_refused() -> None:
    scene = storable(random_neural(BankShape((), 8, 16, 1, 10), 2, 50, 0, seed=4), True, True)
    assert scene.weight_steps is not None
    with pytest.raises(ValueError, match="positions: expected all of them exactly on the grid"):
        pack(replace(scene, positions=scene.positions + np.float32(1e-5)))
    with pytest.raises(ValueError, match="positions: expected half floats"):
        pack(replace(scene, grid=None))
    many = random_neural(BankShape((), 400, 4, 0, 10), 1, 70, 0, seed=4)
    codes = np.random.default_rng(0).integers(-32768, 32768, many.codes.shape).astype(np.int16)
    with pytest.raises(KilofieldError, match="codes: expected at most 510 bytes a Gaussian to stay compressed"):
        pack(storable(replace(many, codes=codes), True, True))
    with pytest.raises(ValueError, match="weights: expected half floats"):
        pack(replace(scene, weight_steps=None))
    with pytest.raises(ValueError, match="weights: expected integers from -128 to 127 times the steps, in float32"):
        pack(replace(scene, weight_steps=scene.weight_steps * np.float32(2)))


def test_a_network_llvmpipe_would_leave_half_way_is_refused() -> None:
    wide = BankShape((), 8, 512, 4, 10)
    with pytest.raises(
        KilofieldError, match="bank: expected a network of fewer loop iterations, found 4 layers of 512"
    ):
        lane_size(wide, software=True)
    assert lane_size(wide, software=False) == 8


class FrontEnds:
    """One scene in both residencies."""

    def __init__(self, context: moderngl.Context, scene: NeuralGaussians) -> None:
        self.decoded, self.resident = decode(context, scene), Resident(context, scene)
        self.projection, self.frames = Projection(context, costs=True), (FrameBuffers(context), FrameBuffers(context))

    def run(self, camera: Camera, settings: RenderSettings) -> tuple[Frame, Frame]:
        """What each front end writes, the resident one into buffers full of garbage."""
        first, second = self.frames
        self.resident.run(first, camera, 160, 120, settings)
        for buffer in (first.records, first.keys):
            buffer.write(b"\x55" * buffer.size)
        self.resident.run(first, camera, 160, 120, settings)
        self.projection.run(self.decoded, second, camera, 160, 120, settings)
        return read_frame(first), read_frame(second)

    def visible(self, camera: Camera, settings: RenderSettings) -> int:
        """The jobs a frame decodes."""
        self.resident.run(self.frames[0], camera, 160, 120, settings)
        return self.resident.visible_jobs()


def read_frame(frame: FrameBuffers) -> Frame:
    records = np.frombuffer(frame.records.read(), RECORD.dtype, frame.count)
    return records, np.frombuffer(frame.keys.read(), np.uint32, frame.count)


def assert_same_records(found: Frame, expected: Frame) -> None:
    """Up to the 16 bits of the decoded scene: steps of 0.0007 in log scales, 0.0005 in logits, 3e-5 in rotations."""
    drawn, also = found[1] != NOT_DRAWN, expected[1] != NOT_DRAWN
    both = drawn & also
    assert not found[0]["axis"][~drawn].any()
    assert np.count_nonzero(drawn != also) <= 0.002 * len(drawn)
    a, b = found[0][both], expected[0][both]
    np.testing.assert_allclose(found[1][both].view(np.float32), expected[1][both].view(np.float32), rtol=1e-5)
    np.testing.assert_allclose(a["centre"], b["centre"], atol=2e-3)
    np.testing.assert_allclose(a["log_opacity"], b["log_opacity"], atol=1e-3)
    lengths = [np.linalg.norm(records["axis"], axis=1) for records in (a, b)]
    np.testing.assert_allclose(lengths[0], lengths[1], rtol=2e-3)
    np.testing.assert_allclose(a["minor"], b["minor"], rtol=5e-3)
    colours = [np.ascontiguousarray(records["red_green"]).view(np.float16).astype(np.float32) for records in (a, b)]
    np.testing.assert_allclose(colours[0], colours[1], atol=4e-3)


@pytest.mark.parametrize("degree", [0, 3])
def test_records_are_those_of_the_decoded_scene(context: moderngl.Context, degree: int) -> None:
    shape = BankShape((1.0, 2.0), 8, 16, 1, 7 + 3 * (degree + 1) ** 2)
    scene = storable(random_neural(shape, 5, 800, degree, seed=degree), True, True)
    ends = FrontEnds(context, pack(scene).scene)  # in Morton order, as files are
    for kind in PROJECTIONS:
        for settings in (RenderSettings(), RenderSettings(sh_degree=max(degree - 1, 0), scale=0.7)):
            found, expected = ends.run(camera_of_kind(kind), settings)
            assert (expected[1] != NOT_DRAWN).mean() > 0.2
            assert_same_records(found, expected)


def test_only_jobs_in_sight_are_decoded(context: moderngl.Context) -> None:
    """A camera outside sees all, one inside a part, one that looks away none; so does a crop box."""
    ends = FrontEnds(context, shell(12_000))
    up, settings = np.array([0.0, -1.0, 0.0]), RenderSettings()
    outside = look_at(np.array([0.0, 0.2, -4.0]), np.zeros(3), up, 0.7)
    inside = look_at(np.zeros(3), np.array([1.0, 0.1, 0.3]), up, 0.5)
    away = look_at(np.array([0.0, 0.2, -4.0]), np.array([0.0, 0.2, -9.0]), up, 0.7)
    jobs = ends.resident.jobs
    assert jobs >= 24
    assert ends.visible(outside, settings) == jobs
    assert 0 < ends.visible(inside, settings) < 0.6 * jobs
    assert ends.visible(away, settings) == 0
    corner = RenderSettings(crop=CropBox((0.3, 0.2, -1.0), (1.0, 1.0, 1.0)))
    assert 0 < ends.visible(outside, corner) < 0.5 * jobs
    assert ends.visible(outside, RenderSettings(crop=CropBox((5, 5, 5), (6, 6, 6)))) == 0
    for camera, how in ((inside, settings), (away, settings), (outside, corner)):
        assert_same_records(*ends.run(camera, how))


def test_more_jobs_than_a_row_of_a_dispatch(context: moderngl.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "DISPATCH_ROW", 5)
    ends = FrontEnds(context, shell(6500))
    assert ends.resident.jobs == 14
    camera = look_at(np.zeros(3), np.array([1.0, 0.1, 0.3]), np.array([0.0, -1.0, 0.0]), 0.5)
    assert 5 < ends.visible(camera, RenderSettings()) < 14
    assert_same_records(*ends.run(camera, RenderSettings()))


@pytest.mark.parametrize("kind", PROJECTIONS)
def test_planes_keep_what_the_exact_order_keeps(kind: str) -> None:
    rng = np.random.default_rng(9)
    positions = rng.normal(0, 2, (4000, 3)).astype(np.float32)
    radii = np.exp(rng.uniform(-7, 0, 4000)).astype(np.float32)
    for _ in range(20):
        eye, target, up = rng.normal(0, 1, (3, 3))
        turned = look_at(eye, target, up, float(rng.uniform(0.2, 2)))
        camera = replace(
            turned, projection=kind, view_height=1.5, pixel_aspect=1.2, centre=tuple(rng.uniform(0.2, 0.8, 2).tolist())
        )
        planes = cull_planes(camera, 100, 80)
        inside = positions @ planes[:, :3].T + planes[:, 3] + radii[:, None] * planes[:, 4] >= 0  # [N, P]
        kept = np.flatnonzero(inside.all(axis=1))
        order = DepthSorter(positions, radii, radii**2).order(camera, 100, 80).records % len(positions)
        assert np.isin(order, kept).all()
        if kind != "equirectangular":
            assert len(kept) < 1.3 * len(order) + 40


def test_the_same_picture(context: moderngl.Context) -> None:
    scene = shell(8000, degree=2)
    camera = look_at(np.array([1.0, -0.8, -1.2]), np.zeros(3), np.array([0.1, -1.0, 0.2]), 0.8)
    pictures = []
    for residency in ("decoded", "resident"):
        renderer = GaussianRenderer(context, "quads", residency)
        renderer.load(scene)
        pictures.append(to_8_bit(renderer.render(camera, 240, 180)).astype(np.float32) / 255)
        assert renderer.facts.residency == residency
        renderer.release()
    assert pictures[0].std() > 0.1
    assert psnr(*pictures) > 60
