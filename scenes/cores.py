"""Work for all cores: numpy lets other Python threads run while it is inside a large array."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

FEWEST = 8  # pieces of work below which threads are not worth starting
MOST_THREADS = 8  # beyond it they wait for the interpreter's lock


def for_each(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Calls `work` with each of `items`, in any order and several at a time; passes on what it raises."""
    threads = min(available_cores(), MOST_THREADS)
    if threads == 1 or len(items) < FEWEST:
        for item in items:
            work(item)
        return
    from concurrent.futures import ThreadPoolExecutor  # loads slowly, and small scenes do without

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, items):
            pass


def available_cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
