"""`kilofield demo`: everything once, on a scene made here."""

from __future__ import annotations

from pathlib import Path


def run(out: Path, quick: bool, quiet: bool) -> None:
    """Hand over to `demo.py`."""
    from demo import run_demo

    run_demo(out, quick=quick, quiet=quiet)
