"""What the writers of all kinds of .kilo share: arrays in a form the file holds exactly, and their places in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes import rans
from scenes.bank import BankShape
from scenes.gaussians import Floats
from scenes.kilo_container import HEADER, aligned, build
from scenes.kilo_streams import Packed


def columns_of_weights(shape: BankShape) -> NDArray[np.int64]:
    """[P] the block each weight of a network belongs to."""
    blocks = shape.blocks()
    return np.repeat(np.arange(len(blocks)), [block.rows * block.columns for block in blocks])


def halves(values: Floats, what: str) -> NDArray[np.float16]:
    """`values` as half floats; `ValueError` about `what` where one is too large."""
    with np.errstate(over="ignore"):
        found = values.astype(np.float16)
    if not np.isfinite(found).all():
        raise ValueError(f"{what}: expected values a half float can hold")
    return found


def shape_to_json(shape: BankShape) -> dict[str, Any]:
    """As the manifest has it: what is new since the first files only where it is used."""
    keys = asdict(shape) | {"frequencies": [float(f) for f in shape.frequencies]}
    sides = keys.pop("modulation")
    return keys | {"modulation": list(sides)} if sides else keys


def bounds_of(positions: Floats) -> list[list[float]]:
    """A box around `positions` in few digits, rounded outwards."""
    if not len(positions):
        return [[0, 0, 0], [0, 0, 0]]
    low, high = positions.min(axis=0).astype(np.float64), positions.max(axis=0).astype(np.float64)
    digits = 3 - int(np.floor(np.log10(max((high - low).max(), np.abs(positions).max() * 1e-6, 1e-30))))
    unit = 10.0**-digits
    return [
        [round(float(v), digits) for v in np.floor(low / unit - 1e-3) * unit],
        [round(float(v), digits) for v in np.ceil(high / unit + 1e-3) * unit],
    ]


class StreamPlacer:
    """Places streams one behind another, and remembers what each is for."""

    def __init__(self) -> None:
        self._placed: list[tuple[str, Packed]] = []
        self._end = 0

    def place(self, purpose: str, packed: Packed) -> dict[str, Any]:
        """What the manifest says about `packed`, which is now the last stream."""
        offset = aligned(self._end)
        self._end = offset + len(packed.data)
        self._placed.append((purpose, packed))
        return packed.placed(offset).to_json()

    def build(self, manifest: dict[str, Any]) -> bytes:
        """The file made of `manifest` and of all streams."""
        return build(manifest, [packed.data for _, packed in self._placed])

    def sizes(self, data: bytes, purposes: Sequence[str]) -> dict[str, int]:
        """The bytes of the file `data` by purpose; what is for none of `purposes`, and padding, is `other`.

        The rANS tables of `purposes` are counted as `tables` instead.
        """
        size = dict.fromkeys((*purposes, "tables"), 0)
        for purpose, packed in self._placed:
            if purpose in purposes:
                head = rans.tables_size(packed.data) if packed.codec == "rans" else 0
                size["tables"] += head
                size[purpose] += len(packed.data) - head
        manifest = HEADER.size + int.from_bytes(data[8:12], "little")
        other = len(data) - manifest - sum(size.values())
        return size | {"manifest": manifest, "other": other, "total": len(data)}
