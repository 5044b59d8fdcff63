"""Pictures of light, and the sky that is baked into one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from scenes.errors import KilofieldError, SceneFileError
from scenes.light_images import read_light, write_exr
from scenes.scene_file import Sky
from scenes.sky import SIZE, directions_of, sky_picture, sun_irradiance, world_frame

RNG = np.random.default_rng(3)
LIGHT = (10 ** RNG.uniform(-3, 4, (5, 9, 3))).astype(np.float32)


def rgbe(light: np.ndarray) -> np.ndarray:
    """[H, W, 4] bytes, by frexp: the mantissas of three numbers with the exponent of the largest."""
    _, exponent = np.frexp(light.max(axis=-1))
    mantissas = np.floor(np.ldexp(light, (8 - exponent)[..., None]))
    return np.concatenate([mantissas, (exponent + 128)[..., None]], axis=-1).astype(np.uint8)


def radiance_file(path: Path, light: np.ndarray, runs: bool) -> Path:
    pixels = rgbe(light)
    height, width = light.shape[:2]
    head = f"#?RADIANCE\n# made by a test\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n".encode()
    body = b""
    for row in pixels:
        if not runs:
            body += row.tobytes()
            continue
        body += bytes((2, 2, width >> 8, width & 255))
        for plane in row.T:
            same = (plane == plane[0]).all()
            body += bytes((128 + width, plane[0])) if same else bytes((width,)) + plane.tobytes()
    path.write_bytes(head + body)
    return path


def test_exr_gives_back_the_same_numbers(tmp_path: Path) -> None:
    write_exr(tmp_path / "a.exr", LIGHT)
    np.testing.assert_array_equal(read_light(tmp_path / "a.exr"), LIGHT)


def test_grey_exr(tmp_path: Path) -> None:
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Y": LIGHT[..., 0].copy()}) as file:
        file.write(str(tmp_path / "a.exr"))
    np.testing.assert_array_equal(read_light(tmp_path / "a.exr"), LIGHT[..., :1].repeat(3, axis=2))


@pytest.mark.parametrize("runs", [False, True])
def test_radiance_files(tmp_path: Path, runs: bool) -> None:
    light = LIGHT.copy()
    light[1] = light[1, 0]  # a row of one colour
    light[0, 0] = 0
    found = read_light(radiance_file(tmp_path / "a.hdr", light, runs))
    assert np.abs(found - light).max(initial=0, where=(light > 0)) <= light.max()
    # 8 bits of mantissa: at most 1/128 of the largest of the three is lost
    assert (np.abs(found - light) <= light.max(axis=-1, keepdims=True) / 128).all()
    assert (found[0, 0] == 0).all()


def test_png_is_srgb(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 4, 3), (0, 188, 255), np.uint8)).save(tmp_path / "a.png")
    found = read_light(tmp_path / "a.png")
    np.testing.assert_allclose(found[1, 3], (0, 0.5029, 1), atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_what_is_no_light_is_refused(tmp_path: Path, value: float) -> None:
    light = LIGHT.copy()
    light[3, 7, 1] = value
    write_exr(tmp_path / "a.exr", light)
    with pytest.raises(SceneFileError, match="row 3, column 7: expected light from 0 to 1e\\+09 in every pixel"):
        read_light(tmp_path / "a.exr")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    write_exr(tmp_path / "a.exr", RNG.uniform(size=(64, 64, 3)).astype(np.float32))
    radiance_file(tmp_path / "a.hdr", LIGHT, True)
    for name in ("a.exr", "a.hdr"):
        whole = (tmp_path / name).read_bytes()
        for keep in (20, len(whole) // 2, len(whole) - 3):
            (tmp_path / name).write_bytes(whole[:keep])
            with pytest.raises(SceneFileError):
                read_light(tmp_path / name)
    (tmp_path / "b.exr").write_bytes(b"not a picture")
    with pytest.raises(SceneFileError, match="expected an OpenEXR or Radiance picture"):
        read_light(tmp_path / "b.exr")


def test_an_exr_without_colours_is_refused(tmp_path: Path) -> None:
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Z": LIGHT[..., 0].copy()}) as file:
        file.write(str(tmp_path / "a.exr"))
    with pytest.raises(SceneFileError, match="expected R, G and B, or Y, found Z"):
        read_light(tmp_path / "a.exr")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KilofieldError, match="cannot write"):
        write_exr(tmp_path / "none" / "a.exr", LIGHT)


def test_the_sky_shines_most_around_the_sun_and_less_at_dusk() -> None:
    noon, dusk = (Sky(sun_direction=(0.0, 1.0, elevation)) for elevation in (2.0, 0.02))
    picture = sky_picture(noon, (0, 0, 1))
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert (picture > 0).all()
    row, column = np.unravel_index(picture.sum(axis=2).argmax(), picture.shape[:2])
    brightest = directions_of(*SIZE)[row, column] @ world_frame((0, 0, 1))
    assert brightest @ (0, 1, 2) / np.sqrt(5) > 0.999
    assert sky_picture(dusk, (0, 0, 1)).mean() < 0.8 * picture.mean()
    light = sun_irradiance(dusk, (0, 0, 1))
    assert light[0] > 2 * light[2]  # red
    assert (sun_irradiance(Sky(sun_direction=(0, 1, -0.1)), (0, 0, 1)) == 0).all()


@pytest.mark.parametrize("up", [(0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (0.3, 0.5, 0.2)])
def test_the_frame_of_the_world_is_a_rotation_that_turns(up: tuple[float, float, float]) -> None:
    frame, turned = world_frame(up), world_frame(up, 90)
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(frame[1], np.array(up) / np.linalg.norm(up))
    # counter-clockwise seen from above: what was in front is now to the right
    np.testing.assert_allclose(turned[0], frame[2], atol=1e-12)
