"""Drawing the original: the pictures a fit aims at, and in the same pass how much of them each Gaussian is.

On the CPU a view is one thread's work, so that sorting and binning, which do not divide within a view, still take all
cores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from fitting.neuralgs.targets import Target, picture_size
from fitting.neuralgs.views import ASPECT
from fitting.raster_view import RasterView
from fitting.rasterize import default_backend, draw, draw_and_weigh
from fitting.tensors import GaussianTensors
from scenes.cameras import Camera
from scenes.cores import available_cores

MOST_THREADS = 8  # each holds a view's records: 100 MB for a million Gaussians
AHEAD = 2  # views drawn ahead of the one wanted, per thread

Weights = NDArray[np.float32]  # [N] a view's, pixels
Drawn = tuple[Target, Weights | None]


def draw_targets(
    tensors: GaussianTensors,
    cameras: Sequence[Camera],
    weighed: Sequence[bool],
    side: int,
    antialiased: bool,
    progress: Callable[[float], None],
) -> tuple[list[Target], NDArray[np.float64]]:
    """The scene's own pictures, one a camera, and [N] the visible weight in those that are `weighed`, in pixels.

    The longest side of a picture is `side` pixels. The result does not depend on the number of threads.
    """

    def work(i: int) -> Drawn:
        return _drawn(tensors, cameras[i], weighed[i], side, antialiased)

    targets, total = [], np.zeros(len(tensors.positions))
    numba = default_backend(tensors.positions.device) == "numba"
    for target, weights in _in_order(work, len(cameras), min(available_cores(), MOST_THREADS) if numba else 1):
        targets.append(target)
        if weights is not None:
            total += weights
        progress(len(targets) / len(cameras))
    return targets, total


def _drawn(tensors: GaussianTensors, camera: Camera, weighed: bool, side: int, antialiased: bool) -> Drawn:
    view = RasterView.of(camera, *picture_size(side, camera.aspect or ASPECT), antialiased=antialiased)
    rgba, weights = draw_and_weigh(*tensors, view) if weighed else (draw(*tensors, view), None)
    return Target(camera, rgba.half()), weights


def _in_order(work: Callable[[int], Drawn], count: int, threads: int) -> Iterator[Drawn]:
    """work(0), work(1), ... by `threads` threads, and none begun any more once the caller stops asking."""
    waiting: deque[Future[Drawn]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for i in range(count):
                waiting.append(pool.submit(work, i))
                if len(waiting) > AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
