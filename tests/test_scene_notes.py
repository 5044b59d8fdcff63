"""What is remembered beside a scene."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.cameras import look_at
from scenes.errors import KilofieldError, SceneFileError
from ui import scene_notes
from ui.scene_notes import SceneNotes, kept_path, notes_path, read_notes, write_notes
from ui.stored import FOLDER_VARIABLE

CAMERA = look_at(np.array([1.0, 2, 3]), np.zeros(3), np.array([0.0, 1, 0]), 0.9, "kept")
NOTES = SceneNotes(np.array([0.0, 0.6, 0.8]), 0.25, CAMERA)


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "configuration"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


def assert_same(found: SceneNotes, expected: SceneNotes) -> None:
    np.testing.assert_array_equal(found.up, expected.up)
    assert found.metres_per_unit == expected.metres_per_unit
    assert (found.camera is None) == (expected.camera is None)
    if found.camera is not None and expected.camera is not None:
        np.testing.assert_array_equal(found.camera.camera_from_world, expected.camera.camera_from_world)
        assert (found.camera.fov_y, found.camera.name) == (expected.camera.fov_y, expected.camera.name)


@pytest.mark.parametrize("name", ["scene.ply", "scene.compressed.ply", "scene.KILO"])
def test_the_versions_of_a_scene_share_their_notes(tmp_path: Path, name: str) -> None:
    assert write_notes(tmp_path / name, NOTES) == tmp_path / "scene.view.json"
    assert_same(read_notes(tmp_path / "scene.ply"), NOTES)


@pytest.mark.parametrize(
    "notes", [NOTES, replace(NOTES, up=None), SceneNotes(metres_per_unit=2.0), SceneNotes(camera=CAMERA)]
)
def test_what_is_written_is_read(tmp_path: Path, notes: SceneNotes) -> None:
    write_notes(tmp_path / "a.ply", notes)
    assert_same(read_notes(tmp_path / "a.ply"), notes)


def test_nothing_is_written_about_nothing(tmp_path: Path) -> None:
    write_notes(tmp_path / "a.ply", SceneNotes())
    assert list(tmp_path.iterdir()) == []
    write_notes(tmp_path / "a.ply", NOTES)
    write_notes(tmp_path / "a.ply", SceneNotes())
    assert read_notes(tmp_path / "a.ply").empty


def test_what_others_have_written_stays(tmp_path: Path) -> None:
    (tmp_path / "a.view.json").write_text('{"author": "me", "metres_per_unit": 3}')
    notes = read_notes(tmp_path / "a.kilo")
    write_notes(tmp_path / "a.kilo", replace(notes, metres_per_unit=None))
    assert json.loads((tmp_path / "a.view.json").read_text()) == {"author": "me"}


def unwritable(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Root may write anywhere, so the folder's refusal is acted."""
    real = scene_notes.replacing

    def replacing(path: Path) -> object:
        if path.parent == folder:
            raise KilofieldError(f"{path}: cannot write: Permission denied")
        return real(path)

    monkeypatch.setattr(scene_notes, "replacing", replacing)


def test_a_folder_that_cannot_be_written_to_has_its_notes_elsewhere(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        unwritable(monkeypatch, tmp_path / name)
    scene, other = tmp_path / "one" / "a.ply", tmp_path / "two" / "a.ply"
    path = write_notes(scene, NOTES)
    assert path == kept_path(scene)
    assert path.parent == config / "scenes"
    assert_same(read_notes(scene), NOTES)
    assert read_notes(other).empty
    assert os.listdir(tmp_path / "one") == []


def test_notes_that_are_there_are_not_hidden_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_notes(tmp_path / "a.ply", NOTES)
    unwritable(monkeypatch, tmp_path)
    with pytest.raises(KilofieldError, match="Permission denied"):
        write_notes(tmp_path / "a.ply", SceneNotes(metres_per_unit=1.0))
    assert_same(read_notes(tmp_path / "a.ply"), NOTES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "file: expected an object, found []"),
        ("{", "line 1: expected JSON, found expecting property name enclosed in double quotes"),
        ('{"up": [0, 0, 0]}', "file, up: expected a direction, found [0, 0, 0]"),
        ('{"up": [0, 1]}', "file, up: expected 3 finite numbers, found [0, 1]"),
        ('{"metres_per_unit": 0}', "file, metres_per_unit: expected a finite number above 0, found 0"),
        ('{"camera": 3}', "camera: expected an object, found 3"),
        ('{"camera": {"fov_y": 3}}', "camera: expected camera_from_world, or position and rotation, found fov_y"),
    ],
)
def test_what_is_wrong_with_notes(tmp_path: Path, text: str, message: str) -> None:
    path = notes_path(tmp_path / "a.ply")
    path.write_text(text)
    with pytest.raises(SceneFileError) as caught:
        read_notes(tmp_path / "a.ply")
    assert str(caught.value) == f"{path}: {message}"
