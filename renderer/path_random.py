"""The random numbers of the path tracer, in numpy: the twin of `shaders/path_random.glsl`, bit by bit.

Numbers come in pairs. A pixel's pair of a dimension, over its samples, is Sobol's first two dimensions with Owen's
scrambling: strata of the unit square are hit evenly by any power of two of samples, whichever pair, and pairs and
pixels know nothing of each other. Scrambling is by hashing: B. Burley, "Practical Hash-based Owen Scrambling", JCGT
9(4), 2020, with the constants of N. Vegdahl, "Owen scrambling by hash, revisited", 2021. With `independent` pairs are
hashes of sample and dimension: plain Monte Carlo, of which the variance is that of one sample over their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Uints = NDArray[np.uint32]
Doubles = NDArray[np.float64]

# Dimensions: pairs that a path takes. The first is where in the pixel; then PAIRS for each of its vertices
PAIR_PIXEL = 0
PAIR_FIRST = 1
PAIRS = 4
PAIR_CHOICES = 0  # which light; whether the path goes on
PAIR_LIGHT = 1  # where on it
PAIR_SCATTER = 2  # which way
PAIR_LOBE = 3  # reflected or let through; nothing


class Pair(NamedTuple):
    """Two numbers [N] in [0, 1), multiples of 2^-24."""

    x: Doubles
    y: Doubles


@dataclass(frozen=True)
class Sampler:
    """The numbers of some pixels in their sample `index`."""

    seeds: Uints  # [N] a pixel
    index: int
    independent: bool = False

    def pair(self, dimension: int, rows: NDArray[np.integer] | slice = slice(None)) -> Pair:
        """The numbers of `dimension`, of the pixels `rows`."""
        seed = combined(self.seeds[rows], dimension)
        index = np.full_like(seed, self.index)
        if self.independent:
            place = combined(seed, self.index)
            return Pair(_unit(combined(place, 0)), _unit(combined(place, 1)))
        index = scrambled(index, seed)
        x, y = reversed_bits(index), sobol_1(index)
        return Pair(_unit(scrambled(x, combined(seed, 1))), _unit(scrambled(y, combined(seed, 2))))


def pixel_seeds(pixels: NDArray[np.integer], seed: int) -> Uints:
    """[N] of the pixels' numbers, rows first."""
    return combined(hashed(pixels.astype(np.uint32)), seed)


def hashed(x: Uints) -> Uints:
    """C. Wellons' lowbias32."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def combined(seed: Uints, value: int) -> Uints:
    """A seed of a seed and a number."""
    return hashed(seed + np.uint32(0x9E3779B9 * (value + 1) & 0xFFFFFFFF))


def scrambled(x: Uints, seed: Uints) -> Uints:
    """Owen's nested uniform scrambling: every bit may be turned over, as the higher ones say."""
    x = reversed_bits(x)
    x = x ^ (x * np.uint32(0x3D20ADEA))
    x = x + seed
    x = x * ((seed >> np.uint32(16)) | np.uint32(1))
    x = x ^ (x * np.uint32(0x05526C56))
    x = x ^ (x * np.uint32(0x53A22864))
    return reversed_bits(x)


def reversed_bits(x: Uints) -> Uints:
    """The lowest bit becomes the highest; also Sobol's first dimension."""
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF)):
        x = ((x >> np.uint32(shift)) & np.uint32(mask)) | ((x & np.uint32(mask)) << np.uint32(shift))
    return (x >> np.uint32(16)) | (x << np.uint32(16))


def sobol_1(index: Uints) -> Uints:
    """Sobol's second dimension, whose matrix is Pascal's triangle modulo 2."""
    result, column = np.zeros_like(index), 1 << 31
    for bit in range(32):
        result ^= ((index >> np.uint32(bit)) & np.uint32(1)) * np.uint32(column)
        column ^= column >> 1
    return result


def _unit(x: Uints) -> Doubles:
    return (x >> np.uint32(8)).astype(np.float64) * 2.0**-24
