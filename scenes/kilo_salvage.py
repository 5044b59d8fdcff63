"""Reading what is whole of a .kilo that is damaged or cut short, and saying what is missing.

A reader that is given a `Damage` notes in it what is wrong and goes on; without one, the first error ends it. What the
whole file is read with (the manifest, the ranges of the outputs, the steps of a surface's weights) has to be whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from scenes.errors import SceneFileError


@dataclass(frozen=True)
class Lost:
    """A part of a file that was left out."""

    what: str  # "" for a whole chunk, else what of it, such as "tier 1"
    chunk: int
    cut: bool  # behind the end of the file; else damaged


@dataclass
class Damage:
    """What is wrong with a file."""

    unit: str = "Gaussians"  # what the file holds
    kept: int = 0  # so many of it were read
    count: int = 0  # of so many
    grey: int = 0  # of those read, without their colour
    size: int = 0  # bytes of the file
    whole_size: int = 0  # and what it should have
    streams: int = 0  # each with a checksum
    lost: list[Lost] = field(default_factory=list)
    errors: list[SceneFileError] = field(default_factory=list)  # of every stream, in the order they were met
    between: list[SceneFileError] = field(default_factory=list)  # outside of the streams: nothing is lost by it

    @property
    def share(self) -> str:
        """How much could be read, such as `12 of 20 Gaussians`."""
        grey = f", {self.grey:,} of them without colour" if self.grey else ""
        return f"{self.kept:,} of {self.count:,} {self.unit}{grey}"

    def notes(self) -> tuple[str, ...]:
        """What is missing, one sentence each; none of a whole file."""
        found = [f"salvaged {self.share}"] if self.lost else []
        if self.size < self.whole_size:
            found.append(f"cut short: {self.whole_size - self.size:,} of {self.whole_size:,} bytes are missing")
        for cut, what in ((True, "left out, not in the file"), (False, "left out, damaged")):
            names = names_of(part for part in self.lost if part.cut == cut)
            found += [f"{what}: {names}"] if names else []
        return (*found, *(f"{e.place}: expected {e.expected}, found {e.found}" for e in self.between))


def names_of(lost: Iterable[Lost]) -> str:
    """Parts in few words: `chunks 2 and 4 to 9, tier 1 of chunk 1`."""
    groups: dict[str, list[int]] = {}
    for part in lost:
        groups.setdefault(part.what, []).append(part.chunk)
    return ", ".join(f"{what} of {_chunks(group)}" if what else _chunks(group) for what, group in groups.items())


def _chunks(chunks: list[int]) -> str:
    """`chunk 3`, or `chunks 2, 4 to 9 and 12`."""
    there = set(chunks)
    starts, stops = [c for c in chunks if c - 1 not in there], [c for c in chunks if c + 1 not in there]
    runs = [
        [f"{a} to {b}"] if b > a + 1 else [f"{c}" for c in range(a, b + 1)] for a, b in zip(starts, stops, strict=True)
    ]
    *first, last = (name for run in runs for name in run)
    return f"chunk{'s' * (len(chunks) > 1)} {', '.join(first)}{' and ' * bool(first)}{last}"


def fatal(error: SceneFileError) -> SceneFileError:
    """`error` about what all else is read with."""
    return SceneFileError(error.path, error.place, error.expected, f"{error.found}; without it nothing is salvaged")


def hinted(error: SceneFileError, survey: Callable[[], Damage]) -> SceneFileError:
    """`error`, which ended a reader, with what reading on would bring; `survey` finds out by checksums alone."""
    try:
        damage = survey()
    except SceneFileError:
        return error
    between_streams = error.place == "file" or error.place.startswith("byte ")
    if not damage.kept or (damage.kept == damage.count and not damage.grey and not between_streams):
        return error
    return SceneFileError(error.path, error.place, error.expected, f"{error.found} (--salvage reads {damage.share})")
