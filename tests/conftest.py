"""Fixtures every test shares."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

if importlib.util.find_spec("triton"):
    # torch's builds with CUDA bring it, and load it when an optimiser is made. Its LLVM does not survive being loaded
    # after that of Mesa's software rasteriser; before it, it does.
    import triton  # noqa: F401  # pyright: ignore[reportMissingImports]


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
