"""Set-up, pins and packaging: what a fresh machine relies on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
NOT_LOCKED = {"lpips"}  # its weights must already be on the machine


def pins(python: str) -> dict[str, str]:
    """Package -> exact version that requirements.lock gives a Python."""
    found: dict[str, str] = {}
    for text in (ROOT / "requirements.lock").read_text().splitlines():
        if not text or text.startswith("#"):
            continue
        requirement = Requirement(text)
        marker = requirement.marker or Marker("python_version >= '3'")
        if marker.evaluate({"python_version": python}):
            assert requirement.name not in found, f"{requirement.name} is pinned twice for {python}"
            (only,) = requirement.specifier
            assert only.operator == "==", text
            found[requirement.name] = only.version
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_satisfies_the_project(python: str) -> None:
    extras = [text for group in PROJECT["optional-dependencies"].values() for text in group]
    locked = pins(python)
    for text in PROJECT["dependencies"] + extras:
        wanted = Requirement(text)
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name not in NOT_LOCKED:
            assert wanted.specifier.contains(locked[name]), f"{text}: the lock has {locked[name]} for {python}"


def test_torch_is_pinned_without_a_build_tag() -> None:
    assert "torch==2.13.0" in (ROOT / "requirements.lock").read_text().splitlines()


def test_every_top_level_module_is_packaged() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert {path.stem for path in ROOT.glob("*.py")} == set(setuptools["py-modules"])
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages <= {pattern.rstrip("*") for pattern in setuptools["packages"]["find"]["include"]}


def shell(script: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `script` after sourcing setup.sh, with the commands in `tmp_path` before all others."""
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", f"source scripts/setup.sh; {script}"],
        cwd=ROOT,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def command(folder: Path, name: str, body: str) -> None:
    """A stand-in for a system command."""
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


NO_OPENGL = "check_opengl() { echo 'no EGL'; return 1; }; mesa_packages() { echo libegl1 libgl1; }; "


def test_without_opengl_and_root_the_command_is_printed(tmp_path: Path) -> None:
    command(tmp_path, "id", "echo 1000")
    command(tmp_path, "apt-get", "exit 99")
    done = shell(NO_OPENGL + "ensure_opengl", tmp_path)
    assert done.returncode == 1
    assert "  sudo apt-get update && sudo apt-get install -y libegl1 libgl1\n" in done.stderr


def test_without_opengl_as_root_mesa_is_installed(tmp_path: Path) -> None:
    command(tmp_path, "id", "echo 0")
    command(tmp_path, "apt-get", f'echo "$@" >> {tmp_path}/calls; touch {tmp_path}/installed')
    check = f"check_opengl() {{ [ -e {tmp_path}/installed ] && echo llvmpipe; }}; mesa_packages() {{ echo libegl1; }}; "
    done = shell(check + "ensure_opengl", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "setup: OpenGL: llvmpipe" in done.stdout
    assert (tmp_path / "calls").read_text().splitlines() == [
        "update -qq",
        "install -y -qq --no-install-recommends libegl1",
    ]


def test_mesa_that_does_not_help_is_an_error(tmp_path: Path) -> None:
    command(tmp_path, "id", "echo 0")
    command(tmp_path, "apt-get", "exit 0")
    done = shell(NO_OPENGL + "ensure_opengl", tmp_path)
    assert done.returncode == 1
    assert "still none after installing Mesa: no EGL" in done.stderr


def test_a_python_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    command(tmp_path, "old-python", "exit 1")
    done = shell(f"VENV={tmp_path}/venv; make_venv", tmp_path, KILOFIELD_PYTHON=f"{tmp_path}/old-python")
    assert done.returncode == 1
    assert f"KILOFIELD_PYTHON={tmp_path}/old-python: expected Python 3.10 to 3.13\n" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_the_opengl_check_names_the_renderer() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/check_opengl.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.strip()


def test_folder_rules() -> None:
    """The import rules: OpenGL only in renderer/, torch and taichi only in fitting/, neither in scenes/."""
    forbidden = {
        "scenes": ("torch", "taichi", "numba", "moderngl", "fitting", "renderer"),
        "fitting": ("moderngl",),
        "renderer": ("torch", "taichi", "fitting"),
        "ui": ("torch", "taichi", "fitting"),
    }
    for folder, names in forbidden.items():
        pattern = re.compile(rf"^\s*(?:from|import) (?:{'|'.join(names)})\b", re.MULTILINE)
        for path in (ROOT / folder).rglob("*.py"):
            assert not pattern.search(path.read_text()), f"{path.relative_to(ROOT)}: imports one of {names}"
