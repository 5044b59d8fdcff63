"""Gaussians in glTF: files of ours and of others, quantised attributes, nodes that move them, what is refused."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenes.content import ReadOptions, sigmoid
from scenes.errors import SceneFileError
from scenes.gaussians import Gaussians
from scenes.gltf_writer import write_glb
from scenes.load import load_scene
from scenes.merging import merged
from scenes.placing import placed
from tests.format_samples import assert_close, sample

FIXTURES = Path(__file__).parent / "fixtures" / "formats"
K = "KHR_gaussian_splatting"
Document = dict[str, Any]


def unpacked(path: Path) -> tuple[Document, bytes]:
    """The JSON and the BIN chunk of a .glb."""
    content = path.read_bytes()
    size = struct.unpack_from("<I", content, 12)[0]
    return json.loads(content[20 : 20 + size]), content[28 + size :]


def glb(document: Any, binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    length = 28 + len(text) + len(binary)
    head = struct.pack("<4sIIII", b"glTF", 2, length, len(text), 0x4E4F534A)
    return head + text + struct.pack("<II", len(binary), 0x004E4942) + binary


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_what_is_written_is_read(tmp_path: Path, degree: int) -> None:
    scene = sample(sh_degree=degree)
    write_glb(tmp_path / "a.glb", scene)
    file = load_scene(tmp_path / "a.glb")
    assert (file.format, file.dropped) == ("glb", 0)
    assert_close(file.gaussians, scene)


def test_files_of_other_writers() -> None:
    assert_close(load_scene(FIXTURES / "sample.glb").gaussians, sample(64, seed=7))


def test_what_is_written_is_what_others_write(tmp_path: Path) -> None:
    write_glb(tmp_path / "a.glb", sample(64, seed=7))
    (ours, our_bytes), (theirs, their_bytes) = (unpacked(p) for p in (tmp_path / "a.glb", FIXTURES / "sample.glb"))
    assert ours["meshes"] == theirs["meshes"]
    assert [set(a) - {"byteOffset"} for a in ours["accessors"]] == [
        set(a) - {"byteOffset"} for a in theirs["accessors"]
    ]
    ours_f, theirs_f = (np.frombuffer(b, "<f4")[: 3 * 64] for b in (our_bytes, their_bytes))
    np.testing.assert_array_equal(ours_f, theirs_f)  # positions


@pytest.mark.parametrize("kind", ["data", "file"])
def test_a_gltf_with_its_bytes_elsewhere(tmp_path: Path, kind: str) -> None:
    write_glb(tmp_path / "a.glb", sample())
    document, binary = unpacked(tmp_path / "a.glb")
    if kind == "data":
        document["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    else:
        document["buffers"][0]["uri"] = "some%20numbers.bin"
        (tmp_path / "some numbers.bin").write_bytes(binary)
    (tmp_path / "a.gltf").write_text(json.dumps(document))
    file = load_scene(tmp_path / "a.gltf")
    assert file.format == "gltf"
    assert_close(file.gaussians, sample())


def test_quantised_and_interleaved_attributes(tmp_path: Path) -> None:
    """Rotations as normalised shorts, opacities as normalised bytes, two attributes in one bufferView."""
    scene = placed(sample(20, 0), np.diag([-1.0, -1, 1]))
    rows = np.zeros(20, [("q", "<i2", 4), ("a", "u1"), ("pad", "u1", 3)])
    rows["q"] = np.rint(scene.rotations[:, [1, 2, 3, 0]] * 32767)
    rows["a"] = np.rint(sigmoid(scene.opacity_logits) * 255)
    floats = [scene.positions, np.exp(scene.log_scales), scene.sh[:, 0]]
    binary = rows.tobytes() + b"".join(values.tobytes() for values in floats)
    views = [{"buffer": 0, "byteLength": rows.nbytes, "byteStride": rows.itemsize}]
    views += [{"buffer": 0, "byteOffset": rows.nbytes + 240 * i, "byteLength": 240} for i in range(3)]
    accessors = [
        {"bufferView": 0, "componentType": 5122, "normalized": True, "count": 20, "type": "VEC4"},
        {"bufferView": 0, "byteOffset": 8, "componentType": 5121, "normalized": True, "count": 20, "type": "SCALAR"},
        *({"bufferView": 1 + i, "componentType": 5126, "count": 20, "type": "VEC3"} for i in range(3)),
    ]
    names = {f"{K}:ROTATION": 0, f"{K}:OPACITY": 1, "POSITION": 2, f"{K}:SCALE": 3, f"{K}:SH_DEGREE_0_COEF_0": 4}
    document = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"mode": 0, "attributes": names, "extensions": {K: {"kernel": "ellipse"}}}]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    (tmp_path / "a.glb").write_bytes(glb(document, binary))
    assert_close(load_scene(tmp_path / "a.glb").gaussians, sample(20, 0), rotations=3e-5, opacity=0.5 / 255 + 1e-6)


def test_logarithmic_scales_of_the_draft(tmp_path: Path) -> None:
    write_glb(tmp_path / "a.glb", sample())
    document, binary = unpacked(tmp_path / "a.glb")
    index = document["meshes"][0]["primitives"][0]["attributes"][f"{K}:SCALE"]
    view = document["bufferViews"][document["accessors"][index]["bufferView"]]
    start = view["byteOffset"]
    logs = sample().log_scales.tobytes()
    (tmp_path / "b.glb").write_bytes(glb(document, binary[:start] + logs + binary[start + len(logs) :]))
    assert_close(load_scene(tmp_path / "b.glb").gaussians, sample())


def in_file_axes(scene: Gaussians, matrix: np.ndarray, scale: float, shift: list[float]) -> Gaussians:
    """What a node with this transform does to `scene`, which is in the axes of .ply before and after."""
    turn = np.diag([-1.0, -1, 1])
    return placed(scene, turn @ matrix @ turn, scale, turn @ np.array(shift, np.float64))


def test_nodes_move_their_gaussians(tmp_path: Path) -> None:
    scene = sample(50, 2)
    write_glb(tmp_path / "a.glb", scene)
    document, binary = unpacked(tmp_path / "a.glb")
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # about z
    column_major = [0, 2, 0, 0, -2, 0, 0, 0, 0, 0, 2, 0, 5, 6, 7, 1]
    half = 0.5**0.5
    document["nodes"] = [
        {"children": [1, 2], "translation": [1, 2, 3]},
        {"mesh": 0, "rotation": [0, 0, half, half], "scale": [3, 3, 3]},
        {"mesh": 0, "matrix": column_major},
        {"mesh": 0, "scale": [-1, 1, 1]},
    ]
    document["scenes"] = [{"nodes": [0, 3]}]
    (tmp_path / "b.glb").write_bytes(glb(document, binary))
    mirrored = in_file_axes(scene, np.diag([-1.0, 1, 1]), 1, [0, 0, 0])
    turned = in_file_axes(scene, quarter, 3, [1, 2, 3])
    moved = in_file_axes(scene, quarter, 2, [6, 8, 10])
    found = load_scene(tmp_path / "b.glb").gaussians
    assert_close(found, merged([mirrored, turned, moved]), positions=1e-5, rotations=1e-5, log_scales=1e-5, sh=1e-5)


def put(*keys: str | int, value: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        entry: Any = document
        for key in keys[:-1]:
            entry = entry[key]
        if value is None:
            del entry[keys[-1]]
        else:
            entry[keys[-1]] = value

    return change


PRIMITIVE = ("meshes", 0, "primitives", 0)
BAD: dict[str, tuple[Callable[[Document], None], str]] = {
    "no extension": (put(*PRIMITIVE, "extensions", value=None), f"meshes: expected a primitive with {K}, found none"),
    "triangles": (put(*PRIMITIVE, "mode", value=4), "meshes 0, primitive 0, mode: expected 0, points, found 4"),
    "compression": (
        put(*PRIMITIVE, "extensions", K, "extensions", value={f"{K}_compression_spz_2": {"bufferView": 0}}),
        f"meshes 0, primitive 0, {K}, extensions: expected none, so no compression, found {K}_compression_spz_2",
    ),
    "colours": (
        put(*PRIMITIVE, "extensions", K, "colorSpace", value="lin_rec709_display"),
        f'meshes 0, primitive 0, {K}, colorSpace: expected srgb_rec709_display, found "lin_rec709_display"',
    ),
    "no opacity": (
        put(*PRIMITIVE, "attributes", f"{K}:OPACITY", value=None),
        f"meshes 0, primitive 0, attributes, {K}:OPACITY: expected a value, found none",
    ),
    "part of a band": (
        put(*PRIMITIVE, "attributes", f"{K}:SH_DEGREE_1_COEF_2", value=None),
        f"meshes 0, primitive 0, attributes, {K}:SH_DEGREE_1_COEF_2: expected a value, found none",
    ),
    "other count": (
        put("accessors", 3, "count", value=299),
        f"meshes 0, primitive 0, attributes, {K}:SCALE: expected 300 elements, as POSITION has, found 299",
    ),
    "beyond the buffer": (
        put("accessors", 0, "count", value=301),
        "accessors 0: expected 301 elements of 12 bytes within 3600, found 3612 bytes",
    ),
    "far too many": (
        put("accessors", 0, "count", value=10**15),
        "primitives: expected at most 50000000 Gaussians (--max-gaussians), found 1000000000000000",
    ),
    "none": (put("accessors", 0, "count", value=0), "primitives: expected at least one Gaussian, found 0"),
    "type": (
        put("accessors", 0, "type", value="VEC2"),
        'accessors 0, type: expected 3 numbers an element, found "VEC2"',
    ),
    "component": (
        put("accessors", 0, "componentType", value=5130),
        "accessors 0, componentType: expected one of 5120, 5121, 5122, 5123, 5125, 5126, found 5130",
    ),
    "sparse": (put("accessors", 0, "sparse", value={}), "accessors 0, sparse: expected no sparse accessor, found one"),
    "no accessor": (
        put(*PRIMITIVE, "attributes", f"{K}:SCALE", value=99),
        "accessors: expected an index below 9, found 99",
    ),
    "negative": (
        put("bufferViews", 0, "byteOffset", value=-1),
        "bufferViews 0, byteOffset: expected a whole number, found -1",
    ),
    "stride": (
        put("bufferViews", 0, "byteStride", value=4),
        "accessors 0: expected 300 elements of 12 bytes within 3600, found 1208 bytes",
    ),
    "no node": (put("scenes", 0, "nodes", value=[5]), "nodes: expected an index below 1, found 5"),
    "a ring of nodes": (
        put("nodes", value=[{"mesh": 0, "children": [0]}]),
        "nodes 0: expected at most 64 nodes in one another, found more",
    ),
    "many children": (
        put("nodes", value=[{"children": [0, 0]}]),
        "nodes 0: expected a tree of nodes, found a node that is in several",
    ),
    "skewed": (
        put("nodes", 0, "scale", value=[1, 2, 1]),
        "meshes 0, primitive 0: expected a node that scales all axes alike, found one that does not",
    ),
    "flat": (
        put("nodes", 0, "scale", value=[0, 0, 0]),
        "meshes 0, primitive 0: expected a node that scales all axes alike, found one that does not",
    ),
    "way out": (
        put("buffers", 0, "uri", value="../../etc/passwd"),
        "buffers 0, uri: expected the name of a file beside it, found ../../etc/passwd",
    ),
    "address": (
        put("buffers", 0, "uri", value="http://example.com/a.bin"),
        "buffers 0, uri: expected the name of a file beside it, found http://example.com/a.bin",
    ),
    "not base64": (
        put("buffers", 0, "uri", value="data:,%%%"),
        "buffers 0, uri: expected base64, found something else",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    change, message = BAD[name]
    write_glb(tmp_path / "good.glb", sample(sh_degree=1))
    document, binary = unpacked(tmp_path / "good.glb")
    change(document)
    path = tmp_path / "a.glb"
    path.write_bytes(glb(document, binary))
    with pytest.raises(SceneFileError) as caught:
        load_scene(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (glb({}, b"")[:15], "header: expected 20 bytes, found 15"),
        (glb({}, b"").replace(b"\x02", b"\x01", 1), "header, version: expected 2, found 1"),
        (glb({}, b"abcd")[:-1], "file: expected 36 bytes, found 35"),
        (struct.pack("<4sIIII", b"glTF", 2, 20, 99, 0x4E4F534A), "chunk at byte 20: expected 99 bytes, found 0"),
        (glb([], b""), "glTF: expected an object, found []"),
        (glb({"nodes": 1}, b""), "glTF, nodes: expected a list, found 1"),
    ],
)
def test_containers_that_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.glb").write_bytes(content)
    with pytest.raises(SceneFileError) as caught:
        load_scene(tmp_path / "a.glb")
    assert str(caught.value) == f"{tmp_path / 'a.glb'}: {message}"


def test_no_more_than_asked_for(tmp_path: Path) -> None:
    write_glb(tmp_path / "a.glb", sample())
    with pytest.raises(SceneFileError, match=r"at most 299 Gaussians \(--max-gaussians\), found 300"):
        load_scene(tmp_path / "a.glb", options=ReadOptions(max_gaussians=299))
