"""`compress --target-psnr`: the search on scenes made up of a law, and whole runs on a ball of Gaussians."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cli_samples import kilofield, sample_gaussians, sample_neural

from commands.checkpoints import checkpoint_of
from fitting.checkpoint import INTERVAL_VARIABLE
from fitting.neuralgs.compress import compress
from fitting.neuralgs.options import EFFORTS, CompressOptions, Progress, Trial
from fitting.neuralgs.search import MOST_RUNS, TOLERANCES, Attempt, Found, best_of, budget_limits, first_budget, search
from scenes.kilo import read_kilo
from scenes.load import load_scene
from scenes.ply import write_ply
from tests.test_compress import ball as patterned_ball

STEPS = 800
LIMITS = (5_000, 1_000_000)


@dataclass
class MadeUpScene:
    """PSNR as a function of bytes and steps, and the fits that were asked of it."""

    psnr: Callable[[int, int], float]
    attempts: list[Attempt] = field(default_factory=list)

    def fit(self, name: str, budget: int, steps: int) -> Attempt:
        assert LIMITS[0] <= budget <= LIMITS[1]
        trial = Trial(name, steps, budget, self.psnr(budget, steps))
        self.attempts.append(Attempt(budget, trial, 0.9, sample_neural()))
        return self.attempts[-1]

    def search(self, target: float, start: int = 60_000) -> Found:
        found = search(target, start, LIMITS, STEPS, self.fit)
        assert found.attempts == tuple(self.attempts)
        return found

    def runs(self) -> list[Attempt]:
        return [a for a in self.attempts if a.trial.steps == STEPS]


def line(at_60_kb: float, slope: float, gain: float) -> MadeUpScene:
    """`slope` dB for twice the bytes, `gain` dB for twice the steps, `at_60_kb` dB there after all steps."""
    return MadeUpScene(lambda b, n: at_60_kb + slope * math.log2(b / 60_000) + gain * math.log2(n / STEPS))


@pytest.mark.parametrize("slope", [2.0, 3.0, 4.0])
@pytest.mark.parametrize("gain", [0.3, 0.6, 1.2])
@pytest.mark.parametrize("target", [29.0, 33.0, 36.0])
def test_a_straight_scene_takes_one_correction_at_most(slope: float, gain: float, target: float) -> None:
    scene = line(33.0, slope, gain)
    found = scene.search(target)
    assert found.reached
    assert target <= found.best.psnr <= target + TOLERANCES[1]
    assert len(scene.runs()) <= 2
    probes = len(scene.attempts) - len(scene.runs())
    names = [f"probe {i + 1}" for i in range(probes)] + [f"run {i + 1}" for i in range(len(scene.runs()))]
    assert [a.trial.name for a in scene.attempts] == names


def test_a_bent_scene_is_reached() -> None:
    """The line flattens towards 40 dB, and long fits gain more the more bytes they have."""
    scene = MadeUpScene(lambda b, n: 40 - 12 * (20_000 / b) ** 0.6 * (STEPS / n) ** 0.1)
    for target in (30.0, 34.0, 37.5):
        scene.attempts.clear()
        found = scene.search(target)
        assert found.reached
        assert target <= found.best.psnr <= target + TOLERANCES[1]
        assert len(scene.runs()) <= MOST_RUNS


def test_probes_that_are_too_flat_do_not_mislead() -> None:
    """Short fits do not show what many Gaussians are worth."""
    scene = MadeUpScene(lambda b, n: 31.6 + math.log2(b / 5_000) * (2.4 if n == STEPS else 1.6) - (n < STEPS))
    for target in (34.4, 38.0):
        scene.attempts.clear()
        found = scene.search(target, 89_000)
        assert target <= found.best.psnr <= target + TOLERANCES[1]
        assert len(scene.runs()) <= 2


def test_the_right_file_is_not_searched_again() -> None:
    """Probes that tell the truth, here because long fits gain what is assumed, leave one full fit to do."""
    scene = line(33.0, 3.0, 0.6)
    scene.search(34.0)
    assert len(scene.runs()) == 1


def test_what_is_out_of_reach_ends_at_the_largest_budget() -> None:
    scene = line(33.0, 3.0, 0.5)
    found = scene.search(60.0)
    assert not found.reached
    assert found.best.budget == LIMITS[1]
    assert [a.budget for a in scene.runs()] == [LIMITS[1]]


def test_what_the_smallest_budget_reaches_ends_there() -> None:
    scene = line(33.0, 3.0, 0.5)
    found = scene.search(10.0)
    assert found.reached
    assert found.best.budget == LIMITS[0]
    assert [a.budget for a in scene.runs()] == [LIMITS[0]]


def test_a_scene_without_a_slope_ends() -> None:
    for value in (30.0, math.inf):
        scene = MadeUpScene(lambda b, n, value=value: value)
        assert not scene.search(50.0).reached if value == 30.0 else scene.search(50.0).reached
        assert len(scene.runs()) <= MOST_RUNS


def test_limits_grow_with_the_scene_and_hold_its_first_budget() -> None:
    for count in (1, 400, 5_000, 400_000, 6_000_000):
        for degree in range(4):
            lowest, highest = budget_limits(count, degree)
            assert lowest <= first_budget(count, degree) <= highest
            assert highest < 40 * count + 10_000


@pytest.fixture
def ball(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(EFFORTS, "draft", replace(EFFORTS["draft"], steps=80, views=8, side=48, width=8))
    write_ply(tmp_path / "ball.ply", sample_gaussians(1200))
    return tmp_path / "ball.ply"


def run(ball: Path, *more: str):
    return kilofield("compress", ball, ball.with_name("out.kilo"), "--preset", "draft", *more)


def test_the_target_is_reached_and_the_same_file_comes_again(ball: Path) -> None:
    seen: list[Progress] = []
    options = CompressOptions(preset="draft", target_psnr=31.0)
    result = compress(ball, ball.with_name("a.kilo"), options, seen.append)
    assert result.psnr >= 31.0
    assert result.bytes == result.path.stat().st_size
    assert (result.bytes, result.psnr) in [(t.bytes, t.psnr) for t in result.trials]
    assert result.bytes == min(t.bytes for t in result.trials if t.psnr >= 31.0)
    assert [p.trial for p in seen if p.trial] == list(result.trials)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert seen[-1].done == 1
    again = compress(ball, ball.with_name("b.kilo"), options)
    assert again.path.read_bytes() == result.path.read_bytes()
    assert again.trials == result.trials
    assert not list(ball.parent.glob("*.checkpoint"))


def test_more_decibels_take_more_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EFFORTS, "draft", replace(EFFORTS["draft"], steps=80, views=16, side=64, width=8))
    write_ply(tmp_path / "ball.ply", patterned_ball(2500))  # a random heap looks no better with more Gaussians
    small, large = (
        compress(tmp_path / "ball.ply", tmp_path / "out.kilo", CompressOptions(preset="draft", target_psnr=t))
        for t in (24.0, 28.0)
    )
    assert small.psnr >= 24
    assert large.psnr >= 28
    assert small.bytes < large.bytes


def test_an_unreachable_target_leaves_the_best_file_and_exit_code_3(ball: Path) -> None:
    out, figures = ball.with_name("out.kilo"), ball.with_name("figures.json")
    result = run(ball, "--target-psnr", "90", "--quiet", "--json", str(figures))
    assert (result.exit_code, result.stdout) == (3, "")
    found = json.loads(figures.read_text())
    assert result.stderr == (
        f"{out}: --target-psnr: expected 90.00 dB, found {found['psnr']:.2f} dB at best; that file was written\n"
    )
    assert found["psnr"] == max(t["psnr"] for t in found["trials"])
    assert found["bytes"] == out.stat().st_size
    assert len(read_kilo(out)) == found["gaussians"]
    assert load_scene(out).gaussians.finite().all()


def test_every_fit_is_told_as_it_ends_and_in_a_table(ball: Path) -> None:
    result = run(ball, "--target-psnr", "24")
    assert result.exit_code == 0
    names = [text.partition(":")[0] for text in result.stderr.splitlines()]
    assert (names[0], names[-1][:4]) == ("probe 1", "run ")
    assert all(text.endswith(" steps") for text in result.stderr.splitlines())
    assert all(name in result.stdout for name in names)


@pytest.mark.parametrize("step", [1, 35])
def test_a_killed_search_goes_on_to_the_same_bytes(step: int, ball: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INTERVAL_VARIABLE, "0")
    options = CompressOptions(preset="draft", target_psnr=31.0)
    whole = compress(ball, ball.with_name("whole.kilo"), options)
    out, names = ball.with_name("out.kilo"), [t.name for t in whole.trials]

    def kill(progress: Progress) -> None:
        if progress.stage.startswith(names[1]) and progress.detail.startswith(f"step {step}/"):
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        compress(ball, out, options, kill)
    assert not out.exists()
    seen: list[Progress] = []
    again = compress(ball, out, replace(options, resume=True), seen.append)
    assert out.read_bytes() == whole.path.read_bytes()
    assert again.trials == whole.trials
    first = next(p for p in seen if p.detail.startswith("step "))
    assert first.stage.startswith(names[1])
    assert int(first.detail.split()[1].partition("/")[0]) in (step, step + 1)  # nothing is done twice
    assert not checkpoint_of(out).exists()


def test_a_checkpoint_is_of_one_target(ball: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INTERVAL_VARIABLE, "0")

    def kill(progress: Progress) -> None:
        if "step 5/" in progress.detail:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        compress(ball, ball.with_name("out.kilo"), CompressOptions(preset="draft", target_psnr=24.0), kill)
    result = run(ball, "--target-psnr", "25", "--resume")
    assert result.exit_code == 1
    assert "belongs to another run" in result.stderr


def test_an_interrupted_search_writes_nothing(ball: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fitting.neuralgs.whole.search", interrupt)
    result = run(ball, "--target-psnr", "24")
    expected = "interrupted before the first checkpoint; nothing was written\n"
    assert (result.exit_code, result.stderr) == (130, expected)
    assert sorted(p.name for p in ball.parent.iterdir()) == ["ball.ply"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--quality", "medium"), "--target-psnr: expected no --quality beside it, found both"),
        (("--max-mb", "0.1"), "--target-psnr: expected no --max-mb beside it, found both"),
        (
            ("--preset", "paper"),
            "--target-psnr: expected another preset; paper's size follows from its networks and pruning",
        ),
        (("--target-psnr", "4"), "--target-psnr: expected 5 to 100 dB, found 4"),
        (("--target-psnr", "nan"), "--target-psnr: expected 5 to 100 dB, found nan"),
    ],
)
def test_what_does_not_go_together_is_one_line(ball: Path, more: tuple[str, ...], message: str) -> None:
    result = run(ball, "--target-psnr", "30", *more)
    assert (result.exit_code, result.stderr) == (1, message + "\n")
    assert not ball.with_name("out.kilo").exists()


def test_help_tells_the_exit_code() -> None:
    text = " ".join(kilofield("compress", "--help").stdout.replace("│", " ").split())
    assert "--target-psnr" in text
    assert "exit code is 3" in text


def test_of_files_as_small_the_better_is_taken() -> None:
    """A scene that fits whole has one size: then a probe of few steps may be a byte smaller than the full fit."""
    attempts = [
        Attempt(b, Trial(name, 100, b, psnr), 0.9, sample_neural())
        for name, b, psnr in (("probe 1", 5_940, 34.4), ("run 1", 5_943, 37.3), ("run 2", 9_000, 39.0))
    ]
    assert best_of(31.0, attempts).best.trial.name == "run 1"
    assert best_of(38.0, attempts).best.trial.name == "run 2"
    assert not best_of(40.0, attempts).reached
