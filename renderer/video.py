"""Where the frames of a flythrough go: an H.264 video in .mp4, or a folder of PNG files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from renderer.images import save_png
from scenes.atomic import filling, replacing
from scenes.errors import KilofieldError

if TYPE_CHECKING:
    import av
    from av.container import OutputContainer

FrameSink = Callable[[NDArray[np.uint8]], None]

ENCODERS = ("libx264", "libopenh264", "h264_videotoolbox", "mpeg4")  # the first this build of FFmpeg has
QUALITY = 16  # CRF of x264: visually lossless
BT709, LIMITED = 1, 1  # FFmpeg's numbers for the colour space of HD video and its range 16..235


@contextmanager
def frame_sink(out: Path, size: tuple[int, int], fps: float) -> Iterator[FrameSink]:
    """A function that takes the frames [H, W, 3] in order: into a video if `out` ends in .mp4, else into a folder.

    Nothing is under `out` before the block ends, and nothing new is left if it fails. Raises `KilofieldError` for an
    output that cannot be written.
    """
    if out.suffix.lower() == ".mp4":
        with replacing(out) as temporary, _video(temporary, size, fps) as sink:
            yield sink
    else:
        with _folder(out) as sink:
            yield sink


@contextmanager
def _video(path: Path, size: tuple[int, int], fps: float) -> Iterator[FrameSink]:
    av = _import_av()
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = _stream(container, size, fps)

        def add(picture: NDArray[np.uint8]) -> None:
            frame = av.VideoFrame.from_ndarray(_even(picture), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))

        yield add
        container.mux(stream.encode())


def _import_av() -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise KilofieldError("video: expected PyAV, found none; install kilofield[video] or give a folder") from error
    return av


def _stream(container: OutputContainer, size: tuple[int, int], fps: float) -> av.VideoStream:
    """A stream every player opens: H.264, 4:2:0, BT.709, even width and height."""
    import av

    name = next((name for name in ENCODERS if name in av.codecs_available), None)
    if name is None:
        raise KilofieldError(f"video: expected an encoder of {', '.join(ENCODERS)} in PyAV, found none")
    stream = container.add_stream(name, rate=Fraction(fps).limit_denominator(1001))
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height = (side + side % 2 for side in size)
    stream.pix_fmt = "yuv420p"
    stream.codec_context.colorspace = stream.codec_context.color_primaries = stream.codec_context.color_trc = BT709
    stream.codec_context.color_range = LIMITED
    stream.options = {"crf": str(QUALITY), "preset": "medium"} if name == "libx264" else {}
    if name != "libx264":
        stream.bit_rate = int(0.2 * size[0] * size[1] * fps)  # bits a second, generous
    return stream


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[H, W, 3] with the last row and column repeated where H or W is odd: 4:2:0 halves both."""
    height, width = picture.shape[:2]
    return np.ascontiguousarray(np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


@contextmanager
def _folder(out: Path) -> Iterator[FrameSink]:
    if out.exists() and not out.is_dir():
        raise KilofieldError(f"{out}: expected a folder or a name ending in .mp4, found a file")
    with filling(out) as temporary:
        count = 0

        def add(picture: NDArray[np.uint8]) -> None:
            nonlocal count
            save_png(temporary / f"frame-{count:05d}.png", picture)
            count += 1

        yield add
