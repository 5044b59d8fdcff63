from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import plyfile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scenes import ply_elements
from scenes.errors import KilofieldError, SceneFileError
from scenes.gaussians import Gaussians, sh_count
from scenes.ply import read_ply, write_ply

POSITION, DC = ["x", "y", "z"], ["f_dc_0", "f_dc_1", "f_dc_2"]
SHAPE = ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
GAUSSIAN = POSITION + DC + SHAPE
FIELDS = ("positions", "log_scales", "rotations", "opacity_logits", "sh")


def random_gaussians(count: int = 7, degree: int = 3, seed: int = 1, antialiased: bool = False) -> Gaussians:
    rng = np.random.default_rng(seed)
    shapes = ((count, 3), (count, 3), (count, 4), (count,), (count, sh_count(degree), 3))
    positions, log_scales, rotations, logits, sh = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    return Gaussians(positions, log_scales, rotations, logits, sh, antialiased)


def assert_same(found: Gaussians, expected: Gaussians) -> None:
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field), err_msg=field)
    assert found.antialiased == expected.antialiased


def columns_of(gaussians: Gaussians) -> dict[str, NDArray[np.float32]]:
    """The columns of a .ply, written down one by one."""
    columns = {name: gaussians.positions[:, i] for i, name in enumerate("xyz")}
    k = gaussians.sh.shape[1] - 1
    for channel in range(3):
        columns[f"f_dc_{channel}"] = gaussians.sh[:, 0, channel]
        for i in range(k):
            columns[f"f_rest_{channel * k + i}"] = gaussians.sh[:, 1 + i, channel]
    columns["opacity"] = gaussians.opacity_logits
    columns |= {f"scale_{i}": gaussians.log_scales[:, i] for i in range(3)}
    columns |= {f"rot_{i}": gaussians.rotations[:, i] for i in range(4)}
    return columns


def table_of(columns: dict[str, NDArray[np.float32]], kind: str = "f4") -> NDArray[np.void]:
    table = np.empty(len(next(iter(columns.values()))), [(name, kind) for name in columns])
    for name, column in columns.items():
        table[name] = column
    return table


def write_by_hand(path: Path, names: list[str], rows: str | bytes, count: int, kind: str = "float") -> Path:
    """A .ply whose header claims `count` rows of `names`, over any bytes at all."""
    encoding = "ascii" if isinstance(rows, str) else "binary_little_endian"
    properties = "".join(f"property {kind} {name}\n" for name in names)
    header = f"ply\nformat {encoding} 1.0\nelement vertex {count}\n{properties}end_header\n"
    path.write_bytes(header.encode() + (rows.encode() if isinstance(rows, str) else rows))
    return path


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 9), degree=st.integers(0, 3), seed=st.integers(0, 99), antialiased=st.booleans())
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, count, degree, seed, antialiased) -> None:
    path = tmp_path_factory.mktemp("ply") / "scene.ply"
    gaussians = random_gaussians(count, degree, seed, antialiased)
    write_ply(path, gaussians)
    content = read_ply(path)
    assert_same(content.gaussians, gaussians)
    assert content.dropped == 0


@pytest.mark.parametrize("degree", range(4))
def test_other_programs_read_what_is_written(tmp_path: Path, degree: int) -> None:
    gaussians = random_gaussians(5, degree, antialiased=True)
    write_ply(tmp_path / "scene.ply", gaussians)
    content = plyfile.PlyData.read(tmp_path / "scene.ply")
    assert content.header.splitlines()[1:4] == [
        "format binary_little_endian 1.0",
        "comment antialiased 1",
        "element vertex 5",
    ]
    rest = [f"f_rest_{i}" for i in range(3 * (sh_count(degree) - 1))]
    names = [*POSITION, "nx", "ny", "nz", *DC, *rest, *SHAPE]
    vertex = content["vertex"]
    assert [p.name for p in vertex.properties] == names
    assert {p.val_dtype for p in vertex.properties} == {"f4"}
    for name, column in columns_of(gaussians).items():
        np.testing.assert_array_equal(vertex[name], column, err_msg=name)
    assert not np.any([vertex[name] for name in ("nx", "ny", "nz")])


def test_the_last_property_is_the_last_byte(tmp_path: Path) -> None:
    write_ply(tmp_path / "scene.ply", random_gaussians(3, 3))
    header, _, body = (tmp_path / "scene.ply").read_bytes().partition(b"end_header\n")
    assert len(body) == 3 * 248
    assert header.endswith(b"property float rot_3\n")


@pytest.mark.parametrize("encoding", ["<", ">", "ascii"])
@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("degree", range(4))
def test_every_encoding(tmp_path: Path, encoding: str, kind: str, degree: int) -> None:
    gaussians = random_gaussians(6, degree)
    element = plyfile.PlyElement.describe(table_of(columns_of(gaussians), kind), "vertex")
    text = encoding == "ascii"
    plyfile.PlyData([element], text=text, byte_order="=" if text else encoding).write(tmp_path / "scene.ply")
    content = read_ply(tmp_path / "scene.ply").gaussians
    for field in FIELDS:
        np.testing.assert_allclose(getattr(content, field), getattr(gaussians, field), rtol=1e-6, err_msg=field)


def test_any_order_with_properties_and_elements_of_other_kinds(tmp_path: Path) -> None:
    gaussians = random_gaussians(6, 1)
    columns = columns_of(gaussians)
    shuffled = {name: columns[name] for name in np.random.default_rng(5).permutation(list(columns))}
    rows = table_of({"segment": np.arange(6, dtype=np.float32), **shuffled, "nx": gaussians.opacity_logits})
    before = plyfile.PlyElement.describe(np.array([(1, 2.0)], [("a", "u1"), ("b", "f8")]), "camera")
    after = plyfile.PlyElement.describe(np.array([([0, 1, 2],)], [("vertex_indices", "O")]), "face")
    vertex = plyfile.PlyElement.describe(rows, "vertex")
    for text in (False, True):
        plyfile.PlyData([before, vertex, after], text=text, byte_order="=" if text else "<").write(tmp_path / "a.ply")
        assert_same(read_ply(tmp_path / "a.ply").gaussians, gaussians)


@pytest.mark.parametrize("name", ["half", "float16"])
@pytest.mark.parametrize("order", ["little", "big"])
def test_half_floats(tmp_path: Path, name: str, order: str) -> None:
    gaussians = random_gaussians(6, 2)
    columns = columns_of(gaussians)
    kind = {"little": "<f2", "big": ">f2"}[order]
    rows = table_of(columns, kind)
    properties = "".join(f"property {name} {column}\n" for column in columns)
    header = f"ply\nformat binary_{order}_endian 1.0\nelement vertex 6\n{properties}end_header\n"
    (tmp_path / "half.ply").write_bytes(header.encode() + rows.tobytes())
    content = read_ply(tmp_path / "half.ply").gaussians
    for field in FIELDS:
        expected = getattr(gaussians, field).astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(getattr(content, field), expected, err_msg=field)


def test_mixed_types_are_packed_without_padding(tmp_path: Path) -> None:
    names, kinds = ["flag", *GAUSSIAN], ["uchar", *["double", "half", "float"] * 5]
    dtype = [(n, ply_elements.TYPES[k]) for n, k in zip(names, kinds, strict=False)]
    rows = np.array([tuple(range(i, i + 15)) for i in range(3)], dtype)
    properties = "".join(f"property {k} {n}\n" for n, k in zip(names, kinds, strict=False))
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex 3\n{properties}end_header\n"
    (tmp_path / "mixed.ply").write_bytes(header.encode() + rows.tobytes())
    content = read_ply(tmp_path / "mixed.ply").gaussians
    np.testing.assert_array_equal(content.positions[:, 0], [1, 2, 3])
    np.testing.assert_array_equal(content.rotations[2], [13, 14, 15, 16])


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path: Path, newline: str) -> None:
    # 0x0A as the first byte of the body must not be taken for a part of the header
    rows = np.frombuffer(b"\n\x00\x00\x40" * 14, "<f4")
    properties = "".join(f"property float {name}{newline}" for name in GAUSSIAN)
    lines = ["ply", "format binary_little_endian 1.0", "obj_info \xe9t\xe9", "", "element vertex 1"]
    header = newline.join([*lines, properties]) + "end_header" + newline
    (tmp_path / "crlf.ply").write_bytes(header.encode("utf-8") + rows.tobytes())
    content = read_ply(tmp_path / "crlf.ply").gaussians
    np.testing.assert_array_equal(content.positions, rows[None, :3])


def test_ascii_with_old_line_ends_and_blank_lines(tmp_path: Path) -> None:
    write_by_hand(tmp_path / "a.ply", GAUSSIAN, ROW + "\n" + ROW.replace("0 0 0", "1 2 nan", 1) + ROW, 3)
    (tmp_path / "a.ply").write_bytes((tmp_path / "a.ply").read_bytes().replace(b"\n", b"\r"))
    content = read_ply(tmp_path / "a.ply")
    assert (len(content.gaussians), content.dropped) == (2, 1)


def test_two_dimensional_gaussians_become_thin_discs(tmp_path: Path) -> None:
    gaussians = random_gaussians(6, 0)
    columns = columns_of(gaussians)
    del columns["scale_2"]
    plyfile.PlyData([plyfile.PlyElement.describe(table_of(columns), "vertex")]).write(tmp_path / "disc.ply")
    scales = np.exp(read_ply(tmp_path / "disc.ply").gaussians.log_scales)
    np.testing.assert_allclose(scales[:, :2], np.exp(gaussians.log_scales[:, :2]), rtol=1e-6)
    np.testing.assert_allclose(scales[:, 2], 1e-3 * scales[:, :2].min(axis=1), rtol=1e-5)


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_rows_that_cannot_be_drawn_are_dropped_and_counted(tmp_path: Path, kind: str) -> None:
    gaussians = random_gaussians(9, 1)
    rows = table_of(columns_of(gaussians), kind)
    rows["x"][1] = np.nan
    rows["f_rest_8"][3] = np.inf
    rows["opacity"][4] = -np.inf
    for i in range(4):
        rows[f"rot_{i}"][6] = 0
    if kind == "f8":
        rows["y"][7] = 1e300  # beyond float32
    plyfile.PlyData([plyfile.PlyElement.describe(rows, "vertex")]).write(tmp_path / "bad.ply")
    content = read_ply(tmp_path / "bad.ply")
    kept = [0, 2, 5, 7, 8] if kind == "f4" else [0, 2, 5, 8]
    assert content.dropped == 9 - len(kept)
    assert_same(content.gaussians, gaussians.select(np.array(kept)))


def test_quaternions_keep_their_length(tmp_path: Path) -> None:
    gaussians = random_gaussians(4, 0)
    gaussians = replace(gaussians, rotations=gaussians.rotations * np.float32(37))
    write_ply(tmp_path / "long.ply", gaussians)
    np.testing.assert_array_equal(read_ply(tmp_path / "long.ply").gaussians.rotations, gaussians.rotations)


@pytest.mark.parametrize(("comment", "antialiased"), [("antialiased 1", True), ("antialiased 0", False), ("", False)])
def test_antialiased_is_a_comment(tmp_path: Path, comment: str, antialiased: bool) -> None:
    element = plyfile.PlyElement.describe(table_of(columns_of(random_gaussians(2, 0))), "vertex")
    plyfile.PlyData([element], comments=["made by hand", comment]).write(tmp_path / "a.ply")
    assert read_ply(tmp_path / "a.ply").gaussians.antialiased is antialiased


def test_more_rows_than_a_block(tmp_path: Path) -> None:
    gaussians = random_gaussians(10_001, 0)
    write_ply(tmp_path / "big.ply", gaussians)
    assert_same(read_ply(tmp_path / "big.ply").gaussians, gaussians)


def test_an_unwritable_folder_is_said(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "scene.ply"
    with pytest.raises(KilofieldError) as caught:
        write_ply(path, random_gaussians(2))
    assert str(caught.value) == f"{path}: cannot write: No such file or directory"


ROW = "0 0 0 0 0 0 0 0 0 0 1 0 0 0\n"


def nothing(path: Path) -> None:
    """Leaves no file."""


def holding(content: str | bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content.encode() if isinstance(content, str) else content)


def rows_of(names: list[str], rows: str | bytes, count: int) -> Callable[[Path], object]:
    return lambda path: write_by_hand(path, names, rows, count)


def headed(lines: str) -> Callable[[Path], object]:
    return holding(f"ply\nformat ascii 1.0\n{lines}\nend_header\n")


REST = [f"f_rest_{i}" for i in range(45)]
TYPE_NAMES = ", ".join(ply_elements.TYPES)
BAD_FILES = {
    "missing": (nothing, "file: expected a file, found nothing at this path"),
    "folder": (Path.mkdir, "file: expected a file, found a folder"),
    "empty": (holding(""), "file: expected some bytes, found an empty file"),
    "text": (holding("hello\nworld\n"), "line 1: expected the word ply, found hello"),
    "binary": (holding(b"\x89PNG\r\n\x1a\n"), "line 1: expected the word ply, found ?PNG?"),
    "endless header": (
        holding("ply\nformat ascii 1.0\n"),
        "header: expected a line end_header within 1048576 bytes, found none",
    ),
    "no format": (holding("ply\nelement vertex 1\nend_header\n"), "header: expected a format line, found none"),
    "unknown format": (
        holding("ply\nformat binary 1.0\nend_header\n"),
        "line 2: expected format ascii, binary_little_endian, binary_big_endian and a version, found format binary 1.0",
    ),
    "unknown keyword": (
        headed("elephant vertex 1"),
        "line 3: expected comment, element, property or end_header, found elephant vertex 1",
    ),
    "endless line": (
        headed("a" * 99 + "\x1b"),
        f"line 3: expected comment, element, property or end_header, found {'a' * 57}...",
    ),
    "unprintable": (headed("a\x1b"), "line 3: expected comment, element, property or end_header, found a?"),
    "count": (headed("element vertex -1"), "line 3: expected element NAME COUNT, found element vertex -1"),
    "endless count": (
        headed("element vertex " + "9" * 19),
        "line 3: expected element NAME COUNT, found element vertex 9999999999999999999",
    ),
    "orphan": (headed("property float x"), "line 3: expected an element before its properties, found property float x"),
    "type": (
        headed("element vertex 1\nproperty quad x"),
        f"line 4: expected property TYPE NAME with a type of {TYPE_NAMES}, found property quad x",
    ),
    "twice": (
        headed("element vertex 1\nproperty float x\nproperty float x"),
        "line 5: expected each property once, found x again",
    ),
    "no vertex": (headed("element face 1"), "header: expected element vertex, found none"),
    "mesh": (
        rows_of(["x", "y", "z", "red", "opacity"], "0 0 0 0 0\n", 1),
        "element vertex: expected properties of Gaussians, "
        "found no f_dc_0, f_dc_1, f_dc_2, scale_0, scale_1, rot_0, rot_1, rot_2, rot_3",
    ),
    "ten f_rest": (
        rows_of(GAUSSIAN + REST[:10], "", 1),
        "element vertex: expected 0, 9, 24 or 45 f_rest properties, found 10",
    ),
    "f_rest with a gap": (
        rows_of([*GAUSSIAN, *REST[:3], *REST[4:10]], "", 1),
        "element vertex: expected f_rest_0 to f_rest_8, found no f_rest_3",
    ),
    "truncated": (
        rows_of(GAUSSIAN, bytes(56 * 3 - 1), 3),
        "element vertex: expected 168 bytes (3 rows of 56), found 167",
    ),
    "absurd count": (
        rows_of(GAUSSIAN, bytes(56), 10**18 - 1),
        "element vertex: expected 55999999999999999944 bytes (999999999999999999 rows of 56), found 56",
    ),
    "absurd ascii count": (
        rows_of(GAUSSIAN, ROW, 10**18 - 1),
        "element vertex: expected at least 27999999999999999971 bytes (999999999999999999 rows of 14 numbers), "
        "found 28",
    ),
    "list before": (
        holding(
            "ply\nformat binary_little_endian 1.0\nelement face 1\nproperty list uchar int i\nelement vertex 1\n"
            + "".join(f"property float {name}\n" for name in GAUSSIAN)
            + "end_header\n"
        ),
        "element vertex: expected no lists before it, found element face",
    ),
    "list inside": (
        rows_of([*GAUSSIAN, "a\nproperty list uchar int b"], "", 1),
        "element vertex: expected no list properties, found one",
    ),
    "ascii short": (rows_of(GAUSSIAN, ROW + " " * 99, 2), "element vertex: expected 2 rows, found 1"),
    "ascii word": (
        rows_of(GAUSSIAN, ROW + ROW.replace("1", "one"), 2),
        "element vertex: expected 14 numbers a row, found one in row 1",
    ),
    "ascii narrow": (
        rows_of(GAUSSIAN, "1 2 3\n" * 9, 1),
        "element vertex: expected 14 numbers a row, found 3 in row 0",
    ),
    "ascii ragged": (
        rows_of(GAUSSIAN, ROW + "1 2 3\n" * 9, 2),
        "element vertex: expected 14 numbers a row, found 3 in row 1",
    ),
    "zero": (rows_of(GAUSSIAN, b"", 0), "element vertex: expected at least one Gaussian, found 0"),
    "zero ascii": (rows_of(GAUSSIAN, "", 0), "element vertex: expected at least one Gaussian, found 0"),
    "all bad": (
        rows_of(GAUSSIAN, bytes(2 * 56), 2),
        "element vertex: expected at least one finite Gaussian, found 2 that are NaN, infinite or without a rotation",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path: Path, name: str) -> None:
    make, message = BAD_FILES[name]
    path = tmp_path / "scene.ply"
    make(path)
    with pytest.raises(SceneFileError) as caught:
        read_ply(path)
    assert str(caught.value) == f"{path}: {message}"


def test_every_truncation_of_a_scene_is_noticed(tmp_path: Path) -> None:
    write_ply(tmp_path / "whole.ply", random_gaussians(2, 0))
    whole = (tmp_path / "whole.ply").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut.ply").write_bytes(whole[:length])
        with pytest.raises(SceneFileError):
            read_ply(tmp_path / "cut.ply")


@pytest.mark.parametrize(
    ("name", "count", "degree"),
    [("donut", 45_624, 0), ("hamburger", 52_709, 0), ("playbot-31k", 31_000, 2), ("playbot-125k", 125_000, 2)],
)
def test_real_scenes(data: Path, tmp_path: Path, name: str, count: int, degree: int) -> None:
    path = data / "gaussians" / f"{name}.ply"
    content = read_ply(path)
    assert (len(content.gaussians), content.dropped, content.gaussians.sh_degree) == (count, 0, degree)
    vertex = plyfile.PlyData.read(path)["vertex"]
    for column, values in columns_of(content.gaussians).items():
        np.testing.assert_array_equal(values, vertex[column], err_msg=column)
    write_ply(tmp_path / "again.ply", content.gaussians)
    assert_same(read_ply(tmp_path / "again.ply").gaussians, content.gaussians)


def test_opacities_of_one_are_kept(tmp_path: Path) -> None:
    """splat-transform writes the logit of 1 for a byte of 255."""
    gaussians = random_gaussians(20, 0)
    gaussians.opacity_logits[3] = np.inf
    write_ply(tmp_path / "opaque.ply", gaussians)
    content = read_ply(tmp_path / "opaque.ply")
    assert content.dropped == 0
    opacity = 1 / (1 + np.exp(-content.gaussians.opacity_logits.astype(float)))
    assert opacity[3] == pytest.approx(254.5 / 255)
    np.testing.assert_array_equal(
        np.delete(content.gaussians.opacity_logits, 3), np.delete(gaussians.opacity_logits, 3)
    )
