"""The walks whose cameras are kept beside the benchmarks."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.walks import CAMERAS, UP, WALKS
from scenes.camera_files import read_cameras


@pytest.mark.parametrize("name", WALKS)
def test_the_files_hold_what_the_walks_say(name: str) -> None:
    written, walked = read_cameras(CAMERAS / f"{name}.json"), WALKS[name].cameras()
    assert len(written) == len(walked) >= 8
    for a, b in zip(written, walked, strict=True):
        assert np.allclose(a.camera_from_world, b.camera_from_world, atol=1e-12)
        assert (a.fov_y, a.name) == (b.fov_y, b.name)


@pytest.mark.parametrize("name", WALKS)
def test_walkers_keep_their_eyes_at_one_height_and_look_around(name: str) -> None:
    walk = WALKS[name]
    cameras = walk.cameras()
    positions = np.array([camera.position for camera in cameras])
    assert np.allclose(positions @ UP, walk.eye_height)
    assert np.linalg.norm(np.diff(positions, axis=0), axis=1).max() < 4  # metres between stops
    looks = np.array([camera.camera_from_world[2, :3] for camera in cameras])
    assert (np.abs(looks @ UP) < 0.1).all()
    for (_, _, degrees), look in zip(walk.stops, looks, strict=True):
        assert np.degrees(np.arctan2(look[1], look[0])) % 360 == pytest.approx(degrees % 360)
    assert np.ptp([degrees for *_, degrees in walk.stops]) > 180
