"""FreSh on surfaces: what waves faster starts with faster waves, and a fit with chosen ones learns its surface."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from kiloneus_samples import Ball
from trimesh.visual import ColorVisuals

from fitting.kiloneus import options as options_module
from fitting.kiloneus import surface as surface_module
from fitting.kiloneus.cells import grid_around, occupied_cells
from fitting.kiloneus.features import start
from fitting.kiloneus.fidelity import fidelity
from fitting.kiloneus.frequencies import ENCODINGS, SCALES, Look
from fitting.kiloneus.options import Choices, Effort, SurfaceOptions, SurfaceProgress
from fitting.kiloneus.output_layer import shared_size
from fitting.kiloneus.student import shared_start
from fitting.kiloneus.surface import fit_surface
from scenes.bank import BankShape
from scenes.gaussians import Floats

SHAPE = BankShape((), 0, 16, 1, 1, False, "sine", "none")
COLOUR_SHAPE = BankShape((2.0,), 0, 12, 1, 3, False, "sine", "tanh")


@dataclass(frozen=True)
class Ripples(Ball):
    """A ball whose field and colour go up and down `waves` times in a unit."""

    waves: float = 1.0

    def distance(self, points: Floats) -> tuple[Floats, Floats]:
        along = points @ np.array([0.6, 0.64, 0.48])
        flat, gradient = super().distance(points)
        return (flat + 0.2 * np.sin(2 * np.pi * self.waves * along)).astype(np.float32), gradient

    def colour(self, points: Floats, normals: Floats, directions: Floats) -> Floats:
        wave = np.sin(2 * np.pi * self.waves * points @ np.array([[0.6, 0, 0.8], [0.64, 0.8, 0], [0.48, 0.6, 0.6]]).T)
        return (0.5 + 0.4 * wave).astype(np.float32)


def look(waves: float) -> Look:
    teacher = Ripples(waves=waves)
    grid = grid_around(teacher.bounds, 6)
    return Look(teacher, grid, occupied_cells(Ball(), grid, 0.2), 0.2, 0)


def test_distances_that_wave_faster_start_with_larger_weights() -> None:
    smooth, wavy = (look(waves).choose_scale(SHAPE) for waves in (0.2, 12))
    assert smooth.chosen < wavy.chosen
    for choice in (smooth, wavy):
        assert choice.chosen == SCALES[int(np.argmin(choice.distances))]


def test_colours_that_wave_faster_get_a_higher_frequency() -> None:
    choices = [look(waves).choose_encoding(COLOUR_SHAPE) for waves in (0.2, 2, 12, 20)]
    assert [choice.chosen for choice in choices] == sorted({choice.chosen for choice in choices})
    for choice in choices:
        assert choice.chosen == ENCODINGS[int(np.argmin(choice.distances))]


def test_codes_are_left_out_of_the_comparison() -> None:
    seen = look(1).choose_encoding(replace(COLOUR_SHAPE, code=6))
    assert seen == look(1).choose_encoding(COLOUR_SHAPE)


@pytest.mark.parametrize("scale", [0.25, 3.0])
def test_the_scale_is_a_factor_of_the_first_layers_matrix_alone(scale: float) -> None:
    shape = BankShape((1.0,), 0, 8, 2, 1, False, "sine", "none")
    first = shape.inputs * shape.width
    for once, scaled in (
        (start(shape, 5), start(shape, 5, scale)),
        (shared_start(shape, 1, 5).weights[0], shared_start(shape, 1, 5, None, scale).weights[0]),
    ):
        torch.testing.assert_close(scaled[:first], scale * once[:first])
        torch.testing.assert_close(scaled[first:], once[first:])
    assert first < shared_size(shape)


def test_a_fit_with_chosen_frequencies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(options_module.EFFORTS, "draft", Effort(4, 16, 8, 3, 2, 3, 128, 96, 2e-3))
    sphere = trimesh.creation.icosphere(3, 0.8)
    colours = np.clip(255 * (0.5 + 0.4 * sphere.vertices / 0.8), 0, 255).astype(np.uint8)
    sphere.visual = ColorVisuals(sphere, vertex_colors=colours)
    sphere.export(tmp_path / "ball.ply")
    said: list[SurfaceProgress] = []
    options = SurfaceOptions("draft", choices=Choices(frequency="fresh"))
    monkeypatch.setattr(surface_module, "fidelity", partial(fidelity, count=1000))
    result = fit_surface(tmp_path / "ball.ply", tmp_path / "ball.kilo", options, said.append)
    assert [now.detail.split()[0] for now in said if now.stage == "frequencies"] == ["geometry", "colour"]
    assert result.fidelity.normal < 3
    assert result.fidelity.lost == 0
    assert result.colour_psnr is not None
    assert result.colour_psnr > 32
