"""The .kilo file: what is written comes back, chunk by chunk and tier by tier; a slow twin reads it too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.errors import KilofieldError, SceneFileError
from scenes.kilo import canonical_order, pack_kilo, read_kilo, read_manifest, unpack_kilo, write_kilo
from scenes.neural_gaussians import NeuralGaussians
from tests import kilo_slow
from tests.kilo_scenes import assert_same, random_scene

VARIANTS = {
    "plain": {},
    "no grid": {"on_grid": False},
    "half weights": {"stepped": False},
    "no code": {"code": 0},
    "no hidden layer": {"layers": 0},
    "one cluster": {"networks": 1},
    "more clusters than Gaussians": {"count": 5, "networks": 20},
    "one Gaussian": {"count": 1, "networks": 1},
    "no Gaussian": {"count": 0},
    "degree 3, sine, two layers": {"degree": 3, "activation": "sine", "layers": 2},
    "modulated, two layers": {"modulation": (4, 1, 3), "layers": 2},
}


def _tiers(scene: NeuralGaussians, count: int = 3) -> np.ndarray:
    return np.random.default_rng(9).integers(0, count, len(scene))


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_written_comes_back(variant: str, tmp_path: Path) -> None:
    scene = random_scene(**VARIANTS[variant])
    report = write_kilo(tmp_path / "scene.kilo", scene)
    found = read_kilo(tmp_path / "scene.kilo")
    assert_same(found, scene)
    assert_same(canonical_order(scene), scene)
    assert report.total == (tmp_path / "scene.kilo").stat().st_size
    parts = [getattr(report, n) for n in ("positions", "codes", "weights", "tables", "manifest", "other")]
    assert report.total == sum(parts)
    assert min(parts) >= 0


@pytest.mark.parametrize("variant", ["plain", "no grid", "no code", "more clusters than Gaussians", "no Gaussian"])
def test_chunks_and_tiers_come_back(variant: str) -> None:
    scene = random_scene(**VARIANTS[variant])
    tiers = _tiers(scene)
    data = pack_kilo(scene, chunks=[1, len(scene.counts) - 1], tiers=tiers)
    assert_same(unpack_kilo(data), canonical_order(scene, tiers))


def test_unsorted_gaussians_are_sorted_within_their_cluster() -> None:
    scene = random_scene()
    shuffle = np.lexsort((np.random.default_rng(0).random(len(scene)), scene.clusters))
    shuffled = replace(scene, positions=scene.positions[shuffle], codes=scene.codes[shuffle])
    found = unpack_kilo(pack_kilo(shuffled))
    assert_same(found, canonical_order(shuffled))
    assert np.array_equal(found.positions, scene.positions)
    rows = np.lexsort(scene.codes.T), np.lexsort(found.codes.T)
    assert np.array_equal(scene.codes[rows[0]], found.codes[rows[1]])


def test_clusters_need_not_be_ranges_of_the_morton_order() -> None:
    """Such cells do not fit one octree; they are kept plainly."""
    scene = random_scene()
    shuffle = np.random.default_rng(0).permutation(len(scene))
    scene = replace(scene, positions=scene.positions[shuffle])
    assert_same(unpack_kilo(pack_kilo(scene)), canonical_order(scene))


def test_values_a_table_cannot_hold_fall_back_to_another_codec() -> None:
    scene = random_scene(count=40_000, networks=1, code=1)
    scene = replace(scene, codes=np.random.default_rng(0).permutation(40_000).astype(np.uint16).view(np.int16)[:, None])
    assert_same(unpack_kilo(pack_kilo(scene)), canonical_order(scene))


def test_constant_codes_keep_to_the_limit_on_decoded_size() -> None:
    scene = random_scene(count=60_000, networks=1, code=12)
    scene = replace(scene, codes=np.zeros_like(scene.codes))
    data = pack_kilo(scene)
    assert_same(unpack_kilo(data), scene)


def test_many_gaussians_in_one_cell_come_back() -> None:
    scene = random_scene(count=100_000, networks=2)
    assert scene.grid is not None
    scene = replace(scene, positions=scene.grid.positions(np.full((100_000, 3), 7)))
    assert_same(unpack_kilo(pack_kilo(scene)), scene)


def test_flags_and_unknown_keys_are_kept_or_ignored(tmp_path: Path) -> None:
    scene = replace(random_scene(), antialiased=True)
    write_kilo(tmp_path / "a.kilo", scene, tool={"name": "test", "steps": [1, 2.5, None, "ü"]})
    assert read_kilo(tmp_path / "a.kilo").antialiased
    assert read_manifest(tmp_path / "a.kilo")["tool"] == {"name": "test", "steps": [1, 2.5, None, "ü"]}


def test_the_same_scene_gives_the_same_bytes() -> None:
    first, second = (pack_kilo(random_scene(), tiers=_tiers(random_scene())) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "variant", ["plain", "no grid", "half weights", "no code", "degree 3, sine, two layers", "modulated, two layers"]
)
def test_the_slow_twin_reads_and_decodes_the_same(variant: str) -> None:
    scene = random_scene(**{**VARIANTS[variant], "count": 60})
    tiers = _tiers(scene, 2)
    twin = kilo_slow.read(pack_kilo(scene, chunks=[2, 1], tiers=tiers))
    order = np.argsort(twin["clusters"], kind="stable")  # the twin keeps tiers apart
    expected = canonical_order(scene, tiers)
    positions = np.array(twin["positions"])[order].astype(np.float32)
    assert np.array_equal(positions, expected.positions)
    decoded = expected.decode()
    attributes = np.array(twin["attributes"])[order]
    np.testing.assert_allclose(attributes[:, 0], decoded.opacity_logits, atol=2e-4)
    np.testing.assert_allclose(attributes[:, 1:4], decoded.log_scales, atol=2e-4)
    np.testing.assert_allclose(attributes[:, 7:], decoded.sh.reshape(len(expected), -1), atol=2e-4)
    quaternions = np.concatenate([np.ones((len(expected), 1)), attributes[:, 4:7]], axis=1)
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    np.testing.assert_allclose(quaternions, decoded.rotations, atol=2e-4)


def test_a_selection_reads_only_its_own_bytes(tmp_path: Path) -> None:
    """Chunk 1, tiers 0 and 1 are read from a file in which all other chunks and tiers are ruined."""
    scene = random_scene(networks=4)
    tiers, path = _tiers(scene), tmp_path / "scene.kilo"
    write_kilo(path, scene, chunks=[1, 2, 1], tiers=tiers)
    data, manifest = bytearray(path.read_bytes()), read_manifest(path)
    start = _data_start(data)
    wanted = {1: (0, 1)}
    for c, chunk in enumerate(manifest["chunks"]):
        ruined = [] if c in wanted else [chunk["boxes"], chunk["weights"], chunk["steps"]]
        for t, tier in enumerate(chunk["tiers"]):
            ruined += [] if t in wanted.get(c, ()) else [tier["positions"], tier["codes"]]
        for stream in ruined:
            begin = start + stream["offset"]
            data[begin : begin + stream["stored"]] = bytes(255 - b for b in data[begin : begin + stream["stored"]])
    path.write_bytes(data)
    found = read_kilo(path, chunks=[1], tiers=[0, 1])
    whole, mine = canonical_order(scene, tiers), np.isin(scene.clusters, [1, 2])
    kept = mine & (np.sort(tiers + 3 * scene.clusters) % 3 < 2)
    assert np.array_equal(found.positions, whole.positions[kept])
    assert np.array_equal(found.codes, whole.codes[kept])
    assert np.array_equal(found.bank.weights[1:3], whole.bank.weights[1:3])
    assert found.counts.tolist() == np.bincount(whole.clusters[kept], minlength=4).tolist()
    with pytest.raises(SceneFileError, match="damaged"):
        read_kilo(path)


def _data_start(data: bytes | bytearray) -> int:
    return -(-(20 + int.from_bytes(data[8:12], "little")) // 4) * 4


def test_all_first_tiers_lie_before_all_second_ones(tmp_path: Path) -> None:
    scene = random_scene()
    write_kilo(tmp_path / "a.kilo", scene, chunks=[1, 1, 1], tiers=_tiers(scene))
    chunks = read_manifest(tmp_path / "a.kilo")["chunks"]
    offsets = [
        [chunk["tiers"][t][name]["offset"] for chunk in chunks for name in ("positions", "codes")] for t in range(3)
    ]
    assert max(offsets[0]) < min(offsets[1])
    assert max(offsets[1]) < min(offsets[2])
    assert max(chunk["weights"]["offset"] for chunk in chunks) < min(offsets[0])


def test_bounds_hold_every_gaussian_of_a_chunk(tmp_path: Path) -> None:
    scene = random_scene()
    write_kilo(tmp_path / "a.kilo", scene, chunks=[2, 1])
    for chunk in read_manifest(tmp_path / "a.kilo")["chunks"]:
        first, size = chunk["clusters"]
        mine = scene.positions[(scene.clusters >= first) & (scene.clusters < first + size)]
        low, high = chunk["bounds"]
        assert np.all(mine >= low)
        assert np.all(mine <= high)
        assert np.all(np.array(high) - low <= np.ptp(mine, axis=0) + 0.01)


def test_the_manifest_of_a_small_scene_is_small() -> None:
    """A 50 KB file should not spend over a percent on its description."""
    data = pack_kilo(random_scene(networks=1), tool={"name": "kilofield", "version": "0.1.0"})
    assert int.from_bytes(data[8:12], "little") < 550


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: {"positions": s.positions + np.float32(0.001)},
            "positions: expected all of them exactly on the grid",
        ),
        (lambda s: {"boxes": s.boxes * np.float32(0)}, "boxes: expected"),
        (lambda s: {"weight_steps": s.weight_steps * np.float32(3)}, "weights: expected integers from -127 to 127"),
        (lambda s: {"output_offset": s.output_offset * np.float32(np.nan)}, "scene: expected finite numbers"),
        (lambda s: {"output_scale": s.output_scale[:-1]}, "outputs: expected 19 offsets and scales"),
    ],
)
def test_a_scene_the_format_cannot_hold_is_refused(change, message: str) -> None:
    scene = random_scene()
    with pytest.raises(ValueError, match=message):
        pack_kilo(replace(scene, **change(scene)))


@pytest.mark.parametrize("chunks", [[], [3, 0], [2], [4]])
def test_chunks_must_add_up(chunks: list[int]) -> None:
    with pytest.raises(ValueError, match="chunks: expected sizes that add up to 3 clusters"):
        pack_kilo(random_scene(), chunks=chunks)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.kilo"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_kilo(path, random_scene(), tool={"bad": float("nan")})
    assert path.read_bytes() == b"old"
    with pytest.raises(KilofieldError, match="cannot write"):
        write_kilo(tmp_path / "none" / "a.kilo", random_scene())


def test_manifest_is_json_a_browser_can_read(tmp_path: Path) -> None:
    write_kilo(tmp_path / "a.kilo", random_scene())
    text = json.dumps(read_manifest(tmp_path / "a.kilo"))
    assert "NaN" not in text
    assert "Infinity" not in text
