"""Reads one mutated input after another, and measures each: in a process of its own, which a reader may bring down.

Time is the processor's, which other programs do not add to. Memory is the most that was resident while an input was
read, beyond what was before (Linux: VmHWM, set back before each), so that what libraries in C take counts too. Beyond
the limit of 10 times the input and 64 MB, no address space is given (RLIMIT_AS): what is asked for and not used would
not show otherwise. A reader that takes `CPU_LIMIT` seconds is ended by the system (RLIMIT_CPU).
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import resource
import shutil
import stat
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fuzz_layers import changed_files
from benchmarks.fuzz_more_seeds import STATE
from benchmarks.fuzz_readers import Format
from scenes.errors import KilofieldError, SceneFileError

ROOT = Path(__file__).resolve().parents[1]
PREFIX = f"{ROOT}{os.sep}"
OURS = ("scenes", "fitting", "ui", "commands")  # where errors have their places
STDOUT, STDERR = 1, 2
HANG = 1.0  # seconds
CPU_LIMIT = 20  # seconds
FREE, TIMES = 64_000_000, 10  # bytes, and times the input
SLACK = 32 << 20  # bytes of address space: allocators take whole pieces of it
POOL = 100  # inputs of either kind that are kept to be changed again
MAY_SAY_MORE = ("settings.json", STATE)  # of which a sound one may be refused: as another run's, or field by field
LONGEST_MESSAGE = 800  # characters beside the path


@dataclass(frozen=True)
class Batch:
    """So many inputs of one format; the same batch has the same inputs."""

    format: str
    seed: str
    count: int


@dataclass(frozen=True)
class Find:
    """What must not be."""

    format: str
    kind: str  # exception, memory, hang, crash, message, unsafe, warning, printed
    what: str  # one line
    input: str  # the folder with the files that do it


@dataclass
class Tally:
    """What came of a batch."""

    inputs: int = 0
    accepted: int = 0
    rejected: int = 0
    places: set[str] = field(default_factory=set)  # lines of code that refused something
    slowest: float = 0.0  # seconds of the processor
    most_memory: int = 0  # bytes beyond what was there before
    largest: int = 0  # bytes of an input
    finds: list[Find] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Both as one."""
        self.inputs += other.inputs
        self.accepted += other.accepted
        self.rejected += other.rejected
        self.places |= other.places
        self.slowest = max(self.slowest, other.slowest)
        self.most_memory = max(self.most_memory, other.most_memory)
        self.largest = max(self.largest, other.largest)
        self.finds += other.finds


@dataclass
class _Outcome:
    accepted: bool = False
    trail: tuple[str, ...] = ()  # lines of code that led to where it was refused, the last the place
    trouble: tuple[str, str] | None = None  # kind and what
    seconds: float = 0.0
    memory: int = 0


class Fuzzer:
    """Runs batches; `work` is an empty folder for inputs, `finds` one for those that do what must not be."""

    def __init__(self, formats: Mapping[str, Format], work: Path, finds: Path, limited: bool = True) -> None:
        self._formats, self._work, self._finds, self._limited = formats, work, finds, limited
        self._warned: list[str] = []
        self._kept: dict[tuple[str, str], int] = {}
        self._warm: set[str] = set()
        self._said = _Stderr()

    def run(self, batch: Batch, begun: Callable[[], object] = lambda: None) -> Tally:
        """Every input of `batch`; `begun` is told of each."""
        form, tally = self._formats[batch.format], Tally()
        self._warm_up(form)
        pool = _Pool(form.seeds, random.Random(f"{batch.seed} {batch.format}"))
        with self._collecting():
            for _ in range(batch.count):
                files = pool.input(form.main)
                begun()
                outcome = self._measured(form, files)
                self._count(tally, form, files, outcome)
                if not outcome.trouble:
                    pool.learn(files, outcome.trail)
        return tally

    def _warm_up(self, form: Format) -> None:
        """Imports what the reader imports, and shows that every seed is read: else nothing behind would be fuzzed."""
        if form.name in self._warm:
            return
        for files in form.seeds:
            form.read(self._write(files) / form.main)
        self._warm.add(form.name)

    def _write(self, files: Mapping[str, bytes]) -> Path:
        """A new folder with `files`: one that is mapped still must not change under its reader."""
        folder = self._work / "input"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, content in files.items():
            path = folder / name
            if path.parent != folder:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder

    @contextmanager
    def _collecting(self) -> Iterator[None]:
        """Warnings are kept: a user would see them."""
        with warnings.catch_warnings():
            warnings.simplefilter("always", append=True)
            warnings.filterwarnings("ignore", module=r"PIL\.")  # as `scenes/images.py` has it; pytest has filters too
            warnings.showwarning = lambda message, kind, file, line, *_: self._warned.append(
                f"{kind.__name__} in {_short(file)}:{line}: {message}"
            )
            yield

    def _measured(self, form: Format, files: Mapping[str, bytes]) -> _Outcome:
        size = sum(map(len, files.values()))
        path = self._write(files) / form.main
        outcome, before = _Outcome(), _Resident.reset()
        self._warned.clear()
        self._said.forget()
        began = time.process_time()
        try:
            with _limits(FREE + TIMES * size) if self._limited else nullcontext():
                form.read(path)
            outcome.accepted = True
        except KilofieldError as error:
            outcome.trail = _trail(error)
            outcome.trouble = _message_trouble(error, path, self._work)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            outcome.trail = _trail(error)
            outcome.trouble = (
                "memory" if isinstance(error, MemoryError) else _kind(error),
                f"{type(error).__name__} at {outcome.trail[-1]}: {' '.join(str(error).split())[:200]}",
            )
        outcome.seconds = time.process_time() - began
        outcome.memory = _Resident.peak() - before
        outcome.trouble = outcome.trouble or self._law_trouble(outcome, FREE + TIMES * size)
        return outcome

    def _law_trouble(self, outcome: _Outcome, allowed: int) -> tuple[str, str] | None:
        where = f" at {outcome.trail[-1]}" if outcome.trail else ""
        if outcome.seconds > HANG:
            return "hang", f"more than {HANG:g} s{where}"
        if outcome.memory > allowed:
            return "memory", f"more than {TIMES} times the input and {FREE // 10**6} MB{where}"
        if self._warned:
            return "warning", self._warned[0]
        said = self._said.text() if self._limited else ""
        return ("printed", f"{said[:200]!r}{where}") if said else None

    def _count(self, tally: Tally, form: Format, files: Mapping[str, bytes], outcome: _Outcome) -> None:
        tally.inputs += 1
        tally.accepted += outcome.accepted
        tally.rejected += not outcome.accepted
        tally.slowest = max(tally.slowest, outcome.seconds)
        tally.most_memory = max(tally.most_memory, outcome.memory)
        tally.largest = max(tally.largest, sum(map(len, files.values())))
        if outcome.trail:
            tally.places.add(outcome.trail[-1])
        if outcome.trouble:
            tally.finds.append(Find(form.name, *outcome.trouble, self._keep(form, outcome.trouble, files)))

    def _keep(self, form: Format, trouble: tuple[str, str], files: Mapping[str, bytes]) -> str:
        """The folder with the input; of each trouble only the first three are kept."""
        key = (form.name, re.sub(r"\d+", "N", trouble[1]))
        self._kept[key] = self._kept.get(key, 0) + 1
        if self._kept[key] > 3:
            return ""
        return keep_files(self._finds / form.name.replace(" ", "-"), files)


def keep_files(folder: Path, files: Mapping[str, bytes]) -> str:
    """Puts `files` into a folder below `folder` that is named by what is in them, and returns its name."""
    digest = hashlib.sha256(b"\0".join(name.encode() + b"\0" + files[name] for name in sorted(files))).hexdigest()[:16]
    for name, content in files.items():
        path = folder / digest / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return os.fspath(folder / digest)


class _Pool:
    """What is changed into the next input: mostly whole files, and what came of changing them."""

    def __init__(self, seeds: Sequence[Mapping[str, bytes]], rng: random.Random) -> None:
        self._seeds, self._rng = seeds, rng
        self._accepted: list[Mapping[str, bytes]] = []
        self._refused: list[Mapping[str, bytes]] = []  # each at a place, or by a way there, no other was
        self._trails: set[tuple[str, ...]] = set()

    def input(self, main: str) -> dict[str, bytes]:
        """A new one; `main` is the file the reader is given, "" for the folder."""
        rng, some = self._rng, [self._seeds, self._seeds, self._accepted or self._seeds, self._refused or self._seeds]
        base, other = rng.choice(rng.choice(some)), rng.choice(self._seeds)
        others = [content for name, content in other.items() if name == main or not main]
        return changed_files(rng, base, main or next(name for name in base if not name.endswith(".png")), others)

    def learn(self, files: Mapping[str, bytes], trail: tuple[str, ...]) -> None:
        """Keeps an input that was read, or refused by a way that is new."""
        if not trail:
            self._accepted = [*self._accepted[1 - POOL :], files]
        elif trail not in self._trails and len(self._refused) < POOL:
            self._trails.add(trail)
            self._refused.append(files)


class _Stderr:
    """What is written to the terminal beside Python, by libraries in C."""

    def __init__(self) -> None:
        self._size = 0

    def forget(self) -> None:
        """Begins again."""
        self._size = self._now()

    def text(self) -> str:
        """What was written since, where it goes into a file."""
        grown = self._now() - self._size
        return os.pread(STDERR, grown, self._size).decode("utf-8", "replace") if grown else ""

    def _now(self) -> int:
        status = os.fstat(STDERR)
        return status.st_size if stat.S_ISREG(status.st_mode) else 0


class _Resident:
    """Bytes of memory that this process has, as Linux counts them."""

    @staticmethod
    def reset() -> int:
        """Forgets the most there was, and returns what there is."""
        Path("/proc/self/clear_refs").write_text("5")
        return _Resident.peak()

    @staticmethod
    def peak() -> int:
        """The most there was since."""
        with open("/proc/self/status", "rb") as file:
            match = re.search(rb"VmHWM:\s+(\d+) kB", file.read())
        return 1024 * int(match[1]) if match else 0


@contextmanager
def _limits(memory: int) -> Iterator[None]:
    """No more address space than `memory` and some slack, and no more than `CPU_LIMIT` seconds of processor."""
    page = resource.getpagesize()
    with open("/proc/self/statm", "rb") as file:
        held = int(file.read().split()[0]) * page
    limits = {
        resource.RLIMIT_AS: held + memory + SLACK,
        resource.RLIMIT_CPU: int(time.process_time()) + CPU_LIMIT,
    }
    old = {kind: resource.getrlimit(kind) for kind in limits}
    try:
        for kind, limit in limits.items():
            resource.setrlimit(kind, (limit, old[kind][1]))
        yield
    finally:
        for kind, limit in old.items():
            resource.setrlimit(kind, limit)


def _short(file: str) -> str:
    return file[len(PREFIX) :] if file.startswith(PREFIX) else os.path.basename(file)


def _trail(error: BaseException) -> tuple[str, ...]:
    """The last lines of ours that an error passed through; the last of all if none is."""
    frames, at = [], error.__traceback__
    while at is not None:  # `traceback` would read every line of code anew
        frames.append((_short(at.tb_frame.f_code.co_filename), at.tb_lineno))
        at = at.tb_next
    ours = [f"{name}:{line}" for name, line in frames if name.startswith(OURS)]
    return tuple(ours[-4:]) or (f"{frames[-1][0]}:{frames[-1][1]}",)


def _kind(error: BaseException) -> str:
    return "unsafe" if type(error).__name__ == "UnsafeError" else "exception"


def _names_it(path: Path, elsewhere: str) -> bool:
    """Whether a file of the input names `elsewhere`: the photographs of a capture may lie in any folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return os.path.isabs(elsewhere) and any(elsewhere.encode() in file.read_bytes() for file in files)


def _message_trouble(error: KilofieldError, path: Path, work: Path) -> tuple[str, str] | None:
    """What is wrong with a refusal: it is one line, names the file and the place, and hides no lack of memory."""
    text, name = str(error), os.fspath(work)
    beside = text.replace(name, "")
    if isinstance(error.__cause__, MemoryError) or isinstance(error.__context__, MemoryError):
        return "memory", f"MemoryError behind {_trail(error)[-1]}"
    if not isinstance(error, SceneFileError) and path.name not in MAY_SAY_MORE:
        return "message", f"a KilofieldError and no SceneFileError at {_trail(error)[-1]}"
    if not text.startswith(name) and not _names_it(path, text.split(": ")[0]):
        return "message", f"no path at the start at {_trail(error)[-1]}: {beside[:100]!r}"
    if not beside.isprintable() or len(beside) > LONGEST_MESSAGE:
        return "message", f"not one short line at {_trail(error)[-1]}: {beside[:200]!r}"
    if isinstance(error, SceneFileError) and not (error.place and error.expected and error.found):
        return "message", f"a part is empty at {_trail(error)[-1]}: {beside[:100]!r}"
    return None
