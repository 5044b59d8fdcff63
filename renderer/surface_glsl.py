"""Generates the GLSL that is particular to one bank of a surface; `shaders/bank_gradient.glsl` is what all share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from renderer.packed_bank import PackedShape
from renderer.reference_views import SHADOW
from renderer.surface_settings import SURFACE_VIEWS
from renderer.surface_views import (
    AMBIENT,
    COST_COLOURS,
    LINE_WIDTH,
    SLICE_EMPTY,
    SLICE_INSIDE,
    SLICE_LINE,
    SLICE_NEAR,
    SLICE_OUTSIDE,
    SLICE_REACH,
    ZERO_WIDTH,
)
from scenes.bank import MODULATION_GAIN, NORM_EPSILON, SINE_FREQUENCY

Bounds = Mapping[str, "int | tuple[int, ...]"]

VIEW_NUMBERS = {f"SURFACE_{view.upper()}": i for i, view in enumerate(SURFACE_VIEWS)}

_ACTIVATIONS = {  # and its slope
    "tanh": ("tanh(x)", "1.0 - tanh(x) * tanh(x)"),
    "relu": ("max(x, 0.0)", "vec4(greaterThan(x, vec4(0.0)))"),
    "softplus": ("max(x, 0.0) + log(1.0 + exp(-abs(x)))", "0.5 + 0.5 * tanh(0.5 * x)"),
    "sine": (
        f"bank_sine({SINE_FREQUENCY!r} * x)",
        f"{SINE_FREQUENCY!r} * bank_sine({SINE_FREQUENCY!r} * x + QUARTER_TURN)",
    ),
}


def bank_defines(packed: PackedShape, gradient: bool) -> dict[str, int]:
    """Array sizes, offsets and switches; an array that would be empty gets one element."""
    shape = packed.shape
    return {
        "BANK_GRADIENT": int(gradient),
        "BANK_SIZE": packed.size,
        "BANK_VALUES": max(packed.rows(0), packed.width, 1),
        "BANK_NEXT": max(packed.width, 1),
        "BANK_CODES": max(packed.code, 1),
        "BANK_OUTPUTS": shape.outputs,
        "BANK_OUTPUT": packed.output,
        "BANK_OUTPUT_STRIDE": packed.output_stride,
        "BANK_OUTPUT_TANH": int(shape.output_activation == "tanh"),
        "BANK_LINEAR_PATH": int(shape.linear),
        "BANK_MODULATED": int(bool(shape.modulation)),
    }


def bank_bounds(packed: PackedShape, gradient: bool) -> Bounds:
    """Of the loops of `shaders/bank_gradient.glsl`: uniforms or constants."""
    shape = packed.shape
    return {
        "bank_layers": shape.layers,
        "bank_width": packed.width,
        "bank_hidden_width": packed.hidden,
        "bank_position_groups": 1 + 2 * len(shape.frequencies),
        "bank_code": packed.code,
        "bank_output_count": shape.outputs,
        "bank_modulation": shape.modulation or (0, 0, 0),
        "bank_corners": 8,
        "bank_channels": 4 if gradient else 1,
    }


def bank_chunk(packed: PackedShape, gradient: bool, uniform: bool) -> str:
    """The chunk `bank.glsl`: loop bounds, activation, frequencies, and where the hidden layers and their grids lie."""
    shape = packed.shape
    activation, slope = _ACTIVATIONS[shape.activation]
    matrices, grids = zip(*packed.layers, strict=True) if packed.layers else ((), ())
    rows = [packed.rows(layer) for layer in range(shape.layers)]
    return "\n".join(
        [
            *(_bound(name, value, uniform) for name, value in bank_bounds(packed, gradient).items()),
            _table("float", "bank_frequency", [float(f) for f in shape.frequencies]),
            _table("int", "bank_matrix", matrices),
            _table("int", "bank_rows", rows),
            _table("int", "bank_grid", grids),
            f"const float MODULATION_GAIN = {MODULATION_GAIN!r};",
            f"const float NORM_EPSILON = {NORM_EPSILON!r};",
            f"vec4 bank_activate(vec4 x) {{ return {activation}; }}",
            f"vec4 bank_slope(vec4 x) {{ return {slope}; }}",
        ]
    )


def views_chunk() -> str:
    """The chunk `surface_views.glsl`: the constants of `renderer/surface_views.py`."""
    colours = {"SLICE_OUTSIDE": SLICE_OUTSIDE, "SLICE_INSIDE": SLICE_INSIDE, "SLICE_EMPTY": SLICE_EMPTY}
    colours |= {"SLICE_NEAR": SLICE_NEAR, "SLICE_LINE": SLICE_LINE}
    numbers = {
        "AMBIENT": AMBIENT,
        "SHADOW": SHADOW,
        "SLICE_REACH": SLICE_REACH,
        "LINE_WIDTH": LINE_WIDTH,
        "ZERO_WIDTH": ZERO_WIDTH,
    }
    stops = ", ".join(f"vec3{colour}" for colour in COST_COLOURS)
    return "\n".join(
        [
            *(f"const vec3 {name} = vec3{colour};" for name, colour in colours.items()),
            *(f"const float {name} = {number!r};" for name, number in numbers.items()),
            *(f"#define {name} {number}" for name, number in VIEW_NUMBERS.items()),
            f"const vec3 COST_COLOURS[{len(COST_COLOURS)}] = vec3[{len(COST_COLOURS)}]({stops});",
        ]
    )


def _bound(name: str, value: int | tuple[int, ...], uniform: bool) -> str:
    kind = "int" if isinstance(value, int) else f"ivec{len(value)}"
    return f"uniform {kind} {name};" if uniform else f"const {kind} {name} = {kind}{_listed(value)};"


def _listed(value: int | tuple[int, ...]) -> str:
    return f"({value})" if isinstance(value, int) else str(value)


def _table(kind: str, name: str, values: Sequence[float]) -> str:
    """A constant array and the function that reads it; never an empty array, which GLSL has not."""
    items = ", ".join(map(repr, values)) or "0"
    size = max(len(values), 1)
    return f"""\
const {kind} {name.upper()}_TABLE[{size}] = {kind}[{size}]({items});
{kind} {name}(int i) {{ return {name.upper()}_TABLE[i]; }}"""
