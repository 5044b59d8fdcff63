"""The fast evaluation of a bank against the slow one, and scenes decoded with it on several threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scenes import cores
from scenes.bank import BankShape, MlpBank
from scenes.fast_bank import BLOCK, TILE, evaluate_network
from scenes.neural_gaussians import AttributeLayout, NeuralGaussians, rotations_from_vectors

SHAPES = {
    "balanced": BankShape((np.pi, 2 * np.pi), 12, 24, 1, 34),
    "linear path alone": BankShape((), 10, 0, 0, 10),
    "no code": BankShape((1.0, 2.0, 4.0), 0, 16, 3, 10, linear=False, activation="sine"),
    "code without linear path": BankShape((np.pi,), 5, 8, 2, 10, linear=False, activation="relu"),
    "modulated": BankShape((np.pi,), 6, 12, 2, 19, activation="softplus", modulation=(3, 1, 4)),
    "tanh outputs": BankShape((), 4, 8, 1, 10, output_activation="tanh"),
}


def _bank(shape: BankShape, networks: int) -> MlpBank:
    return MlpBank(shape, np.random.default_rng(0).normal(0, 0.4, (networks, shape.parameters)).astype(np.float32))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("count", [0, 1, TILE, TILE + 3, 1500])
def test_one_network_is_the_slow_banks(name: str, count: int) -> None:
    shape, rng = SHAPES[name], np.random.default_rng(count)
    local = rng.uniform(-1.2, 1.2, (count, 3)).astype(np.float32)
    codes = rng.integers(-40, 40, (count, shape.code)).astype(np.int16)
    bank = _bank(shape, 2)
    expected = bank.evaluate(np.ones(count, int), local, codes.astype(np.float32))
    np.testing.assert_allclose(evaluate_network(bank, 1, local, codes), expected, rtol=1e-5, atol=1e-5)


def _scene(counts: list[int]) -> NeuralGaussians:
    rng, count, shape = np.random.default_rng(3), sum(counts), replace(SHAPES["balanced"], outputs=34)
    return NeuralGaussians(
        positions=rng.normal(0, 3, (count, 3)).astype(np.float32),
        codes=rng.integers(-30, 30, (count, shape.code)).astype(np.int16),
        counts=np.array(counts),
        boxes=rng.uniform(0.5, 4, (len(counts), 2, 3)).astype(np.float32),
        bank=_bank(shape, len(counts)),
        output_offset=rng.normal(size=34).astype(np.float32),
        output_scale=rng.uniform(0.1, 1, 34).astype(np.float32),
        sh_degree=2,
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_scenes_decode_as_the_slow_bank_says(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "available_cores", lambda: threads)
    scene, layout = _scene([700, 0, 1, 2 * BLOCK + 5, *[300] * cores.FEWEST, 0]), AttributeLayout(2)
    raw = scene.bank.evaluate(scene.clusters, scene.local_positions(), scene.codes.astype(np.float32))
    outputs, decoded = (scene.output_offset + scene.output_scale * raw).astype(np.float32), scene.decode()
    assert decoded.positions is scene.positions
    for found, expected in (
        (decoded.log_scales, outputs[:, layout.log_scale]),
        (decoded.rotations, rotations_from_vectors(outputs[:, layout.rotation])),
        (decoded.opacity_logits, outputs[:, 0]),
        (decoded.sh, outputs[:, layout.sh].reshape(-1, 9, 3)),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_scene_without_gaussians_decodes() -> None:
    decoded = _scene([0, 0]).decode()
    assert len(decoded) == 0
    assert decoded.sh.shape == (0, 9, 3)


def test_rotations_are_unit_quaternions_of_the_vectors() -> None:
    vectors = np.random.default_rng(5).normal(0, 2, (50, 3)).astype(np.float32)
    found = rotations_from_vectors(vectors)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found[:, 1:] / found[:, :1], vectors, rtol=1e-5)


@pytest.mark.parametrize("count", [0, 1, cores.FEWEST, 100])
def test_each_item_is_worked_on_once_and_errors_come_out(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "available_cores", lambda: 4)
    seen = np.zeros(count, int)

    def work(item: int) -> None:
        seen[item] += 1
        if item == 70:
            raise ValueError("seventy")

    if count > 70:
        with pytest.raises(ValueError, match="seventy"):
            cores.for_each(work, range(count))
    else:
        cores.for_each(work, range(count))
        assert seen.tolist() == [1] * count
