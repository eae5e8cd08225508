"""Colours that everybody can tell apart, files that are the same every time."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from hpcbudget.report.figures.panels import new_figure, styled
from hpcbudget.report.style import (
    DARK,
    DPI,
    FAMILIES,
    INK,
    PAPER,
    paper,
    save_figure,
    themed_svg,
)

# Machado, Oliveira and Fernandes 2009 (doi:10.1109/TVCG.2009.113), severity 1, linear RGB
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
}  # fmt: skip
# families that ever share a panel
TOGETHER = [
    ("ocean_process", "ocean_product", "inversion"),
    ("land_process", "inversion"),
    ("process", "inversion"),
]


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("paper_colour", [PAPER, DARK[PAPER]])
def test_lines_stand_out_from_the_paper(family: str, paper_colour: str) -> None:
    assert contrast(FAMILIES[family].colour, paper_colour) >= 3.0


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("panel", TOGETHER)
def test_families_of_a_panel_differ_for_every_eye(vision: str, panel: tuple[str, ...]) -> None:
    for first, second in itertools.combinations(panel, 2):
        seen = [lab(VISION[vision] @ linear(FAMILIES[f].colour)) for f in (first, second)]
        assert np.linalg.norm(seen[0] - seen[1]) > 18, (vision, first, second)
        assert FAMILIES[first].line != FAMILIES[second].line


def test_text_has_the_contrast_of_text() -> None:
    for colour in DARK:
        if colour not in (PAPER, "#d5dae0"):
            assert contrast(colour, PAPER) >= 4.5
            assert contrast(DARK[colour], DARK[PAPER]) >= 4.5


@styled
def small_figure():
    figure = new_figure(1.0, 1.5)
    figure.subplots().plot([0, 1], [0, 1], color=INK)
    return figure


def test_equal_figures_are_equal_files_at_300_dpi(tmp_path: Path) -> None:
    first = [p.read_bytes() for p in save_figure(small_figure(), tmp_path / "a")]
    second = [p.read_bytes() for p in save_figure(small_figure(), tmp_path / "b")]
    assert first == second
    from PIL import Image

    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (round(1.5 * DPI), DPI)
        assert round(image.info["dpi"][0]) == DPI
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pdf", "a.png", "b.pdf", "b.png"]


def test_svg_follows_the_reader_and_is_reproducible() -> None:
    svg = themed_svg(small_figure(), "small")
    assert svg == themed_svg(small_figure(), "small")
    assert "prefers-color-scheme: dark" in svg
    body = svg[svg.index("</style>") :]
    assert not re.search("|".join(DARK), body, flags=re.IGNORECASE)
    assert "var(--c0)" in body


def test_users_settings_do_not_reach_the_figures() -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 40, "axes.facecolor": "yellow"}):
        with paper():
            assert mpl.rcParams["font.size"] < 10
        assert mpl.rcParams["font.size"] == 40
