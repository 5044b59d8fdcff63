"""The tree over triangles, against all of them one by one."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from renderer.path_bvh import LEAF, STACK, build_tree, meet_triangles, trace_tree
from scenes.errors import KilofieldError


def rays(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    origins, targets = 3 * rng.normal(size=(count, 3)), rng.normal(size=(count, 3))
    return origins, targets - origins


def brute_force(triangles: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    count = len(origins)
    return np.min([meet_triangles(np.broadcast_to(t, (count, 3, 3)), origins, directions) for t in triangles], axis=0)


SOUPS = {
    "ball": trimesh.creation.icosphere(2).triangles,
    "soup": np.random.default_rng(0).normal(size=(300, 3, 3)),
    "one": np.random.default_rng(1).normal(size=(1, 3, 3)),
    "a hundred of the same": np.random.default_rng(1).normal(size=(1, 3, 3)).repeat(100, axis=0),
    "flat": trimesh.creation.box((2, 2, 0.0)).subdivide().subdivide().triangles,
    "far apart": np.random.default_rng(2).normal(size=(64, 3, 3)) * 2.0 ** np.arange(-20, 12, 0.5)[:, None, None],
}


@pytest.mark.parametrize("name", SOUPS)
def test_rays_meet_what_they_meet_one_by_one(name: str) -> None:
    triangles = np.asarray(SOUPS[name])
    tree = build_tree(triangles)
    origins, directions = rays(200, 5)
    if name == "flat":
        origins = np.abs(origins)  # not along the plane
    expected = brute_force(triangles, origins, directions)
    assert np.isfinite(expected).any()
    hits = trace_tree(tree, origins, directions, np.full(200, np.inf))
    np.testing.assert_allclose(hits.distance, expected, rtol=1e-9)
    hit = hits.triangle >= 0
    np.testing.assert_array_equal(hit, np.isfinite(expected))
    np.testing.assert_array_equal(triangles[tree.faces[hits.triangle[hit]]], tree.triangles[hits.triangle[hit]])
    # nothing beyond what is near enough
    half = trace_tree(tree, origins, directions, 0.5 * expected)
    assert (half.triangle < 0).all()


@pytest.mark.parametrize("name", SOUPS)
def test_every_triangle_is_in_one_leaf_and_every_box_holds_what_is_below(name: str) -> None:
    tree = build_tree(np.asarray(SOUPS[name]))
    assert sorted(tree.faces) == list(range(len(tree.faces)))
    seen, deepest, waiting = np.zeros(len(tree.faces), int), 0, [(0, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        count = tree.count[node]
        if count:
            assert count <= LEAF
            inside = tree.triangles[tree.first[node] : tree.first[node] + count].reshape(-1, 3)
            seen[tree.first[node] : tree.first[node] + count] += 1
        else:
            children = [tree.first[node], tree.first[node] + 1]
            inside = np.concatenate([tree.lowest[children], tree.highest[children]])
            waiting += [(child, depth + 1) for child in children]
        assert (inside >= tree.lowest[node]).all()
        assert (inside <= tree.highest[node]).all()
    assert (seen == 1).all()
    assert deepest <= STACK


def leaf_area(triangles: np.ndarray) -> float:
    """Half the area of all leaves' boxes: how many leaves a ray meets, on average."""
    tree = build_tree(triangles)
    size = (tree.highest - tree.lowest)[tree.count > 0]
    return float((size[:, 0] * size[:, 1] + size[:, 1] * size[:, 2] + size[:, 2] * size[:, 0]).sum())


def test_a_tree_saves_work(monkeypatch: pytest.MonkeyPatch) -> None:
    triangles = trimesh.creation.icosphere(4).triangles
    chosen = leaf_area(triangles)
    monkeypatch.setattr("renderer.path_bvh.HALVING", 0)
    assert chosen < 0.5 * leaf_area(triangles)


def test_no_triangles_are_refused() -> None:
    with pytest.raises(KilofieldError, match="expected 1 to"):
        build_tree(np.zeros((0, 3, 3)))
