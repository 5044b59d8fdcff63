"""The table of bad files: Gaussians."""

from __future__ import annotations

import json

from bad_files import (
    RING,
    Row,
    cut,
    entry,
    first,
    flip,
    glb_json,
    good,
    keyed,
    manifest,
    more,
    ply_value,
    put,
    swap,
    text,
)
from kilo_damage import put as put_key

READABLE = ".ply, .compressed.ply, .splat, .spz, .ksplat, .sog, .glb, .gltf or .kilo"
NAN = float("nan")
DEEP = json.loads("[" * 40 + "]" * 40)  # lists in one another

GAUSSIANS = [
    # .ply
    Row("a.ply", "no bytes", first(0), "file: expected some bytes, found an empty file"),
    Row(
        "a.ply",
        "a diary",
        text("Dear diary,\ntoday I trained a scene.\n"),
        f"file: expected a scene in {READABLE}, found a file that begins with Dear diary,?toda",
    ),
    Row(
        "a.ply",
        "a mesh",
        lambda _: good("mesh.ply"),
        "element vertex: expected properties of Gaussians, found no f_dc_0, f_dc_1, f_dc_2, opacity, scale_0, "
        "scale_1, rot_0, rot_1, rot_2, rot_3",
    ),
    Row(
        "a.ply", "cut in the header", first(100), "header: expected a line end_header within 1048576 bytes, found none"
    ),
    Row("a.ply", "cut in the rows", cut(100), "element vertex: expected 6240 bytes (60 rows of 104), found 6140"),
    Row("a.ply", "no rows", swap("vertex 60", "vertex 0"), "element vertex: expected at least one Gaussian, found 0"),
    Row(
        "a.ply",
        "more rows than bytes",
        swap("vertex 60", "vertex 61000000000"),
        "element vertex: expected at most 50000000 Gaussians (--max-gaussians), found 61000000000",
    ),
    Row(
        "a.ply",
        "more rows than are allowed",
        swap("vertex 60", "vertex 60000000"),
        "element vertex: expected at most 50000000 Gaussians (--max-gaussians), found 60000000",
    ),
    Row(
        "a.ply",
        "a count that is none",
        swap("vertex 60", "vertex -60"),
        "line 3: expected element NAME COUNT, found element vertex -60",
    ),
    Row(
        "a.ply",
        "another order of bytes",
        swap("binary_little_endian", "binary_middle_endian"),
        "line 2: expected format ascii, binary_little_endian, binary_big_endian and a version, found format "
        "binary_middle_endian 1.0",
    ),
    Row(
        "a.ply",
        "a type that is none",
        swap("property float x", "property vec3 x"),
        "line 4: expected property TYPE NAME with a type of char, uchar, short, ushort, int, uint, int8, "
        "uint8, int16, uint16, int32, uint32, half, float, double, float16, float32, float64, found property "
        "vec3 x",
    ),
    Row(
        "a.ply",
        "a list in the rows",
        swap("property float x", "property list uchar float x"),
        "element vertex: expected properties of Gaussians, found no x",
    ),
    Row(
        "a.ply",
        "no opacity",
        swap("float opacity", "float transparency"),
        "element vertex: expected properties of Gaussians, found no opacity",
    ),
    Row(
        "a.ply",
        "a colour twice",
        swap("float f_dc_1", "float f_dc_0"),
        "line 11: expected each property once, found f_dc_0 again",
    ),
    Row(
        "a.ply",
        "a gap in the SH",
        swap("float f_rest_4", "float f_rost_4"),
        "element vertex: expected 0, 9, 24 or 45 f_rest properties, found 8",
    ),
    Row(
        "a.ply",
        "only NaN",
        ply_value(0, "x", NAN),
        "element vertex: expected at least one finite Gaussian, found 60 that are NaN, infinite or without a rotation",
    ),
    # .compressed.ply
    Row("a.compressed.ply", "cut in the rows", cut(100), "element sh: expected 540 bytes (60 rows of 9), found 440"),
    Row(
        "a.compressed.ply",
        "no chunks",
        swap("element chunk 1", "element lump 1"),
        "element vertex: expected properties of Gaussians, found no x, y, z, f_dc_0, f_dc_1, f_dc_2, opacity, "
        "scale_0, scale_1, rot_0, rot_1, rot_2, rot_3",
    ),
    Row(
        "a.compressed.ply",
        "too few chunks",
        swap("element chunk 1", "element chunk 0"),
        "element chunk: expected 1 rows, one per 256 of 60 Gaussians, found 0",
    ),
    # .splat
    Row("a.splat", "cut in a record", cut(5), "file: expected records of 32 bytes, as a .splat has, found 1915 bytes"),
    # .spz
    Row("a.spz", "version of tomorrow", put(4, "<I", 9), "header, version: expected 4 in a plain file, found 9"),
    Row("a.spz", "cut in the header", first(20), "header: expected 32 bytes, found 20"),
    Row("a.spz", "cut in the last stream", cut(3), "stream of SH: expected 550 bytes, found 547"),
    Row(
        "a.spz",
        "more Gaussians than streams",
        put(8, "<I", 61),
        "stream of positions: expected 549 bytes for 61 Gaussians, found 540",
    ),
    Row(
        "a.spz",
        "four thousand million Gaussians",
        put(8, "<I", 2**32 - 1),
        "header: expected at most 50000000 Gaussians (--max-gaussians), found 4294967295",
    ),
    Row("a.spz", "SH of degree 9", put(12, "<B", 9), "header, SH degree: expected 0 to 4, found 9"),
    Row(
        "a.spz",
        "no zstd where a stream begins",
        put(128, "<I", 0),
        "stream of positions: expected a zstd stream of 540 bytes, found a damaged one",
    ),
    Row("old.spz", "cut in the gzip stream", cut(30), "SH: expected 540 bytes, found 519"),
    Row(
        "old.spz",
        "the gzip checksum is wrong",
        put(-8, "<I", 1),
        "gzip stream: expected a whole one, found a damaged one",
    ),
    # .ksplat
    Row(
        "a.ksplat",
        "cut in the header",
        first(50),
        f"file: expected a scene in {READABLE}, found a file that begins with ????????????<???",
    ),
    Row("a.ksplat", "cut in the last section", cut(1), "section 0: expected 2536 bytes, found 2535"),
    Row(
        "a.ksplat",
        "more Gaussians than the section has",
        put(4096, "<I", 10**6),
        "section 0: expected at most 60 Gaussians, its room, found 1000000",
    ),
    # .sog
    Row("a.sog", "cut", cut(50), "file: expected a whole zip, found one that is cut short or damaged"),
    Row(
        "a.sog",
        "no description",
        entry("meta.json", None),
        "zip: expected meta.json, found means_l.webp, means_u.webp, quats.webp, scales.webp, sh0....",
    ),
    Row("a.sog", "no positions", entry("means_l.webp", None), "zip: expected an entry means_l.webp, found none"),
    Row(
        "a.sog",
        "a picture that is none",
        entry("quats.webp", text("a picture")),
        "texture quats.webp: expected a WebP image, found a damaged one",
    ),
    Row(
        "a.sog",
        "a picture cut short",
        entry("quats.webp", cut(9)),
        "texture quats.webp: expected a WebP image, found a damaged one",
    ),
    Row(
        "a.sog",
        "another count",
        entry("meta.json", keyed("count", value=10**7)),
        "meta.json: expected at most 78592 Gaussians in 1632 bytes of textures, found 10000000",
    ),
    Row(
        "a.sog",
        "a version of tomorrow",
        entry("meta.json", keyed("version", value=3)),
        "meta.json, version: expected 2, or none for version 1, found 3",
    ),
    Row(
        "a.sog",
        "JSON without an end",
        entry("meta.json", cut(1)),
        "meta.json: expected JSON, found Expecting ',' delimiter: line 1 column 15663 (char 15662)",
    ),
    Row(
        "a.sog",
        "JSON too deep",
        entry("meta.json", text(RING)),
        "meta.json: expected JSON, found more than 200 lists and objects in one another",
    ),
    Row(
        "a.sog",
        "a checksum is wrong",
        flip(60),
        "entry means_l.webp: expected a whole one, found one that does not fit its checksum",
    ),
    # .glb
    Row("a.glb", "cut in the header", first(11), "header: expected 20 bytes, found 11"),
    Row("a.glb", "cut in the buffer", cut(4), "file: expected 7808 bytes, found 7804"),
    Row(
        "a.glb",
        "a mesh",
        lambda _: good("mesh.glb"),
        "meshes: expected a primitive with KHR_gaussian_splatting, found none",
    ),
    Row(
        "a.glb",
        "an accessor beyond its buffer",
        glb_json(keyed("accessors", 0, "count", value=61)),
        "accessors 0: expected 61 elements of 12 bytes within 720, found 732 bytes",
    ),
    Row(
        "a.glb",
        "a view beyond the file",
        glb_json(keyed("bufferViews", 0, "byteOffset", value=10**9)),
        "accessors 0: expected 60 elements of 12 bytes within 0, found 720 bytes",
    ),
    Row(
        "a.glb",
        "JSON that is none",
        glb_json(text('{"asset": ')),
        "first chunk: expected JSON, found Expecting value: line 1 column 13 (char 12)",
    ),
    # .kilo
    Row(
        "a.kilo",
        "version of tomorrow",
        put(4, "<I", 7),
        "header: expected version 1, the newest this program reads, found version 7 (or a damaged header)",
    ),
    Row("a.kilo", "cut in the header", first(12), "header: expected 20 bytes, found 12, cut short"),
    Row(
        "a.kilo",
        "cut in the manifest",
        first(200),
        "manifest: expected a file of 580 bytes or more, found 200, cut short",
    ),
    Row(
        "a.kilo",
        "the last chunk is missing",
        cut(300),
        "chunk 0 tier 0 codes: expected a file of 984 bytes or more, found 914, cut short",
    ),
    Row(
        "a.kilo",
        "bytes after the last stream",
        more(3),
        "file: expected 1214 bytes, found 1217 (--salvage reads 48 of 48 Gaussians)",
    ),
    Row("a.kilo", "one bit of the header", flip(9), "manifest: expected checksum 45dc34bb, found 85b018bd, damaged"),
    Row(
        "a.kilo", "one bit of the manifest", flip(100), "manifest: expected checksum 45dc34bb, found 8700f0dc, damaged"
    ),
    Row(
        "a.kilo",
        "one bit of the codes",
        flip(-1),
        "chunk 1 tier 0 codes: expected checksum 4871e0a6, found 3f76d030, damaged (--salvage reads 24 of 48 "
        "Gaussians)",
    ),
    Row(
        "a.kilo",
        "another count in a manifest with a good checksum",
        manifest(put_key("count", 49)),
        "manifest chunks: expected tiers of 49 Gaussians, found [{'clusters': [0, 1], 'bounds': [[-0....",
    ),
    Row(
        "a.kilo",
        "a key is missing",
        manifest(lambda document: document.pop("bank")),
        "manifest bank: expected an object, found None",
    ),
    Row(
        "a.kilo",
        "a codec of tomorrow",
        manifest(put_key("chunks.0.weights.codec", "lzma")),
        "manifest chunks[0].weights.codec: expected one of raw, zstd, rans, found 'lzma'",
    ),
    Row(
        "a.kilo",
        "JSON too deep",
        manifest(put_key("tool", DEEP)),
        "manifest: expected JSON nested at most 16 deep, found 41",
    ),
    Row(
        "a.kilo",
        "a surface",
        lambda _: good("surface.kilo"),
        "file: expected Gaussians, found a neural surface (kilofield mesh makes triangles of it)",
    ),
]
