"""Generates the GLSL that is particular to one bank shape; `shaders/bank_network.glsl` is what all shapes share.

Offsets come from `BankShape.blocks()`, the declaration numpy and torch read too.
"""

from __future__ import annotations

from scenes.bank import SINE_FREQUENCY, BankShape

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
        "BANK_VALUES": max(-(-shape.inputs // 4) * 4, shape.width),
        "BANK_NEXT": max(shape.width, 1),
        "BANK_CODES": max(shape.code, 1),
        "BANK_OUTPUTS": shape.outputs,
        "BANK_SHARED": int(4 * shape.parameters <= SHARED_BYTES),
    }
    return defines | {f"BANK_{block.name.upper()}": block.offset for block in shape.blocks()}


def bank_uniforms(shape: BankShape) -> dict[str, int]:
    """The loop bounds, which must not be constants (see `shaders/bank_network.glsl`)."""
    return {
        "bank_width": shape.width,
        "bank_code": shape.code,
        "bank_frequencies": len(shape.frequencies),
        "bank_output_count": shape.outputs,
        "bank_input_count": shape.inputs,
    }


def loop_iterations(shape: BankShape) -> int:
    """About how often a thread goes round the loops of `shaders/bank_network.glsl` for one point, at most."""
    fan_in, hidden = shape.inputs, 0
    for _ in range(shape.layers):
        hidden += shape.width // 4 * (-(-fan_in // 4) + 10) + 8
        fan_in = shape.width
    per_output = (shape.width // 4) * 5 * bool(shape.layers) + shape.code * shape.linear + 4
    return hidden + shape.outputs * per_output + 7 * len(shape.frequencies) + 2 * shape.code + 8


def bank_glsl(shape: BankShape) -> str:
    """The chunk `bank.glsl`: frequencies, activations and the hidden layers, one call each."""
    count = max(len(shape.frequencies), 1)
    frequencies = ", ".join(repr(float(f)) for f in shape.frequencies) or "0.0"
    rows = ["bank_input_count", *["bank_width"] * shape.layers]
    layers = "\n".join(
        f"    bank_hidden(BANK_HIDDEN{layer}, BANK_HIDDEN{layer}_BIAS, {rows[layer]});" for layer in range(shape.layers)
    )
    return f"""\
uniform int bank_input_count;
const float BANK_FREQUENCIES[{count}] = float[{count}]({frequencies});
float bank_frequency(int i) {{ return BANK_FREQUENCIES[i]; }}
float bank_activate(float x) {{ return {_ACTIVATIONS[shape.activation]}; }}
float bank_activate_output(float x) {{ return {_OUTPUT_ACTIVATIONS[shape.output_activation]}; }}
void bank_hidden(int matrix, int bias, int rows);
void bank_hidden_layers() {{
{layers}
}}
"""
