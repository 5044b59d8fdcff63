"""The command line as a whole: help, exit codes, what goes where."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from cli_samples import kilofield, sample_cameras, sample_gaussians, sample_neural

from commands.arguments import output_folder, parse_background, parse_size
from commands.console import readable_time
from commands.errors import explain
from commands.views import picture_names
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.kilo import write_kilo
from scenes.ply import read_ply, write_ply
from scenes.sizes import plain_bytes, readable_bytes

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("compress", "convert", "info", "verify", "compare", "render", "fly", "view", "demo")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = kilofield(command, "--help")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert f"Example: kilofield {command}" in " ".join(result.stdout.split())


def test_without_arguments_the_help_names_every_command() -> None:
    result = kilofield()
    assert result.exit_code == 0
    assert all(re.search(rf"^\W*{command} ", result.stdout, re.MULTILINE) for command in COMMANDS)


def test_the_version_is_the_packages() -> None:
    assert kilofield("--version").stdout == f"kilofield {version('kilofield')}\n"


def test_help_and_info_load_nothing_heavy(tmp_path: Path) -> None:
    write_ply(tmp_path / "scene.ply", sample_gaussians())
    code = (
        "import sys; from cli import app; sys.argv[1:] = {arguments}\n"
        "try: app()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print([m for m in ('torch', 'moderngl', 'taichi', 'numba', 'matplotlib', 'skimage') if m in sys.modules])"
    )
    for arguments in (["--help"], ["info", str(tmp_path / "scene.ply"), "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-c", code.format(arguments=arguments)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        assert done.stdout.splitlines()[-1] == "[]"


def test_convert_of_a_ply_keeps_every_byte(tmp_path: Path) -> None:
    scene, out = tmp_path / "scene.ply", tmp_path / "out.ply"
    write_ply(scene, sample_gaussians(sh_degree=3))
    assert kilofield("convert", scene, out).exit_code == 0
    assert out.read_bytes() == scene.read_bytes()


def test_convert_of_a_kilo_is_its_decoding(tmp_path: Path) -> None:
    scene, out, figures = tmp_path / "scene.kilo", tmp_path / "out.ply", tmp_path / "figures.json"
    write_kilo(scene, sample_neural())
    assert kilofield("convert", scene, out, "--json", figures).exit_code == 0
    assert len(read_ply(out).gaussians) == 48
    found = json.loads(figures.read_text())
    assert (found["format"], found["gaussians"], found["dropped"]) == ("kilo", 48, 0)
    assert (found["source_bytes"], found["bytes"]) == (scene.stat().st_size, out.stat().st_size)


def test_the_streams_of_a_kilo_add_up_to_the_file(tmp_path: Path) -> None:
    scene = tmp_path / "scene.kilo"
    write_kilo(scene, sample_neural(), tool={"preset": "draft"})
    found = json.loads(kilofield("info", scene, "--json", "-").stdout)
    assert sum(found["streams"].values()) == found["bytes"] == scene.stat().st_size
    assert (found["clusters"], found["gaussians"], found["tool"]) == (2, 48, {"preset": "draft"})
    text = kilofield("info", scene).stdout
    assert "2 in 1 chunk" in text
    assert "preset draft" in text


def test_the_plain_ply_of_info_is_what_convert_writes(tmp_path: Path) -> None:
    for degree in range(4):
        path = tmp_path / f"{degree}.ply"
        write_ply(path, sample_gaussians(60, degree))
        data = path.read_bytes()
        assert plain_bytes(60, degree) == len(data) - data.index(b"end_header\n") - len(b"end_header\n")


def test_quiet_prints_nothing_and_json_is_written_all_the_same(tmp_path: Path) -> None:
    scene, figures = tmp_path / "scene.ply", tmp_path / "figures.json"
    write_ply(scene, sample_gaussians())
    result = kilofield("info", scene, "--quiet", "--json", figures)
    assert (result.stdout, result.stderr, result.exit_code) == ("", "", 0)
    assert json.loads(figures.read_text())["gaussians"] == 60
    again = kilofield("info", scene, "--json", figures)
    assert again.stderr == f"{figures}: exists already; --force replaces it\n"


@pytest.mark.parametrize(("text", "size"), [("640x360", (640, 360)), ("1X1", (1, 1)), (" 16384x2 ", (16384, 2))])
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "colour"),
    [("black", (0, 0, 0)), ("White", (1, 1, 1)), ("#ff8000", (1, 128 / 255, 0)), ("0.25,0,1", (0.25, 0, 1))],
)
def test_backgrounds(text: str, colour: tuple[float, float, float]) -> None:
    assert parse_background(text) == pytest.approx(colour)


@pytest.mark.parametrize("text", ["purple", "#12345", "1,2", "0,0,2", "nan,0,0", ""])
def test_backgrounds_that_are_none(text: str) -> None:
    with pytest.raises(KilofieldError, match=r"^--background: expected black, white, grey, #rrggbb or three numbers"):
        parse_background(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.00 KB"),
        (81_234, "81.2 KB"),
        (999_949, "1.00 MB"),
        (4_712_951, "4.71 MB"),
        (123_456_789, "123 MB"),
        (99_960, "100 KB"),
        (2_500_000_000, "2.50 GB"),
    ],
)
def test_readable_bytes(count: int, text: str) -> None:
    assert readable_bytes(count) == text


def test_readable_time() -> None:
    assert (readable_time(3.21), readable_time(245.9)) == ("3.2 s", "4 min 05 s")


def test_picture_names_are_different_file_names() -> None:
    names = ["train/r_0.png", "", "front view", "front view", "../../etc/passwd"]
    assert picture_names(sample_cameras(names)) == ["r_0", "001", "002_front_view", "003_front_view", "passwd"]
    assert picture_names(sample_cameras(["001", ""])) == ["000", "001"]
    many: list[Camera] = sample_cameras([""] * 1001)
    assert picture_names(many)[-1] == "1000"


def test_a_folder_keeps_the_frames_it_has(tmp_path: Path) -> None:
    (tmp_path / "001.png").write_bytes(b"kept")
    with pytest.raises(KilofieldError, match=r"001\.png: exists already; --force replaces what is there$"):
        output_folder(tmp_path, False, ["000.png", "001.png"])
    (tmp_path / "002.png").write_bytes(b"kept")
    with pytest.raises(KilofieldError, match=r"001\.png: exists already and 1 more; --force"):
        output_folder(tmp_path, False, ["001.png", "002.png"])
    assert output_folder(tmp_path, False, ["007.png"]) == tmp_path
    assert output_folder(tmp_path / "new" / "deep", False, ["001.png"]).is_dir()


def test_a_missing_extra_says_how_to_get_it() -> None:
    missing = ModuleNotFoundError("No module named 'av'", name="av")
    assert explain(missing) == "av is not installed: pip install 'kilofield[video]' brings it"
    assert explain(ModuleNotFoundError("No module named 'scenes.nothing'", name="scenes.nothing")) is None
