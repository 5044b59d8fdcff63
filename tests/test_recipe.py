"""Every switch of the recipe gives a file that decodes, and does what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fitting.neuralgs.compress import compress
from fitting.neuralgs.options import EFFORTS, CompressOptions, Effort, Recipe
from scenes.kilo import read_kilo
from scenes.neural_gaussians import NeuralGaussians
from scenes.ply import write_ply
from tests.test_compress import ball

TINY = Effort(steps=12, views=6, side=64, layers=1, width=8)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(EFFORTS, "draft", TINY)
    write_ply(tmp_path / "ball.ply", ball(600))
    return tmp_path / "ball.ply"


def fitted(source: Path, recipe: Recipe) -> NeuralGaussians:
    out = source.with_suffix(".kilo")
    compress(source, out, CompressOptions(preset="draft", max_bytes=9_000, recipe=recipe))
    assert out.stat().st_size <= 9_000
    return read_kilo(out)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(start="prune"),
        Recipe(codes=False, networks=2, width=8),
        Recipe(networks=3),
        Recipe(layers=0),
        Recipe(layers=2, width=12),
        Recipe(position_input=False),
        Recipe(rate=False),
        Recipe(frequency_weight=0.05),
        Recipe(fresh=True),
        Recipe(modulation=2),
    ],
    ids=str,
)
def test_every_switch_changes_the_file_and_keeps_the_budget(source: Path, recipe: Recipe) -> None:
    usual, changed = fitted(source, Recipe()), fitted(source, recipe)
    assert np.isfinite(changed.decode().sh).all()
    alike = changed.codes.shape == usual.codes.shape and changed.bank.weights.shape == usual.bank.weights.shape
    assert not alike or (changed.bank.weights != usual.bank.weights).any()


def test_switches_show_in_the_bank(source: Path) -> None:
    none = fitted(source, Recipe(codes=False, networks=2, layers=2, width=8))
    assert none.codes.shape[1] == 0
    assert len(none.bank) == 2
    assert not fitted(source, Recipe(layers=0)).bank.shape.layers
    assert fitted(source, Recipe(modulation=2)).bank.shape.modulation == (2, 2, 2)


def test_without_position_the_networks_are_the_same_everywhere(source: Path) -> None:
    neural = fitted(source, Recipe(position_input=False, networks=1))
    moved = replace(neural, positions=neural.positions[::-1].copy(), grid=None)
    a, b = neural.decode(), moved.decode()
    assert np.array_equal(a.sh, b.sh)
    assert np.array_equal(a.log_scales, b.log_scales)


def test_pruning_keeps_gaussians_where_they_were(source: Path) -> None:
    merged, pruned = (fitted(source, Recipe(start=start, steps=0)) for start in ("merge", "prune"))
    original = ball(600).positions

    def steps_away(neural: NeuralGaussians) -> float:
        """The farthest any Gaussian is from all of the original's, in steps of the position grid."""
        nearest = np.linalg.norm(neural.positions[:, None] - original[None], axis=2).min(axis=1)
        return float(nearest.max() / neural.grid.step)  # type: ignore[union-attr]

    assert steps_away(pruned) < 0.9  # half a cell's diagonal
    assert steps_away(merged) > 2
