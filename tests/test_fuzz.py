"""A small, seeded part of `benchmarks/fuzz.py`, and that it sees what it looks for."""

from __future__ import annotations

import os
import random
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz import planned, table
from benchmarks.fuzz_campaign import run_batches
from benchmarks.fuzz_layers import changed
from benchmarks.fuzz_readers import Format, formats
from benchmarks.fuzz_worker import Batch, Find, Fuzzer, Tally
from scenes.errors import SceneFileError

SLICE = 3000  # inputs over all formats, without torch's checkpoints: to load torch takes longer than all of them


@pytest.fixture(scope="module")
def known() -> dict[str, Format]:
    return {form.name: form for form in formats(None) if form.name != "checkpoint"}


def test_a_slice_of_the_campaign_finds_nothing(known: dict[str, Format], tmp_path: Path) -> None:
    fuzzer, total = Fuzzer(known, _folder(tmp_path / "work"), tmp_path / "finds", limited=False), Tally()
    for name, form in known.items():
        shares = sum(other.share for other in known.values())
        total.add(fuzzer.run(Batch(name, "test", SLICE * form.share // shares)))
    assert [(find.format, find.kind, find.what) for find in total.finds] == []
    assert total.inputs >= SLICE - len(known)
    assert total.accepted > total.inputs / 20
    assert len(total.places) > 100


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_the_same_seed_gives_the_same_inputs(known: dict[str, Format]) -> None:
    for name in ("ply", "sog", "kilo", "scene file"):
        files = known[name].seeds[0]
        data = files[known[name].main]
        first, second = ([changed(rng, data, []) for _ in range(20)] for rng in (random.Random(4), random.Random(4)))
        assert first == second
        assert len(set(first)) > 10
        assert set(first) != {changed(random.Random(5), data, [])}


def test_a_plan_gives_every_format_its_share(known: dict[str, Format]) -> None:
    batches = planned(list(known.values()), 100_000, "7")
    assert sum(batch.count for batch in batches) >= 100_000
    assert len(set(batches)) == len(batches)
    counts = {name: sum(batch.count for batch in batches if batch.format == name) for name in known}
    assert counts["ply"] > counts["sog"] > 0
    assert {batch.format for batch in planned(list(known.values()), 100, "7")} == set(known)


def _fails(path: Path) -> None:
    raise IndexError("list index out of range")


def _says_nothing(path: Path) -> None:
    raise SceneFileError(path, "file", "something", "")


def _says_two_lines(path: Path) -> None:
    raise SceneFileError("another.ply", "file", "something", "else")


def _warns(path: Path) -> None:
    warnings.warn("odd", RuntimeWarning, stacklevel=1)


def _takes_memory(path: Path) -> None:
    np.ones(100_000_000, np.uint8)


def _takes_time(path: Path) -> None:
    end = time.process_time() + 1.1
    while time.process_time() < end:
        pass


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "exception": (_fails, "IndexError at tests/test_fuzz.py:"),
    "message": (_says_nothing, "a part is empty at "),
    "no file": (_says_two_lines, "no path at the start at "),
    "warning": (_warns, "RuntimeWarning in tests/test_fuzz.py:"),
    "memory": (_takes_memory, "more than 10 times the input and 64 MB"),
    "hang": (_takes_time, "more than 1 s"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_must_not_be_is_found_and_kept(name: str, tmp_path: Path) -> None:
    read, what = WRONG[name]
    once = [False]  # the seed itself is read first, and has to be

    def reader(path: Path) -> None:
        if once[0]:
            read(path)
        once[0] = True

    form = Format("thing", "a", ({"a": b"0123456789"},), reader)
    tally = Fuzzer({"thing": form}, _folder(tmp_path / "work"), tmp_path / "finds", limited=False).run(
        Batch("thing", "1", 2)
    )
    assert len(tally.finds) == 2
    assert tally.finds[0].kind == ("message" if name == "no file" else name)
    assert tally.finds[0].what.startswith(what)
    assert (Path(tally.finds[0].input) / "a").is_file()


def test_a_seed_that_is_not_read_is_no_seed(tmp_path: Path) -> None:
    form = Format("thing", "a", ({"a": b"x"},), _fails)
    with pytest.raises(IndexError):
        Fuzzer({"thing": form}, _folder(tmp_path / "work"), tmp_path / "finds").run(Batch("thing", "1", 2))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_processes_run_batches(tmp_path: Path) -> None:
    """In a process of its own, with the limits of the system."""
    told: list[tuple[Batch, Tally]] = []
    batches = [Batch("splat", "1", 30), Batch("hdr", "1", 30)]
    environment = dict(os.environ)
    try:
        run_batches(batches, lambda batch, tally: told.append((batch, tally)), None, tmp_path / "finds", workers=1)
    finally:
        os.environ.clear()
        os.environ.update(environment)
    assert [(batch, tally.inputs, tally.finds) for batch, tally in told] == [(batch, 30, []) for batch in batches]
    assert all(tally.most_memory < 64e6 and tally.slowest < 1 for _, tally in told)


def test_the_table() -> None:
    tally = Tally(1200, 200, 1000, {"a:1", "b:2"}, 0.25, 3_500_000, 9, [Find("ply", "crash", "what", "where")])
    assert table({"ply": tally}).splitlines() == [
        "format  inputs  accepted  refused  places  slowest  most memory  finds",
        "ply      1,200       200    1,000       2   0.25 s       3.5 MB      1",
    ]
