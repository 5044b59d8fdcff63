"""The .ksplat format: all levels, sections of different degrees, buckets that are not full, what is refused."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scenes.errors import SceneFileError
from scenes.gaussians import SH_C0, Gaussians
from scenes.load import load_scene
from scenes.merging import merged
from tests.format_samples import assert_close, sample
from tests.ksplat_samples import pack_ksplat

COLOURS = {"opacity": 0.5 / 255 + 1e-6, "colour": 0.5 / 255 / SH_C0 + 1e-6}
STEPS = (
    COLOURS,
    COLOURS | {"positions": 5 / 2 / 32767, "log_scales": 5e-4, "rotations": 5e-4, "sh": 3e-4},
    COLOURS | {"positions": 5 / 2 / 32767, "log_scales": 5e-4, "rotations": 5e-4, "sh": 0.5 * 3 / 255 + 1e-5},
)


def written(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "a.ksplat").write_bytes(content)
    return tmp_path / "a.ksplat"


def in_the_middle(count: int, degree: int, seed: int) -> Gaussians:
    scene = sample(count, degree, seed)
    np.clip(scene.positions, -1.2, 1.2, out=scene.positions)  # no further from its bucket's middle than its side
    return scene


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [1, 256, 600])
def test_every_level(tmp_path: Path, level: int, degree: int, count: int) -> None:
    scene = in_the_middle(count, degree, 1)
    file = load_scene(written(tmp_path, pack_ksplat([scene], level)))
    assert (file.format, file.dropped) == ("ksplat", 0)
    assert_close(file.gaussians, scene, **STEPS[level])


@pytest.mark.parametrize("level", [0, 1, 2])
def test_sections_follow_each_other(tmp_path: Path, level: int) -> None:
    parts = [in_the_middle(count, degree, count) for count, degree in ((70, 0), (300, 2), (5, 1))]
    found = load_scene(written(tmp_path, pack_ksplat(parts, level, capacity=64))).gaussians
    assert_close(found, merged(parts), **STEPS[level])


def test_room_that_is_not_used_may_be_cut_off(tmp_path: Path) -> None:
    scene = in_the_middle(100, 1, 1)
    content = bytearray(pack_ksplat([scene], 1))
    struct.pack_into("<I", content, 4096 + 4, 2**32 - 1)
    assert_close(load_scene(written(tmp_path, bytes(content))).gaussians, scene, **STEPS[1])


def test_the_range_of_sh_is_the_files(tmp_path: Path) -> None:
    scene = in_the_middle(50, 1, 1)
    found = load_scene(written(tmp_path, pack_ksplat([scene], 2, sh_range=0.75))).gaussians
    assert np.abs(found.sh[:, 1:] - scene.sh[:, 1:]).max() <= 0.5 * 1.5 / 255 + 1e-5


def put(at: int, kind: str, value: float) -> Callable[[bytearray], None]:
    return lambda content: struct.pack_into(kind, content, at, value)


def cut(content: bytearray) -> None:
    del content[-1:]


BAD: dict[str, tuple[Callable[[bytearray], None], str]] = {
    "cut": (cut, "section 0: expected 2416 bytes, found 2415"),
    "counts": (put(16, "<I", 99), "header: expected 99 Gaussians, found 100 in the sections"),
    "room": (put(4096, "<I", 101), "section 0: expected at most 100 Gaussians, its room, found 101"),
    "degree": (put(4096 + 40, "<H", 4), "section 0: expected an SH degree of 0 to 3, found 4"),
    "bucket bytes": (put(4096 + 20, "<H", 13), "section 0: expected buckets of 12 bytes, found 13"),
    "buckets": (put(4096 + 12, "<I", 0), "section 0: expected at most 0 buckets, found 1"),
    "bucket sizes": (put(5120, "<I", 99), "section 0: expected buckets for 100 Gaussians, found for 99"),
    "empty": (put(4096, "<I", 0), "sections: expected at least one Gaussian, found 0"),
    "infinite": (
        put(4096 + 16, "<f", float("inf")),
        "sections: expected at least one finite Gaussian, found 100 that are NaN, infinite or without a rotation",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    change, message = BAD[name]
    content = bytearray(pack_ksplat([in_the_middle(100, 0, 1)], 1))
    change(content)
    if name == "counts":
        struct.pack_into("<I", content, 12, 99)
    path = written(tmp_path, bytes(content))
    with pytest.raises(SceneFileError) as caught:
        load_scene(path)
    assert str(caught.value) == f"{path}: {message}"
