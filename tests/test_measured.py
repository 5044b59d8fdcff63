"""What a process takes is its own, whatever its parent holds."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks.measured import measured

MB = 1_000_000


def test_the_memory_of_the_parent_does_not_count() -> None:
    held = np.ones(400 * MB, np.uint8)
    small = measured([sys.executable, "-c", ""])
    large = measured([sys.executable, "-c", f"b = b'x' * {200 * MB}"])
    assert held.all()
    assert small["peak_bytes"] < 100 * MB
    assert 200 * MB < large["peak_bytes"] < 300 * MB
    assert 0 < small["processor_seconds"] <= 10
    assert small["seconds"] > 0


def test_a_process_that_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="exit code 3"):
        measured([sys.executable, "-c", "raise SystemExit(3)"])
