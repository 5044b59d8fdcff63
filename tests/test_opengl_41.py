"""The renderer where OpenGL has no compute shaders: Mesa says it is 4.1, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gaussian_samples import cameras, random_gaussians, random_neural

from renderer.context import create_context
from renderer.gaussian_renderer import GaussianRenderer
from renderer.metrics import psnr
from renderer.settings import VIEWS, RenderSettings
from scenes.bank import BankShape
from scenes.cameras import Camera
from scenes.gaussians import Gaussians
from scenes.neural_gaussians import NeuralGaussians

SIZE = 160, 120
PANORAMA = replace(cameras()[1], projection="equirectangular")
PARALLEL = replace(cameras()[0], projection="orthographic", view_height=4.0)
CAMERAS = {"pinhole": cameras()[0], "orthographic": PARALLEL, "equirectangular": PANORAMA}


def plain() -> Gaussians:
    return random_gaussians(500, 3, 3, antialiased=True)


def neural() -> NeuralGaussians:
    return random_neural(BankShape((1.0, 2.0), 8, 32, 2, 34), 5, 600, 2, 0)


def pictures(renderer: GaussianRenderer) -> dict[str, np.ndarray]:
    """What is compared, by name."""
    found = {}
    for name, scene in (("plain", plain()), ("neural", neural())):
        renderer.load(scene)
        for view in VIEWS:
            settings = RenderSettings(view=view, depth_range=(1, 9), overdraw_range=40, background=(0.2, 0.5, 0.9))
            found[f"{name} {view}"] = renderer.render(cameras()[0], *SIZE, settings)
        for kind, camera in CAMERAS.items():
            found[f"{name} {kind}"] = renderer.render(camera, *SIZE)
    renderer.load(plain())
    renderer.overdraw_budget = 2e5
    found["capped"] = renderer.render(close_up(), *SIZE)
    assert renderer.facts.capped > 0
    return found


def close_up() -> Camera:
    return cameras()[1]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Pictures of a process whose OpenGL is 4.1."""
    file = tmp_path_factory.mktemp("opengl") / "pictures.npz"
    environment = os.environ | {"MESA_GL_VERSION_OVERRIDE": "4.1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, __file__, file], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(np.load(file))


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    return pictures(GaussianRenderer(create_context(), "quads"))


NAMES = [f"{scene} {shown}" for scene in ("plain", "neural") for shown in (*VIEWS, *CAMERAS)]


@pytest.mark.parametrize("name", [*NAMES, "capped"])
def test_the_picture_is_that_of_compute_shaders(
    drawn: dict[str, np.ndarray], expected: dict[str, np.ndarray], name: str
) -> None:
    assert psnr(drawn[name], expected[name]) > 50
    assert expected[name].std() > 0.02


def main() -> None:
    context = create_context()
    assert context.version_code == 410, context.version_code
    np.savez(sys.argv[1], allow_pickle=False, **pictures(GaussianRenderer(context)))


if __name__ == "__main__":
    main()
