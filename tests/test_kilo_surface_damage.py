"""Damaged and hostile .kilo files of surfaces: each is a SceneFileError that says where, never anything else."""

from __future__ import annotations

import json
import random
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.errors import SceneFileError
from scenes.kilo_container import build
from scenes.kilo_surface import SurfaceLimits, pack_surface, unpack_surface
from tests.kilo_damage import mutate_manifest, mutate_streams, parts, put, streams_of
from tests.kilo_surface_samples import sample, tiny

SMALL = pack_surface(sample("four cells"), chunks=[1, 3])
TINY = pack_surface(tiny(), chunks=[1, 3])
UNEVEN = pack_surface(sample(uneven=True))


def message(data: bytes, limits: SurfaceLimits | None = None) -> str:
    with pytest.raises(SceneFileError) as error:
        unpack_surface(data, limits=limits or SurfaceLimits())
    text = str(error.value)
    assert "\n" not in text
    return text


def test_every_flipped_byte_is_detected() -> None:
    rng = random.Random(0)
    for at in range(len(TINY)):
        damaged = bytearray(TINY)
        damaged[at] ^= rng.randrange(1, 256)
        message(bytes(damaged))


def test_every_truncation_is_detected() -> None:
    for length in range(len(TINY)):
        message(TINY[:length])
    message(TINY + b"\0")


def test_a_flipped_byte_names_its_stream() -> None:
    manifest, streams = parts(SMALL)
    start = len(SMALL) - (manifest["chunks"][1]["appearance"]["offset"] + len(streams[-1]))
    for place, stream in [
        ("geometry mean", manifest["geometry"]["mean"]),
        ("appearance steps", manifest["appearance"]["steps"]),
        ("chunk 0 coordinates", manifest["chunks"][0]["coordinates"]),
        ("chunk 1 geometry", manifest["chunks"][1]["geometry"]),
        ("chunk 1 appearance", manifest["chunks"][1]["appearance"]),
    ]:
        damaged = bytearray(SMALL)
        damaged[start + stream["offset"]] ^= 1
        crc = zlib.crc32(damaged[start + stream["offset"] :][: stream["stored"]])
        expected = f"memory: {place}: expected checksum {stream['crc']:08x}, found {crc:08x}, damaged"
        assert message(bytes(damaged)) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (put("kind", "gaussians"), "manifest kind: expected one of surface, found 'gaussians'"),
        (put("requires", ["levels"]), "manifest requires[0]: expected a feature this program has, found 'levels'"),
        (put("count", 0), "manifest count: expected an integer from 1 to 4194304, found 0"),
        (put("count", 10**7), "manifest count: expected an integer from 1 to 4194304, found 10000000"),
        (put("count", 5), "manifest chunks: expected chunks of 5 cells, found "),
        (put("count", 3), "manifest chunks[1].cells[1]: expected an integer from 1 to 2, found 3"),
        (put("grid", None), "manifest grid: expected an object, found None"),
        (put("grid.edge", 0), "manifest grid.edge: expected 1e-30 or more, found 0"),
        (put("grid.edge", -1), "manifest grid.edge: expected 1e-30 or more, found -1"),
        (put("grid.origin", [0, 0]), "manifest grid.origin: expected a list of 3, found [0, 0]"),
        (put("grid.size.1", 0), "manifest grid.size[1]: expected an integer from 1 to 1048576, found 0"),
        (put("grid.size", [1 << 10] * 3), "manifest grid.size: expected at most 134217728 cells, found [1024, "),
        (put("grid.size", [1, 2, 2]), "coordinates: expected cells of a grid of [1, 2, 2], found others"),
        (put("overlap", 0.51), "manifest overlap: expected a number from 0 to 0.5, found 0.51"),
        (put("overlap", "no"), "manifest overlap: expected a number within 1e30, found 'no'"),
        (put("geometry", None), "manifest geometry: expected an object, found None"),
        (put("geometry.code", 6), "manifest geometry.code: expected an integer from 0 to 0, found 6"),
        (put("geometry.outputs", 2), "manifest geometry.outputs: expected an integer from 1 to 1, found 2"),
        (put("geometry.width", 6), "manifest geometry.width: expected a multiple of 4, found 6"),
        (put("geometry.width", 12), "manifest geometry.mean.shape: expected ["),
        (put("geometry.steps", None), "manifest geometry.mean: expected none without steps, found {"),
        (put("geometry.steps.shape", [7]), "manifest geometry.steps.shape: expected [6], found [7]"),
        (put("geometry.mean.codec", "rans"), "manifest geometry.mean.codec: expected one of raw, zstd, found 'rans'"),
        (put("appearance.code", 3), "manifest appearance.code: expected 0 or 6, found 3"),
        (put("appearance.outputs", 1), "manifest appearance.outputs: expected an integer from 3 to 3, found 1"),
        (put("appearance.output_activation", "none"), "output_activation: expected one of tanh, found 'none'"),
        (put("appearance.modulation", [1, 33, 1]), "appearance.modulation[1]: expected an integer from 1 to 32, found"),
        (put("chunks", []), "manifest chunks: expected a list of 1 to 4, found []"),
        (put("chunks.1.cells", [0, 3]), "manifest chunks[1].cells[0]: expected an integer from 1 to 1, found 0"),
        (put("chunks.0.bounds", None), "manifest chunks[0].bounds: expected a list of 2, found None"),
        (put("chunks.0.appearance", None), "manifest chunks[0].appearance: expected an object, found None"),
        (put("chunks.0.geometry.dtype", "float16"), "geometry.dtype: expected one of int8, int16, found 'float16'"),
        (put("chunks.0.geometry.codec", "octree"), "geometry.codec: expected one of raw, zstd, rans, found 'octree'"),
        (put("chunks.0.coordinates.codec", "rans"), "coordinates.codec: expected one of raw, zstd, octree, found"),
        (
            put("chunks.0.geometry.raw", 1),
            "manifest chunks[0].geometry.raw: expected an integer from 161 to 161, found",
        ),
        (put("chunks.0.geometry.offset", 0), "manifest "),
        (put("appearance", None), "manifest chunk 0 coordinates: expected offset "),
    ],
)
def test_a_manifest_that_lies_is_told_so(change, expected: str) -> None:
    manifest, streams = parts(SMALL)
    change(manifest)
    assert expected in message(build(manifest, streams))


def test_unknown_keys_and_nulls_are_ignored() -> None:
    manifest, streams = parts(SMALL)
    manifest |= {"levels": [1, 2], "requires": None}
    manifest["chunks"][0]["level"] = 3
    manifest["geometry"]["note"] = {"a": []}
    found = unpack_surface(build(manifest, streams))
    assert np.array_equal(found.geometry.weights, sample("four cells").geometry.weights)


def _with_stream(data: bytes, way: str, values: np.ndarray) -> bytes:
    """`data` with other values in the stream at a dotted path, stored raw, and all offsets and checksums mended."""
    manifest, streams = parts(data)
    entry: Any = manifest
    for key in way.split("."):
        entry = entry[int(key) if key.isdigit() else key]
    entries = sorted(streams_of(manifest), key=lambda s: s["offset"])
    index = entries.index(entry)
    streams[index] = values.tobytes()
    entry |= {"codec": "raw", "dtype": values.dtype.name, "stored": values.nbytes, "raw": values.nbytes}
    entry["crc"] = zlib.crc32(streams[index])
    end = 0
    for stream in entries:
        stream["offset"] = end
        end += -(-stream["stored"] // 4) * 4
    return build(manifest, streams)


def _with_coordinates(cells: list[list[int]]) -> bytes:
    return _with_stream(SMALL, "chunks.1.coordinates", np.array(cells, np.uint32))


def test_cells_out_of_order_or_twice_are_refused() -> None:
    order = (
        "memory: chunk 1 coordinates: expected cells in the order of their Morton codes, no two the same, found others"
    )
    assert len(unpack_surface(_with_coordinates([[1, 0, 0], [0, 1, 0], [1, 1, 0]]))) == 4
    assert message(_with_coordinates([[1, 0, 0], [1, 0, 0], [1, 1, 0]])) == order
    assert message(_with_coordinates([[0, 1, 0], [1, 0, 0], [1, 1, 0]])) == order
    assert message(_with_coordinates([[0, 0, 0], [0, 1, 0], [1, 1, 0]])) == order  # the first chunk's cell again
    far = "memory: chunk 1 coordinates: expected cells of a grid of [2, 2, 1], found others"
    assert message(_with_coordinates([[1, 0, 0], [0, 1, 0], [0, 0, 1]])) == far
    assert message(_with_coordinates([[1, 0, 0], [0, 1, 0], [2**32 - 1, 2**31, 0]])) == far


def test_limits_are_kept() -> None:
    expected = "memory: manifest count: expected an integer from 1 to 3, found 4"
    assert message(SMALL, SurfaceLimits(cells=3)) == expected
    assert (
        message(SMALL, SurfaceLimits(volume=3))
        == "memory: manifest grid.size: expected at most 3 cells, found [2, 2, 1]"
    )
    assert "memory: manifest: expected streams of at most 1000 bytes, found " in message(
        SMALL, SurfaceLimits(decoded=1000)
    )


def test_tables_that_are_none_are_refused() -> None:
    size = sample().geometry.shape.parameters
    below, beyond = (_with_stream(UNEVEN, "geometry.tables", np.full(size, value, np.int8)) for value in (-1, 99))
    assert message(below) == "memory: geometry tables: expected numbers from 0 to 127, found -1"
    assert message(beyond) == "memory: chunk 0 geometry: expected a table with symbols, found an empty or missing one"
    manifest, streams = parts(UNEVEN)
    manifest["geometry"] |= {"steps": None, "mean": None}
    assert "manifest geometry.tables: expected none without steps, found {" in message(build(manifest, streams))


def test_numbers_that_are_none_are_refused() -> None:
    """Steps of infinity, and steps that make weights of infinity."""
    for value, place in (
        (np.inf, "geometry steps: expected finite numbers"),
        (3e38, "chunk 0 geometry: expected finite weights"),
    ):
        data = _with_stream(SMALL, "geometry.steps", np.full(6, value, np.float32))
        assert message(data) == f"memory: {place}, found others"
    data = _with_stream(
        pack_surface(sample(stepped=False)), "chunks.0.geometry", np.full((24, 161), np.inf, np.float16)
    )
    assert message(data) == "memory: chunk 0 geometry: expected finite numbers, found others"


@pytest.mark.filterwarnings("error")
def test_hundreds_of_mutations_do_no_harm() -> None:
    """Every mutant reads as a surface or raises SceneFileError, in little memory; checksums are mended to get deep."""
    seeds = [parts(data) for data in (TINY, pack_surface(sample("four cells", stepped=False)), UNEVEN)]
    texts = [json.dumps(manifest) for manifest, _ in seeds]
    rng, rejected, read = random.Random(1), 0, 0
    tracemalloc.start()
    for _ in range(500):
        which = rng.choice([0, 0, 0, 0, 0, 1, 1, 1, 2])  # the last is the largest
        manifest, streams = json.loads(texts[which]), seeds[which][1]
        if rng.random() < 0.5:
            mutate_manifest(manifest, rng)
        else:
            streams = mutate_streams(manifest, streams, rng)
        try:
            surface = unpack_surface(build(manifest, streams))
        except SceneFileError:
            rejected += 1
        else:
            assert np.isfinite(surface.geometry.weights).all()
            read += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rejected > 200
    assert read > 40
    assert peak < 64e6


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["count", "grid", "overlap", "geometry", "appearance", "chunks", "requires", "kind"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(key=st.sampled_from(KEYS), value=JSON)
def test_any_json_in_place_of_a_key_is_refused_or_read(key: str, value: Any) -> None:
    manifest, streams = parts(SMALL)
    manifest[key] = value
    try:
        found = unpack_surface(build(manifest, streams))
    except SceneFileError:
        pass
    else:
        assert len(found) == 4
