"""Loads `shaders/`, resolves `#include "name"`, adds defines and generated chunks, and compiles.

The resolver is small and strict: every name is either a file of `shaders/` or a chunk generated in Python, each is put
in once, and an unknown name is an error. `#line` directives keep compiler messages pointing at the right file: the n-th
file's lines start at n * 10000, because Mesa forgets the source number, which is what GLSL has for this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

import moderngl

from renderer.layouts import layouts_glsl

STAGES = (".comp", ".vert", ".frag")
_INCLUDE = re.compile(r'^\s*#include\s+"([^"]+)"\s*$')
# Mesa "0:12(5): error", NVIDIA "0(12) : error", Apple and AMD "ERROR: 0:12: ..."
_PLACE = re.compile(r"\b0(?::(\d+)(?=[:(])|\((\d+)\))")
_LINES = 10000  # more than a file has

Defines = Mapping[str, "int | float"]


class ShaderError(Exception):
    """A shader of this program that cannot be put together or compiled: a mistake of ours, not of the user."""


@dataclass
class Source:
    """One shader put together: `text` for the compiler, `files` the names in the order of their numbers."""

    text: str = ""
    files: list[str] = field(default_factory=list)

    def explain(self, message: str) -> str:
        """A compiler message with file names in place of numbers."""
        return _PLACE.sub(self._place, message)

    def _place(self, match: re.Match[str]) -> str:
        number, line = divmod(int(match[1] or match[2]), _LINES)
        return f"{self.files[number]}:{line}" if number < len(self.files) else match[0]


def shader_names() -> list[str]:
    """Every file in `shaders/`, chunks included."""
    suffixes = (*STAGES, ".glsl")
    return sorted(f.name for f in resources.files("shaders").iterdir() if f.name.endswith(suffixes))


def assemble(name: str, defines: Defines | None = None, chunks: Mapping[str, str] | None = None) -> Source:
    """The whole text of `name`: includes resolved, `defines` after its #version line, `chunks` by their names.

    Raises `ShaderError` for an unknown include, one without quotes, or a file without #version.
    """
    known = {"layouts.glsl": layouts_glsl(), **(chunks or {})}
    source = Source(files=[name])
    version, _, body = _read(name, known, name).partition("\n")
    if not version.startswith("#version"):
        raise ShaderError(f"{name}:1: expected #version, found {version!r}")
    head = [version, *(f"#define {key} {value}" for key, value in (defines or {}).items()), "#line 2"]
    source.text = "\n".join([*head, *_resolve(body, 0, 2, source, known)]) + "\n"
    return source


def _read(name: str, chunks: Mapping[str, str], place: str) -> str:
    if name in chunks:
        return chunks[name]
    file = resources.files("shaders").joinpath(name)
    if not file.is_file():
        raise ShaderError(f"{place}: expected a file of shaders/ or a generated chunk, found {name!r}")
    return file.read_text(encoding="utf-8")


def _resolve(text: str, number: int, first: int, source: Source, chunks: Mapping[str, str]) -> list[str]:
    """Lines of `text`, which is source `number` from its line `first` on, with includes in their places."""
    lines: list[str] = []
    for line_number, line in enumerate(text.splitlines(), first):
        if "#include" not in line:
            lines.append(line)
            continue
        place = f"{source.files[number]}:{line_number}"
        match = _INCLUDE.match(line)
        if not match:
            raise ShaderError(f'{place}: expected #include "name", found {line.strip()!r}')
        if match[1] not in source.files:
            source.files.append(match[1])
            included = len(source.files) - 1
            inner = _resolve(_read(match[1], chunks, place), included, 1, source, chunks)
            lines += [f"#line {included * _LINES + 1}", *inner]
        lines.append(f"#line {number * _LINES + line_number + 1}")
    return lines


def compile_compute(
    context: moderngl.Context, name: str, defines: Defines | None = None, chunks: Mapping[str, str] | None = None
) -> moderngl.ComputeShader:
    """The compute shader `name`; raises `ShaderError` with file and line."""
    source = assemble(name, defines, chunks)
    try:
        return context.compute_shader(source.text)
    except moderngl.Error as error:
        raise ShaderError(f"{name}: {source.explain(str(error))}") from error


def compile_program(
    context: moderngl.Context,
    vertex: str,
    fragment: str,
    vertex_defines: Defines | None = None,
    fragment_defines: Defines | None = None,
) -> moderngl.Program:
    """The program of a vertex and a fragment shader; raises `ShaderError` with file and line."""
    sources = [assemble(vertex, vertex_defines), assemble(fragment, fragment_defines)]
    try:
        return context.program(vertex_shader=sources[0].text, fragment_shader=sources[1].text)
    except moderngl.Error as error:
        failing = sources[1] if "fragment_shader" in str(error) else sources[0]
        raise ShaderError(f"{vertex} + {fragment}: {failing.explain(str(error))}") from error


def compile_feedback(
    context: moderngl.Context, vertex: str, varyings: Sequence[str], defines: Defines | None = None
) -> moderngl.Program:
    """The program of a vertex shader whose outputs are caught, interleaved; raises `ShaderError` with file and line."""
    source = assemble(vertex, defines)
    try:
        return context.program(vertex_shader=source.text, varyings=tuple(varyings))
    except moderngl.Error as error:
        raise ShaderError(f"{vertex}: {source.explain(str(error))}") from error


def set_uniforms(program: moderngl.Program | moderngl.ComputeShader, **values: object) -> None:
    """Sets uniforms by name. One the compiler removed because nothing reads it is passed over."""
    for name, value in values.items():
        if name in program:
            uniform = program[name]
            assert isinstance(uniform, moderngl.Uniform)
            uniform.value = value
