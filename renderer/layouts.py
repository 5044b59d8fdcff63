"""Constants and buffer layouts, declared once: the GLSL and the numpy dtypes both come from here.

Shaders say `#include "layouts.glsl"`; the text is `layouts_glsl()`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from renderer.reference import DILATION, FRUSTUM_MARGIN, MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE
from renderer.settings import POINT_RADIUS, RING_ALPHA, RING_FILL, RING_INNER, VIEWS
from scenes.cameras import PROJECTIONS
from scenes.gaussians import SH_C0

# GLSL type: numpy base type, components, std430 alignment in bytes
GLSL_TYPES = {
    "float": (np.float32, 1, 4),
    "uint": (np.uint32, 1, 4),
    "vec2": (np.float32, 2, 8),
    "vec4": (np.float32, 4, 16),
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
        Field("position_opacity", "vec4", "world position, opacity logit"),
        Field("rotation", "vec4", "quaternion w, x, y, z, of any non-zero length"),
        Field("log_scale", "vec4", "ln of the standard deviations in world units; w unused"),
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
STRUCTS = (GEOMETRY, RECORD, DECODE_JOB)

FLOATS = {
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
}

GROUP = 64  # threads of a compute workgroup: a multiple of every GPU's wave, and of the SSBO offset alignment


def layouts_glsl() -> str:
    """Constants, binding points and structs as GLSL."""
    lines = [f"const float {name} = {float(np.float32(value))!r};" for name, value in FLOATS.items()]
    lines += [f"#define {name}_BINDING {binding}" for name, binding in BINDINGS.items()]
    lines += [f"#define {name} {value}" for names in (PROFILES, CAMERAS, VIEW_NUMBERS) for name, value in names.items()]
    lines += [f"#define NOT_DRAWN {NOT_DRAWN}u"]
    lines += [f"#define GROUP {GROUP}", *(struct.glsl() for struct in STRUCTS)]
    return "\n".join(lines)
