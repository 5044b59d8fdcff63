"""The .spz format: every version against plain arithmetic, other writers' files, what is lost, what is refused."""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zstandard

from scenes.content import ReadOptions
from scenes.errors import KilofieldError, SceneFileError
from scenes.gaussians import rotation_matrices
from scenes.harmonics import sh_basis
from scenes.load import load_scene
from scenes.spz import FRAMES, read_spz
from scenes.spz_writer import write_spz
from tests.format_samples import assert_close, sample

FIXTURES = Path(__file__).parent / "fixtures" / "formats"
STEPS = {
    "positions": 0.5 / 4096 + 1e-6,
    "log_scales": 0.5 / 16 + 1e-6,
    "rotations": 0.003,  # half a step of three numbers, and what the fourth makes of it
    "opacity": 0.5 / 255 + 1e-6,
    "colour": 0.5 / 255 / 0.15 + 1e-6,
    "sh": 0.5 / 128 + 1e-6,
}


def half_spz(version: int, degree: int = 1, flags: int = 0, tail: bytes = b"") -> bytes:
    """One Gaussian of an old version, byte by byte."""
    header = struct.pack("<4sIIBBBB", b"NGSP", version, 1, degree, 8, flags, 0)
    positions = (
        struct.pack("<3e", 1.5, -2.0, 3.0) if version == 1 else b"\x80\x01\x00" + b"\x00\xfe\xff" + b"\x00\x03\x00"
    )
    rotations = b"\xff\x7f\x80" if version < 3 else struct.pack("<I", 3 << 30 | (512 | 100) << 20 | 200 << 10 | 0)
    sh = bytes(range(120, 120 + 3 * ((degree + 1) ** 2 - 1)))
    return header + positions + b"\x80" + b"\x00\x80\xff" + b"\x10\xa0\xff" + rotations + sh + tail


def decoded(tmp_path: Path, content: bytes, name: str = "a.spz") -> Path:
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


@pytest.mark.parametrize("version", [1, 2, 3])
def test_old_versions_as_the_format_has_them(tmp_path: Path, version: int) -> None:
    gaussians = read_spz(decoded(tmp_path, gzip.compress(half_spz(version))), ReadOptions()).gaussians
    # right up back becomes right down front: y and z change their signs
    np.testing.assert_allclose(gaussians.positions, [[1.5, 2.0, -3.0]])
    np.testing.assert_allclose(gaussians.log_scales, [[-9, 0, 255 / 16 - 10]], atol=1e-6)
    assert gaussians.opacity_logits[0] == pytest.approx(math.log(128 / 127), abs=1e-6)
    np.testing.assert_allclose(gaussians.sh[0, 0], [-0.5 / 0.15, (128 / 255 - 0.5) / 0.15, 0.5 / 0.15], atol=1e-5)
    if version < 3:
        expected = [0, 1, -(127 / 127.5 - 1), -(128 / 127.5 - 1)]
    else:
        x, y = -100 / 511 * math.sqrt(0.5), 200 / 511 * math.sqrt(0.5)
        expected = [math.sqrt(1 - x * x - y * y), x, -y, 0]
    np.testing.assert_allclose(gaussians.rotations[0], expected, atol=1e-6)
    values = (np.arange(120, 129).reshape(3, 3) - 128) / 128
    np.testing.assert_allclose(gaussians.sh[0, 1:], values * [[-1], [-1], [1]], atol=1e-6)  # y, z, x of band 1


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("antialiased", [False, True])
def test_what_is_written_is_read(tmp_path: Path, version: int, degree: int, antialiased: bool) -> None:
    scene = sample(sh_degree=degree, antialiased=antialiased)
    write_spz(tmp_path / "a.spz", scene, version)
    file = load_scene(tmp_path / "a.spz")
    assert (file.format, file.dropped, file.gaussians.antialiased) == ("spz", 0, antialiased)
    assert_close(file.gaussians, scene, **STEPS)


@pytest.mark.parametrize("name", ["v3.spz", "v4.spz"])
def test_files_of_other_writers(name: str) -> None:
    five_and_four_bits = 0.5 * 16 / 128 + 0.01
    assert_close(load_scene(FIXTURES / name).gaussians, sample(64, seed=7), **(STEPS | {"sh": five_and_four_bits}))


def test_both_versions_say_the_same(tmp_path: Path) -> None:
    for version in (3, 4):
        write_spz(tmp_path / f"{version}.spz", sample(), version)
    three, four = (load_scene(tmp_path / f"{version}.spz").gaussians for version in (3, 4))
    assert_close(three, four, **dict.fromkeys(STEPS, 0.0))


def test_fewer_bits_are_smaller_and_coarser(tmp_path: Path) -> None:
    scene = sample(2000)
    write_spz(tmp_path / "fine.spz", scene)
    write_spz(tmp_path / "coarse.spz", scene, sh_bits=(5, 4))
    assert (tmp_path / "coarse.spz").stat().st_size < 0.75 * (tmp_path / "fine.spz").stat().st_size
    coarse = load_scene(tmp_path / "coarse.spz").gaussians
    assert np.abs(coarse.sh[:, 1:4] - scene.sh[:, 1:4]).max() == pytest.approx(0.5 / 16, rel=0.02)
    assert np.abs(coarse.sh[:, 4:] - scene.sh[:, 4:]).max() == pytest.approx(0.5 / 8, rel=0.02)


@pytest.mark.parametrize(("size", "step"), [(1e-4, 2.0**-23), (1.0, 2.0**-12), (3e4, 2.0**-4)])
def test_positions_are_as_fine_as_the_scene_asks_for(tmp_path: Path, size: float, step: float) -> None:
    scene = sample(sh_degree=0)
    scale = np.float32(size)
    small = replace(scene, positions=scene.positions * scale, log_scales=scene.log_scales + np.log(scale))
    if size == 1.0:
        small = replace(small, log_scales=small.log_scales + np.float32(5))  # large Gaussians need no more than usual
    write_spz(tmp_path / "a.spz", small)
    found = load_scene(tmp_path / "a.spz").gaussians
    assert np.abs(found.positions - small.positions).max() <= 0.51 * max(step, float(size) * 2**-23)


def test_a_scene_too_large_is_said(tmp_path: Path) -> None:
    scene = sample(3)
    with pytest.raises(KilofieldError, match=r"has room for positions within 8388607, found 9e\+06"):
        write_spz(tmp_path / "a.spz", replace(scene, positions=np.full((3, 3), 9e6, np.float32)))
    assert not list(tmp_path.iterdir())


def with_frame(content: bytes, number: int) -> bytes:
    """A file of version 4 that says what its axes point to, after a record nobody knows."""
    records = struct.pack("<II3s", 0x12340001, 3, b"abc") + struct.pack("<III", 0xADBE0003, 4, number)
    header = bytearray(content[:32])
    header[14] |= 2
    header[16:20] = struct.pack("<I", 32 + len(records))
    return bytes(header) + records + content[32:]


@pytest.mark.parametrize("number", range(1, 17))
def test_axes_of_every_kind(tmp_path: Path, number: int) -> None:
    """The scene looks as it does in the usual axes, from wherever one looks, once these are taken into account."""
    write_spz(tmp_path / "a.spz", sample(20))
    usual = load_scene(tmp_path / "a.spz").gaussians
    path = decoded(tmp_path, with_frame((tmp_path / "a.spz").read_bytes(), number), "b.spz")
    found = load_scene(path).gaussians
    ways = {"R": (1, 0, 0), "L": (-1, 0, 0), "D": (0, 1, 0), "U": (0, -1, 0), "F": (0, 0, 1), "B": (0, 0, -1)}
    stored = np.diag([1.0, -1, -1])  # of the usual axes in those of .ply, and back
    turn = np.array([ways[letter] for letter in FRAMES[number - 1]], np.float64).T @ stored
    np.testing.assert_allclose(found.positions, usual.positions @ turn.T, atol=1e-5)
    covariances = []
    for scene, change in ((usual, turn), (found, np.eye(3))):
        axes = change @ rotation_matrices(scene.rotations.astype(np.float64)) * np.exp(scene.log_scales)[:, None]
        covariances.append(axes @ axes.transpose(0, 2, 1))
    np.testing.assert_allclose(covariances[1], covariances[0], atol=1e-6)
    seen_from = np.random.default_rng(1).normal(size=(20, 3))
    seen_from /= np.linalg.norm(seen_from, axis=1, keepdims=True)
    before = np.einsum("nk,nkc->nc", sh_basis(seen_from, 3), usual.sh)
    after = np.einsum("nk,nkc->nc", sh_basis(seen_from @ turn.T, 3), found.sh)
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_a_fourth_degree_is_left_out_and_said(tmp_path: Path) -> None:
    file = load_scene(decoded(tmp_path, gzip.compress(half_spz(3, degree=4))))
    assert file.gaussians.sh_degree == 3
    assert file.notes == ("SH of degree 4 were left out above 3",)


def plain(change: Callable[[bytearray], None] = lambda _: None) -> bytes:
    """A file of version 4 with one Gaussian of degree 0, changed."""
    parts = [half_spz(3, degree=0)[16:][a:b] for a, b in ((0, 9), (9, 10), (10, 13), (13, 16), (16, 20))]
    stored = [zstandard.compress(part) for part in parts]
    header = struct.pack("<4sIIBBBBI12x", b"NGSP", 4, 1, 0, 8, 0, len(parts), 32)
    table = b"".join(struct.pack("<QQ", len(s), len(p)) for s, p in zip(stored, parts, strict=True))
    content = bytearray(header + table + b"".join(stored))
    change(content)
    return bytes(content)


def put(at: int, kind: str, value: int) -> Callable[[bytearray], None]:
    return lambda content: struct.pack_into(kind, content, at, value)


BAD: dict[str, tuple[bytes, str]] = {
    "no such version": (plain(put(4, "<I", 5)), "header, version: expected 4 in a plain file, found 5"),
    "old and plain": (plain(put(4, "<I", 3)), "header, version: expected 4 in a plain file, found 3"),
    "new and gzip": (gzip.compress(half_spz(4)), "header, version: expected 1 to 3 in a gzip file, found 4"),
    "cut in the header": (plain()[:20], "header: expected 32 bytes, found 20"),
    "none": (plain(put(8, "<I", 0)), "header: expected at least one Gaussian, found 0"),
    "too many": (
        plain(put(8, "<I", 2**31)),
        "header: expected at most 50000000 Gaussians (--max-gaussians), found 2147483648",
    ),
    "more than streams": (plain(put(8, "<I", 2)), "stream of positions: expected 18 bytes for 2 Gaussians, found 9"),
    "degree": (plain(put(12, "<B", 5)), "header, SH degree: expected 0 to 4, found 5"),
    "bits": (plain(put(13, "<B", 24)), "header, fractional bits: expected 0 to 23, found 24"),
    "few streams": (plain(put(15, "<B", 4)), "header: expected 5 streams, found 4"),
    "table outside": (
        plain(put(16, "<I", 2**31)),
        f"header: expected a table within {len(plain())} bytes, after the header, found 5 streams at byte 2147483648",
    ),
    "stream outside": (
        plain(put(32, "<Q", 2**63)),
        f"stream of positions: expected 9223372036854775808 bytes, found {len(plain()) - 112}",
    ),
    "no zstd": (
        plain(put(112, "<I", 0)),
        "stream of positions: expected a zstd stream of 9 bytes, found a damaged one",
    ),
    "cut": (plain()[:-1], "stream of rotations: expected 13 bytes, found 12"),
    "gzip cut": (gzip.compress(half_spz(3), 0)[:50], "rotations: expected 4 bytes, found 3"),
    "gzip cut after all": (
        gzip.compress(half_spz(3))[:-3],
        "gzip stream: expected a whole one, found one that is cut off",
    ),
    "gzip too short": (gzip.compress(half_spz(3)[:30]), "scales: expected 3 bytes, found 1"),
    "bomb": (
        gzip.compress(struct.pack("<4sIIBBBB", b"NGSP", 3, 10_000_000, 3, 12, 0, 0)),
        "header: expected at most {limit} bytes of attributes, found 10000000 Gaussians",
    ),
    "extension cut": (
        gzip.compress(half_spz(3, flags=2, tail=struct.pack("<II", 7, 100) + b"abc")),
        "extension 0x00000007: expected 100 bytes, found 3",
    ),
    "extensions cut": (
        gzip.compress(half_spz(3, flags=2, tail=b"abc")),
        "extensions: expected whole records, found 3 bytes after the last",
    ),
    "axes": (
        gzip.compress(half_spz(3, flags=2, tail=struct.pack("<III", 0xADBE0003, 4, 17))),
        "extension of the coordinate system: expected 0 to 16, found 11000000",
    ),
    "endless extensions": (
        gzip.compress(half_spz(3, flags=2, tail=bytes(1 << 22))),
        "extensions: expected at most 1048576 bytes, found more",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    content, message = BAD[name]
    path = decoded(tmp_path, content)
    with pytest.raises(SceneFileError) as caught:
        load_scene(path)
    assert str(caught.value) == f"{path}: {message.format(limit=1032 * len(content))}"


@pytest.mark.parametrize("at", [-5, 20])
def test_a_damaged_gzip_is_told(tmp_path: Path, at: int) -> None:
    content = bytearray(gzip.compress(half_spz(3)))
    content[at] ^= 0x10
    path = decoded(tmp_path, bytes(content))
    with pytest.raises(SceneFileError, match=r"gzip stream: expected a whole one, found a damaged one$"):
        load_scene(path)
