"""The .sog format: both versions, zip and folder, other writers' files, levels of detail, what is refused."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scenes.content import ReadOptions
from scenes.errors import SceneFileError
from scenes.gaussians import Gaussians
from scenes.load import load_scene
from scenes.merging import merged
from scenes.sog_writer import palette_size, write_sog
from tests.format_samples import assert_close, differences, in_order_of, sample

FIXTURES = Path(__file__).parent / "fixtures" / "formats"
STEPS = {
    "positions": 4e-4,  # of 16 bits over a few logarithmic units
    "rotations": 0.006,
    "opacity": 0.5 / 255 + 1e-6,
    "log_scales": 0.04,  # half a gap of 256 levels over 5 units, at the ends
    "colour": 0.04,
    "sh": 0.02,
}


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return path


def unpacked(folder: Path, parts: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in parts.items():
        (folder / name).write_bytes(content)
    return folder


def webp(texels: np.ndarray, width: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(texels.astype(np.uint8).reshape(-1, width, 4)).save(content, "WEBP", lossless=True, exact=True)
    return content.getvalue()


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("antialiased", [False, True])
def test_what_is_written_is_read(tmp_path: Path, degree: int, antialiased: bool) -> None:
    scene = sample(sh_degree=degree, antialiased=antialiased)
    write_sog(tmp_path / "a.sog", scene)
    file = load_scene(tmp_path / "a.sog")
    assert (file.format, file.dropped, file.gaussians.antialiased) == ("sog", 0, antialiased)
    found = in_order_of(file.gaussians, scene)
    assert_close(found, scene, **(STEPS | {"sh": 1.2}))  # 300 rows, 256 palette entries: some share one
    shared = np.abs(found.sh[:, 1:] - scene.sh[:, 1:]).max(axis=(1, 2), initial=0) > STEPS["sh"]
    assert shared.mean() < 0.4


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.sog", "b.sog"):
        write_sog(tmp_path / name, sample(500))
    assert (tmp_path / "a.sog").read_bytes() == (tmp_path / "b.sog").read_bytes()


def test_written_again_nothing_more_is_lost(tmp_path: Path) -> None:
    write_sog(tmp_path / "a.sog", sample(400))
    once = load_scene(tmp_path / "a.sog").gaussians
    write_sog(tmp_path / "b.sog", once)
    twice = in_order_of(load_scene(tmp_path / "b.sog").gaussians, once)
    apart = differences(twice, once)
    assert max(apart["log_scales"], apart["colour"], apart["sh"]) == 0
    assert apart["opacity"] < 1e-6
    assert apart["positions"] < 1e-5


def test_colours_are_kept_where_nothing_is_seen(tmp_path: Path) -> None:
    scene = sample(sh_degree=0)
    scene.opacity_logits[:] = -20  # alpha 0 in the texture of colours
    write_sog(tmp_path / "a.sog", scene)
    assert_close(in_order_of(load_scene(tmp_path / "a.sog").gaussians, scene), scene, **STEPS)


@pytest.mark.parametrize("count", [1, 2, 17])
def test_very_few_gaussians(tmp_path: Path, count: int) -> None:
    scene = sample(count)
    write_sog(tmp_path / "a.sog", scene)
    assert_close(in_order_of(load_scene(tmp_path / "a.sog").gaussians, scene), scene, **STEPS)


def test_files_of_other_writers() -> None:
    scene = sample(64, seed=7)
    found = in_order_of(load_scene(FIXTURES / "sample.sog").gaussians, scene)
    assert_close(found, scene, **(STEPS | {"opacity": 1 / 255, "rotations": 0.014, "positions": 1e-3}))


def test_a_pixel_as_the_format_has_it(tmp_path: Path) -> None:
    """The slow twin: one Gaussian of a written file by plain arithmetic."""
    write_sog(tmp_path / "a.sog", sample(100))
    parts = parts_of(tmp_path / "a.sog")
    meta = json.loads(parts["meta.json"])
    images = {n: np.asarray(Image.open(io.BytesIO(b)).convert("RGBA")) for n, b in parts.items() if n != "meta.json"}
    found = load_scene(tmp_path / "a.sog").gaussians
    for i in (0, 41, 99):
        pixel = {name: image.reshape(-1, 4)[i].tolist() for name, image in images.items() if "centroids" not in name}
        for axis in range(3):
            low, high = (meta["means"][end][axis] for end in ("mins", "maxs"))
            value = low + (high - low) * (pixel["means_l.webp"][axis] + 256 * pixel["means_u.webp"][axis]) / 65535
            assert found.positions[i, axis] == pytest.approx(math.copysign(math.expm1(abs(value)), value), rel=1e-5)
            assert found.log_scales[i, axis] == np.float32(meta["scales"]["codebook"][pixel["scales.webp"][axis]])
            assert found.sh[i, 0, axis] == np.float32(meta["sh0"]["codebook"][pixel["sh0.webp"][axis]])
        label = pixel["shN_labels.webp"][0] + 256 * pixel["shN_labels.webp"][1]
        row = images["shN_centroids.webp"][label // 64, label % 64 * 15 : label % 64 * 15 + 15, :3]
        np.testing.assert_array_equal(found.sh[i, 1:], np.array(meta["shN"]["codebook"], np.float32)[row])
        r, g, b, a = pixel["quats.webp"]
        rest = [(v / 255 * 2 - 1) / math.sqrt(2) for v in (r, g, b)]
        rest.insert(a - 252, math.sqrt(1 - sum(v * v for v in rest)))
        np.testing.assert_allclose(found.rotations[i], rest, atol=1e-6)


def version_1(degree: int = 1) -> dict[str, bytes]:
    """Three Gaussians as the first version had them."""
    rng = np.random.default_rng(degree)
    texels = {name: rng.integers(0, 256, (4, 4)) for name in ("means_l", "means_u", "scales", "sh0", "quats")}
    texels["quats"][:, 3] = [252, 253, 255, 255]
    texels["quats"][:, :3] //= 4
    texels["quats"][:, :3] += 96
    coefficients = (degree + 1) ** 2 - 1
    meta: dict[str, Any] = {
        "means": {"shape": [3], "mins": [-1, -2, -3], "maxs": [1, 2, 3], "files": ["means_l.webp", "means_u.webp"]},
        "scales": {"mins": [-5, -6, -7], "maxs": [-1, -2, -3], "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"mins": [-1, -1, -1, -4], "maxs": [1, 2, 3, 4], "files": ["sh0.webp"]},
        "shN": {"mins": -0.5, "maxs": 0.75, "files": ["shN_centroids.webp", "shN_labels.webp"]},
    }
    labels = np.array([[1, 0, 0, 255], [64, 0, 0, 255], [127, 0, 0, 255], [0, 0, 0, 255]])
    return {
        "meta.json": json.dumps(meta).encode(),
        **{f"{name}.webp": webp(values, 2) for name, values in texels.items()},
        "shN_labels.webp": webp(labels, 2),
        "shN_centroids.webp": webp(rng.integers(0, 256, (2 * 64 * coefficients, 4)), 64 * coefficients),
    }


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_version_1(tmp_path: Path, degree: int) -> None:
    parts = version_1(degree)
    file = load_scene(zipped(tmp_path / "a.sog", parts))
    assert file.format == "sog"
    assert (len(file.gaussians), file.gaussians.sh_degree) == (3, degree)
    pixels = {n: np.asarray(Image.open(io.BytesIO(b)).convert("RGBA")) for n, b in parts.items() if n != "meta.json"}
    scales, colours = (pixels[name].reshape(-1, 4)[:3] / 255 for name in ("scales.webp", "sh0.webp"))
    np.testing.assert_allclose(file.gaussians.log_scales, [-5, -6, -7] + scales[:, :3] * 4, atol=1e-5)
    np.testing.assert_allclose(file.gaussians.sh[:, 0], [-1, -1, -1] + colours[:, :3] * [2, 3, 4], atol=1e-5)
    np.testing.assert_allclose(file.gaussians.opacity_logits, -4 + 8 * colours[:, 3], atol=1e-5)
    count = (degree + 1) ** 2 - 1
    palette = pixels["shN_centroids.webp"][..., :3].reshape(128, count, 3)  # row by row, 64 entries in each
    wanted = -0.5 + 1.25 * palette[[1, 64, 127]] / 255
    np.testing.assert_allclose(file.gaussians.sh[:, 1:], wanted, atol=1e-6)


def test_a_folder_and_its_description_are_the_same_scene(tmp_path: Path) -> None:
    write_sog(tmp_path / "a.sog", sample())
    folder = unpacked(tmp_path / "scene", parts_of(tmp_path / "a.sog"))
    whole = load_scene(tmp_path / "a.sog")
    for path in (folder, folder / "meta.json"):
        file = load_scene(path)
        assert (file.format, file.path) == ("sog folder", folder / "meta.json")
        assert file.bytes == sum(len(content) for content in parts_of(tmp_path / "a.sog").values())
        assert_close(file.gaussians, whole.gaussians, **dict.fromkeys(STEPS, 0.0))


def test_parts_in_a_folder_of_the_zip(tmp_path: Path) -> None:
    write_sog(tmp_path / "a.sog", sample())
    inner = {f"scene/{name}": content for name, content in parts_of(tmp_path / "a.sog").items()}
    assert len(load_scene(zipped(tmp_path / "b.sog", inner)).gaussians) == 300


def test_a_first_level_that_is_null(tmp_path: Path) -> None:
    write_sog(tmp_path / "a.sog", sample(sh_degree=0))
    parts = parts_of(tmp_path / "a.sog")
    meta = json.loads(parts["meta.json"])
    meta["scales"]["codebook"] = [None, *np.linspace(-5, 0, 255).tolist()]
    parts["scales.webp"] = webp(np.zeros((400, 4)), 20)
    parts["meta.json"] = json.dumps(meta).encode()
    found = load_scene(zipped(tmp_path / "b.sog", parts)).gaussians
    np.testing.assert_allclose(found.log_scales, -5 - 5 / 255, atol=1e-6)


def changed(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    """A description with other values, by keys joined with two underscores."""

    def change(parts: dict[str, bytes]) -> None:
        meta = json.loads(parts["meta.json"])
        for keys, value in changes.items():
            *above, last = keys.split("__")
            entry = meta
            for key in above:
                entry = entry[key]
            entry[last] = value
        parts["meta.json"] = json.dumps(meta).encode()

    return change


def without(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        del parts[name]

    return change


def replaced(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda parts: parts.update({name: content})


BAD: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "no description": (
        without("meta.json"),
        "zip: expected meta.json, found means_l.webp, means_u.webp, quats.webp, scales.webp, sh0....",
    ),
    "no texture": (without("quats.webp"), "zip: expected an entry quats.webp, found none"),
    "no JSON": (
        replaced("meta.json", b"{"),
        "meta.json: expected JSON, found Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    "deep JSON": (
        replaced("meta.json", b"[" * 100_000),
        "meta.json: expected JSON, found more than 200 lists and objects in one another",
    ),
    "version": (changed(version=3), "meta.json, version: expected 2, or none for version 1, found 3"),
    "count": (changed(count=401), "texture means_l.webp: expected from 401 to 4978 pixels, found 20 x 15"),
    "count of a kind": (changed(count="many"), 'meta.json, count: expected a whole number, found "many"'),
    "far too many": (
        changed(count=10**12),
        "meta.json: expected at most 50000000 Gaussians (--max-gaussians), found 1000000000000",
    ),
    "none": (changed(count=0), "meta.json: expected at least one Gaussian, found 0"),
    "no codebook": (
        changed(scales__codebook=[1, 2]),
        "meta.json, scales, codebook: expected 256 finite numbers, found [1, 2]",
    ),
    "infinite means": (
        changed(means__maxs=[1e9, 0, 0]),
        "meta.json, means, mins and maxs: expected numbers from -80 to 80, found one beyond",
    ),
    "names": (changed(sh0__files=[7]), "meta.json, sh0, files: expected 1 names, found [7]"),
    "way out": (changed(sh0__files=["../a.webp"]), "zip: expected an entry ../a.webp, found none"),
    "no image": (replaced("sh0.webp", b"no image"), "texture sh0.webp: expected a WebP image, found a damaged one"),
    "cut image": (
        replaced("sh0.webp", webp(np.random.default_rng(1).integers(0, 256, (400, 4)), 20)[:-40]),
        "texture sh0.webp: expected a WebP image, found a damaged one",
    ),
    "labels": (
        replaced("shN_labels.webp", webp(np.full((400, 4), 255), 20)),
        "texture of labels: expected indices below 256, the size of the palette, found 65535",
    ),
    "bands": (
        changed(shN__bands=1),
        "meta.json, shN, bands: expected 3, which is what the width of the palette says, found 1",
    ),
    "palette": (
        replaced("shN_centroids.webp", webp(np.zeros((400, 4)), 200)),
        "meta.json, shN, centroids: expected a width of 192, 512, 960 pixels, found 200",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    change, message = BAD[name]
    write_sog(tmp_path / "good.sog", sample())
    parts = parts_of(tmp_path / "good.sog")
    change(parts)
    path = zipped(tmp_path / "a.sog", parts)
    with pytest.raises(SceneFileError) as caught:
        load_scene(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("name", ["../means_l.webp", "/etc/passwd", "a/../../b.webp", "..\\b.webp", "a\0b"])
def test_names_cannot_leave_a_folder(tmp_path: Path, name: str) -> None:
    write_sog(tmp_path / "a.sog", sample())
    parts = parts_of(tmp_path / "a.sog")
    changed(means__files=[name, name])(parts)
    (tmp_path / "means_l.webp").write_bytes(parts["means_l.webp"])
    folder = unpacked(tmp_path / "scene", parts)
    with pytest.raises(SceneFileError, match="files: expected names of files beside it, found"):
        load_scene(folder)


def test_a_damaged_zip_is_told(tmp_path: Path) -> None:
    write_sog(tmp_path / "a.sog", sample())
    content = bytearray((tmp_path / "a.sog").read_bytes())
    content[60] ^= 1  # in the first texture
    (tmp_path / "a.sog").write_bytes(content)
    with pytest.raises(
        SceneFileError, match=r"entry means_l\.webp: expected a whole one, found one that does not fit its checksum"
    ):
        load_scene(tmp_path / "a.sog")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.sog", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("meta.json", b" " * (1 << 25))
    with pytest.raises(SceneFileError, match=r"entry meta\.json: expected at most 1048576 bytes, found 33554432$"):
        load_scene(tmp_path / "a.sog")


def levels(folder: Path) -> tuple[Path, list[Gaussians], Gaussians]:
    """A streamed scene: two levels of two boxes, the finer in two files, and an environment."""
    parts = [sample(count, degree, seed) for count, degree, seed in ((80, 1, 1), (60, 1, 2), (30, 0, 3), (9, 0, 4))]
    names = ["0_0", "0_1", "1_0", "env"]
    for name, part in zip(names, parts, strict=True):
        write_sog(folder / "a.sog", part)
        unpacked(folder / name, parts_of(folder / "a.sog"))
    bound = {"min": [0, 0, 0], "max": [1, 1, 1]}
    leaf_a = {"0": {"file": 0, "offset": 0, "count": 80}, "1": {"file": 2, "offset": 0, "count": 20}}
    leaf_b = {"0": {"file": 1, "offset": 0, "count": 60}, "1": {"file": 2, "offset": 20, "count": 10}}
    tree = {"bound": bound, "children": [{"bound": bound, "lods": leaf} for leaf in (leaf_a, leaf_b)]}
    meta = {
        "version": 1,
        "lodLevels": 2,
        "environment": "env/meta.json",
        "filenames": [f"{name}/meta.json" for name in names[:3]],
        "tree": tree,
    }
    (folder / "lod-meta.json").write_text(json.dumps(meta))
    return folder / "lod-meta.json", parts[:3], parts[3]


@pytest.mark.parametrize("lod", [0, 1])
def test_levels_of_detail(tmp_path: Path, lod: int) -> None:
    path, parts, environment = levels(tmp_path)
    for given in (path, tmp_path):
        file = load_scene(given, options=ReadOptions(lod=lod))
        assert file.format == "streamed sog"
        wanted = merged([*(parts[:2] if lod == 0 else parts[2:]), environment])
        found = in_order_of(file.gaussians, wanted)
        assert_close(found, wanted, **(STEPS | {"sh": 1.2}))


def test_levels_that_are_refused(tmp_path: Path) -> None:
    path, _, _ = levels(tmp_path)
    good = json.loads(path.read_text())
    cases: list[tuple[dict[str, Any], ReadOptions, str]] = [
        ({}, ReadOptions(lod=2), "lodLevels: expected more than --lod 2, found 2"),
        ({}, ReadOptions(max_gaussians=100), "level 0: expected at most 100 Gaussians (--max-gaussians), found 140"),
        (
            {"filenames": ["0_0/meta.json"]},
            ReadOptions(),
            "tree, lods, file: expected less than 1, the number of filenames, found 1",
        ),
        ({"filenames": ["../x"] * 3}, ReadOptions(), "filenames: expected names of files below it, found ../x"),
        ({"tree": {"children": 7}}, ReadOptions(), "tree, children: expected a list, found 7"),
        (
            {"tree": {"lods": {"0": {"file": 0, "offset": 0}}}},
            ReadOptions(),
            "tree, lods, count: expected a value, found none",
        ),
        (
            {"tree": {"lods": {"0": {"file": 0, "offset": 1, "count": 80}}}},
            ReadOptions(),
            "tree, lods of 0_0/meta.json: expected at most 80 Gaussians, found 81",
        ),
        (
            {"lodLevels": 2.5},
            ReadOptions(),
            "lod-meta.json, lodLevels: expected a whole number from 1 to 64, found 2.5",
        ),
    ]
    deep: dict[str, Any] = {"lods": {}}
    for _ in range(80):
        deep = {"children": [deep]}
    cases.append(({"tree": deep}, ReadOptions(), "tree: expected at most 64 boxes in one another, found more"))
    for change, options, message in cases:
        path.write_text(json.dumps(good | change))
        with pytest.raises(SceneFileError) as caught:
            load_scene(path, options=options)
        assert str(caught.value) == f"{path}: {message}"


def test_palettes_grow_with_the_scene_up_to_a_limit() -> None:
    assert [palette_size(count) for count in (1, 300, 31_000, 10**7)] == [64, 256, 16_384, 65_536]


@pytest.mark.parametrize("name", ["angel-kneeling", "playbot-500k"])
def test_real_files(data: Path, name: str) -> None:
    file = load_scene(data / "gaussians" / f"{name}.sog")
    counts = {"angel-kneeling": (83_547, 0), "playbot-500k": (500_000, 2)}
    assert (len(file.gaussians), file.gaussians.sh_degree, file.dropped) == (*counts[name], 0)
    assert np.linalg.norm(file.gaussians.rotations, axis=1) == pytest.approx(1, abs=1e-3)
    # neighbours in the file are neighbours in space, in a scene that is decoded right
    steps = np.linalg.norm(np.diff(file.gaussians.positions, axis=0), axis=1)
    assert np.median(steps) < 0.05 * file.gaussians.positions.std(axis=0).max()
