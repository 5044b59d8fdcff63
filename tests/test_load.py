from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plyfile
import pytest
from numpy.typing import NDArray

from scenes.bank import BankShape, MlpBank
from scenes.compressed_ply import read_compressed_ply
from scenes.content import ReadOptions
from scenes.detect import READABLE
from scenes.errors import SceneFileError
from scenes.gaussians import SH_C0, Gaussians, rotation_matrices
from scenes.load import load_scene
from scenes.neural_gaussians import NeuralGaussians
from scenes.ply import write_ply
from scenes.save import save_scene

RANGES = [f"{end}_{name}" for end in ("min", "max") for name in ("x", "y", "z", "scale_x", "scale_y", "scale_z")]
COLOUR_RANGES = [f"{end}_{name}" for end in ("min", "max") for name in "rgb"]
PACKED = ["packed_position", "packed_rotation", "packed_scale", "packed_color"]


def compressed(count: int, sh: int = 0, colours: bool = True, seed: int = 1) -> list[plyfile.PlyElement]:
    """The elements of a compressed .ply of random bits."""
    rng = np.random.default_rng(seed)
    names = RANGES + COLOUR_RANGES * colours
    chunk = np.zeros(-(-count // 256), [(name, "f4") for name in names])
    for name in names:
        chunk[name] = rng.normal(size=len(chunk)) + (3 if name.startswith("max") else -3)
    vertex = np.zeros(count, [(name, "u4") for name in PACKED])
    for name in PACKED:
        vertex[name] = rng.integers(0, 2**32, count, dtype=np.uint32)
    elements = [plyfile.PlyElement.describe(chunk, "chunk"), plyfile.PlyElement.describe(vertex, "vertex")]
    if sh:
        rest = np.zeros(count, [(f"f_rest_{i}", "u1") for i in range(sh)])
        for name in rest.dtype.names or ():
            rest[name] = rng.integers(0, 256, count)
        elements.append(plyfile.PlyElement.describe(rest, "sh"))
    return elements


def write_elements(path: Path, elements: list[plyfile.PlyElement], byte_order: str = "<") -> Path:
    plyfile.PlyData(elements, byte_order=byte_order).write(path)
    return path


def decode_one(elements: list[plyfile.PlyElement] | plyfile.PlyData, i: int) -> dict[str, list[float]]:
    """The slow twin: Gaussian `i` by plain arithmetic, field by field."""
    named = {element.name: element.data for element in elements}
    chunk = {name: float(named["chunk"][i // 256][name]) for name in named["chunk"].dtype.names}
    position, rotation, scale, colour = (int(named["vertex"][i][name]) for name in PACKED)

    def between(name: str, fraction: float) -> float:
        low, high = chunk.get(f"min_{name}", 0.0), chunk.get(f"max_{name}", 1.0)
        return low + (high - low) * fraction

    def unpack_11_10_11(word: int) -> list[float]:
        return [(word >> 21) / 2047, ((word >> 11) & 1023) / 1023, (word & 2047) / 2047]

    small = [(((rotation >> shift) & 1023) / 1023 - 0.5) * math.sqrt(2) for shift in (20, 10, 0)]
    quaternion = list(small)
    quaternion.insert(rotation >> 30, math.sqrt(max(0.0, 1 - sum(s * s for s in small))))
    alpha = min(max((colour & 255) / 255, 0.5 / 255), 254.5 / 255)
    rgb = [((colour >> shift) & 255) / 255 for shift in (24, 16, 8)]
    sh = [(between(name, c) - 0.5) / SH_C0 for name, c in zip("rgb", rgb, strict=True)]
    rest = list(named["sh"][i]) if "sh" in named else []
    fractions = [0.0 if n == 0 else 1.0 if n == 255 else (n + 0.5) / 256 for n in rest]
    for k in range(len(rest) // 3):
        sh += [(fractions[channel * len(rest) // 3 + k] - 0.5) * 8 for channel in range(3)]
    return {
        "positions": [between(n, f) for n, f in zip("xyz", unpack_11_10_11(position), strict=True)],
        "log_scales": [between(f"scale_{n}", f) for n, f in zip("xyz", unpack_11_10_11(scale), strict=True)],
        "rotations": quaternion,
        "opacity_logits": [math.log(alpha / (1 - alpha))],
        "sh": sh,
    }


def assert_like_the_twin(
    gaussians: Gaussians, elements: list[plyfile.PlyElement] | plyfile.PlyData, indices: NDArray[np.integer]
) -> None:
    for i in indices:
        for field, expected in decode_one(elements, int(i)).items():
            found = getattr(gaussians, field)[i].ravel()
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4, err_msg=f"{field} of {i}")


@pytest.mark.parametrize("sh", [0, 9, 24, 45])
@pytest.mark.parametrize("colours", [True, False])
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_compressed_ply_against_its_twin(tmp_path: Path, sh: int, colours: bool, byte_order: str) -> None:
    elements = compressed(300, sh, colours)
    content = read_compressed_ply(write_elements(tmp_path / "c.ply", elements, byte_order))
    assert content.dropped == 0
    assert content.gaussians.sh.shape == (300, 1 + sh // 3, 3)
    assert_like_the_twin(content.gaussians, elements, np.arange(300))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_compressed_rows_of_a_bad_chunk_are_dropped(tmp_path: Path, bad: float) -> None:
    elements = compressed(300)
    elements[0].data["max_y"][0] = bad
    elements[0].data["min_y"][0] = -bad
    content = read_compressed_ply(write_elements(tmp_path / "c.ply", elements))
    assert (len(content.gaussians), content.dropped) == (44, 256)


def test_the_guitar_against_the_twin_and_common_sense(data: Path) -> None:
    path = data / "gaussians" / "guitar.compressed.ply"
    scene = load_scene(path)
    assert (scene.format, scene.dropped, scene.bytes) == ("compressed.ply", 0, 1_479_876)
    gaussians = scene.gaussians
    assert (len(gaussians), gaussians.sh_degree) == (90_854, 0)
    assert_like_the_twin(gaussians, plyfile.PlyData.read(path), np.random.default_rng(1).integers(0, 90_854, 200))
    assert np.ptp(gaussians.positions, axis=0) == pytest.approx([1.48, 4.38, 1.45], abs=0.01)  # a guitar, upright
    assert np.linalg.norm(gaussians.rotations, axis=1) == pytest.approx(1, abs=1e-3)
    colour = 0.5 + SH_C0 * gaussians.sh[:, 0]
    assert np.median(colour, axis=0) == pytest.approx([0.44, 0.34, 0.20], abs=0.02)  # wood
    # neighbours are alike in a scene that is decoded right: a Gaussian's chunk is a small part of the whole
    spread = np.array([np.ptp(gaussians.positions[i : i + 256], axis=0) for i in range(0, 90_854, 256)])
    assert np.median(spread.max(axis=1)) < 0.5


BAD_COMPRESSED: dict[str, tuple[Callable[[list[plyfile.PlyElement]], list[plyfile.PlyElement]], str]] = {
    "no vertex": (lambda e: e[:1], "header: expected elements chunk and vertex, found no vertex"),
    "no chunk": (lambda e: e[1:], "header: expected elements chunk and vertex, found no chunk"),
    "chunk rows": (
        lambda e: [*compressed(600)[:1], *e[1:]],
        "element chunk: expected 2 rows, one per 256 of 300 Gaussians, found 3",
    ),
    "sh rows": (
        lambda e: [*e[:2], compressed(299, 9)[2]],
        "element sh: expected 300 rows, one per Gaussian, found 299",
    ),
    "f_rest": (
        lambda e: [*e[:2], compressed(300, 12)[2]],
        "element sh: expected 0, 9, 24 or 45 f_rest properties, found 12",
    ),
    "plain vertex": (
        lambda e: [e[0], plyfile.PlyElement.describe(np.zeros(300, [("x", "f4"), ("packed_scale", "u4")]), "vertex")],
        "element vertex: expected properties of a compressed .ply, found no "
        "packed_position, packed_rotation, packed_color",
    ),
    "chunk without scales": (
        lambda e: [plyfile.PlyElement.describe(np.zeros(2, [(n, "f4") for n in RANGES[:-1]]), "chunk"), e[1]],
        "element chunk: expected properties of a compressed .ply, found no max_scale_z",
    ),
}


@pytest.mark.parametrize("name", BAD_COMPRESSED)
def test_bad_compressed_files(tmp_path: Path, name: str) -> None:
    change, message = BAD_COMPRESSED[name]
    path = write_elements(tmp_path / "c.ply", change(compressed(300)))
    with pytest.raises(SceneFileError) as caught:
        read_compressed_ply(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_truncated_compressed_file(tmp_path: Path) -> None:
    path = write_elements(tmp_path / "c.ply", compressed(300))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SceneFileError) as caught:
        load_scene(path)
    assert str(caught.value) == f"{path}: element vertex: expected 4800 bytes (300 rows of 16), found 4799"


def plain(count: int = 3) -> Gaussians:
    rng = np.random.default_rng(1)
    shapes = ((count, 3), (count, 3), (count, 4), (count,), (count, 4, 3))
    positions, log_scales, rotations, logits, sh = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    return Gaussians(positions, log_scales, rotations, logits, sh)


def test_a_scene_is_known_by_its_content_not_its_name(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.kilo", plain())
    scene = load_scene(str(tmp_path / "a.kilo"))
    assert (scene.format, scene.path, scene.dropped) == ("ply", tmp_path / "a.kilo", 0)
    assert scene.bytes == (tmp_path / "a.kilo").stat().st_size
    assert scene.gaussians is scene.scene
    write_elements(tmp_path / "b.splat", compressed(3))
    assert load_scene(tmp_path / "b.splat").format == "compressed.ply"


def neural(count: int = 5) -> NeuralGaussians:
    """One linear network whose weights are small integers, so that any quantisation of the file keeps them."""
    shape = BankShape(frequencies=(), code=4, width=0, layers=0, outputs=10)
    rng = np.random.default_rng(2)
    return NeuralGaussians(
        positions=rng.integers(-4, 5, (count, 3)).astype(np.float32),
        codes=rng.integers(-3, 4, (count, 4)).astype(np.int16),
        counts=np.array([count]),
        boxes=np.array([[[0, 0, 0], [4, 4, 4]]], np.float32),
        bank=MlpBank(shape, rng.integers(-2, 3, (1, shape.parameters)).astype(np.float32)),
        output_offset=np.zeros(10, np.float32),
        output_scale=np.ones(10, np.float32),
        sh_degree=0,
    )


@pytest.mark.parametrize("name", ["splat", "spz", "sog", "glb", "ply", "compressed.ply"])
def test_every_format_under_every_name(tmp_path: Path, name: str) -> None:
    for other in ("ply", "kilo", "txt", "spz"):
        save_scene(tmp_path / f"scene.{name}", plain())
        (tmp_path / f"scene.{name}").rename(tmp_path / f"other.{other}")
        scene = load_scene(tmp_path / f"other.{other}")
        assert (scene.format, len(scene.gaussians)) == (name, 3)


def test_no_more_gaussians_than_asked_for(tmp_path: Path) -> None:
    for name in ("ply", "compressed.ply"):
        save_scene(tmp_path / f"scene.{name}", plain(3))
        with pytest.raises(SceneFileError, match=r"at most 2 Gaussians \(--max-gaussians\), found 3$"):
            load_scene(tmp_path / f"scene.{name}", options=ReadOptions(max_gaussians=2))


def test_a_kilo_decodes_once_when_asked(tmp_path: Path) -> None:
    from scenes.kilo import write_kilo

    scene = neural()
    write_kilo(tmp_path / "a.ply", scene)
    loaded = load_scene(tmp_path / "a.ply")
    assert loaded.format == "kilo"
    assert isinstance(loaded.scene, NeuralGaussians)
    assert loaded.gaussians is loaded.gaussians
    order = np.lexsort(loaded.gaussians.positions.T)
    expected = scene.decode()
    expected_order = np.lexsort(expected.positions.T)
    np.testing.assert_allclose(loaded.gaussians.sh[order], expected.sh[expected_order], rtol=1e-5)
    found, wanted = (rotation_matrices(g.rotations) for g in (loaded.gaussians, expected))
    np.testing.assert_allclose(found[order], wanted[expected_order], atol=1e-5)


READABLE_OR = f"file: expected {READABLE}, found "


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "file: expected a file, found nothing at this path"),
        (b"", "file: expected some bytes, found an empty file"),
        (
            b"Dear diary, today ",
            "file: expected a scene in .ply, .compressed.ply, .splat, .spz, .ksplat, .sog, .glb, "
            ".gltf or .kilo, found a file that begins with Dear diary, toda",
        ),
        (b"PK\x03\x04 a zip of a sort", "file: expected a whole zip, found one that is cut short or damaged"),
        (b"\x1f\x8b no gzip", READABLE_OR + "a file that begins with ?? no gzip"),
        (b'{"camera": 1}', READABLE_OR + "JSON with camera"),
        (b" {}", READABLE_OR + "JSON with nothing"),
        (b'{"a', "line 1: expected JSON, found unterminated string starting at"),
        (b"plywood", "line 1: expected the word ply, found plywood"),
    ],
)
def test_what_is_not_a_scene(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "scene.ply"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SceneFileError) as caught:
        load_scene(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_folder_without_a_scene(tmp_path: Path) -> None:
    with pytest.raises(SceneFileError) as caught:
        load_scene(tmp_path)
    assert str(caught.value) == f"{tmp_path}: folder: expected a file lod-meta.json or meta.json in it, found none"
