"""The report is one file that needs nothing else, and its pictures are the pictures it was given."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from renderer.metrics import ViewScore, mean_score, mean_squared_error, ssim
from renderer.report import (
    MOST_PICTURES,
    Comparison,
    ReportView,
    Side,
    difference_scale,
    heat_map,
    pictured,
    render_page,
    report_view,
    write_report,
)
from renderer.report_plots import score_plot
from scenes.errors import KilofieldError

VOID = {"meta", "img", "input", "br", "link"}


def levels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 20, 3)).astype(np.uint8)


def view(name: str, seed_a: int, seed_b: int) -> ReportView:
    a, b = (levels(seed) / np.float32(255) for seed in (seed_a, seed_b))
    object_error = mean_squared_error(a[4:12], b[4:12])
    return report_view(ViewScore(name, mean_squared_error(a, b), ssim(a, b), object_error=object_error), a, b)


def comparison(views: list[ReportView]) -> Comparison:
    sides = Side("a <scene>.ply", "ply", 1000, 248_000), Side("b & c.kilo", "kilo", 300, 2_000)
    return Comparison(*sides, (20, 16), (0.0, 0.0, 0.0), views, "drawn by nothing")


class Page(HTMLParser):
    """Collects what a page refers to, and checks that its tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for key, value in attrs if key in ("src", "href", "xlink:href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


def test_the_page_refers_to_nothing_outside_itself() -> None:
    page = render_page(comparison([view("front", 1, 2), view("back", 3, 4)]))
    for reference in Page(page).references:
        assert reference == "" or reference.startswith(("data:image/", "#"))
    assert "@import" not in page
    assert re.findall(r"url\((?!#)[^)]*\)", page) == []


def test_the_pictures_in_the_page_are_the_ones_given() -> None:
    pictures = [r for r in Page(render_page(comparison([view("front", 1, 2)]))).references if r.startswith("data:")]
    assert len(pictures) == 3
    np.testing.assert_array_equal(decoded(pictures[0]), levels(1))
    np.testing.assert_array_equal(decoded(pictures[1]), levels(2))
    difference = np.abs(levels(1).astype(int) - levels(2)).max(axis=2).astype(np.uint8)
    np.testing.assert_array_equal(decoded(pictures[2]), heat_map(difference, difference_scale([difference])))


def test_names_are_text_and_never_markup() -> None:
    page = Page(render_page(comparison([view("<script>alert(1)</script>", 1, 2)])))
    assert "a <scene>.ply" in page.text
    assert "b & c.kilo" in page.text
    assert "<script>alert(1)</script>" in page.text


def test_the_figures_are_those_of_the_views() -> None:
    front, back = view("front", 1, 2), view("back", 3, 4)
    text = Page(render_page(comparison([front, back]))).text
    for score in (front.score, back.score):
        row = text.index(score.name, text.index("camera"))
        assert [t for t in text[row:] if t][1:4] == [
            f"{score.psnr:.2f}",
            f"{score.object_psnr:.2f}",
            f"{score.ssim:.4f}",
        ]
        assert f"object PSNR {score.object_psnr:.2f} dB" in text
    tile = text.index("mean PSNR over the object's own pixels")
    assert f"{mean_score([front.score, back.score]).object_psnr:.2f}" in text[tile - 8 : tile]
    assert "124.0" in text  # 248,000 bytes over 2,000


def test_cameras_that_show_nothing_of_the_object_are_counted() -> None:
    seen, unseen = view("front", 1, 2), view("back", 3, 3)
    unseen = replace(unseen, score=replace(unseen.score, object_error=None))
    text = Page(render_page(comparison([seen, unseen]))).text
    row = text.index("back", text.index("camera"))
    assert [t for t in text[row:] if t][1:4] == ["inf", "-", "1.0000"]
    assert "1 of 2 cameras shows nothing of A and is not in its object PSNR" in text
    assert not [t for t in Page(render_page(comparison([seen]))).text if "nothing of A" in t]


def test_the_same_comparison_gives_the_same_bytes() -> None:
    assert render_page(comparison([view("front", 1, 2)])) == render_page(comparison([view("front", 1, 2)]))


def test_identical_scenes_make_a_page_too() -> None:
    assert "identical" in render_page(comparison([view("front", 1, 1)]))


def test_many_cameras_show_the_pictures_of_the_worst() -> None:
    views = [
        ReportView(ViewScore(str(i), 1e-3 / (1 + i % 7), 0.9), "", "", np.zeros((1, 1), np.uint8)) for i in range(70)
    ]
    shown = pictured(views)
    assert len(shown) == MOST_PICTURES
    assert [int(v.score.name) for v in shown] == sorted(int(v.score.name) for v in shown)
    hidden = [v for v in views if v not in shown]
    assert max(v.score.psnr for v in shown) <= min(v.score.psnr for v in hidden)


def test_the_heat_map_is_black_at_zero_and_brightens() -> None:
    ramp = heat_map(np.arange(256, dtype=np.uint8)[None], scale=0.5)[0].astype(float)
    assert ramp[0].max() < 10
    brightness = ramp @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(brightness) >= 0).all()
    assert (ramp[128:] == ramp[255]).all()


def test_the_scale_follows_the_differences_but_not_rounding() -> None:
    assert difference_scale([np.zeros((9, 9), np.uint8)]) == pytest.approx(8 / 255)
    assert difference_scale([np.full((9, 9), 51, np.uint8)]) == pytest.approx(0.2)


def test_plots_carry_the_colours_of_the_page_and_no_others() -> None:
    plot = score_plot([("a", 30.0), ("b", float("inf")), ("c", 34.0)], "PSNR", "dB")
    assert plot.startswith("<svg")
    assert "var(--ink)" in plot
    assert "identical" in plot
    assert set(re.findall(r"#[0-9a-f]{6}\b", plot)) == set()


def test_a_report_below_a_file_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(KilofieldError, match="cannot write"):
        write_report(tmp_path / "file" / "report.html", comparison([view("front", 1, 2)]))
