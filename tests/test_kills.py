"""SIGKILL at ten random moments of a fit, and it ends in the same bytes; nothing half-written is ever seen."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from forked_cli import ForkedCli

from benchmarks.killing import Campaign, campaign
from fitting import checkpoint
from fitting.checkpoint import Checkpoint
from scenes.errors import KilofieldError
from scenes.load import load_scene
from scenes.ply import write_ply
from scenes.save import WRITERS

if not hasattr(os, "fork"):
    pytest.skip("processes are forked here", allow_module_level=True)


@pytest.fixture(scope="module")
def cli() -> Iterator[ForkedCli]:
    with ForkedCli() as started:
        yield started


@pytest.fixture
def burger(data: Path, tmp_path: Path) -> Path:
    """300 Gaussians of a real scene."""
    scene = load_scene(data / "gaussians" / "hamburger.ply").gaussians
    path = tmp_path / "burger.ply"
    write_ply(path, scene.select(np.linspace(0, len(scene) - 1, 300).astype(np.int64)))
    return path


def killed(cli: ForkedCli, arguments: Sequence[str | Path], outputs: Sequence[Path], causes: Sequence[str]) -> Campaign:
    result = campaign(cli, [*arguments, "--force", "--quiet"], outputs, causes)
    assert [kill.cause for kill in result.kills] == list(causes)
    assert {kill.left for kill in result.kills} <= {"old", "new"}, asdict(result)
    assert result.equal
    assert result.leftovers == []
    return result


def test_a_compress_killed_at_ten_moments_ends_in_the_same_bytes(cli: ForkedCli, burger: Path) -> None:
    out = burger.with_name("burger.kilo")
    causes = ["anywhere", "checkpoint", "anywhere", "anywhere", "output", "anywhere", "checkpoint", "anywhere"]
    causes += ["output", "anywhere"]
    result = killed(cli, ["compress", burger, out, "--preset", "draft", "--resume"], [out], causes)
    resumed = [kill for kill in result.kills if kill.unsaved is not None]
    assert len(resumed) >= 4  # some had a checkpoint to go on from


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_convert_that_is_killed_leaves_the_old_file_or_the_new_one(cli: ForkedCli, burger: Path, suffix: str) -> None:
    killed(cli, ["convert", burger, burger.with_name(f"out{suffix}")], [burger.with_name(f"out{suffix}")], ["output"])


def test_checkpoints_are_as_far_apart_as_asked_and_further_where_writing_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Checkpoint(tmp_path / "a", "").interval == checkpoint.INTERVAL == 30
    monkeypatch.setenv("KILOFIELD_CHECKPOINT_SECONDS", "2.5")
    made = Checkpoint(tmp_path / "a", "")
    made.save({})
    assert made.interval == 2.5
    monkeypatch.setattr(checkpoint, "SLOW", -1.0)
    made.save({})
    assert made.interval == 90  # at most a minute and a half is lost
    for text in ("often", "-1", "nan", "inf"):
        monkeypatch.setenv("KILOFIELD_CHECKPOINT_SECONDS", text)
        with pytest.raises(KilofieldError) as caught:
            Checkpoint(tmp_path / "a", "")
        assert str(caught.value) == f"KILOFIELD_CHECKPOINT_SECONDS: expected seconds from 0 on, found '{text}'"
