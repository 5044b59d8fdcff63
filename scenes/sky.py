"""A clear sky with a sun: a few formulas that look right from noon to sunset, and no physics of the air.

With mu the sine of a direction's elevation, s that of the sun's, and g the cosine of the angle between the two:

    T = exp(-B / (max(s, 0) + 0.12))                   what the air leaves of the sun's light; red lasts longest
    day = smooth step of s from -0.2 to 0.2
    sky = day (Z + (H T^(1/4) - Z) (1 - mu)^5)         from the zenith's blue to the horizon's white
          + 0.034 T (1 - k^2) / (1 + k^2 - 2 k g)^(3/2) the glow around the sun (Henyey and Greenstein 1941, k = 0.75)
    ground = albedo / pi (E_sky + s E_sun)             below the horizon, blended over 0.02 of mu

Z, H and B are the constants below, E_sky the irradiance of the sky on a level plane, E_sun = 5 T that of the sun on a
plane that faces it. The sun is a disc of even radiance E_sun / (pi sin^2 of its half angle), and sets with its middle.
`sky` and `sun` of the scene file multiply the two.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scenes.gaussians import Floats
from scenes.scene_file import Sky, Vector

Doubles = NDArray[np.float64]

ZENITH = np.array([0.067, 0.134, 0.302])
HORIZON = np.array([0.315, 0.361, 0.42])
EXTINCTION = np.array([0.06, 0.12, 0.26])
SUN_IRRADIANCE = 5.0  # a white plane under the sun at noon then sends out 1.6, which an exposure of 0 suits
GLOW, GLOW_FORWARD = 0.034, 0.75
AIR_AT_HORIZON = 0.12
HORIZON_WIDTH = 0.02
SIZE = 512, 256  # of the picture the sky is baked into


def world_frame(up: Vector, turn_degrees: float = 0.0) -> Doubles:
    """[3, 3] rows: an environment's right, up and front in the world.

    Front is +y made level, or +z where up is within 25 degrees of y; then turned about up, counter-clockwise seen from
    above.
    """
    vertical = np.array(up) / np.linalg.norm(up)
    front = np.array([0.0, 0.0, 1.0] if abs(vertical[1]) > 0.9 else [0.0, 1.0, 0.0])
    front -= (front @ vertical) * vertical
    front /= np.linalg.norm(front)
    right = np.cross(front, vertical)
    angle = math.radians(turn_degrees)
    turned = math.cos(angle) * front - math.sin(angle) * right
    return np.stack([np.cross(turned, vertical), vertical, turned])


def directions_of(width: int, height: int) -> Doubles:
    """[H, W, 3] unit directions in an environment's frame (right, up, front) of the middles of an equirectangular
    picture's pixels: front in its middle, right to the right, up on top."""
    longitude = ((np.arange(width) + 0.5) / width - 0.5) * 2 * np.pi
    polar = (np.arange(height) + 0.5) / height * np.pi
    sine = np.sin(polar)[:, None]
    up = np.broadcast_to(np.cos(polar)[:, None], (height, width))
    return np.stack([sine * np.sin(longitude), up, sine * np.cos(longitude)], axis=-1)


def transmission(sky: Sky, up: Vector) -> Doubles:
    """[3] T above."""
    return np.exp(-EXTINCTION / (max(_sine(sky, up), 0.0) + AIR_AT_HORIZON))


def sun_irradiance(sky: Sky, up: Vector) -> Doubles:
    """[3] on a plane that faces the sun; 0 after sunset."""
    above = _sine(sky, up) > 0
    return above * sky.sun * SUN_IRRADIANCE * transmission(sky, up)


def sky_picture(sky: Sky, up: Vector) -> Floats:
    """[H, W, 3] radiance of sky and ground without the sun, equirectangular, in `world_frame(up)`."""
    directions = directions_of(*SIZE)
    mu = directions[..., 1:2]
    light = sky.sky * _above(sky, up, directions)
    ground = np.array(sky.ground) / np.pi * (_level_irradiance(light, directions) + _sun_on_level(sky, up))
    share = np.clip(mu / HORIZON_WIDTH + 0.5, 0, 1)
    return (share * light + (1 - share) * ground).astype(np.float32)


def _above(sky: Sky, up: Vector, directions: Doubles) -> Doubles:
    sine, air = _sine(sky, up), transmission(sky, up)
    t = np.clip((sine + 0.2) / 0.4, 0, 1)
    day = t * t * (3 - 2 * t)
    mu = np.maximum(directions[..., 1:2], 0)
    gradient = ZENITH + (HORIZON * air**0.25 - ZENITH) * (1 - mu) ** 5
    towards = world_frame(up) @ (np.array(sky.sun_direction) / np.linalg.norm(sky.sun_direction))
    cosine = (directions @ towards)[..., None]
    k = GLOW_FORWARD
    glow = GLOW * air * (1 - k * k) / (1 + k * k - 2 * k * cosine) ** 1.5
    return day * (gradient + glow)


def _level_irradiance(light: Doubles, directions: Doubles) -> Doubles:
    """[3] of what is above the horizon."""
    height, width = light.shape[:2]
    mu = np.maximum(directions[..., 1], 0)
    sine = np.sqrt(1 - np.square(directions[..., 1]))
    return np.einsum("hwc,hw->c", light, mu * sine) * 2 * np.pi**2 / (width * height)


def _sun_on_level(sky: Sky, up: Vector) -> Doubles:
    return max(_sine(sky, up), 0.0) * sun_irradiance(sky, up)


def _sine(sky: Sky, up: Vector) -> float:
    """Of the sun's elevation."""
    return float(np.dot(sky.sun_direction, up) / (np.linalg.norm(sky.sun_direction) * np.linalg.norm(up)))
