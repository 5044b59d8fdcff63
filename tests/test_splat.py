"""The .splat format: records against plain arithmetic, what is lost, what is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from scenes.content import ReadOptions
from scenes.errors import SceneFileError
from scenes.gaussians import SH_C0
from scenes.load import load_scene
from scenes.splat import is_splat, read_splat, write_splat
from tests.format_samples import assert_close, in_order_of, sample

RECORD = struct.pack("<3f3f4B4B", 1.0, -2.0, 3.5, 0.5, 0.25, 2.0, 255, 0, 51, 128, 128, 256 - 1, 128, 128)


def test_a_record_as_the_format_has_it(tmp_path: Path) -> None:
    (tmp_path / "a.splat").write_bytes(RECORD)
    gaussians = read_splat(tmp_path / "a.splat", ReadOptions()).gaussians
    np.testing.assert_array_equal(gaussians.positions, [[1, -2, 3.5]])
    np.testing.assert_allclose(gaussians.log_scales, np.log([[0.5, 0.25, 2]]), atol=1e-6)
    np.testing.assert_allclose(gaussians.sh[:, 0] * SH_C0, [[0.5, -0.5, -0.3]], atol=1e-6)
    assert gaussians.opacity_logits[0] == pytest.approx(np.log(128 / 127), abs=1e-6)
    np.testing.assert_array_equal(gaussians.rotations, [[0, 1, 0, 0]])
    assert gaussians.sh.shape == (1, 1, 3)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    scene = sample(sh_degree=0)
    write_splat(tmp_path / "a.splat", scene)
    file = load_scene(tmp_path / "a.splat")
    assert (file.format, file.bytes, file.dropped) == ("splat", 300 * 32, 0)
    found = in_order_of(file.gaussians, scene)
    assert_close(found, scene, rotations=0.5 / 128 + 0.004, opacity=0.5 / 255 + 1e-6, colour=0.5 / 255 / SH_C0 + 1e-6)


def test_the_largest_come_first(tmp_path: Path) -> None:
    write_splat(tmp_path / "a.splat", sample(sh_degree=2))
    gaussians = load_scene(tmp_path / "a.splat").gaussians
    weights = gaussians.log_scales.sum(axis=1) - np.logaddexp(0, -gaussians.opacity_logits)
    assert (np.diff(weights) < 0.25).all()  # but for the rounding of the opacity
    assert gaussians.sh_degree == 0


def test_a_file_is_told_by_its_numbers() -> None:
    rng = np.random.default_rng(1)
    assert is_splat(RECORD * 3, 96)
    assert not is_splat(RECORD * 3, 97)
    assert not is_splat(rng.bytes(3200), 3200)
    assert not is_splat(bytes(3200), 3200)
    assert not is_splat((b"0000000 " * 400), 3200)


def test_what_cannot_be_drawn_is_dropped(tmp_path: Path) -> None:
    negative = struct.pack("<3f3f8B", 0, 0, 0, -1, 1, 1, *[200] * 8)
    still = struct.pack("<3f3f8B", 0, 0, 0, 1, 1, 1, *[128] * 8)
    flat = struct.pack("<3f3f8B", 0, 0, 0, 0, 1, 1, *[200] * 8)
    (tmp_path / "a.splat").write_bytes(RECORD + negative + still + flat)
    content = read_splat(tmp_path / "a.splat", ReadOptions())
    assert (len(content.gaussians), content.dropped) == (2, 2)
    assert content.gaussians.log_scales[1, 0] < -60  # a scale of 0 is a disc, not an error


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (RECORD + b"123", ReadOptions(), "file: expected records of 32 bytes, found 3 bytes after the last of them"),
        (
            RECORD * 3,
            ReadOptions(max_gaussians=2),
            "file: expected at most 2 Gaussians (--max-gaussians), found 3",
        ),
        (
            struct.pack("<3f3f8B", *[float("nan")] * 6, *[1] * 8),
            ReadOptions(),
            "records: expected at least one finite Gaussian, found 1 that are NaN, infinite or without a rotation",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, options: ReadOptions, message: str) -> None:
    (tmp_path / "a.splat").write_bytes(content)
    with pytest.raises(SceneFileError) as caught:
        read_splat(tmp_path / "a.splat", options)
    assert str(caught.value) == f"{tmp_path / 'a.splat'}: {message}"
