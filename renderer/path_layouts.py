"""Buffers and numbers of the path tracer, declared once for numpy and GLSL (see `renderer/layouts.py`)."""

from __future__ import annotations

from renderer.layouts import Field, Struct
from renderer.path_bvh import LEAF, STACK
from renderer.path_random import PAIR_CHOICES, PAIR_FIRST, PAIR_LIGHT, PAIR_LOBE, PAIR_PIXEL, PAIR_SCATTER, PAIRS

OBJECT = Struct(
    "PathObject",
    (
        Field("row_x", "vec4", "object from world, rows: the shape is that of its kind in this frame"),
        Field("row_y", "vec4", ""),
        Field("row_z", "vec4", ""),
        Field("kind", "uint", "SHAPE_*"),
        Field("material", "uint", ""),
        Field("light", "uint", "its light plus 1, or 0"),
        Field("first", "uint", "of a mesh the root of its tree; of a surface its number among surfaces"),
        Field("offset", "float", "world units from the surface at which rays begin"),
        Field("unused_0", "float", "keeps objects at a multiple of 16 bytes"),
        Field("unused_1", "float", ""),
        Field("unused_2", "float", ""),
    ),
)
MATERIAL = Struct(
    "PathMaterial",
    (
        Field("colour", "vec4", "albedo, reflectance straight on, or tint"),
        Field("kind", "uint", "MATERIAL_*"),
        Field("own_colour", "uint", "1: the surface's own colour, not `colour`"),
        Field("alpha", "float", "of GGX; 0: a mirror"),
        Field("ior", "float", "inside over outside"),
    ),
)
LIGHT = Struct(
    "PathLight",
    (
        Field("corner", "vec4", "of a rectangle its first corner, of a sphere its centre; w: radius, 0 for rectangles"),
        Field("edge_u", "vec4", "of a rectangle; w: area"),
        Field("edge_v", "vec4", "of a rectangle; w: unused"),
        Field("normal", "vec4", "unit, where a rectangle shines; w: unused"),
        Field("radiance", "vec4", "w: unused"),
        Field("share", "float", "of the choices of a light, this one's"),
        Field("chosen_up_to", "float", "a number up to this chooses this one or one before"),
        Field("unused_0", "float", "keeps lights at a multiple of 16 bytes"),
        Field("unused_1", "float", ""),
    ),
)
NODE = Struct(
    "PathNode",
    (
        Field("lowest", "vec4", "corner of the box; w: unused"),
        Field("highest", "vec4", "the other corner; w: unused"),
        Field("first", "uint", "first triangle of a leaf, else the first of two children"),
        Field("count", "uint", "triangles of a leaf, else 0"),
        Field("unused_0", "uint", "keeps nodes at a multiple of 16 bytes"),
        Field("unused_1", "uint", ""),
    ),
)
TRIANGLE = Struct(
    "PathTriangle",
    (
        Field("corner", "vec4", "in the frame of the object"),
        Field("first", "vec4", "to the second corner"),
        Field("second", "vec4", "to the third corner"),
    ),
)
PATH = Struct(
    "Path",
    (
        Field("origin", "vec4", "of the ray, world; w: how far it may go"),
        Field("direction", "vec4", "unit; w: density with which it was drawn, a solid angle; 0: it had no choice"),
        Field("throughput", "vec4", "w: unused"),
        Field(
            "light", "vec4", "gathered so far; w: of the depth, what a unit along the first ray adds; later the depth"
        ),
        Field("normal", "vec4", "of what it met, unit, out of the object; w: distance"),
        Field("place", "vec4", "in cells, where it met a surface; later its colour; w: unused"),
        Field("shadow_origin", "vec4", "of the ray to a light; w: how far that is; 0: there is none"),
        Field("shadow_direction", "vec4", "unit"),
        Field("shadow_light", "vec4", "what arrives if nothing is in between"),
        Field("march", "vec4", "of a march that is interrupted: u, low_u, low_g, stride"),
        Field("march_state", "vec4", "high_u, high_g, state, steps taken"),
        Field("met", "uint", "object plus 1; 0: nothing"),
        Field("alive", "uint", "1 while the path goes on"),
        Field("seed", "uint", "of the pixel"),
        Field("clear", "uint", "scatterings by glass so far that were not counted"),
    ),
)
STRUCTS = (OBJECT, MATERIAL, LIGHT, NODE, TRIANGLE, PATH)

SHAPES = ("plane", "sphere", "box", "mesh", "rectangle", "surface")
MATERIALS = ("captured", "diffuse", "metal", "glass", "light")
SHAPE_NUMBERS = {name: i for i, name in enumerate(SHAPES)}
MATERIAL_NUMBERS = {name: i for i, name in enumerate(MATERIALS)}

# WEIGHTS of renderer/layouts.py, which surfaces need beside these, is 4; OpenGL 4.3 guarantees 8 of a compute shader
PATH_BINDINGS = {"PATHS": 0, "OBJECTS": 1, "MATERIALS": 2, "LIGHTS": 3, "NODES": 5, "TRIANGLES": 6, "SKY": 7}
PATH_BINDINGS["TURNS"] = 4  # of path_shade.comp, which reads no weights

RELATIVE_OFFSET = 5e-6  # of the largest coordinate: more than float32 loses on the way to a place and its normal
ROULETTE_FROM = 3  # scatterings after which paths may end by chance
MOST_CLEAR = 12  # scatterings by glass that are not counted; then light that is still inside is let out straight on
UNLIMITED = 1e30  # in place of infinity: world units, or light


def path_constants() -> str:
    """The chunk `path_constants.glsl`."""
    numbers = {
        "BVH_STACK": STACK,
        "BVH_LEAF": LEAF,
        "ROULETTE_FROM": ROULETTE_FROM,
        "MOST_CLEAR": f"{MOST_CLEAR}u",
        "PAIR_PIXEL": f"{PAIR_PIXEL}u",
        "PAIR_FIRST": f"{PAIR_FIRST}u",
        "PAIRS": f"{PAIRS}u",
        "PAIR_CHOICES": f"{PAIR_CHOICES}u",
        "PAIR_LIGHT": f"{PAIR_LIGHT}u",
        "PAIR_SCATTER": f"{PAIR_SCATTER}u",
        "PAIR_LOBE": f"{PAIR_LOBE}u",
        **{f"SHAPE_{name.upper()}": f"{number}u" for name, number in SHAPE_NUMBERS.items()},
        **{f"MATERIAL_{name.upper()}": f"{number}u" for name, number in MATERIAL_NUMBERS.items()},
        **{f"{name}_BINDING": binding for name, binding in PATH_BINDINGS.items()},
    }
    floats = {"RELATIVE_OFFSET": RELATIVE_OFFSET, "UNLIMITED": UNLIMITED}
    return "\n".join(
        [
            *(f"#define {name} {value}" for name, value in numbers.items()),
            *(f"const float {name} = {value!r};" for name, value in floats.items()),
            "const float PI = 3.141592653589793;",
            *(struct.glsl() for struct in STRUCTS),
        ]
    )
