"""Sizes in bytes, as they are counted and as they are printed; 1 KB is 1000 bytes."""

from __future__ import annotations

from scenes.gaussians import sh_count

PLAIN_NUMBERS = 14  # float32 a Gaussian in INRIA's .ply beside SH: position, normal, opacity, scale, rotation
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "KB"))


def plain_bytes(gaussians: int, sh_degree: int) -> int:
    """The bytes of as many Gaussians as float32 in INRIA's layout, without the header."""
    return 4 * gaussians * (PLAIN_NUMBERS + 3 * sh_count(sh_degree))


def readable_bytes(count: int) -> str:
    """A size as it is printed, to three figures: `532 bytes`, `81.2 KB`, `4.71 MB`."""
    if count < 1000:
        return f"{count} bytes"
    scaled, unit = next((count / size, unit) for size, unit in UNITS if count >= 0.9995 * size)
    decimals = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{decimals}f} {unit}"
