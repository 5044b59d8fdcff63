"""How light is scattered, in numpy: the twin of `shaders/path_materials.glsl`.

Directions point away from the surface: `seen` to where the path came from, `lit` to where the light comes from. Diffuse
and metal are the same on both sides; their normals are turned to `seen` first. Sources: GGX with Smith's
height-correlated shadowing as in Heitz, "Understanding the Masking-Shadowing Function", JCGT 3(2), 2014; its visible
normals are drawn as in Dupuy and Benyoub, "Sampling Visible GGX Normals with Spherical Caps", 2023; Schlick's Fresnel
term for metal, Fresnel's own equations for glass.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from renderer.path_environment import basis
from renderer.path_random import Pair

Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Scattered(NamedTuple):
    """Where paths go on."""

    directions: Doubles  # [N, 3] unit
    weights: Doubles  # [N, 3] of the light from there: scattering times cosine over density
    densities: Doubles  # [N] with which they were drawn, a solid angle; 0: there was no choice
    alive: Bools  # [N]


def diffuse_light(albedo: Doubles, normals: Doubles, lit: Doubles) -> tuple[Doubles, Doubles]:
    """[N, 3] scattering times cosine, and [N] the density with which `diffuse_scatter` draws `lit`."""
    density = np.maximum((normals * lit).sum(axis=1), 0) / np.pi
    return albedo * density[:, None], density


def diffuse_scatter(albedo: Doubles, normals: Doubles, pair: Pair) -> Scattered:
    """In proportion to the cosine."""
    radius, angle = np.sqrt(pair.x), 2 * np.pi * pair.y
    height = np.sqrt(np.maximum(1 - pair.x, 0))
    first, second = basis(normals)
    directions = (radius * np.cos(angle))[:, None] * first + (radius * np.sin(angle))[:, None] * second
    directions = directions + height[:, None] * normals
    return Scattered(directions, albedo.copy(), height / np.pi, height > 0)


def metal_light(
    colour: Doubles, alpha: Doubles, normals: Doubles, seen: Doubles, lit: Doubles
) -> tuple[Doubles, Doubles]:
    """The same for rough metal, `alpha` [N] above 0."""
    cos_seen, cos_lit = ((normals * d).sum(axis=1) for d in (seen, lit))
    half = seen + lit
    half = half / np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-12)
    facets = _facets(alpha, (normals * half).sum(axis=1))
    both, one = _shadowing(alpha, np.maximum(cos_seen, 1e-6), np.maximum(cos_lit, 1e-6))
    scale = np.where((cos_seen > 0) & (cos_lit > 0), facets / (4 * np.maximum(cos_seen, 1e-6)), 0)
    return schlick(colour, (seen * half).sum(axis=1)) * (scale * both)[:, None], scale * one


def metal_scatter(colour: Doubles, alpha: Doubles, normals: Doubles, seen: Doubles, pair: Pair) -> Scattered:
    """By the normals of the facets that are seen; by the one normal where `alpha` is 0."""
    first, second = basis(normals)
    local = np.stack([(seen * axis).sum(axis=1) for axis in (first, second, normals)], axis=1)
    facet = _visible_facet(alpha, local, pair)
    facet = np.where((alpha > 0)[:, None], facet, np.array([0.0, 0.0, 1.0]))
    cosine = (local * facet).sum(axis=1)
    lit = 2 * cosine[:, None] * facet - local
    both, one = _shadowing(alpha, np.maximum(local[:, 2], 1e-6), np.maximum(lit[:, 2], 1e-6))
    rough = alpha > 0
    weights = schlick(colour, cosine) * np.where(rough, both / one, 1)[:, None]
    density = _facets(np.where(rough, alpha, 1), facet[:, 2]) * one / (4 * np.maximum(local[:, 2], 1e-6))
    directions = lit[:, :1] * first + lit[:, 1:2] * second + lit[:, 2:] * normals
    return Scattered(directions, weights, np.where(rough, density, 0), (lit[:, 2] > 0) & (local[:, 2] > 0))


def glass_scatter(tint: Doubles, ior: Doubles, normals: Doubles, seen: Doubles, chance: Doubles) -> Scattered:
    """Reflected or let through, as `chance` [N] says; `normals` out of the glass.

    That light is squeezed into a smaller cone inside cancels for paths that come out again, and is left out.
    """
    cosine = (normals * seen).sum(axis=1)
    entering = cosine > 0
    ratio = np.where(entering, 1 / ior, ior)  # of where it is to where it goes
    towards = np.where(entering[:, None], normals, -normals)
    cosine = np.abs(cosine)
    reflectance, inner = fresnel(ratio, cosine)
    reflected = chance < reflectance
    mirror = 2 * cosine[:, None] * towards - seen
    through = -ratio[:, None] * seen + (ratio * cosine - inner)[:, None] * towards
    directions = np.where(reflected[:, None], mirror, through)
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    weights = np.where(reflected[:, None], 1.0, tint)
    return Scattered(directions, weights, np.zeros(len(chance)), np.ones(len(chance), np.bool_))


def fresnel(ratio: Doubles, cosine: Doubles) -> tuple[Doubles, Doubles]:
    """[N] share of light that is reflected, 1 where all is, and the cosine on the other side.

    `ratio`: index of refraction on this side over that on the other.
    """
    square = 1 - ratio * ratio * (1 - cosine * cosine)
    inner = np.sqrt(np.maximum(square, 0))
    across = (ratio * cosine - inner) / (ratio * cosine + inner)
    along = (cosine - ratio * inner) / (cosine + ratio * inner)
    return np.where(square > 0, 0.5 * (across * across + along * along), 1), inner


def schlick(colour: Doubles, cosine: Doubles) -> Doubles:
    """[N, 3] reflectance of metal."""
    return colour + (1 - colour) * (np.maximum(1 - cosine, 0) ** 5)[:, None]


def _facets(alpha: Doubles, cosine: Doubles) -> Doubles:
    """D: the density of facets by the cosine of their normal."""
    square = alpha * alpha
    low = cosine * cosine * (square - 1) + 1
    return np.where(cosine > 0, square / (np.pi * low * low), 0)


def _shadowing(alpha: Doubles, cos_seen: Doubles, cos_lit: Doubles) -> tuple[Doubles, Doubles]:
    """G2 and G1 of `seen`."""
    square = alpha * alpha
    root_seen, root_lit = (np.sqrt(square + (1 - square) * c * c) for c in (cos_seen, cos_lit))
    both = 2 * cos_seen * cos_lit / (cos_seen * root_lit + cos_lit * root_seen)
    return both, 2 * cos_seen / (cos_seen + root_seen)


def _visible_facet(alpha: Doubles, local: Doubles, pair: Pair) -> Doubles:
    stretched = local * np.stack([alpha, alpha, np.ones_like(alpha)], axis=1)
    stretched = stretched / np.linalg.norm(stretched, axis=1, keepdims=True)
    z = (1 - pair.y) * (1 + stretched[:, 2]) - stretched[:, 2]
    sine, angle = np.sqrt(np.clip(1 - z * z, 0, 1)), 2 * np.pi * pair.x
    cap = np.stack([sine * np.cos(angle), sine * np.sin(angle), z], axis=1) + stretched
    facet = cap * np.stack([alpha, alpha, np.ones_like(alpha)], axis=1)
    return facet / np.maximum(np.linalg.norm(facet, axis=1, keepdims=True), 1e-12)
