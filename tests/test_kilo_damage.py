"""Damaged and hostile .kilo files: each is a SceneFileError that says where, never anything else."""

from __future__ import annotations

import json
import random
import struct
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.errors import SceneFileError
from scenes.kilo import pack_kilo, read_kilo, unpack_kilo
from scenes.kilo_container import build
from tests.kilo_damage import mutate_manifest, mutate_streams, parts, put
from tests.kilo_scenes import random_scene

TIERS = np.arange(60) % 2


def _small() -> bytes:
    return pack_kilo(random_scene(count=60, networks=2, code=2, degree=0), chunks=[1, 1], tiers=TIERS)


def _message(data: bytes) -> str:
    with pytest.raises(SceneFileError) as error:
        unpack_kilo(data)
    text = str(error.value)
    assert "\n" not in text
    return text


def test_every_flipped_byte_is_detected() -> None:
    data = _small()
    rng = random.Random(0)
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= rng.randrange(1, 256)
        _message(bytes(damaged))


def test_every_truncation_is_detected() -> None:
    data = _small()
    for length in range(len(data)):
        _message(data[:length])


def test_a_flipped_byte_names_its_stream() -> None:
    data = _small()
    manifest, streams = parts(data)
    start = len(data) - (manifest["chunks"][1]["tiers"][1]["codes"]["offset"] + len(streams[-1]))
    for place, stream in [
        ("outputs", manifest["outputs"]),
        ("chunk 1 weights", manifest["chunks"][1]["weights"]),
        ("chunk 0 tier 1 positions", manifest["chunks"][0]["tiers"][1]["positions"]),
        ("chunk 1 tier 0 codes", manifest["chunks"][1]["tiers"][0]["codes"]),
    ]:
        damaged = bytearray(data)
        damaged[start + stream["offset"]] ^= 1
        crc = zlib.crc32(damaged[start + stream["offset"] :][: stream["stored"]])
        expected = f"memory: {place}: expected checksum {stream['crc']:08x}, found {crc:08x}, damaged"
        assert _message(bytes(damaged)) == expected


def _with_header(data: bytes, **fields: int) -> bytes:
    """`data` with header fields changed and its CRC mended."""
    names = ("version", "stored", "length")
    values = [fields.get(n, v) for n, v in zip(names, struct.unpack_from("<3I", data, 4), strict=True)]
    start = b"KILO" + struct.pack("<3I", *values)
    return start + struct.pack("<I", zlib.crc32(start + data[20 : 20 + values[1]])) + data[20:]


def test_messages_about_the_file_as_a_whole() -> None:
    data = _small()
    stored = int.from_bytes(data[8:12], "little")
    assert _message(b"") == "memory: header: expected a .kilo that starts with 'KILO', found an empty file"
    assert _message(b"ply\n") == "memory: header: expected a .kilo that starts with 'KILO', found 'ply\\n'"
    assert _message(data[:11]) == "memory: header: expected 20 bytes, found 11, cut short"
    version = "memory: header: expected version 1, the newest this program reads, found version "
    assert _message(_with_header(data, version=2)) == version + "2"
    assert _message(data[:4] + b"\x02" + data[5:]) == version + "2 (or a damaged header)"
    assert (
        _message(data[:100])
        == f"memory: manifest: expected a file of {20 + stored} bytes or more, found 100, cut short"
    )
    cut = (
        f"memory: chunk 1 tier 1 codes: expected a file of {len(data)} bytes or more, found {len(data) - 1}, cut short"
    )
    assert _message(data[:-1]) == cut
    assert _message(data + b"\0") == f"memory: file: expected {len(data)} bytes, found {len(data) + 1}"
    assert "manifest: expected checksum" in _message(data[:30] + bytes([data[30] ^ 1]) + data[31:])


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(SceneFileError, match=r"none\.kilo: file: expected a readable file, found No such file"):
        read_kilo(tmp_path / "none.kilo")
    with pytest.raises(SceneFileError, match="file: expected a readable file, found Is a directory"):
        read_kilo(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("kind", "surface"), "manifest kind: expected one of gaussians, found 'surface'"),
        (put("requires", ["levels"]), "manifest requires[0]: expected a feature this program has, found 'levels'"),
        (put("requires", [[]]), "manifest requires[0]: expected a feature this program has, found []"),
        (put("count", 10**12), "manifest count: expected an integer from 0 to 100000000, found 1000000000000"),
        (put("count", 61), "manifest chunks: expected tiers of 61 Gaussians, found "),
        (put("count", 60.0), "manifest count: expected an integer from 0 to 100000000, found 60.0"),
        (put("count", True), "manifest count: expected an integer from 0 to 100000000, found True"),
        (put("sh_degree", 4), "manifest sh_degree: expected an integer from 0 to 3, found 4"),
        (put("grid.step", 0), "manifest grid.step: expected a number above 0, found 0"),
        (put("grid.bits", 21), "manifest grid.bits: expected an integer from 1 to 20, found 21"),
        (put("bank.width", 6), "manifest bank.width: expected a multiple of 4, found 6"),
        (put("bank.width", 12), "manifest chunks[0].weights.shape: expected [1, "),
        (
            put("bank.activation", "gelu"),
            "manifest bank.activation: expected one of tanh, relu, softplus, sine, found",
        ),
        (put("bank.modulation", [1, 33, 1]), "bank.modulation[1]: expected an integer from 1 to 32, found 33"),
        (put("bank.modulation", 4), "manifest bank.modulation: expected a list of 3, found 4"),
        (put("bank.modulation", [2, 2, 2]), "manifest chunks[0].weights.shape: expected [1, "),
        (put("bank.outputs", 11), "manifest bank.outputs: expected an integer from 10 to 10, found 11"),
        (put("bank", []), "manifest bank: expected an object, found []"),
        (put("chunks", {}), "manifest chunks: expected a list of 1 to 2, found {}"),
        (put("chunks.1.clusters", [0, 1]), "manifest chunks[1].clusters[0]: expected an integer from 1 to 1, found 0"),
        (put("chunks.0.tiers.0.codes", None), "manifest chunks[0].tiers[0].codes: expected an object, found None"),
        (put("chunks.0.tiers.0.positions.codec", "lzma"), "positions.codec: expected one of raw, zstd, octree, found"),
        (
            put("chunks.0.tiers.0.positions.dtype", "float32"),
            "positions.dtype: expected one of uint32, found 'float32'",
        ),
        (put("chunks.1.steps", None), "manifest chunks[1].weights.dtype: expected one of float16, found 'int8'"),
        (put("outputs.offset", 4), "manifest outputs: expected offset 0, found 4"),
        (put("outputs.stored", 7), "manifest outputs.stored: expected an integer from 40 to 40, found 7"),
        (put("outputs.crc", 1), "outputs: expected checksum 00000001, found "),
    ],
)
def test_a_manifest_that_lies_is_told_so(change, message: str) -> None:
    manifest, streams = parts(_with_half_outputs())
    change(manifest)
    assert message in _message(build(manifest, streams))


def test_modulation_without_hidden_layers_is_refused() -> None:
    manifest, streams = parts(pack_kilo(random_scene(count=9, layers=0)))
    manifest["bank"]["modulation"] = [4, 4, 4]
    assert "manifest bank.modulation: expected none without hidden layers" in _message(build(manifest, streams))


def _with_half_outputs() -> bytes:
    """The small file, whose `outputs` are halves stored raw."""
    scene = random_scene(count=60, networks=2, code=2, degree=0)
    scene = replace(scene, output_scale=scene.output_scale.astype(np.float16).astype(np.float32))
    return pack_kilo(scene, chunks=[1, 1], tiers=TIERS)


def test_json_that_is_not_ours_is_refused() -> None:
    def framed(text: bytes) -> bytes:
        return _with_header(b"KILO" + struct.pack("<4I", 1, len(text), len(text), 0) + text)

    assert _message(framed(b"[" * 10_000)) == "memory: manifest: expected JSON nested at most 16 deep, found 10000"
    assert "manifest: expected JSON, found the number NaN" in _message(framed(b'{"count": NaN}'))
    assert "manifest: expected JSON, found Exceeds the limit" in _message(framed(b'{"count": ' + b"9" * 5000 + b"}"))
    assert "manifest: expected JSON, found 'utf-8' codec" in _message(framed(b"\xff"))
    bomb = zlib.compress(bytes(1 << 26), 9)
    framed_bomb = b"KILO" + struct.pack("<4I", 1, len(bomb), 1 << 24, 0) + bomb
    assert "manifest: expected 16777216 bytes of JSON" in _message(_with_header(framed_bomb))


def test_a_limit_on_gaussians_is_kept() -> None:
    with pytest.raises(
        SceneFileError, match=r"manifest count: expected at most 59 Gaussians \(--max-gaussians\), found 60"
    ):
        unpack_kilo(_small(), max_gaussians=59)


@pytest.mark.filterwarnings("error")
def test_thousands_of_mutations_do_no_harm() -> None:
    """Every mutant reads as a scene or raises SceneFileError, in little memory; checksums are mended to get deep."""
    seeds = [parts(data) for data in (_small(), pack_kilo(random_scene(count=80, on_grid=False, stepped=False)))]
    texts = [json.dumps(manifest) for manifest, _ in seeds]
    rng, rejected, read = random.Random(1), 0, 0
    tracemalloc.start()
    for _ in range(2000):
        which = rng.randrange(2)
        manifest, streams = json.loads(texts[which]), seeds[which][1]
        if rng.random() < 0.5:
            mutate_manifest(manifest, rng)
        else:
            streams = mutate_streams(manifest, streams, rng)
        try:
            scene = unpack_kilo(build(manifest, streams))
        except SceneFileError:
            rejected += 1
        else:
            assert np.isfinite(scene.positions).all()
            read += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rejected > 1000
    assert read > 100
    assert peak < 128e6


def test_a_selection_still_checks_what_it_reads(tmp_path: Path) -> None:
    data = bytearray(_small())
    manifest, _ = parts(bytes(data))
    start = -(-(20 + int.from_bytes(data[8:12], "little")) // 4) * 4
    data[start + manifest["chunks"][0]["boxes"]["offset"]] ^= 1
    (tmp_path / "a.kilo").write_bytes(data)
    with pytest.raises(SceneFileError, match="chunk 0 boxes: expected checksum"):
        read_kilo(tmp_path / "a.kilo", chunks=[0], tiers=[0])
