"""Generates the GLSL that is particular to one bank shape; `shaders/bank_network.glsl` is what all shapes share.

Offsets come from `BankShape.blocks()`, the declaration numpy and torch read too.
"""

from __future__ import annotations

from collections.abc import Sequence

from scenes.bank import MODULATION_GAIN, NORM_EPSILON, SINE_FREQUENCY, BankShape

SHARED_BYTES = 32768  # the least shared memory OpenGL 4.3 guarantees a workgroup

_ACTIVATIONS = {
    "tanh": "tanh(x)",
    "relu": "max(x, 0.0)",
    "softplus": "max(x, 0.0) + log(1.0 + exp(-abs(x)))",
    "sine": f"bank_sine({SINE_FREQUENCY!r} * x)",
}
_OUTPUT_ACTIVATIONS = {"none": "x", "tanh": "tanh(x)"}


def bank_defines(shape: BankShape) -> dict[str, int]:
    """Array sizes and offsets; an array that would be empty gets one element."""
    defines = {
        "BANK_PARAMETERS": shape.parameters,
        "BANK_VALUES": max(shape.inputs, shape.width),
        "BANK_NEXT": max(shape.width, 1),
        "BANK_CODES": max(shape.code, 1),
        "BANK_OUTPUTS": shape.outputs,
        "BANK_SHARED": int(4 * (shape.parameters + 3) <= SHARED_BYTES),
    }
    return defines | {f"BANK_{block.name.upper()}": block.offset for block in shape.blocks()}


def bank_uniforms(shape: BankShape) -> dict[str, int | tuple[int, ...]]:
    """The loop bounds, which must not be constants (see `shaders/bank_network.glsl`)."""
    return {
        "bank_width": shape.width,
        "bank_code": shape.code,
        "bank_frequencies": len(shape.frequencies),
        "bank_output_count": shape.outputs,
        "bank_layers": shape.layers,
        "bank_modulation": shape.modulation or (0, 0, 0),
    }


def loop_iterations(shape: BankShape) -> int:
    """About how often a thread goes round the loops of `shaders/bank_network.glsl` for one point, at most."""
    fan_in, hidden = shape.inputs, 0
    for _ in range(shape.layers):
        hidden += shape.width // 4 * (fan_in + 5) + shape.width
        hidden += (3 * shape.width + 8) * bool(shape.modulation)
        fan_in = shape.width
    per_four = shape.width * bool(shape.layers) + shape.code * shape.linear + 5
    return hidden + -(-shape.outputs // 4) * per_four + 7 * len(shape.frequencies) + 2 * shape.code + 8


def bank_glsl(shape: BankShape) -> str:
    """The chunk `bank.glsl`: frequencies, activations, and where the hidden layers and their modulations lie."""
    matrices = [b for b in shape.blocks() if b.name.startswith("hidden") and not b.name.endswith("bias")]
    grids = [b for b in shape.blocks() if b.name.startswith("modulation")]
    return f"""\
{_table("float", "bank_frequency", [float(f) for f in shape.frequencies])}
{_table("int", "bank_matrix", [block.offset for block in matrices])}
{_table("int", "bank_rows", [block.rows for block in matrices])}
{_table("int", "bank_grid", [block.offset for block in grids])}
const float MODULATION_GAIN = {MODULATION_GAIN!r};
const float NORM_EPSILON = {NORM_EPSILON!r};
float bank_activate(float x) {{ return {_ACTIVATIONS[shape.activation]}; }}
float bank_activate_output(float x) {{ return {_OUTPUT_ACTIVATIONS[shape.output_activation]}; }}
"""


def _table(kind: str, name: str, values: Sequence[float]) -> str:
    """A constant array and the function that reads it; never an empty array, which GLSL has not."""
    items = ", ".join(map(repr, values)) or "0"
    size = max(len(values), 1)
    return f"""\
const {kind} {name.upper()}_TABLE[{size}] = {kind}[{size}]({items});
{kind} {name}(int i) {{ return {name.upper()}_TABLE[i]; }}"""
