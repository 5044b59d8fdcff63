"""This process: how long it has been running, and the most memory it has held."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

_IMPORTED = time.perf_counter()


def began() -> float:
    """When this process began, in seconds of `time.perf_counter`: to 10 ms on Linux, elsewhere this module's import."""
    if not Path("/proc/self/stat").exists():
        return _IMPORTED
    after_the_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start = int(after_the_name[19]) / os.sysconf("SC_CLK_TCK")  # seconds after the machine's start (proc(5), field 22)
    return time.perf_counter() - (time.clock_gettime(time.CLOCK_BOOTTIME) - start)


def peak_memory() -> int | None:
    """The most resident memory of this process in bytes; None where the system keeps no count."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # Linux counts in KB
