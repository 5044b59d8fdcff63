"""How long each stage of a frame takes, by the wall clock and by GPU queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeAlias

import moderngl

from renderer.context import is_software

FRAMES_IN_FLIGHT = 3  # whose queries are kept, so that asking for the oldest waits for nothing


Time: TypeAlias = "float | moderngl.Query"


class StageTimes:
    """Milliseconds by stage; of a stage that a frame has several times, their sum.

    Commands to a GPU return before they are done. With `synchronised`, a frame ends when the device has finished it,
    and its own times are known; else `ms` is of a frame two back, and nothing waits. On a GPU stages are timed by the
    device's own queries; a software rasteriser is finished after each stage and the wall clock read, since its queries
    leave out what other threads do. Renderers may share one, where one draws a part of the other's frame.
    """

    def __init__(self, context: moderngl.Context, synchronised: bool = False) -> None:
        self.synchronised = synchronised
        self._context = context
        self._software = is_software(context)
        self._frames: list[dict[str, list[Time]]] = [{} for _ in range(FRAMES_IN_FLIGHT)]
        self._spare: list[moderngl.Query] = []
        self._frame = 0
        self._under_way = False

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Times the block as a frame: stage "total". Within another frame it is a part of that."""
        if self._under_way:
            yield
            return
        self._begin()
        start = perf_counter()
        try:
            yield
        finally:
            self._under_way = False
        if self.synchronised:
            self._context.finish()
        self._now["total"] = [1e3 * (perf_counter() - start)]

    def _begin(self) -> None:
        self._frame += 1
        self._under_way = True
        old = self._now
        self._spare += [time for times in old.values() for time in times if isinstance(time, moderngl.Query)]
        old.clear()

    @contextmanager
    def stage(self, name: str, on_gpu: bool = True) -> Iterator[None]:
        """Times the block as stage `name`; `on_gpu` says whether it gives work to the device."""
        times = self._now.setdefault(name, [])
        if on_gpu and not self._software:
            query = self._spare.pop() if self._spare else self._context.query(time=True)
            with query:
                yield
            times.append(query)
            return
        start = perf_counter()
        yield
        if on_gpu and self.synchronised:
            self._context.finish()
        times.append(1e3 * (perf_counter() - start))

    @property
    def _now(self) -> dict[str, list[Time]]:
        return self._frames[self._frame % FRAMES_IN_FLIGHT]

    def ms(self) -> dict[str, float]:
        """Milliseconds by stage, "total" among them: see the class for of which frame."""
        back = 0 if self.synchronised or self._software else FRAMES_IN_FLIGHT - 1
        frame = self._frames[(self._frame - back) % FRAMES_IN_FLIGHT]
        found = {name: sum(map(_ms, times)) for name, times in frame.items()}
        if back and found:  # the wall clock of a frame that did not wait says how long it took to give orders
            found["total"] = sum(time for name, time in found.items() if name != "total")
        return found


def _ms(time: Time) -> float:
    return time.elapsed / 1e6 if isinstance(time, moderngl.Query) else time
