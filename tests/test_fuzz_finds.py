"""What fuzzing found, each by what it was: tracebacks, memory taken on a file's word, lines that said nothing."""

from __future__ import annotations

import base64
import gzip
import io
import json
import math
import pickle
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from benchmarks.fuzz_seeds import SCENE, gaussian_seeds
from scenes.camera_files import read_cameras
from scenes.captures import read_capture
from scenes.colmap import read_colmap
from scenes.errors import SceneFileError
from scenes.files import BoundedFile
from scenes.gltf_writer import write_glb
from scenes.idr import read_idr
from scenes.images import image_size, read_rgba
from scenes.lenses import Lens
from scenes.light_images import read_light, write_exr
from scenes.load import load_scene
from scenes.meshes import read_mesh
from scenes.scene_file_read import read_scene_file
from tests.format_samples import sample
from tests.mesh_samples import TETRAHEDRON
from tests.test_gltf import glb
from tests.test_gltf import unpacked as unpacked_glb
from tests.test_sog import unpacked, version_1, zipped
from tests.test_spz import half_spz

Read = Callable[[Path], object]
FEW = 8_000_000  # bytes of memory
POSE = np.eye(4).tolist()


def message(path: Path, read: Read) -> str:
    """What is said of a file: one line, and no warning beside it; the memory that is taken for it is little."""
    tracemalloc.start()
    try:
        with strict(), pytest.raises(SceneFileError) as caught:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < FEW
    finally:
        tracemalloc.stop()
    assert str(caught.value).isprintable()
    assert caught.value.found
    return str(caught.value).removeprefix(str(path)).removeprefix(": ")


def quiet(path: Path, read: Read) -> Any:
    """What is read, without a warning."""
    with strict():
        return read(path)


@contextmanager
def strict() -> Iterator[None]:
    """Warnings are errors, but for those of Pillow's that the program ignores."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def written(path: Path, content: bytes | str | Any) -> Path:
    """A file of bytes, of text, or of JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, bytes | str) else json.dumps(content)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Pictures


def png(width: int, height: int, kind: int = 2) -> bytes:
    """A picture that claims this size and has almost nothing in it."""
    content = io.BytesIO()
    Image.new("RGB", (1, 1)).save(content, "PNG")
    data = bytearray(content.getvalue())
    struct.pack_into(">IIBB", data, 16, width, height, 8, kind)
    struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    return bytes(data)


def test_a_png_whose_header_is_cut_was_a_value_error(tmp_path: Path) -> None:
    data = png(2, 2)
    short = data[:8] + struct.pack(">I", 5) + b"IHDR" + data[16:21] + struct.pack(">I", 0) + data[33:]
    said = message(written(tmp_path / "a.png", short), image_size)
    assert said == "image: expected a picture, found a damaged one (Truncated IHDR chunk)"


def test_a_picture_of_more_pixels_than_its_bytes_can_hold_took_memory_for_them(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png", png(12_000, 12_000))
    most = 8 * ((1 << 20) + 1032 * path.stat().st_size) // 24
    assert message(path, read_rgba) == f"image: expected 1 to {most} pixels in such a file, found 12000 x 12000"


def test_a_picture_beyond_all_sizes_was_a_warning(tmp_path: Path) -> None:
    said = message(written(tmp_path / "a.png", png(10_000, 10_000)), image_size)
    assert said.endswith("pixels in such a file, found 10000 x 10000")


def test_pictures_of_kinds_that_other_programs_open_are_not_opened(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.eps")
    assert message(tmp_path / "a.eps", read_rgba) == "image: expected a picture, found a file of another kind"


def test_a_mask_of_one_colour_is_no_false_claim(tmp_path: Path) -> None:
    Image.new("1", (4000, 3000), 1).save(tmp_path / "a.png", optimize=True)
    assert (tmp_path / "a.png").stat().st_size < 5000
    assert image_size(tmp_path / "a.png") == (4000, 3000)


# Light


def exr(folder: Path) -> bytes:
    write_exr(folder / "whole.exr", np.random.default_rng(1).integers(0, 9, (6, 12, 3)).astype(np.float32))
    return (folder / "whole.exr").read_bytes()


@pytest.mark.parametrize("cut", [3, 30])
def test_openexr_wrote_to_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str], cut: int) -> None:
    said = message(written(tmp_path / "a.exr", exr(tmp_path)[:-cut]), read_light)
    assert said == "image: expected a whole OpenEXR picture, found damaged pixels"
    assert capfd.readouterr() == ("", "")


def test_an_exr_whose_window_is_larger_than_its_bytes_took_memory_for_it(tmp_path: Path) -> None:
    data = exr(tmp_path)
    at = data.index(b"dataWindow\0box2i\0") + len(b"dataWindow\0box2i\0") + 4
    large = data[:at] + struct.pack("<4i", 0, 0, 9999, 9999) + data[at + 16 :]
    said = message(written(tmp_path / "a.exr", large), read_light)
    assert said == f"size: expected what {len(data)} bytes can hold, found 10000x10000 with 3 channels"


def test_a_radiance_picture_without_a_size_found_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n\n")
    assert message(path, read_light) == "header: expected -Y height +X width, found none"


def test_runs_of_a_radiance_picture_took_memory_before_they_were_there(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 16000 +X 16000\n\2\2\x3e\x80" + bytes(99)
    )
    assert message(path, read_light) == "pixels: expected at least 16192000 bytes of runs, found 103"


# JSON and names in it


@pytest.mark.parametrize("depth", [201, 900, 100_000])
def test_json_as_deep_as_python_goes_was_too_deep_to_be_shown(tmp_path: Path, depth: int) -> None:
    path = written(tmp_path / "a.json", '{"a":' * depth + "1" + "}" * depth)
    expected = "file: expected JSON, found more than 200 lists and objects in one another"
    assert message(path, read_cameras) == expected
    assert message(path, read_scene_file) == expected
    assert message(path, load_scene) == expected


def test_json_of_a_usual_depth_is_no_trouble(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", "[" * 200 + "]" * 200)
    assert message(path, read_cameras) == f"camera 0: expected an object, found {'[' * 57}..."


def test_half_a_character_could_be_no_name_and_not_be_printed(tmp_path: Path) -> None:
    expected = "expected JSON, found half of a character, \\ud800 without the other"
    frames = '{"frames": [{"file_path": "\\ud800"}]}'
    assert message(written(tmp_path / "transforms.json", frames), read_capture) == f"file: {expected}"
    document = '{"asset": {"version": "2.0"}, "meshes": [{"name": "\\uD83D\\ud800"}]}'
    assert message(written(tmp_path / "a.gltf", document), read_mesh) == f"file: {expected.replace('800', '83d')}"
    whole = written(tmp_path / "b.json", '["\\ud83d\\ude00"]')
    assert message(whole, read_cameras).startswith("camera 0: expected an object")


def test_a_name_with_a_zero_byte_was_a_value_error(tmp_path: Path) -> None:
    document, binary = _small_glb(tmp_path)
    document["buffers"][0]["uri"] = "a\0b"
    said = message(written(tmp_path / "a.gltf", document), load_scene)
    assert said == "buffers 0, uri: expected the name of a file beside it, found a?b"
    assert binary
    with pytest.raises(SceneFileError, match=r"a\?b: file: expected a name that a file can have, found another$"):
        load_scene(tmp_path / "a\0b")


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.bin", "b/../../a.bin", "C:\\a.bin", "file:///a.bin", "a" * 401])
def test_names_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    written(tmp_path / "a.bin", bytes(64))
    document, _ = _small_glb(tmp_path)
    document["buffers"][0]["uri"] = name
    said = message(written(tmp_path / "in" / "a.gltf", document), load_scene)
    assert said.startswith("buffers 0, uri: expected the name of a file beside it, found ")
    parts = version_1()
    meta = json.loads(parts["meta.json"])
    meta["quats"]["files"] = [name]
    folder = unpacked(tmp_path / "sog", parts | {"meta.json": json.dumps(meta).encode()})
    assert message(folder / "meta.json", load_scene).startswith("files: expected names of files beside it, found ")


def test_settings_as_deep_as_python_goes_kept_the_window_from_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = pytest.importorskip("ui.stored")
    monkeypatch.setenv(stored.FOLDER_VARIABLE, str(tmp_path))
    written(tmp_path / "settings.json", '{"a":' * 5000 + "1" + "}" * 5000)
    found, said = stored.read_stored()
    assert found == stored.Stored()
    expected = "settings are as at first: more than 200 lists and objects in one another"
    assert said == f"{tmp_path / 'settings.json'}: {expected}"


# Cameras


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fov_y": 1e-320}, "a field of view from 5.7e-05 to 179.99994 degrees, found 5.7295311e-319"),
        ({"pixel_aspect": 1e300}, "a ratio of the sides of a pixel from 1e-06 to 1e+06, found 1e+300"),
        ({"centre": [0.5, 1e300]}, "a centre within 1e+06 pictures, found 0.5, 1e+300"),
        (
            {"projection": "orthographic", "view_height": 1e-320},
            "a view_height from 1e-12 to 1e+12, found 9.99989e-321",
        ),
        ({"camera_from_world": [[1, 0, 0, 1e300], *POSE[1:]]}, "a camera within 1e+12 of the origin, found 1e+300"),
        ({"camera_from_world": [[1e200, 0, 0, 0], *POSE[1:]]}, None),
    ],
)
def test_numbers_of_cameras_that_nothing_can_be_calculated_with(
    tmp_path: Path, changes: dict[str, Any], said: str | None
) -> None:
    path = written(tmp_path / "a.json", [{"camera_from_world": POSE, "fov_y": 0.9} | changes])
    found = message(path, read_cameras)
    assert found == f"camera 0: expected {said}" if said else "expected a rotation and a translation" in found


@pytest.mark.parametrize(("key", "value"), [("fl_y", 1e-300), ("camera_angle_x", 5e-324)])
def test_a_focal_length_of_next_to_nothing_was_a_division_by_zero(tmp_path: Path, key: str, value: float) -> None:
    frame = {"file_path": "a.png", "transform_matrix": POSE}
    content = {"camera_angle_x": 0.8, "w": 4, "h": 4, "frames": [frame]} | {key: value}
    written(tmp_path / "a.png", png(4, 4))
    said = message(written(tmp_path / "transforms.json", content), read_capture)
    assert said.startswith("frame 0: expected a field of view from ") or said.startswith(
        "frame 0: expected a ratio of "
    )


@pytest.mark.parametrize("name", ["/", "."])
def test_an_image_without_a_name_was_a_value_error(tmp_path: Path, name: str) -> None:
    frames = [{"file_path": name, "transform_matrix": POSE}]
    path = written(tmp_path / "transforms.json", {"camera_angle_x": 0.8, "frames": frames})
    assert message(path, read_capture).startswith(("frame 0, file_path: ", "frames: ", "frame 0, w: "))


def test_an_empty_line_of_a_colmap_model_found_nothing(tmp_path: Path) -> None:
    written(tmp_path / "cameras.txt", "1 PINHOLE 64 48 70 72 33 22.5\n")
    path = written(tmp_path / "images.txt", "1 1 0 0 0 0 0 4 1 a.png\n\n \n")
    assert message(path, read_colmap).endswith("a pose of 7 numbers, a camera and a name, found an empty line")


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_quaternions_whose_squares_overflow_or_vanish_turned_nothing(tmp_path: Path, size: float) -> None:
    written(tmp_path / "cameras.txt", "1 PINHOLE 64 48 70 72 33 22.5\n")
    path = written(tmp_path / "images.txt", f"1 {size} 0 0 {size} 0 0 4 1 a.png\n\n")
    pose = quiet(path, read_colmap).cameras[0].camera_from_world
    np.testing.assert_allclose(pose[:3, :3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)


def _npz(folder: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(folder / "cameras_sphere.npz", "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(f"{name}.npy", content)
    return folder


def _npy(header: str, content: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + content


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        # numpy takes memory for 8 GB, and then finds that there are no such bytes
        (
            _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,), }"),
            "world_mat_0: expected 4 x 4 numbers, found float64 1000000000",
        ),
        # it takes a broken header for one of Python 2, and falls over it with an error of the tokenizer
        (_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4, 4"), None),
        (_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4, 4), }", bytes(127)), None),
        (_npy("[" * 100), None),
        (
            _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4, 4), }", np.full(16, 1e300).tobytes()),
            "world_mat_0: expected 4 x 4 finite numbers below 1e+30, found some that are not",
        ),
        (bytes(1 << 24), "entry world_mat_0.npy: expected a matrix of at most 4096 bytes, stored or deflated, "
         "found 16777216 bytes"),
    ],
)  # fmt: skip
def test_numpy_took_matrices_at_their_word(tmp_path: Path, entry: bytes, said: str | None) -> None:
    found = message(_npz(tmp_path, world_mat_0=entry), read_idr).removeprefix("/cameras_sphere.npz: ")
    assert found == said if said else found.startswith("world_mat_0: expected ")


# Scene files


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"": 1}', "line 1, file: expected one of objects, lights, environment, materials, camera, up, exposure, "
         "tone_mapping, bounces, clamp, found an empty key"),
        ('{"lights": [{"kind": "sphere", "power": 1, "radius": 1e200}]}',  # whose square is an OverflowError
         "line 1, lights 0, radius: expected a number above 0 to 1e+12, found 1e+200"),
        ('{"up": [0, 0, 1e-320]}', "line 1, up: expected a direction, not 0, found [0, 0, 1e-320]"),
        ('{"camera": {"position": [0, 0, 1e-200], "target": [0, 0, 0]}}',
         "line 1, camera, target: expected a place other than the position, found [0, 0, 0]"),
        ('{"objects": [{"kind": "sphere", "transform": {"translate": [1e300, 0, 0]}}]}',
         "line 1, objects 0, transform, translate 0: expected a number from -1e+12 to 1e+12, found 1e+300"),
    ],
)  # fmt: skip
def test_scene_files_whose_numbers_overflow(tmp_path: Path, text: str, said: str) -> None:
    assert message(written(tmp_path / "a.json", text), read_scene_file) == said


# Gaussians


def _small_glb(folder: Path) -> tuple[dict[str, Any], bytes]:
    write_glb(folder / "small.glb", sample(20, 1))
    return unpacked_glb(folder / "small.glb")


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"scale": [1e200, 1e200, 1e200]}, "nodes 0: expected a matrix of numbers within 1e+12, found one beyond"),
        ({"translation": [1e308, 0, 0]}, "nodes 0: expected a matrix of numbers within 1e+12, found one beyond"),
        ({"rotation": [0, 0, 0, 0]}, "nodes 0, rotation: expected a unit quaternion, found 0 0 0 0"),
        (
            {"rotation": [0, 0, 1e-200, 1e-200]},
            "nodes 0, rotation: expected a unit quaternion, found 0 0 1e-200 1e-200",
        ),
    ],
)
def test_nodes_that_overflow(tmp_path: Path, node: dict[str, Any], said: str) -> None:
    document, binary = _small_glb(tmp_path)
    document["nodes"][0] |= node
    assert message(written(tmp_path / "a.glb", glb(document, binary)), load_scene) == said


def test_an_infinite_matrix_of_a_mesh_gave_a_warning(tmp_path: Path) -> None:
    trimesh.creation.box().export(tmp_path / "box.glb")
    document, binary = unpacked_glb(tmp_path / "box.glb")
    matrix = np.eye(4)
    matrix[2, 1] = math.inf
    document["nodes"] = [{"name": "a", "mesh": 0, "matrix": matrix.ravel().tolist()}]
    document["scenes"], document["scene"] = [{"nodes": [0]}], 0
    path = written(tmp_path / "a.glb", glb(document, binary))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SceneFileError, match="expected 3 finite numbers"):
            read_mesh(path)


def test_numbers_of_a_glb_that_are_none_gave_warnings(tmp_path: Path) -> None:
    document, binary = _small_glb(tmp_path)
    numbers = np.frombuffer(binary, "<f4").copy()
    numbers[::60] = np.inf
    numbers[30::60] = np.nan
    document["nodes"][0] |= {"rotation": [0, 0, 0.6, 0.8]}
    file = quiet(written(tmp_path / "a.glb", glb(document, numbers.tobytes())), load_scene)
    assert 0 < file.dropped < 20
    assert file.gaussians.finite().all()


def test_base64_that_is_not_ascii_was_a_value_error(tmp_path: Path) -> None:
    document, binary = _small_glb(tmp_path)
    document["buffers"][0]["uri"] = "data:;base64,é" + base64.b64encode(binary).decode()
    said = message(written(tmp_path / "a.gltf", document), load_scene)
    assert said == "buffers 0, uri: expected base64, found something else"


def test_many_nodes_took_a_matrix_each(tmp_path: Path) -> None:
    document, binary = _small_glb(tmp_path)
    document["scenes"][0]["nodes"] = [0] * 200_000
    said = message(written(tmp_path / "a.glb", glb(document, binary)), load_scene)
    assert said == "scenes, nodes: expected at most 1, as there are nodes, found 200000"


def test_half_floats_of_an_spz_that_are_none_gave_warnings(tmp_path: Path) -> None:
    content = bytearray(half_spz(1))
    struct.pack_into("<H", content, 16, 0x7C01)
    path = written(tmp_path / "a", gzip.compress(bytes(content)))
    assert message(path, load_scene).startswith("attributes: expected at least one finite Gaussian")


def test_a_frame_of_an_spz_that_is_empty_found_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a", gzip.compress(half_spz(3, flags=2, tail=struct.pack("<II", 0xADBE0003, 0))))
    assert message(path, load_scene) == "extension of the coordinate system: expected 0 to 16, found nothing"


def test_ranges_of_a_compressed_ply_that_overflow_gave_warnings(tmp_path: Path) -> None:
    text = gaussian_seeds_of("compressed.ply", b"format ascii")
    header, end, rows = text.partition(b"end_header\n")
    first, *others = rows.split(b"\n")
    numbers = first.split()
    wrong = b"\n".join([b" ".join([*numbers[:-6], *[b"3e38"] * 3, *[b"1e300"] * 3]), b"nan -1 1e30 7", *others[1:]])
    path = written(tmp_path / "a", header + end + wrong)
    assert message(path, load_scene).startswith("element vertex: expected at least one finite Gaussian, found 20 that")


def gaussian_seeds_of(name: str, holding: bytes) -> bytes:
    return next(seed[SCENE] for seed in gaussian_seeds(None)[name] if holding in seed[SCENE])


def test_ranges_of_a_sog_that_overflow_gave_warnings(tmp_path: Path) -> None:
    parts = version_1()
    meta = json.loads(parts["meta.json"])
    meta["scales"]["maxs"] = [1e300, 0, 0]
    path = zipped(tmp_path / "a.sog", parts | {"meta.json": json.dumps(meta).encode()})
    assert message(path, load_scene).startswith("textures: expected at least one finite Gaussian, found 3 that")


def test_a_sog_of_more_gaussians_than_its_textures_can_hold_took_memory_for_them(tmp_path: Path) -> None:
    parts = version_1()
    meta = json.loads(parts["meta.json"])
    meta["means"]["shape"] = [40_000_000]
    small = io.BytesIO()
    Image.new("RGBA", (8192, 4884)).save(small, "WEBP", lossless=True)
    textures = {name: small.getvalue() for name in parts if name != "meta.json"}
    path = zipped(tmp_path / "a.sog", {"meta.json": json.dumps(meta).encode(), **textures})
    size = 5 * len(small.getvalue())
    expected = f"meta.json: expected at most {65536 + 8 * size} Gaussians in {size} bytes of textures, found 40000000"
    assert message(path, load_scene) == expected


def test_a_texture_is_unpacked_no_further_than_its_pixels_go(tmp_path: Path) -> None:
    parts = version_1()
    with zipfile.ZipFile(tmp_path / "a.sog", "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content + bytes(1 << 24) if name == "quats.webp" else content)
    size = len(parts["quats.webp"]) + (1 << 24)
    most = 4 * (2 * 3 + 4 + 4096) + (1 << 16)
    assert message(tmp_path / "a.sog", load_scene) == f"entry quats.webp: expected at most {most} bytes, found {size}"


def test_only_what_zips_usually_are_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.sog", "w", zipfile.ZIP_BZIP2) as file:
        for name, content in version_1().items():
            file.writestr(name, content)
    said = message(tmp_path / "a.sog", load_scene)
    assert said == "entry meta.json: expected a stored or deflated one, found method 12"


def test_a_scene_of_levels_that_is_named_often_was_read_as_often(tmp_path: Path) -> None:
    seed = gaussian_seeds(None)["streamed sog"][0]
    for name, content in seed.items():
        written(tmp_path / name, content)
    meta = json.loads(seed["lod-meta.json"])
    meta["filenames"] = ["0_0.sog", "./0_0.sog"]
    path = written(tmp_path / "lod-meta.json", meta)
    expected = 'lod-meta.json, filenames: expected each scene once, found ["0_0.sog", "./0_0.sog"]'
    assert message(path, load_scene) == expected


# Meshes


def test_a_ply_that_begins_with_an_empty_line_found_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ply", b"\nply\n")
    assert message(path, read_mesh) == "line 1: expected the word ply, found an empty line"


def test_vertices_of_an_stl_whose_squares_overflow_gave_a_warning(tmp_path: Path) -> None:
    corners = "".join(f"vertex {x} 0 {y}\n" for x, y in ((0, 0), ("1e200", 0), (0, "1e200")))
    text = f"solid a\nfacet normal 0 0 1\nouter loop\n{corners}endloop\nendfacet\nendsolid a\n"
    said = message(written(tmp_path / "a.stl", text), read_mesh)
    assert said == "vertices: expected a size from 1e-12 to 1e+12, found 1e+200"


def _mesh_gltf(folder: Path, accessor: dict[str, Any] | None = None, view: dict[str, Any] | None = None) -> Path:
    """A triangle, with one of its parts changed."""
    numbers = np.eye(3, dtype="<f4").tobytes()
    uri = "data:;base64," + base64.b64encode(numbers).decode()
    document = {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": 36, "uri": uri}],
        "bufferViews": [{"buffer": 0, "byteLength": 36} | (view or {})],
        "accessors": [accessor or {"bufferView": 0, "count": 3, "componentType": 5126, "type": "VEC3"}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
        "scene": 0,
    }
    return written(folder / "a.gltf", document)


def test_a_triangle_is_read(tmp_path: Path) -> None:
    assert len(quiet(_mesh_gltf(tmp_path), read_mesh).faces) == 1


def test_an_accessor_without_bytes_took_memory_for_as_many_zeros_as_it_said(tmp_path: Path) -> None:
    path = _mesh_gltf(tmp_path, {"count": 10**9, "componentType": 5126, "type": "VEC3"})
    held = 4 * path.stat().st_size
    assert message(path, read_mesh) == (
        f"accessors: expected at most {held} bytes, 4 times what there is, found 12000000000"
    )


def test_elements_that_overlap_made_many_bytes_of_few(tmp_path: Path) -> None:
    path = _mesh_gltf(tmp_path, view={"byteStride": 1})
    assert message(path, read_mesh) == "accessors 0: expected a byteStride of 12 or more, found 1"


def test_a_material_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    written(tmp_path / "secret.mtl", "newmtl m\nKd 0.1 0.2 0.3\n")
    path = written(tmp_path / "in" / "a.obj", f"mtllib ../secret.mtl\nusemtl m\n{TETRAHEDRON}")
    mesh = quiet(path, read_mesh)
    assert mesh.paints == ()
    assert mesh.notes[0] == "left out: ../secret.mtl, which is not there"


# Checkpoints


@pytest.mark.parametrize("content", [b"PK\3\4" + bytes(60), b"\x80\2", pickle.dumps([1, 2]), b"", b"\x80\x75."])
def test_damaged_checkpoints_raised_whatever_torch_fell_over(tmp_path: Path, content: bytes) -> None:
    checkpoint = pytest.importorskip("fitting.checkpoint")
    with pytest.raises(SceneFileError, match=r"a\.checkpoint: file: expected a checkpoint, found "):
        checkpoint.Checkpoint(written(tmp_path / "a.checkpoint", content), "mine").load()


def test_a_fingerprint_that_is_none(tmp_path: Path) -> None:
    torch, checkpoint = pytest.importorskip("torch"), pytest.importorskip("fitting.checkpoint")
    torch.save({"fingerprint": [1], "state": {}}, tmp_path / "a.checkpoint")
    with pytest.raises(SceneFileError, match=r"file: expected a checkpoint, found another file of torch's$"):
        checkpoint.Checkpoint(tmp_path / "a.checkpoint", "mine").load()


def test_sound_parts_of_a_sog_are_still_read(tmp_path: Path) -> None:
    """The limits above let whole files pass, the smallest too."""
    for name, seeds in gaussian_seeds(None).items():
        if name in ("sog", "spz 1-3", "spz 4", "compressed.ply"):
            for number, seed in enumerate(seeds):
                assert len(load_scene(written(tmp_path / f"{name} {number}", seed[SCENE])).gaussians)


@pytest.mark.parametrize("fisheye", [False, True])
@pytest.mark.parametrize("coefficient", [1e300, -1e300, 1e160])
def test_a_lens_whose_coefficients_overflow_shows_nothing_there(coefficient: float, fisheye: bool) -> None:
    lens = Lens(radial=(coefficient,) * 3, tangential=(0.0, coefficient), fisheye=fisheye)
    directions = np.array([[1e-3, 0, 1], [0.3, 0.2, 1], [100, 0, 1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = np.abs(lens.distorted(directions)[1:]).max(axis=1)
        assert not (shown < 1e6).any()  # NaN, or far from any picture
        assert lens.directions(np.array([[0.1, 0.2]])).shape == (1, 3)


def test_lengths_in_pictures_and_zips_take_no_memory(tmp_path: Path) -> None:
    """A PNG whose last chunk claims 1.5 GB, which Pillow asks the file for; a zip whose directory claims as much."""
    picture, claim = tmp_path / "a.png", 3 << 29
    Image.new("RGBA", (24, 16)).save(picture)
    data = bytearray(picture.read_bytes())
    start = data.index(b"IDAT") - 4
    short = data[:start] + struct.pack(">I", claim) + data[start + 4 :]
    picture.write_bytes(short)
    archive = tmp_path / "cameras_sphere.npz"
    np.savez(archive, world_mat_0=np.eye(4))
    data = bytearray(archive.read_bytes())
    end = data.rindex(b"PK\5\6")
    data[end + 12 : end + 16] = struct.pack("<I", claim)
    archive.write_bytes(data)
    for path in (picture, archive):
        tracemalloc.start()
        try:
            with BoundedFile(path) as file:
                assert file.read(claim) == path.read_bytes()
            if path is picture:
                with suppress(SceneFileError):
                    read_rgba(path)
            else:
                with pytest.raises(SceneFileError):
                    read_idr(tmp_path)
            assert tracemalloc.get_traced_memory()[1] < 4e6
        finally:
            tracemalloc.stop()


def test_a_long_name_of_a_photograph_does_not_flood_a_message(tmp_path: Path) -> None:
    frame = {"file_path": "a" * 5000, "transform_matrix": np.eye(4).tolist()}
    (tmp_path / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": [frame]}))
    with pytest.raises(SceneFileError) as found:
        read_cameras(tmp_path / "transforms.json")
    assert "expected w and h, or an image at" in str(found.value)
    assert len(str(found.value)) < 1000


@pytest.mark.parametrize("radius", [1e-320, 1e-160, 1e-9])
def test_a_light_too_small_for_its_power_is_refused(radius: float, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"lights": [{"kind": "sphere", "power": 40, "radius": radius, "position": [0, 0, 3]}]}))
    with pytest.raises(SceneFileError, match=r"lights 0: expected a light of more than 1\.3e-11 square units for its"):
        read_scene_file(path)
