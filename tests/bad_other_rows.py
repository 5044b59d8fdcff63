"""The table of bad files: surfaces, meshes, cameras and scene files."""

from __future__ import annotations

from bad_files import (
    RING,
    Row,
    cut,
    first,
    flip,
    good,
    keyed,
    swap,
    text,
)

NAN = float("nan")

SURFACES = [
    Row(
        "surface.kilo",
        "Gaussians",
        lambda _: good("a.kilo"),
        "file: expected a .kilo that holds a surface, found Gaussians",
    ),
    Row(
        "surface.kilo",
        "no .kilo",
        lambda _: good("a.ply"),
        "file: expected a .kilo that holds a surface, found no .kilo",
    ),
    Row(
        "surface.kilo",
        "cut in the last stream",
        cut(1),
        "chunk 0 appearance: expected a file of 944 bytes or more, found 943, cut short (--salvage reads 4 of "
        "4 cells, 4 of them without colour)",
    ),
    Row(
        "surface.kilo",
        "one bit of the last stream",
        flip(-1),
        "chunk 0 appearance: expected checksum 8cc308a1, found fbc43837, damaged (--salvage reads 4 of 4 "
        "cells, 4 of them without colour)",
    ),
]

MESHES = [
    Row("mesh.obj", "no bytes", first(0), "file: expected some bytes, found an empty file"),
    Row(
        "mesh.obj",
        "no faces",
        text("v 0 0 0\nv 1 0 0\nv 0 1 0\n"),
        "file: expected a mesh with faces, found a point cloud of 3 vertices",
    ),
    Row(
        "mesh.obj",
        "a vertex is NaN",
        swap("v ", "v nan "),
        "line 2: expected v and 3 finite numbers, found v nan -0.52573111 0.85065081 0.00000000",
    ),
    Row(
        "mesh.obj",
        "a vertex that is not there",
        swap("f 1", "f 4100"),
        "line 44: expected at most 42, as there are v lines, found 4100",
    ),
    Row(
        "mesh.ply",
        "cut in the faces",
        cut(5),
        "file: expected a whole .ply mesh, found a damaged one (PLY is unexpected length!)",
    ),
    Row("mesh.ply", "Gaussians", lambda _: good("a.ply"), "header: expected a mesh with faces, found 60 Gaussians"),
    Row("mesh.stl", "cut in the last triangle", cut(1), "file: expected 4084 bytes (80 facets of 50), found 4083"),
    Row("mesh.glb", "cut in the buffer", cut(4), "header: expected 2148 bytes, found 2144"),
    Row(
        "mesh.fbx",
        "a format nobody here reads",
        text("Kaydara FBX Binary"),
        "file: expected a mesh (.obj, .ply, .stl, .glb, .gltf), found .fbx",
    ),
]

CAMERAS = [
    Row("cameras.json", "no bytes", first(0), "file: expected some bytes, found an empty file"),
    Row("cameras.json", "no JSON", text("eye = 1, 2, 3\n"), "line 1: expected JSON, found expecting value"),
    Row("cameras.json", "JSON without an end", cut(2), "line 4: expected JSON, found expecting ',' delimiter"),
    Row(
        "cameras.json",
        "JSON too deep",
        text(RING),
        "file: expected JSON, found more than 200 lists and objects in one another",
    ),
    Row("cameras.json", "no cameras", text("[]"), "file: expected at least one camera, found 0"),
    Row(
        "cameras.json",
        "a number for a list",
        text("7"),
        "file: expected a list of cameras or an object with frames, found 7",
    ),
    Row(
        "cameras.json",
        "an angle that cannot be",
        keyed(1, "fov_y", value=4),
        "camera 1, fov_y: expected a number between 0 and 3.1416, found 4",
    ),
    Row(
        "cameras.json",
        "NaN",
        keyed(1, "fov_y", value=NAN),
        "camera 1, fov_y: expected a number between 0 and 3.1416, found NaN",
    ),
    Row(
        "cameras.json",
        "a camera that is not only turned",
        keyed(0, "camera_from_world", 0, value=[2, 0, 0, 0]),
        "camera 0, camera_from_world: expected a rotation and a translation, found a determinant of 0 and "
        "axes 3 off orthonormal",
    ),
    Row(
        "cameras.json",
        "a scene",
        lambda _: good("a.ply"),
        "file: expected JSON, found bytes that are no text, from byte 633 on",
    ),
]

SCENES = [
    Row("room.json", "JSON without an end", cut(1), "line 1: expected JSON, found expecting ',' delimiter"),
    Row(
        "room.json",
        "a key nobody knows",
        keyed("objekts", value=[]),
        "line 1, file: expected one of objects, lights, environment, materials, camera, up, exposure, "
        "tone_mapping, bounces, clamp, found objekts",
    ),
    Row(
        "room.json",
        "a kind nobody knows",
        keyed("objects", 0, "kind", value="torus"),
        'line 1, objects 0, kind: expected one of surface, gaussians, plane, sphere, box, mesh, found "torus"',
    ),
    Row(
        "room.json",
        "a radius below 0",
        keyed("objects", 0, "radius", value=-1),
        "line 1, objects 0, radius: expected a number above 0 to 1e+12, found -1",
    ),
    Row(
        "room.json",
        "a file that is not there",
        keyed("objects", value=[{"kind": "surface", "file": "no.kilo"}]),
        "line 1, objects 0, file: expected a file, found nothing at {folder}/no.kilo",
    ),
]
