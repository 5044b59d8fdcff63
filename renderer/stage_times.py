"""How long each stage of a frame takes, by the wall clock and by GPU queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import moderngl


class StageTimes:
    """Milliseconds by stage of the latest frame.

    Commands to a GPU return before they are done, so wall times of a stage only mean something when `synchronised`:
    then each stage waits for the device. `gpu_ms` asks the device's own timer, and waits for its answer.
    """

    def __init__(self, context: moderngl.Context, synchronised: bool = False) -> None:
        self.synchronised = synchronised
        self.wall_ms: dict[str, float] = {}
        self._context = context
        self._queries: dict[str, moderngl.Query] = {}

    @contextmanager
    def stage(self, name: str, on_gpu: bool = True) -> Iterator[None]:
        """Times the block as stage `name`; `on_gpu` says whether it gives work to the device."""
        start = perf_counter()
        if on_gpu:
            if name not in self._queries:
                self._queries[name] = self._context.query(time=True)
            with self._queries[name]:
                yield
            if self.synchronised:
                self._context.finish()
        else:
            yield
        self.wall_ms[name] = 1e3 * (perf_counter() - start)

    def gpu_ms(self) -> dict[str, float]:
        """Milliseconds the device spent on each stage of the latest frame."""
        return {name: query.elapsed / 1e6 for name, query in self._queries.items()}
