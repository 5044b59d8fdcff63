"""A bank whose numbers lie in fours, for shaders that read many networks: the layout of `shaders/bank_gradient.glsl`.

Everything below is counted in vec4. Inputs lie in groups of four: x y z 0; for each frequency the sines of x y z and a
0, the cosines and a 0; then the code, filled up with zeros. A network is, one after another:

- each hidden layer: for each four of its outputs, for each group of inputs, a 4x4 matrix as four vec4, the weights of
  one input to four outputs each; then the biases; then, with modulation, the grid, two points (g, b, g, b) a vec4
- for each output: its weights from the last hidden layer; its bias and zeros; with a linear path, its weights from the
  code
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import moderngl
import numpy as np

from renderer.video_memory import reserve_buffer
from scenes.bank import BankShape, MlpBank
from scenes.errors import KilofieldError
from scenes.gaussians import Floats


@dataclass(frozen=True)
class PackedShape:
    """Where everything of a network of `shape` lies; sizes and offsets in vec4."""

    shape: BankShape

    @property
    def width(self) -> int:
        """Of a hidden layer."""
        return self.shape.width // 4

    @property
    def code(self) -> int:
        """Groups of the code."""
        return -(-self.shape.code // 4)

    def rows(self, layer: int) -> int:
        """Groups of inputs of a hidden layer."""
        return self.width if layer else 1 + 2 * len(self.shape.frequencies) + self.code

    @cached_property
    def layers(self) -> list[tuple[int, int]]:
        """Offsets of each hidden layer's matrix and of its grid."""
        places, offset = [], 0
        for layer in range(self.shape.layers):
            grid = offset + self.width * (4 * self.rows(layer) + 1)
            places.append((offset, grid))
            offset = grid + self._grid
        return places

    @property
    def _grid(self) -> int:
        return -(-2 * math.prod(self.shape.modulation) // 4) if self.shape.modulation else 0

    @property
    def output(self) -> int:
        """Offset of the first output."""
        return self.layers[-1][1] + self._grid if self.layers else 0

    @property
    def output_stride(self) -> int:
        """From output to output."""
        return self.hidden + 1 + self.code * self.shape.linear

    @property
    def hidden(self) -> int:
        """Groups of the last hidden layer, none without layers."""
        return self.width * bool(self.shape.layers)

    @property
    def size(self) -> int:
        """Of a network."""
        return self.output + self.output_stride * self.shape.outputs

    @property
    def loop_iterations(self) -> int:
        """How often a thread goes round loops for the values at one point."""
        count = len(self.shape.frequencies) * 2 + 2 * self.code + 2
        for layer in range(self.shape.layers):
            count += self.width * (self.rows(layer) + 2) + 2 + (5 * self.width + 10) * bool(self.shape.modulation)
        return count + self.shape.outputs * (self.output_stride + 1)


def pack(bank: MlpBank) -> Floats:
    """[K, V, 4] the networks in the layout above."""
    layout = PackedShape(bank.shape)
    blocks = {b.name: bank.weights[:, b.offset : b.stop].reshape(-1, b.rows, b.columns) for b in bank.shape.blocks()}
    packed = np.zeros((len(bank), 4 * layout.size), np.float32)
    for layer, (matrix, grid) in enumerate(layout.layers):
        rows = np.zeros((len(bank), 4 * layout.rows(layer), bank.shape.width), np.float32)
        rows[:, _padded_inputs(bank.shape) if layer == 0 else slice(None)] = blocks[f"hidden{layer}"]
        fours = rows.reshape(len(bank), layout.rows(layer), 4, layout.width, 4).transpose(0, 3, 1, 2, 4)
        _put(packed, matrix, fours)
        _put(packed, grid - layout.width, blocks[f"hidden{layer}_bias"])
        if bank.shape.modulation:
            _put(packed, grid, blocks[f"modulation{layer}"])
    for output in range(bank.shape.outputs):
        at = layout.output + output * layout.output_stride
        if layout.hidden:
            _put(packed, at, blocks["output"][:, :, output])
        _put(packed, at + layout.hidden, blocks["output_bias"][:, :, output])
        if bank.shape.linear:
            _put(packed, at + layout.hidden + 1, blocks["linear"][:, :, output])
    return packed.reshape(len(bank), layout.size, 4)


def _put(packed: Floats, offset: int, values: Floats) -> None:
    count = math.prod(values.shape[1:])
    packed[:, 4 * offset : 4 * offset + count] = values.reshape(len(packed), count)


def _padded_inputs(shape: BankShape) -> list[int]:
    """Where each input of the first layer lies among those in groups."""
    triples = 1 + 2 * len(shape.frequencies)
    position = [4 * group + axis for group in range(triples) for axis in range(3)]
    return position + [4 * triples + c for c in range(shape.code)]


def upload(context: moderngl.Context, bank: MlpBank) -> moderngl.Buffer:
    """The networks, one after another. `KilofieldError` where they are more than the device can bind."""
    packed = pack(bank)
    limit = int(context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"])
    if packed.nbytes > limit:
        raise KilofieldError(
            f"surface: expected at most {limit:,} bytes of networks on this device, found {packed.nbytes:,}"
        )
    buffer = reserve_buffer(context, packed.nbytes, f"{len(bank):,} networks")
    buffer.write(packed.tobytes())
    return buffer
