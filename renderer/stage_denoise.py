"""Makes the noise of a few paths a pixel into blur: an edge-avoiding wavelet filter, see `shaders/stage_denoise.comp`.

The more samples there are, the fewer passes it has, until there are none: the picture still ends as what was traced.
"""

from __future__ import annotations

import math

import moderngl
import numpy as np

from renderer.accumulation import picture_texture
from renderer.path_tracer import PathTracer
from renderer.shader_library import compile_compute, set_uniforms
from scenes.gaussians import Floats

TILE = 8  # pixels each way of a workgroup
MOST_PASSES = 5  # taps up to 2 * 2^4 pixels away
REACH = 2  # taps to each side, weights 1, 1/2, 1/4
LEAST_ALBEDO = 0.02  # less is too dark to see, and light divided by it too bright
BEND = 10.0
STEP = 4.0
UNITS = {"before": 0, "normals": 1, "places": 2, "albedos": 3}


def passes_for(samples: int) -> int:
    """One less for four times the samples, whose noise is half as much."""
    return max(MOST_PASSES - int(math.log2(max(samples, 1)) / 2), 0)


class StageDenoiser:
    """Filters the pictures of one tracer, which has to make guides."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._shader = compile_compute(context, "stage_denoise.comp")
        set_uniforms(self._shader, **UNITS, reach=REACH, least_albedo=LEAST_ALBEDO, bend=BEND, step=STEP)
        self._targets: list[moderngl.Texture] = []

    def filtered(self, tracer: PathTracer) -> moderngl.Texture:
        """The picture as `PathTracer.texture` has it, with less noise; until the next call."""
        picture, count = tracer.texture, passes_for(tracer.samples)
        if not count:
            return picture
        self._make_targets(picture.size)
        for unit, guide in enumerate(tracer.guides, 1):
            guide.use(unit)
        before = picture
        for index in range(count):
            after = self._targets[index % 2]
            self._pass(before, after, 1 << index, index == 0, index == count - 1)
            before = after
        return before

    def _pass(self, before: moderngl.Texture, after: moderngl.Texture, spacing: int, first: bool, last: bool) -> None:
        before.use(UNITS["before"])
        after.bind_to_image(0, read=False, write=True)
        set_uniforms(self._shader, spacing=spacing, first=first, last=last)
        self._shader.run(-(-after.width // TILE), -(-after.height // TILE))
        bits = moderngl.SHADER_IMAGE_ACCESS_BARRIER_BIT | moderngl.TEXTURE_FETCH_BARRIER_BIT
        self._context.memory_barrier(bits | moderngl.TEXTURE_UPDATE_BARRIER_BIT)

    def _make_targets(self, size: tuple[int, int]) -> None:
        if self._targets and self._targets[0].size == size:
            return
        self._release_targets()
        self._targets = [picture_texture(self._context, size, "f4") for _ in range(2)]

    @property
    def bytes(self) -> int:
        """Video memory of pictures between passes."""
        return sum(16 * target.width * target.height for target in self._targets)

    def _release_targets(self) -> None:
        for target in self._targets:
            target.release()
        self._targets = []

    def release(self) -> None:
        """Frees everything."""
        self._release_targets()
        self._shader.release()


def filtered_light(tracer: PathTracer) -> Floats:
    """[H, W, 3] linear light of what `tracer`, which has made guides, has so far, with less noise."""
    denoiser = StageDenoiser(tracer.context)
    picture = denoiser.filtered(tracer)
    width, height = picture.size
    light = np.frombuffer(picture.read(), np.float32).reshape(height, width, 4)[..., :3].copy()
    denoiser.release()
    return light
