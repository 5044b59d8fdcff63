"""How alike two pictures in video memory are: PSNR and SSIM while nothing waits, for the window.

The same figures as `renderer/metrics.py`, which stays the reference: SSIM with its 11 x 11 Gaussian window, in two
passes of fragment shaders over bands of rows, so that a slow device does a band or two a frame and no more. Blocks are
summed on the device; their sums are read back once the device has had the time of a frame, and added in float64.
Fragment shaders only: OpenGL 4.1 is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import moderngl
import numpy as np

from renderer.context import is_software
from renderer.metrics import SSIM_SIGMA, SSIM_WINDOW, psnr_of_error
from renderer.shader_library import compile_program, set_uniforms

BLOCK = 16  # pixels a side
BAND = 128  # rows, a multiple of BLOCK: 60 MB of video memory for a picture 3840 wide
SOFT_BAND = 32  # on a software rasteriser, about 10 ms a band for a picture 1280 wide


@dataclass(frozen=True)
class PictureScore:
    """How alike two pictures of `size` (width, height) are, both clipped to [0, 1]."""

    size: tuple[int, int]
    error: float  # mean squared
    ssim: float | None  # None: smaller than its window

    @property
    def psnr(self) -> float:
        """In dB; infinite for equal pictures."""
        return psnr_of_error(self.error)


class PictureDifference:
    """Measures two pictures in steps: `start`, then `step` until it returns the score."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._soft = is_software(context)
        self._rows = SOFT_BAND if self._soft else BAND
        self._blur = compile_program(context, "screen_triangle.vert", "compare_blur.frag")
        self._ssim = compile_program(context, "screen_triangle.vert", "compare_ssim.frag")
        self._sum = compile_program(context, "screen_triangle.vert", "compare_sum.frag")
        self._arrays = {p: context.vertex_array(p, []) for p in (self._blur, self._ssim, self._sum)}
        weights = np.exp(-0.5 * (np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) ** 2 / SSIM_SIGMA**2)
        for program in (self._blur, self._ssim):
            set_uniforms(program, taps=SSIM_WINDOW, weights=(weights / weights.sum()).tolist())
        set_uniforms(self._ssim, sum_mean=0, difference_mean=1, sum_square=2, difference_square=3)
        for program in (self._blur, self._sum):
            set_uniforms(program, picture_a=0, picture_b=1, band=2, block=BLOCK)
        self._targets: _Targets | None = None
        self._next_row: int | None = None  # None: nothing is under way

    @property
    def busy(self) -> bool:
        """A measurement is under way."""
        return self._next_row is not None

    def start(self, a: moderngl.Texture, b: moderngl.Texture) -> None:
        """Begins with copies of two float pictures of one size, instead of what was under way."""
        if a.size != b.size:
            raise ValueError(f"pictures: expected two of one size, found {a.size} and {b.size}")
        if self._targets is None or self._targets.size != a.size:
            self._release_targets()
            self._targets = _Targets(self._context, a.size, self._rows)
        for picture, copy in zip((a, b), self._targets.copies, strict=True):
            source = self._context.framebuffer([picture])
            self._context.copy_framebuffer(copy, source)  # into a texture it would go through 8 bits
            source.release()
        self._next_row = 0

    def step(self, seconds: float) -> PictureScore | None:
        """Goes on for about `seconds`; the score, once, a step after the last band."""
        if self._next_row is None or self._targets is None:
            return None
        start, targets = perf_counter(), self._targets
        height = targets.size[1]
        if self._next_row >= height:
            self._next_row = None
            return targets.score()
        self._context.enable_only(moderngl.NOTHING)
        while self._next_row < height and perf_counter() - start < seconds:
            self._band(targets, self._next_row)
            self._next_row += self._rows
            if self._soft:
                self._context.finish()  # the work is done here and now: only then does the clock mean something
        if self._next_row >= height:
            targets.totals.read_into(targets.read_back)
        return None

    def cancel(self) -> None:
        """Forgets what is under way."""
        self._next_row = None

    def _band(self, targets: _Targets, first_row: int) -> None:
        """SSIM of the windows that start in rows `first_row` and on, and the sums of those rows."""
        width, height = targets.size
        columns = max(width - SSIM_WINDOW + 1, 0)
        rows = max(min(self._rows, height - SSIM_WINDOW + 1 - first_row), 0)
        if columns and rows:
            set_uniforms(self._blur, first_row=first_row)
            self._draw(self._blur, targets.blurred, (0, 0, columns, rows + SSIM_WINDOW - 1), [targets.a, targets.b])
            self._draw(self._ssim, targets.index, (0, 0, columns, rows), targets.blurred_textures)
        set_uniforms(self._sum, first_row=first_row, indices=(columns, rows))
        blocks_wide, blocks_high = targets.totals.size
        first, last = first_row // BLOCK, min((first_row + self._rows) // BLOCK, blocks_high)
        viewport = (0, first, blocks_wide, last - first)
        self._draw(self._sum, targets.sums, viewport, [targets.a, targets.b, targets.index_texture])

    def _draw(
        self,
        program: moderngl.Program,
        target: moderngl.Framebuffer,
        viewport: tuple[int, int, int, int],
        textures: list[moderngl.Texture],
    ) -> None:
        target.use()
        target.viewport = viewport
        for unit, texture in enumerate(textures):
            texture.use(unit)
        self._arrays[program].render(moderngl.TRIANGLES, vertices=3)

    def _release_targets(self) -> None:
        if self._targets is not None:
            self._targets.release()
            self._targets = None

    def release(self) -> None:
        """Frees everything."""
        self._release_targets()
        for program, array in self._arrays.items():
            array.release()
            program.release()


class _Targets:
    """Copies of two pictures of `size`, a band of each pass, and the sums."""

    def __init__(self, context: moderngl.Context, size: tuple[int, int], rows: int) -> None:
        self.size = size
        self.a, self.b = (context.texture(size, 4, dtype="f4") for _ in range(2))
        self.copies = [context.framebuffer([texture]) for texture in (self.a, self.b)]
        self.blurred_textures = [context.texture((size[0], rows + SSIM_WINDOW - 1), 4, dtype="f4") for _ in range(4)]
        self.blurred = context.framebuffer(self.blurred_textures)
        self.index_texture = context.texture((size[0], rows), 1, dtype="f4")
        self.index = context.framebuffer([self.index_texture])
        self.totals = context.texture((-(-size[0] // BLOCK), -(-size[1] // BLOCK)), 2, dtype="f4")
        self.sums = context.framebuffer([self.totals])
        self.read_back = context.buffer(reserve=8 * self.totals.width * self.totals.height)

    def score(self) -> PictureScore:
        """Reads the sums back: the wait is for what the device has not finished since."""
        sums = np.frombuffer(self.read_back.read(), np.float32).reshape(-1, 2).astype(np.float64)
        width, height = self.size
        indices = (width - SSIM_WINDOW + 1) * (height - SSIM_WINDOW + 1) if min(self.size) >= SSIM_WINDOW else 0
        return PictureScore(
            size=self.size,
            error=float(sums[:, 1].sum() / (3 * width * height)),
            ssim=float(sums[:, 0].sum() / indices) if indices else None,
        )

    def release(self) -> None:
        """Frees everything."""
        for thing in (*self.copies, self.blurred, self.index, self.sums, self.index_texture, self.totals):
            thing.release()
        self.read_back.release()
        for texture in (self.a, self.b, *self.blurred_textures):
            texture.release()
