"""From light to the numbers of a display."""

from __future__ import annotations

import numpy as np
import pytest

from renderer.context import create_context
from renderer.path_display import PathDisplay
from renderer.tone_mapping import AGX_CURVE, AGX_INPUT, tone_mapped
from scenes.scene_file import TONE_MAPPINGS
from scenes.triangle_mesh import linear_of_srgb


def test_linear_is_srgb_s_curve() -> None:
    shown = np.linspace(0, 1, 11).reshape(-1, 1).repeat(3, axis=1)
    np.testing.assert_allclose(tone_mapped(linear_of_srgb(shown)), shown, atol=1e-6)
    np.testing.assert_allclose(tone_mapped(np.array([0.25, 0.25, 0.25]), exposure=2.0), 1)


@pytest.mark.parametrize("mapping", TONE_MAPPINGS)
def test_more_light_is_brighter_and_grey_stays_grey(mapping: str) -> None:
    light = (2.0 ** np.linspace(-6, 5, 60))[:, None].repeat(3, axis=1)
    found = tone_mapped(light, mapping)  # pyright: ignore[reportArgumentType]
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found[:, 0]) >= 0).all()
    assert np.ptp(found, axis=1).max() < 0.01
    assert found[0, 0] < 0.2
    assert found[-1, 0] > 0.9
    assert (tone_mapped(np.zeros(3), mapping) < 0.01).all()  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("mapping", TONE_MAPPINGS)
def test_the_shader_shows_the_same_upright(mapping: str) -> None:
    context = create_context()
    light = (10 ** np.random.default_rng(0).uniform(-4, 2, (5, 7, 4))).astype(np.float32)
    light[0, 0] = 0
    texture = context.texture((7, 5), 4, light.tobytes(), dtype="f4")
    target = context.simple_framebuffer((12, 9), 4, dtype="f4")
    target.viewport = 3, 2, 7, 5
    PathDisplay(context).draw(texture, target, mapping, -0.7)  # pyright: ignore[reportArgumentType]
    seen = np.frombuffer(target.read((3, 2, 7, 5), 4, dtype="f4"), np.float32).reshape(5, 7, 4)[::-1]
    expected = tone_mapped(light[..., :3], mapping, -0.7)  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(seen[..., :3], expected, atol=2e-4)
    assert (seen[..., 3] == 1).all()


def test_known_greys() -> None:
    """ACES brings 18 % grey to about 10 % in Hill's fit; AgX to the middle of the display's numbers."""
    grey = np.full(3, 0.18)
    assert linear_of_srgb(tone_mapped(grey, "aces").astype(np.float64))[0] == pytest.approx(0.106, abs=0.01)
    assert tone_mapped(grey, "agx")[0] == pytest.approx(0.5, abs=0.02)


def test_agx_turns_bright_colours_towards_white() -> None:
    """A saturated light loses its colour as it gets brighter, and its matrix keeps grey."""
    red = [tone_mapped(np.array([stop, 0.02 * stop, 0.02 * stop]), "agx") for stop in (0.5, 8.0, 200.0)]
    spread = [float(np.ptp(colour)) for colour in red]
    assert spread[0] > spread[2]
    np.testing.assert_allclose(AGX_INPUT.sum(axis=1), 1, atol=2e-3)
    assert np.polynomial.polynomial.polyval(1.0, AGX_CURVE) == pytest.approx(1, abs=0.01)
