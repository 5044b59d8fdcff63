"""The rows panels are made of: names at the left, what they name at the right."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, ImVec4, imgui

from ui.theme import FONT_SIZE, QUIET

LABELS = 116.0  # for names at the left, at 96 dots an inch


def quiet(text: str) -> None:
    """Text that is second to the rest; wraps."""
    imgui.push_style_color(imgui.Col_.text, ImVec4(*QUIET, 1.0))
    imgui.text_wrapped(text)
    imgui.pop_style_color()


def plain(text: str) -> None:
    """Text as it is, `%` and all."""
    imgui.text_unformatted(text)


def separated() -> None:
    """A thin line with a little room around it."""
    gap()
    imgui.separator()
    gap()


def tip(text: str) -> None:
    """Shown while the cursor rests on what was drawn last."""
    if imgui.is_item_hovered():
        imgui.set_tooltip(text)


def section(title: str) -> bool:
    """A header that folds what is under it; whether it is open."""
    imgui.separator()
    return imgui.collapsing_header(title, imgui.TreeNodeFlags_.default_open)


def name(text: str) -> None:
    """A name at the left; what comes next is at its right and as wide as there is room."""
    imgui.align_text_to_frame_padding()
    imgui.push_style_color(imgui.Col_.text, ImVec4(*QUIET, 1.0))
    imgui.text(text)
    imgui.pop_style_color()
    imgui.same_line(label_width())
    imgui.set_next_item_width(-1)


def rows(pairs: Sequence[tuple[str, str]]) -> None:
    """Names and values, a text line each."""
    spacing = imgui.get_style().item_spacing
    imgui.push_style_var(imgui.StyleVar_.item_spacing, ImVec2(spacing.x, 0.4 * spacing.y))
    for label, value in pairs:
        imgui.push_style_color(imgui.Col_.text, ImVec4(*QUIET, 1.0))
        imgui.text(label)
        imgui.pop_style_color()
        imgui.same_line(label_width())
        imgui.text_wrapped(value)
    imgui.pop_style_var()


def label_width() -> float:
    """Where values begin."""
    return LABELS * imgui.get_font_size() / FONT_SIZE


def half_width() -> ImVec2:
    """The size of a button when two of them share a row."""
    return ImVec2(0.5 * (imgui.get_content_region_avail().x - imgui.get_style().item_spacing.x), 0)


def choice(label: str, values: Sequence[str], here: str) -> str:
    """A row with one of `values` to choose; returns the one chosen."""
    name(label)
    changed, index = imgui.combo(f"##{label}", values.index(here), [value.capitalize() for value in values])
    return values[index] if changed else here


def gap() -> None:
    """A little room."""
    imgui.dummy(ImVec2(0, 0.1 * imgui.get_text_line_height()))


def shortened(text: str, longest: int = 34) -> str:
    """`text` without its middle, if it is longer."""
    return text if len(text) <= longest else f"{text[: longest // 2 - 1]}...{text[-(longest // 2) + 2 :]}"
