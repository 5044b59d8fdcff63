"""A full disk: one clear line, the old files as they were, nothing half-written and nothing left over."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_samples import kilofield, sample_cameras, sample_gaussians
from full_disks import SmallDisk, need_disks, no_file_above, small_disk
from kilo_surface_samples import sample

from commands import logs
from fitting.checkpoint import Checkpoint
from fitting.neuralgs.options import EFFORTS
from renderer.camera_paths import Key, write_keys
from renderer.images import write_png
from renderer.video import frame_sink
from scenes.camera_files import write_cameras
from scenes.errors import KilofieldError
from scenes.kilo_surface import write_surface
from scenes.light_images import write_exr
from scenes.ply import write_ply
from scenes.save import WRITERS

if sys.platform == "win32":
    pytest.skip("disks are mounted here", allow_module_level=True)

OLD = b"what was there before"
FULL = "cannot write: No space left on device"
NOISE = np.random.default_rng(0).random((96, 128, 3)).astype(np.float32)  # which no format makes small


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    folder = tmp_path_factory.mktemp("disks")
    need_disks(__file__, folder)
    with small_disk(folder / "small") as made:
        yield made


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What commands read, on a disk with room."""
    folder = tmp_path_factory.mktemp("samples")
    write_ply(folder / "scene.ply", sample_gaussians(900, 3))
    write_surface(folder / "surface.kilo", sample())
    write_cameras(folder / "cameras.json", sample_cameras(["a", "b"]))
    return folder


@dataclass(frozen=True)
class Job:
    """A command whose outputs go to the disk."""

    arguments: Sequence[str]  # {in} and {out} are the folders
    outputs: Sequence[str]  # in the order they are written


CONVERT = {f"convert to {end}": Job(["convert", "{in}/scene.ply", f"{{out}}/o{end}"], [f"o{end}"]) for end in WRITERS}
JOBS = CONVERT | {
    "mesh": Job(["mesh", "{in}/surface.kilo", "{out}/o.ply", "--resolution", "12"], ["o.ply"]),
    "textured mesh": Job(
        ["mesh", "{in}/surface.kilo", "{out}/o.glb", "--resolution", "12", "--texture", "64"], ["o.glb"]
    ),
    "render": Job(
        ["render", "{in}/scene.ply", "--cameras", "{in}/cameras.json", "--size", "160x120", "--out", "{out}/pictures"],
        ["pictures/a.png"],
    ),
    "fly to a video": Job(
        ["fly", "{in}/scene.ply", "--frames", "4", "--warmup", "0", "--size", "160x120", "--out", "{out}/o.mp4"],
        ["o.mp4"],
    ),
    "figures": Job(["info", "{in}/surface.kilo", "--json", "{out}/o.json"], ["o.json"]),
    "report": Job(
        ["compare", "{in}/scene.ply", "{in}/scene.ply", "--size", "64x48", "--report", "{out}/o.html"], ["o.html"]
    ),
}


@pytest.mark.parametrize("name", JOBS)
def test_a_command_on_a_full_disk(name: str, disk: SmallDisk, samples: Path, tmp_path: Path) -> None:
    job = JOBS[name]
    assert run(job, samples, tmp_path).exit_code == 0
    output = job.outputs[0]
    size = (tmp_path / output).stat().st_size
    for old in (False, True):
        clear(disk)
        if old:
            (disk.path / output).parent.mkdir(exist_ok=True)
            (disk.path / output).write_bytes(OLD)
        before = disk.files()
        for room in {0, size // 2 // 4096 * 4096}:
            disk.leave(room)
            result = run(job, samples, disk.path, "--force")
            assert result.stderr == f"{disk.path / output}: {FULL}\n"
            assert result.exit_code == 1
            assert disk.files() == before


def run(job: Job, samples: Path, out: Path, *more: str) -> Any:
    folders = {"in": str(samples), "out": str(out)}
    return kilofield(*(argument.format(**folders) for argument in job.arguments), *more, "--quiet")


def clear(disk: SmallDisk) -> None:
    disk.leave(1 << 20)
    for name in disk.files():
        (disk.path / name).unlink()


def write_frames(path: Path) -> None:
    with frame_sink(path, (128, 96), 30) as sink:
        for _ in range(3):
            sink((255 * NOISE).astype(np.uint8))


WRITES: dict[str, Callable[[Path], object]] = {
    "picture.png": lambda path: write_png(path, NOISE),
    "light.exr": lambda path: write_exr(path, NOISE),
    "frames": write_frames,
    "surface.kilo": lambda path: write_surface(path, sample()),
    "path.json": lambda path: write_keys(
        path, [Key(float(i), camera) for i, camera in enumerate(sample_cameras())] * 9
    ),
    "fit.kilo.checkpoint": lambda path: Checkpoint(path, "").save({"state": torch.from_numpy(NOISE)}),
}


@pytest.mark.parametrize("name", WRITES)
def test_writing_to_a_full_disk(name: str, disk: SmallDisk) -> None:
    """What the window saves, and what long fits write at their end."""
    clear(disk)
    before = disk.files()
    for room in (0, 4096):
        disk.leave(room)
        with pytest.raises(KilofieldError) as caught:
            WRITES[name](disk.path / name)
        assert str(caught.value) == f"{disk.path / name}: {FULL}"
        assert disk.files() == before
        assert not (disk.path / name).exists()


def test_a_fit_goes_on_when_its_checkpoint_finds_no_room_and_tells_at_the_end(
    disk: SmallDisk, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EFFORTS, "draft", replace(EFFORTS["draft"], steps=6, views=4, side=32))
    monkeypatch.setenv("KILOFIELD_CHECKPOINT_SECONDS", "0")
    clear(disk)
    out = disk.path / "out.kilo"
    command = ["compress", str(samples / "scene.ply"), str(out), "--preset", "draft", "--force"]
    disk.leave(0)
    full = kilofield(*command, "--quiet")
    assert (full.exit_code, full.stderr) == (1, f"{out}: {FULL}\n")
    assert disk.files() == {}
    disk.leave(48 << 10)  # room for the file, not for the checkpoint
    figures = samples / "figures.json"
    done = kilofield(*command, "--json", str(figures))
    assert (done.exit_code, done.stderr) == (0, "")
    assert set(disk.files()) == {"out.kilo"}
    trouble = f"the last checkpoint could not be written: {out}.checkpoint: {FULL}"
    assert trouble in json.loads(figures.read_text())["notes"]


def test_a_fit_that_finds_no_room_for_its_result_is_not_lost(
    disk: SmallDisk, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EFFORTS, "draft", replace(EFFORTS["draft"], steps=6, views=4, side=32))
    monkeypatch.setenv("KILOFIELD_CHECKPOINT_SECONDS", "0")
    clear(disk)
    out = disk.path / "out.kilo"
    command = ["compress", str(samples / "scene.ply"), str(out), "--preset", "draft", "--quiet"]
    save, steps = Checkpoint.save, []

    def then_full(self: Checkpoint, state: dict[str, Any]) -> None:
        save(self, state)
        steps.append(1)
        if len(steps) == 6:
            disk.leave(0)

    monkeypatch.setattr(Checkpoint, "save", then_full)
    full = kilofield(*command)
    go_on = f"the same command with --resume continues from {out}.checkpoint"
    assert (full.exit_code, full.stderr) == (1, f"{out}: {FULL}; {go_on}\n")
    assert set(disk.files()) == {"out.kilo.checkpoint"}
    monkeypatch.setattr(Checkpoint, "save", save)
    disk.leave(1 << 20)
    assert kilofield(*command, "--resume").exit_code == 0
    assert set(disk.files()) == {"out.kilo"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_that_finds_no_room_is_told_once(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "SUFFIXES", ("",))
    log = tmp_path / "log"
    log.symlink_to("/dev/full")
    monkeypatch.setattr(logs.LOG, "_last", logs._Last())  # with no line yet that is written at once
    monkeypatch.setattr(logs.Log, "begin", lambda self, arguments: None)
    result = kilofield("convert", str(samples / "scene.ply"), str(tmp_path / "o.ply"), "--log-file", str(log))
    assert result.exit_code == 0
    assert result.stderr == f"{log}: cannot write: No space left on device\n"


@pytest.mark.parametrize("suffix", WRITERS)
def test_wherever_a_file_stops_growing_the_old_one_stays(suffix: str, samples: Path, tmp_path: Path) -> None:
    out = tmp_path / f"o{suffix}"
    command = ["convert", str(samples / "scene.ply"), str(out), "--force", "--quiet"]
    assert kilofield(*command).exit_code == 0
    whole = out.read_bytes()
    out.write_bytes(OLD)
    for limit in {0, 1, *range(0, len(whole), len(whole) // 7), len(whole) - 1}:
        with no_file_above(limit):
            result = kilofield(*command)
        assert (result.exit_code, result.stderr) == (1, f"{out}: cannot write: File too large\n")
        assert [path.name for path in tmp_path.iterdir()] == [out.name]
        assert out.read_bytes() == OLD
    with no_file_above(len(whole)):
        assert kilofield(*command).exit_code == 0
    assert out.read_bytes() == whole
