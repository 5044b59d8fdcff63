"""The .kilo file of a surface: what is written comes back, chunk by chunk; a slow twin reads it too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.errors import KilofieldError, SceneFileError
from scenes.kilo_surface import (
    canonical_surface,
    coded_weights,
    integers_of,
    pack_surface,
    read_surface,
    read_surface_manifest,
    unpack_surface,
    write_surface,
)
from scenes.surface import NeuralSurface, WeightCoding
from tests import kilo_surface_slow
from tests.kilo_surface_samples import VARIANTS, assert_same, part_of, sample
from tests.surface_samples import plane_surface, random_surface


@pytest.mark.parametrize("stepped", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_written_comes_back(variant: str, stepped: bool, tmp_path: Path) -> None:
    surface = sample(variant, stepped)
    report = write_surface(tmp_path / "a.kilo", surface)
    assert_same(read_surface(tmp_path / "a.kilo"), surface)
    assert_same(canonical_surface(surface), surface)
    assert report.total == (tmp_path / "a.kilo").stat().st_size
    parts = [getattr(report, n) for n in ("cells", "geometry", "appearance", "tables", "manifest", "other")]
    assert report.total == sum(parts)
    assert min(parts) >= 0
    assert (report.appearance == 0) == (surface.appearance is None)


def test_weights_without_a_coding_become_halves() -> None:
    surface = random_surface()
    found = unpack_surface(pack_surface(surface))
    assert_same(found, canonical_surface(surface))
    assert np.abs(found.geometry.weights - surface.geometry.weights).max() > 0
    assert np.allclose(found.geometry.weights, surface.geometry.weights, rtol=1e-3)


@pytest.mark.parametrize("chunks", [[1, 23], [5, 6, 13], [1] * 24])
def test_chunks_come_back_whole_and_alone(chunks: list[int], tmp_path: Path) -> None:
    surface = sample()
    write_surface(tmp_path / "a.kilo", surface, chunks=chunks)
    assert_same(read_surface(tmp_path / "a.kilo"), surface)
    starts = np.concatenate([[0], np.cumsum(chunks)])
    for chunk in (0, len(chunks) - 1):
        rows = np.arange(starts[chunk], starts[chunk + 1])
        assert_same(read_surface(tmp_path / "a.kilo", chunks=[chunk]), part_of(surface, rows))
    both = np.concatenate([np.arange(chunks[0]), np.arange(starts[-2], starts[-1])])
    assert_same(read_surface(tmp_path / "a.kilo", chunks={0, len(chunks) - 1}), part_of(surface, both))
    assert len(read_surface(tmp_path / "a.kilo", chunks=[])) == 0
    with pytest.raises(ValueError, match=f"chunks: expected some of 0 to {len(chunks) - 1}, found"):
        read_surface(tmp_path / "a.kilo", chunks=[len(chunks)])


def test_a_chunk_reads_only_its_own_bytes(tmp_path: Path) -> None:
    """Chunk 1 is read from a file in which all others are ruined."""
    surface, path = sample(), tmp_path / "a.kilo"
    write_surface(path, surface, chunks=[10, 8, 6])
    data, manifest = bytearray(path.read_bytes()), read_surface_manifest(path)
    start = -(-(20 + int.from_bytes(data[8:12], "little")) // 4) * 4
    for chunk in (manifest["chunks"][0], manifest["chunks"][2]):
        for stream in (chunk["coordinates"], chunk["geometry"], chunk["appearance"]):
            begin = start + stream["offset"]
            data[begin : begin + stream["stored"]] = bytes(255 - b for b in data[begin : begin + stream["stored"]])
    path.write_bytes(data)
    assert_same(read_surface(path, chunks=[1]), part_of(surface, np.arange(10, 18)))
    with pytest.raises(SceneFileError, match="chunk 0 coordinates: expected checksum"):
        read_surface(path)


def test_integers_of_sixteen_bits_and_means_of_zero(tmp_path: Path) -> None:
    wide, flat = sample(spread=2000), sample(centred=False)
    for surface, dtype in ((wide, "int16"), (flat, "int8")):
        write_surface(tmp_path / "a.kilo", surface)
        assert_same(read_surface(tmp_path / "a.kilo"), surface)
        manifest = read_surface_manifest(tmp_path / "a.kilo")
        assert manifest["chunks"][0]["geometry"]["dtype"] == dtype
        assert ("mean" in manifest["geometry"]) == (surface is wide)


def test_weights_that_are_unevenly_large_have_tables_of_their_own(tmp_path: Path) -> None:
    for uneven in (False, True):
        surface = sample(uneven=uneven)
        write_surface(tmp_path / "a.kilo", surface, chunks=[12, 12])
        assert_same(read_surface(tmp_path / "a.kilo"), surface)
        assert_same(read_surface(tmp_path / "a.kilo", chunks=[1]), part_of(surface, np.arange(12, 24)))
        assert ("tables" in read_surface_manifest(tmp_path / "a.kilo")["geometry"]) == uneven
    twin = kilo_surface_slow.Surface((tmp_path / "a.kilo").read_bytes())
    assert np.array_equal(np.array(list(twin.networks["geometry"].values()), np.float32), surface.geometry.weights)


def test_integers_are_found_again() -> None:
    surface = sample()
    assert surface.geometry_coding is not None
    bank, coding = surface.geometry, surface.geometry_coding
    integers = integers_of(bank.weights, coding, bank.shape)
    assert np.array_equal(coded_weights(integers, coding, bank.shape), bank.weights)
    still = WeightCoding(coding.mean, coding.steps * np.float32(0))
    same = np.tile(coding.mean, (3, 1))
    assert (integers_of(same, still, bank.shape) == 0).all()


def test_the_field_is_that_of_the_file() -> None:
    surface = plane_surface()
    found = unpack_surface(pack_surface(surface))
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3)).astype(np.float32)
    before, after = surface.sample(points), found.sample(points)
    assert np.array_equal(before.inside, after.inside)
    assert np.abs(before.distance - after.distance)[before.inside].max() < 1e-3


def _moved(surface: NeuralSurface) -> NeuralSurface:
    weights = surface.geometry.weights.copy()
    weights[3, 5] = np.nextafter(weights[3, 5], np.float32(9))
    return replace(surface, geometry=replace(surface.geometry, weights=weights))


def _with_steps(surface: NeuralSurface, factor: float) -> NeuralSurface:
    coding = surface.geometry_coding
    assert coding is not None
    return replace(surface, geometry_coding=replace(coding, steps=coding.steps * np.float32(factor)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_moved, r"weights: expected mean \+ integer \* step, in float32, with integers up to 32767"),
        (lambda s: _with_steps(s, 1.5), "weights: expected mean"),
        (lambda s: _with_steps(s, 1e-5), "weights: expected mean"),
        (lambda s: _with_steps(s, np.nan), "geometry coding: expected finite numbers"),
        (
            lambda s: replace(s, geometry_coding=replace(s.geometry_coding, mean=s.geometry_coding.mean[1:])),
            r"geometry coding: expected \(161,\) and \(6,\) or \(161,\), found \(160,\) and \(6,\)",
        ),
        (lambda s: replace(s, appearance=None), "appearance: expected no coding without a bank"),
        (lambda s: replace(s, cells=s.cells[::-1]), "cells: expected the order of their Morton codes, no two the same"),
        (lambda s: replace(s, cells=s.cells[[0, *range(23)]]), "cells: expected the order of their Morton codes"),
        (lambda s: replace(s, grid=replace(s.grid, edge=0.0)), "manifest grid.edge: expected 1e-30 or more, found 0.0"),
        (
            lambda s: replace(s, grid=replace(s.grid, size=(1 << 10, 1 << 10, 1 << 8))),
            "manifest grid.size: expected at most 134217728 cells",
        ),
        (
            lambda s: replace(
                s, geometry=replace(s.geometry, weights=s.geometry.weights * np.float32(1e9)), geometry_coding=None
            ),
            "weights: expected values a half float can hold",
        ),
        (
            lambda s: replace(s, geometry=replace(s.geometry, weights=s.geometry.weights * np.float32(np.inf))),
            "surface: expected finite weights",
        ),
    ],
)
def test_a_surface_the_format_cannot_hold_is_refused(change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack_surface(change(sample()))


@pytest.mark.parametrize("chunks", [[], [24, 0], [23], [25]])
def test_chunks_must_add_up(chunks: list[int]) -> None:
    with pytest.raises(ValueError, match="chunks: expected sizes that add up to 24 cells"):
        pack_surface(sample(), chunks=chunks)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.kilo"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_surface(path, sample(), tool={"bad": float("nan")})
    assert path.read_bytes() == b"old"
    with pytest.raises(KilofieldError, match="cannot write"):
        write_surface(tmp_path / "none" / "a.kilo", sample())


def test_the_same_surface_gives_the_same_bytes_and_keeps_the_tool(tmp_path: Path) -> None:
    write_surface(tmp_path / "a.kilo", sample(), tool={"name": "test", "steps": [1, 2.5, None, "ü"]})
    assert pack_surface(sample()) == pack_surface(sample())
    assert read_surface_manifest(tmp_path / "a.kilo")["tool"] == {"name": "test", "steps": [1, 2.5, None, "ü"]}


def test_bounds_hold_the_cells_of_a_chunk(tmp_path: Path) -> None:
    surface = sample("a long grid")
    write_surface(tmp_path / "a.kilo", surface, chunks=[4, 10])
    for chunk in read_surface_manifest(tmp_path / "a.kilo")["chunks"]:
        first, size = chunk["cells"]
        cells = surface.cells[first : first + size]
        corners = surface.grid.origin + surface.grid.edge * np.concatenate([cells, cells + 1])
        low, high = chunk["bounds"]
        assert np.all(corners >= low)
        assert np.all(corners <= high)
        assert np.all(np.array(high) - low <= np.ptp(corners, axis=0) + 0.01)


def test_progress_ends_at_one(tmp_path: Path) -> None:
    shares: list[float] = []
    write_surface(tmp_path / "a.kilo", sample(), chunks=[12, 12])
    read_surface(tmp_path / "a.kilo", progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=0.01)


def test_the_manifest_of_a_surface_is_small() -> None:
    data = pack_surface(sample(), tool={"name": "kilofield", "version": "0.1.0"})
    assert int.from_bytes(data[8:12], "little") < 700


@pytest.mark.parametrize("stepped", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_slow_twin_reads_and_decodes_the_same(variant: str, stepped: bool) -> None:
    surface = sample(variant, stepped)
    sizes = [1, len(surface) - 1] if len(surface) > 1 else [1]
    twin = kilo_surface_slow.Surface(pack_surface(surface, chunks=sizes))
    for name in ("geometry", "appearance"):
        bank = getattr(surface, name)
        assert (bank is None) == (name not in twin.networks)
        if bank is not None:
            assert list(twin.networks[name]) == [tuple(cell) for cell in surface.cells.tolist()]
            assert np.array_equal(np.array(list(twin.networks[name].values()), np.float32), bank.weights)
    rng = np.random.default_rng(0)
    low, high = np.asarray(surface.grid.origin), surface.grid.corner
    points = rng.uniform(low - 0.1, high + 0.1, (80, 3)).astype(np.float32)
    sampled = surface.sample(points)
    normals = sampled.gradient / np.maximum(np.linalg.norm(sampled.gradient, axis=1, keepdims=True), 1e-9)
    directions = rng.normal(size=(80, 3)).astype(np.float32)
    colours = surface.colour(points, normals, directions)
    for i, point in enumerate(points.tolist()):
        distance = twin.distance(point)
        assert (distance is not None) == sampled.inside[i]
        if distance is not None:
            assert distance == pytest.approx(float(sampled.distance[i]), abs=2e-4)
            _assert_gradient(twin, point, sampled.gradient[i])
            assert twin.colour(point, normals[i].tolist(), directions[i].tolist()) == pytest.approx(
                colours[i].tolist(), abs=2e-4
            )
    assert sampled.inside.any()


def _assert_gradient(twin: kilo_surface_slow.Surface, point: list[float], gradient: np.ndarray) -> None:
    """It is the derivative of the twin's distance, where that has one."""
    step, found = 1e-5, []
    for axis in range(3):
        sides = [twin.distance([x + sign * step * (a == axis) for a, x in enumerate(point)]) for sign in (1, -1)]
        if sides[0] is None or sides[1] is None:
            return  # at the edge of what exists
        found.append((sides[0] - sides[1]) / (2 * step))
    assert found == pytest.approx(gradient.tolist(), abs=2e-3 * max(1.0, float(np.abs(gradient).max())))
