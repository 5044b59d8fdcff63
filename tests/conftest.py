"""Fixtures every test shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real scenes; missing, it is a failure in CI and a skip elsewhere."""
    folder = Path(os.environ.get("KILOFIELD_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not (folder / "gaussians").is_dir():
        message = f"real scenes: expected them in {folder} (set KILOFIELD_DATA)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder
