"""Which of two pipelines draws a scene faster, found out on its first frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import moderngl

CANDIDATES = ("tiles", "quads")
RUNS = 3  # of each; the first compiles and allocates, the faster of the others counts


class PipelineTrial:
    """Times frames until each candidate has had its runs; they take turns."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._ms: dict[str, list[float]] = {}
        self.restart()

    def restart(self) -> None:
        """Another scene: what was found is of no use."""
        self._ms = {name: [] for name in CANDIDATES}

    @property
    def over(self) -> bool:
        """Whether the choice is made."""
        return all(len(times) >= RUNS for times in self._ms.values())

    def choice(self) -> str:
        """The pipeline to draw the next frame with."""
        if self.over:
            return min(self._ms, key=lambda name: min(self._ms[name][1:]))
        return min(self._ms, key=lambda name: len(self._ms[name]))

    @contextmanager
    def timed(self, pipeline: str, wanted: bool) -> Iterator[None]:
        """Times the block as a frame by `pipeline` if the trial is `wanted` and goes on; only then does it wait."""
        if not wanted or self.over:
            yield
            return
        self._context.finish()
        start = perf_counter()
        yield
        self._context.finish()
        self._ms[pipeline].append(1e3 * (perf_counter() - start))
