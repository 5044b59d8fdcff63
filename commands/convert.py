"""`kilofield convert`: any scenes this program reads into one file of any format it writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.arguments import output_file
from commands.console import Screen, Step, progress
from commands.options import Reading
from commands.reading import load_told, tell
from scenes.errors import KilofieldError
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from scenes.content import ReadOptions
    from scenes.edits import Edits
    from scenes.load import SceneFile
    from scenes.save import SaveOptions


@dataclass(frozen=True)
class ConvertOptions:
    """The options of the command line, as typed."""

    box: str | None = None
    sphere: str | None = None
    drop_floaters: bool = False
    up: str | None = None
    rotate: str | None = None
    scale: float = 1.0
    translate: str | None = None
    sh: int | None = None
    morton: bool = False
    spz_version: int = 4
    sh_bits: str = "8,8"


def run(files: Sequence[Path], options: ConvertOptions, reading: Reading, force: bool, screen: Screen) -> None:
    """Write the Gaussians of all `files` but the last, decoded, merged and edited, to the last."""
    from scenes.edits import edited
    from scenes.merging import merged
    from scenes.save import save_scene

    *sources, target = files
    _check(sources, target, force)
    edits, saving, how = edits_of(options), saving_of(options), reading.options
    with progress(f"convert {target.name}", screen.quiet) as step:
        read = _read(sources, how, step)
        step(1.0, "editing and writing")
        whole = merged([file.gaussians for file in read])
        scene = edited(whole, edits)
        lost = save_scene(target, scene, saving)
    tell(target, lost)
    found = _figures(read, target, len(whole), len(scene))
    _say(found, screen)
    screen.figures({"source": str(sources[0]), "sources": [str(source) for source in sources], **found})


def _check(sources: Sequence[Path], target: Path, force: bool) -> None:
    """A `KilofieldError` unless there is something to read and a place to write."""
    from scenes.save import suffix_of

    if not sources:
        raise KilofieldError(f"convert: expected one or more scenes and then the output, found {target} alone")
    if target.suffix.lower() == ".kilo":
        raise KilofieldError(f"{target}: expected an output for other programs; kilofield compress makes a .kilo")
    suffix_of(target)
    output_file(target, force, target.suffix.lower(), sources)


def _read(sources: Sequence[Path], options: ReadOptions, step: Step) -> list[SceneFile]:
    """The scenes of all files; `step` is told the share of them."""

    def reading(index: int, source: Path) -> SceneFile:
        words = f"reading {source.name}"
        return load_told(source, options, lambda share: step((index + share) / len(sources), words))

    return [reading(index, source) for index, source in enumerate(sources)]


def _figures(read: Sequence[SceneFile], target: Path, whole: int, written: int) -> dict[str, Any]:
    """What --json writes, but for the sources: `whole` Gaussians were read, of which so many are `written`."""
    return {
        "path": str(target),
        "format": read[0].format,
        "gaussians": written,
        "left_out": whole - written,
        "dropped": sum(file.dropped for file in read),
        "source_bytes": sum(file.bytes for file in read),
        "bytes": target.stat().st_size,
    }


def _say(found: dict[str, Any], screen: Screen) -> None:
    count, left_out = found["gaussians"], found["left_out"]
    of = f" of {count + left_out:,}" if left_out else ""
    sizes = f"{readable_bytes(found['bytes'])} (from {readable_bytes(found['source_bytes'])})"
    screen.line(f"{found['path']}: {count:,}{of} Gaussians, {sizes}")


def edits_of(options: ConvertOptions) -> Edits:
    """The edits the options ask for, checked."""
    from scenes.edits import Edits

    box, sphere = _numbers("--box", options.box, 6), _numbers("--sphere", options.sphere, 4)
    if box and not all(low <= high for low, high in zip(box[:3], box[3:], strict=True)):
        raise KilofieldError(f"--box: expected the lower corner and then the upper one, found {options.box}")
    if sphere and not sphere[3] > 0:
        raise KilofieldError(f"--sphere: expected a radius above 0, found {sphere[3]:g}")
    if not (math.isfinite(options.scale) and options.scale > 0):
        raise KilofieldError(f"--scale: expected a factor above 0, found {options.scale:g}")
    if options.sh is not None and not 0 <= options.sh <= 3:
        raise KilofieldError(f"--sh: expected a degree from 0 to 3, found {options.sh}")
    return Edits(
        box=((box[0], box[1], box[2]), (box[3], box[4], box[5])) if box else None,
        sphere=((sphere[0], sphere[1], sphere[2]), sphere[3]) if sphere else None,
        drop_floaters=options.drop_floaters,
        up=_up(options.up),
        rotate=_triple("--rotate", options.rotate),
        scale=options.scale,
        translate=_triple("--translate", options.translate),
        sh_degree=options.sh,
        morton=options.morton,
    )


def saving_of(options: ConvertOptions) -> SaveOptions:
    """How the output is written, checked."""
    from scenes.save import SaveOptions
    from scenes.spz_writer import VERSIONS

    if options.spz_version not in VERSIONS:
        raise KilofieldError(f"--spz-version: expected 3 or 4, found {options.spz_version}")
    bits = [int(part) if part.strip().isdigit() else 0 for part in options.sh_bits.split(",")]
    if len(bits) != 2 or not all(1 <= count <= 8 for count in bits):
        raise KilofieldError(f"--sh-bits: expected two numbers from 1 to 8, such as 5,4, found {options.sh_bits!r}")
    return SaveOptions(options.spz_version, (bits[0], bits[1]))


def _up(text: str | None) -> tuple[str | None, str] | None:
    from scenes.edits import AXES

    if text is None:
        return None
    now, separator, wanted = text.lower().rpartition(":")
    if wanted not in AXES or (separator and now not in AXES):
        raise KilofieldError(f"--up: expected an axis, or two such as -y:z, of {', '.join(AXES)}, found {text!r}")
    return now or None, wanted


def _triple(option: str, text: str | None) -> tuple[float, float, float] | None:
    numbers = _numbers(option, text, 3)
    return (numbers[0], numbers[1], numbers[2]) if numbers else None


def _numbers(option: str, text: str | None, count: int) -> list[float] | None:
    """The `count` finite numbers of a text such as `1,2,3`."""
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise KilofieldError(f"{option}: expected {count} numbers with commas between them, found {text!r}")
    return numbers
