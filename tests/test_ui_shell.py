"""The shell of the window as far as it needs no window: what is kept, layouts, dialogs, help, graphs, progress."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kilo_scenes import random_scene
from ui_scenes import shell

from renderer.settings import RenderSettings
from scenes.cameras import Camera, look_at
from scenes.errors import KilofieldError
from scenes.extent import Extent
from scenes.kilo import write_kilo
from scenes.load import load_scene
from scenes.ply import write_ply
from ui import loading, stored
from ui.actions import ACTIONS, action_for, all_actions
from ui.depth_range import depth_range
from ui.docking import knows_all_panels, rescaled
from ui.file_browser import listing
from ui.help import arranged
from ui.inputs import HELD_KEYS
from ui.loading import SceneLoader
from ui.panels import PANELS
from ui.panels.panel import PLACES
from ui.panels.timings import stacked
from ui.screen import Rect, project_points
from ui.stored import MOST_RECENT, Stored, read_layout, read_stored, write_layout, write_stored

UP = np.array([0.0, -1.0, 0.0])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(stored.FOLDER_VARIABLE, str(tmp_path / "config"))
    return tmp_path / "config"


def test_without_a_file_everything_is_as_at_first() -> None:
    assert read_stored() == (Stored(), None)
    assert read_layout() is None


def test_what_is_written_comes_back() -> None:
    look = RenderSettings("normal", 1, False, 0.5, (0.1, 0.2, 0.3), 0.25, overdraw_range=7.0)
    kept = Stored((900, 600), 1.25, False, ["Scene"], [Path("/a/b.ply"), Path("/c.kilo")], look)
    write_stored(kept)
    write_layout("[Window][Scene]\n")
    assert read_stored() == (kept, None)
    assert read_layout() == "[Window][Scene]\n"


def test_what_belongs_to_one_scene_is_not_kept() -> None:
    write_stored(Stored(look=RenderSettings(depth_range=(1.0, 2.0))))
    assert read_stored()[0].look == RenderSettings()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("window", [10, 600]),
        ("window", [900]),
        ("window", "large"),
        ("window", None),
        ("text_size", 100),
        ("text_size", True),
        ("text_size", "1"),
        ("vsync", 1),
        ("panels", {"Scene": 1}),
        ("recent", [1]),
        ("recent", "a.ply"),
        ("look", []),
        ("look", {"view": "beautiful"}),
        ("look", {"scale": 0}),
        ("look", {"background": [0, 0]}),
        ("look", {"background": [0, 0, float("nan")]}),
        ("look", {"min_opacity": "some"}),
        ("look", {"sh_degree": 4}),
        ("look", {"antialiased": 1}),
        ("look", {"overdraw_range": 0}),
    ],
)
def test_one_bad_field_is_named_and_the_others_count(folder: Path, field: str, value: object) -> None:
    write_stored(Stored(text_size=1.5, vsync=False))
    path = folder / stored.SETTINGS
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    found, note = read_stored()
    assert note == f"{path}: as at first: {field}"
    assert getattr(found, field) == getattr(Stored(), field)
    assert field == "text_size" or found.text_size == 1.5
    assert field == "vsync" or not found.vsync


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\xff\xfe", '{"window": [1e999, 1]}'])
def test_a_broken_file_is_not_an_error(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / stored.SETTINGS).write_bytes(text.encode("latin-1"))
    found, note = read_stored()
    assert found == Stored()
    assert note is not None
    assert note.startswith(f"{folder / stored.SETTINGS}: ")
    assert "\n" not in note


def test_fields_of_other_versions_are_ignored(folder: Path) -> None:
    folder.mkdir()
    (folder / stored.SETTINGS).write_text('{"colour_of_the_sky": "blue", "text_size": 2.0, "look": {"new": 1}}')
    assert read_stored() == (Stored(text_size=2.0), None)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(stored.FOLDER_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(KilofieldError, match="file"):
        write_stored(Stored())


def test_recent_files_are_few_and_each_once() -> None:
    kept = Stored()
    for number in range(2 * MOST_RECENT):
        kept.opened(Path(f"/{number}.ply"))
    kept.opened(Path(f"/{2 * MOST_RECENT - 3}.ply"))
    assert len(kept.recent) == MOST_RECENT
    assert [path.stem for path in kept.recent[:4]] == ["21", "23", "22", "20"]


LAYOUT = "; scale 1.5\n[Window][Scene]\nPos=0,-30\nSize=300,601\n\n[Docking][Data]\nDockNode ID=0x01 SizeRef=300,9\n"


def test_a_layout_grows_with_the_text() -> None:
    assert rescaled(LAYOUT, 1.5) == LAYOUT
    grown = rescaled(LAYOUT, 3.0)
    assert "Pos=0,-60\nSize=600,1202\n" in grown
    assert "ID=0x01 SizeRef=600,18" in grown
    assert rescaled("Size=3,4\n", 2.0) == "Size=3,4\n"  # nobody knows what it was made at


def test_a_layout_without_a_panel_is_not_used() -> None:
    windows = [f"[Window][{panel.title}]\n" for panel in PANELS]
    assert knows_all_panels("".join(windows) + "[Docking][Data]\n")
    assert not knows_all_panels("".join(windows))
    assert not knows_all_panels("".join(windows[1:]) + "[Docking][Data]\n")


def test_panels_have_a_place_and_a_name_of_their_own() -> None:
    assert len({panel.title for panel in PANELS}) == len(PANELS)
    assert {panel.place for panel in PANELS} <= set(PLACES)


def test_no_key_does_two_things() -> None:
    pressed = [(action.key, action.modifier) for action in all_actions()]
    assert len(set(pressed)) == len(pressed)
    assert not {action.key for action in all_actions() if not action.modifier} & set(HELD_KEYS)
    texts = [action.text for action in all_actions()]
    assert len(set(texts)) == len(texts)


def test_a_key_is_found_with_its_modifiers() -> None:
    for action in all_actions():
        assert action_for(action.key, action.modifier) is action


def blocks(*lengths: int) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(f"block {i}", [("key", "text")] * length) for i, length in enumerate(lengths)]


@pytest.mark.parametrize(
    ("lengths", "columns", "expected"),
    [
        ((5, 5, 5), 3, [1, 1, 1]),
        ((5, 5, 5), 1, [3]),
        ((8, 1, 1, 1, 1), 2, [1, 4]),
        ((1, 1, 1, 1, 8), 2, [4, 1]),
        ((3,), 4, [1]),
    ],
)
def test_the_help_is_in_even_columns(lengths: tuple[int, ...], columns: int, expected: list[int]) -> None:
    parts = arranged(blocks(*lengths), columns)
    assert [len(part) for part in parts] == expected
    assert [title for part in parts for title, _ in part] == [f"block {i}" for i in range(len(lengths))]


def test_the_help_has_every_group() -> None:
    assert set(ACTIONS) >= {"File", "View", "Camera", "Help"}
    assert all(ACTIONS.values())
    assert list(ACTIONS)[-1] == "Help"


def test_stages_are_stacked_even_where_one_is_missing() -> None:
    names, edges = stacked([{"project": 1.0, "sort": 2.0, "blend": 4.0}, {"project": 3.0, "blend": 5.0}])
    assert names == ["project", "sort", "blend"]
    np.testing.assert_array_equal(edges, [[1, 3], [3, 3], [7, 8]])


def test_the_depth_range_holds_the_scene_from_outside_and_inside() -> None:
    extent = Extent(np.array([1.0, 2.0, 3.0]), 0.5, UP)
    away = look_at(np.array([1.0, 2.0, -7.0]), extent.centre, UP, 0.8)
    assert depth_range(away, extent) == pytest.approx((9.5, 10.5))
    inside = look_at(extent.centre - [0, 0, 0.1], extent.centre, UP, 0.8, near=0.05)
    assert depth_range(inside, extent) == pytest.approx((0.05, 0.6))
    behind = look_at(np.array([1.0, 2.0, 7.0]), np.array([1.0, 2.0, 9.0]), UP, 0.8)
    near, far = depth_range(behind, extent)
    assert near < far
    around = replace(behind, projection="equirectangular")
    assert depth_range(around, extent) == pytest.approx((3.5, 4.5))


RECT = Rect(40.0, 30.0, 300.0, 200.0)


@pytest.mark.parametrize("projection", ["pinhole", "orthographic", "equirectangular"])
def test_points_are_on_the_screen_where_rays_through_it_meet_them(projection: str) -> None:
    """The twin goes the other way: from a place on the screen along its ray to a point."""
    camera = look_at(np.array([1.0, -0.5, -4.0]), np.zeros(3), UP, 0.9)
    camera = replace(camera, projection=projection, view_height=3.0)
    rng = np.random.default_rng(0)
    share, depth = rng.uniform(0.02, 0.98, (50, 2)), rng.uniform(1, 9, 50)
    across, down = (share[:, 0] - 0.5), (share[:, 1] - 0.5)
    aspect = RECT.width / RECT.height
    if projection == "equirectangular":
        longitude, latitude = 2 * np.pi * across, np.pi * down
        flat = np.cos(latitude)
        seen = depth * np.stack([flat * np.sin(longitude), np.sin(latitude), flat * np.cos(longitude)])
    else:
        height = 3.0 if projection == "orthographic" else 2 * np.tan(0.45) * depth
        seen = np.stack([across * aspect * height, down * height, depth])
    world = (np.linalg.inv(camera.camera_from_world) @ np.vstack([seen, np.ones(50)]))[:3].T
    places, depths = project_points(world, camera, RECT)
    np.testing.assert_allclose(places, [RECT.x, RECT.y] + share * [RECT.width, RECT.height], atol=1e-9)
    np.testing.assert_allclose(depths, depth, atol=1e-12)


def test_behind_a_pinhole_there_is_no_place() -> None:
    camera = Camera(np.eye(4), 0.8)
    places, depths = project_points(np.array([[0.0, 0, -1], [0, 0, 1]]), camera, RECT)
    assert np.isnan(places[0]).all()
    np.testing.assert_allclose(places[1], RECT.middle)
    np.testing.assert_array_equal(depths, [-1, 1])


def test_listing_shows_folders_and_what_fits(tmp_path: Path) -> None:
    for name in ("b.ply", "A.KILO", "c.txt", ".hidden.ply"):
        (tmp_path / name).write_text("")
    for name in ("z", ".git", "Y"):
        (tmp_path / name).mkdir()
    assert listing(tmp_path, ("*.ply", "*.kilo")) == (["Y", "z"], ["A.KILO", "b.ply"])
    assert listing(tmp_path, ())[1] == ["A.KILO", "b.ply", "c.txt"]
    with pytest.raises(OSError, match="missing"):
        listing(tmp_path / "missing", ())


@pytest.mark.parametrize("name", ["scene.ply", "scene.kilo"])
def test_reading_tells_how_far_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".ply"):
        write_ply(path, shell(30_000))
    else:
        write_kilo(path, random_scene(count=2000, networks=4), chunks=[1, 3])
    told: list[float] = []
    file = load_scene(path, told.append)
    assert len(file.scene) in (30_000, 2000)
    assert len(told) > 5
    assert told == sorted(told)
    assert 0 < told[0] < 0.5
    assert told[-1] == pytest.approx(1, abs=0.02)


def test_a_large_scene_says_where_it_goes_before_it_goes_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ply(tmp_path / "shell.ply", shell())
    monkeypatch.setattr(loading, "LARGE", 3000)
    loader = SceneLoader()
    loader.start(tmp_path / "shell.ply")
    stages, loaded = [], None
    while loaded is None:
        stages.append(loader.status().stage)
        loaded = loader.poll()
    assert stages[-1] == loading.LAST_STAGE
    assert stages.count(loading.LAST_STAGE) == 1
    assert loader.path is None


def test_a_cancelled_file_is_left_at_once(tmp_path: Path) -> None:
    write_ply(tmp_path / "shell.ply", shell())
    loader = SceneLoader()
    assert not loader.cancel()
    woken = []
    loader.wake = lambda: woken.append(loader.path)
    loader.start(tmp_path / "shell.ply")
    assert loader.cancel()
    assert loader.path is None
    assert loader.poll() is None
    loader.start(tmp_path / "shell.ply")
    while (loaded := loader.poll()) is None:
        pass
    assert loaded.gaussians is not None
    assert len(loaded.gaussians) == 3000
