"""What a process takes: seconds, processor time and memory.

The peak that Linux keeps of a process counts what its parent held when it was started, also after exec. So it is
started by a small one, which is this file as a program: `python measured.py COMMAND...` prints the figures as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAXRSS = 1 if sys.platform == "darwin" else 1024  # bytes in the unit of ru_maxrss


def measured(command: Sequence[str]) -> dict[str, float]:
    """`seconds`, `processor_seconds` and `peak_bytes` (resident) of a process that must succeed, run at the root."""
    done = subprocess.run(
        [sys.executable, __file__, *command], stdout=subprocess.PIPE, cwd=ROOT, check=False, encoding="utf-8"
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}")
    return json.loads(done.stdout)


def main() -> None:
    """Runs the arguments, and ends as they do."""
    start = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    figures = {
        "seconds": time.perf_counter() - start,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * MAXRSS,
    }
    print(json.dumps(figures))
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
