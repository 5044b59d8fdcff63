"""Constants and buffer layouts, declared once: the GLSL and the numpy dtypes both come from here.

Shaders say `#include "layouts.glsl"`; the text is `layouts_glsl()`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from renderer.reference import DILATION, FRUSTUM_MARGIN, MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE, POLE_SLOPE
from renderer.settings import POINT_RADIUS, RING_ALPHA, RING_FILL, RING_INNER, VIEWS
from scenes.cameras import PROJECTIONS
from scenes.gaussians import SH_C0

# GLSL type: numpy base type, components, std430 alignment in bytes
GLSL_TYPES = {
    "float": (np.float32, 1, 4),
    "uint": (np.uint32, 1, 4),
    "vec2": (np.float32, 2, 8),
    "vec4": (np.float32, 4, 16),
    "uvec4": (np.uint32, 4, 16),
}


@dataclass(frozen=True)
class Field:
    """One member of a struct; `meaning` ends up as the comment in GLSL."""

    name: str
    glsl: str
    meaning: str


@dataclass(frozen=True)
class Struct:
    """A struct in a std430 buffer. Members must fall on their alignment: there is no hidden padding."""

    name: str
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        offset = 0
        for field in self.fields:
            base, components, alignment = GLSL_TYPES[field.glsl]
            if offset % alignment:
                raise ValueError(f"{self.name}.{field.name}: expected a multiple of {alignment}, found offset {offset}")
            offset += np.dtype(base).itemsize * components
        largest = max(GLSL_TYPES[field.glsl][2] for field in self.fields)
        if offset % largest:
            raise ValueError(f"{self.name}: expected a size that is a multiple of {largest}, found {offset}")

    @property
    def dtype(self) -> np.dtype:
        """The same bytes, for numpy."""
        members = []
        for field in self.fields:
            base, components, _ = GLSL_TYPES[field.glsl]
            members.append((field.name, base) if components == 1 else (field.name, base, (components,)))
        return np.dtype(members)

    @property
    def bytes(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    def glsl(self) -> str:
        """The declaration in GLSL."""
        members = "\n".join(f"    {f.glsl} {f.name};  // {f.meaning}" for f in self.fields)
        return f"struct {self.name} {{\n{members}\n}};\n"


GEOMETRY = Struct(
    "Geometry",
    (
        Field("position_cluster", "uvec4", "bits of the world position; cluster (low 16 bits), opacity (high)"),
        Field("shape", "uvec4", "log scale x | y, log scale z | 0, rotation w | x, rotation y | z"),
    ),
)
RECORD = Struct(
    "Record",
    (
        Field("centre", "vec2", "pixels, y down"),
        Field("axis", "vec2", "long half axis of the ellipse where alpha falls to 1/255, pixels; 0: not drawn"),
        Field("minor", "float", "length of the short half axis, pixels"),
        Field("log_opacity", "float", "log2 of the opacity"),
        Field("red_green", "uint", "two half floats"),
        Field("blue", "uint", "one half float, low bits"),
    ),
)
DECODE_JOB = Struct(
    "DecodeJob",
    (
        Field("network", "uint", "network of the bank, which is the cluster"),
        Field("first", "uint", "first Gaussian of the job"),
        Field("count", "uint", "Gaussians of the job"),
        Field("unused", "uint", "keeps jobs at 16 bytes"),
    ),
)
RESIDENT_JOB = Struct(
    "ResidentJob",
    (
        Field("lowest", "vec4", "corner of the box around the centres, world; w: longest standard deviation"),
        Field("highest", "vec4", "the other corner"),
        Field("network", "uint", "network of the bank, which is the cluster"),
        Field("first", "uint", "first Gaussian"),
        Field("count", "uint", "Gaussians"),
        Field("words", "uint", "its first in the stream"),
        Field("morton_low", "uint", "Morton code of the first Gaussian's cell, low 32 bits"),
        Field("morton_high", "uint", "high bits"),
        Field("unused_0", "uint", "keeps jobs at a multiple of 16 bytes"),
        Field("unused_1", "uint", ""),
    ),
)
FRAME_COUNTS = Struct(
    "FrameCounts",
    (
        Field("cost", "uint", "pixels of all footprints, in COST_PIXELS"),
        Field("drawn", "uint", "records drawn"),
        Field("capped", "uint", "records left out because the cost passed the budget"),
        Field("unused", "uint", "keeps it at 16 bytes"),
    ),
)
STRUCTS = (GEOMETRY, RECORD, DECODE_JOB, RESIDENT_JOB, FRAME_COUNTS)

# Ranges of the 16-bit numbers in GEOMETRY: steps of 0.0007 in ln(scale) and 0.0005 in the opacity logit are under a
# tenth of an 8-bit level in the picture, and what is outside looks as the end of the range does.
LOG_SCALE_LIMIT = 24.0
LOGIT_LIMIT = 16.0

# Pixels of one unit of a frame's cost: 4.29e9 of them are more than 12 million Gaussians that each fill a 4K picture
COST_PIXELS = 2.0**15

FLOATS = {
    "LOG_SCALE_LIMIT": LOG_SCALE_LIMIT,
    "LOGIT_LIMIT": LOGIT_LIMIT,
    "COST_PIXELS": COST_PIXELS,
    "POLE_SLOPE": POLE_SLOPE,
    "DILATION": DILATION,
    "FRUSTUM_MARGIN": FRUSTUM_MARGIN,
    "MAX_ALPHA": MAX_ALPHA,
    "MIN_ALPHA": MIN_ALPHA,
    "LOG2_MIN_ALPHA": float(np.log2(MIN_ALPHA)),
    "LOG2_E": float(np.log2(np.e)),
    "SH_C0": SH_C0,
    "POINT_RADIUS": POINT_RADIUS,
    "RING_INNER": RING_INNER,
    "RING_ALPHA": RING_ALPHA,
    "RING_FILL": RING_FILL,
    "MIN_TRANSMITTANCE": MIN_TRANSMITTANCE,
}

# Enumerations: names to integers, the same in GLSL as `#define NAME value`
PROFILES = {"PROFILE_GAUSSIAN": 0, "PROFILE_DISC": 1, "PROFILE_RING": 2}
CAMERAS = {f"CAMERA_{name.upper()}": i for i, name in enumerate(PROJECTIONS)}
VIEW_NUMBERS = {f"VIEW_{name.upper()}": i for i, name in enumerate(VIEWS)}

# An order for gaussian_triangles.vert: the record in the low bits, which triangle of it above
TRIANGLE_SHIFT = 30
TRIANGLES = {"TRIANGLE_WHOLE": 0, "TRIANGLE_LOWER": 1, "TRIANGLE_UPPER": 2}

NOT_DRAWN = 0xFFFFFFFF  # sort key of a record that is not drawn

# Storage buffers. OpenGL 4.3 guarantees 8 binding points a compute shader and at least 8 in all (usually 16 and more),
# so passes that never meet share numbers.
BINDINGS = {
    "GEOMETRY": 0,
    "HARMONICS": 1,
    "RECORDS": 2,
    "ORDER": 3,
    "WEIGHTS": 4,
    "CODES": 5,
    "JOBS": 6,
    "BOXES": 7,
    "KEYS": 3,  # of all records, for the sort; ORDER comes out of it
    "COUNTS": 4,
    "DEPTHS": 6,  # KEYS again, for those who blend: the bits of the depths
    "COUNT": 5,  # one number: how many of the order are drawn
    "ARGUMENTS": 6,  # of an indirect draw or dispatch
    "SUMMED": 0,  # one number: how many costs are added up
    "COSTS": 1,  # of each record in drawing order
    "AFFORDED": 6,  # one number: how many the budget is enough for
    "TABLES": 0,  # of a resident scene: see renderer/resident_scene.py
    "VISIBLE": 1,  # its jobs that a frame can show
    "STREAM": 5,
    "NETWORKS": 7,
}

GROUP = 64  # threads of a compute workgroup: a multiple of every GPU's wave, and of the SSBO offset alignment


def layouts_glsl() -> str:
    """Constants, binding points and structs as GLSL."""
    lines = [f"const float {name} = {float(np.float32(value))!r};" for name, value in FLOATS.items()]
    lines += [f"#define {name}_BINDING {binding}" for name, binding in BINDINGS.items()]
    lines += [f"#define {name} {value}" for names in (PROFILES, CAMERAS, VIEW_NUMBERS) for name, value in names.items()]
    lines += [f"#define {name} {value}u" for name, value in TRIANGLES.items()]
    lines += [f"#define TRIANGLE_SHIFT {TRIANGLE_SHIFT}", f"#define TRIANGLE_RECORD {2**TRIANGLE_SHIFT - 1}u"]
    lines += [f"#define NOT_DRAWN {NOT_DRAWN}u"]
    lines += [f"#define GROUP {GROUP}", *(struct.glsl() for struct in STRUCTS)]
    return "\n".join(lines)
