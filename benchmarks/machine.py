"""What a figure was measured on."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = ("numpy", "torch", "numba", "taichi", "moderngl")


def machine_facts(opengl: str) -> dict[str, object]:
    """Processor, memory, system, versions and commit, ready for JSON; `opengl` is the renderer's name."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "opengl": opengl,
        "commit": _commit(),
    }


def add_folders(parser: argparse.ArgumentParser) -> None:
    """The options every benchmark has: where the real scenes are and where its figures go."""
    root = Path(__file__).resolve().parents[1]
    data = Path(os.environ.get("KILOFIELD_DATA", root.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=data, help="folder of the real scenes")
    parser.add_argument("--out", type=Path, default=root / "benchmarks" / "results", help="folder for the figures")


def _version(package: str) -> str | None:
    """None where it is not installed: a machine borrowed for a measurement has only what that needs."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    """The checkout's commit, with a + where files differ from it; empty outside a git checkout."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
