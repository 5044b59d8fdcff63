"""`benchmarks.surface_variants` from photographs: one teacher, every kind of variant that there can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.surface_variants import VARIANTS, CaptureFits
from fitting.kiloneus import photographs as photographs_module
from fitting.kiloneus.neus_teacher import NeusTeacher
from scenes.errors import KilofieldError
from tests import test_photograph_fit

capture, _tiny = test_photograph_fit.capture, test_photograph_fit._tiny


def test_every_variant_has_the_same_teacher(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taught: list[bool] = []  # whether there was a state to go on from
    train = photographs_module.train_on_views

    def trained(*given: Any) -> NeusTeacher:
        taught.append(any(isinstance(one, dict) and "optimiser" in one for one in given))
        return train(*given)

    monkeypatch.setattr(photographs_module, "train_on_views", trained)
    fits = CaptureFits(capture, "draft", None, None, 0)
    found, refused = {}, []
    for variant in (variant for variant in VARIANTS if variant.key in ("default", "alone", "own")):
        try:
            found[variant.key] = fits.measure(variant, lambda now: None)
        except KilofieldError as error:
            refused.append((variant.choices.shared, str(error)))
    assert taught == [False, True]
    assert [shared for shared, _ in refused] == [False]
    assert set(found) == {"default", "alone"}
    teachers = {measured["views"]["teacher"] for measured in found.values()}
    assert len(teachers) == 1
    for key, measured in found.items():
        assert measured["bytes"] > 1000
        assert np.isfinite(measured["views"]["written"]), key
        assert measured["views"]["written"] > min(teachers) - 3, key
    assert found["alone"]["cells"] < found["default"]["cells"]
