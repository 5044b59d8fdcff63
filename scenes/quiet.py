"""Libraries in C that say on the terminal what they also return as an error."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2
_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Nothing that is written to the standard error while it lasts is seen."""
    with _ONE_AT_A_TIME:
        try:
            kept = os.dup(STDERR)
        except OSError:  # there is none
            yield
            return
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, STDERR)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, STDERR)
            os.close(kept)
