"""Every figure is drawn from the fixture, says its units, and says why a panel is empty."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from hpcbudget.report.blocks import reconciliation_block
from hpcbudget.report.figures.budget import budget_figure
from hpcbudget.report.figures.dipoles import dipole_figure
from hpcbudget.report.figures.regions import regional_bars_figure
from hpcbudget.report.figures.scatter import scatter_figure
from hpcbudget.report.gallery import SECTIONS, drawings
from hpcbudget.report.places import region_groups
from hpcbudget.report.run import Run
from hpcbudget.report.style import FAMILIES, MUTED


def texts(figure) -> str:
    import matplotlib.text

    return "\n".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


def lines(axes) -> list:
    """Lines of families: the zero line is not one."""
    return [line for line in axes.lines if len(line.get_xdata()) > 2]


def test_budget_has_three_rows_and_four_columns(series: pd.DataFrame) -> None:
    figure = budget_figure(series)
    assert len(figure.axes) == 12
    said = texts(figure)
    for title in ("Global", "North (> 30° N)", "Tropics (30° S–30° N)", "South (< 30° S)"):
        assert title in said
    assert said.count("Pg C yr$^{-1}$, + to atmosphere") == 3
    assert [len(lines(a)) for a in figure.axes] == [3] * 4 + [2] * 4 + [2] * 4


def test_budget_draws_the_numbers_it_was_given(series: pd.DataFrame) -> None:
    own = series[(series["family"] == "inversion") & (series["region"] == "Tropics")]
    own = own[own["component"] == "land"].sort_values("year")
    axes = budget_figure(series).axes[6]
    line = next(x for x in lines(axes) if x.get_color() == FAMILIES["inversion"].colour)
    assert line.get_xdata().tolist() == own["year"].tolist()
    assert line.get_ydata().tolist() == own["mean"].tolist()
    band = axes.collections[1].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx((own["mean"] + own["sd"]).max())


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("ocean_product", "no member gives\n“land” in this run"),
        ("none", "no member gives\n“ocean”"),
    ],
)
def test_an_empty_panel_says_why(series: pd.DataFrame, family: str, reason: str) -> None:
    assert reason in texts(budget_figure(series[series["family"] == family]))


def test_a_run_without_bands_still_has_a_globe(series: pd.DataFrame) -> None:
    figure = budget_figure(series[series["region"] == "Globe"])
    assert "no region\n“North” in this run" in texts(figure)
    assert len(lines(figure.axes[0])) == 3


def test_a_gap_in_the_years_is_a_gap_in_the_line(series: pd.DataFrame) -> None:
    holed = series[~series["year"].between(2003, 2005)]
    line = lines(budget_figure(holed).axes[0])[0]
    assert pd.isna(line.get_ydata()).sum() == 3


@settings(max_examples=3)
@given(chosen=st.sets(st.sampled_from(sorted(FAMILIES))), last=st.integers(1980, 2020))
def test_any_subset_of_families_and_years_can_be_drawn(
    series: pd.DataFrame, chosen: set[str], last: int
) -> None:
    part = series[series["family"].isin(chosen) & (series["year"] <= last)]
    assert len(budget_figure(part).axes) == 12


def test_regions_show_both_methods_and_their_agreement(tables: dict, fluxes) -> None:
    groups = region_groups(fluxes)
    table = tables["reconciliation"].copy()
    table.loc[table["region"] == "Europe", "agree"] = False
    figure = regional_bars_figure(table, "2010s", groups)
    assert len(figure.axes) == 2
    bands, lands = figure.axes
    assert len(bands.patches) == 6
    assert len(lands.patches) == 12
    dots = [line for line in lands.lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() == "none" for dot in dots].count(True) == 1
    assert "+ to atmosphere" in texts(figure)


def test_regions_without_one_method_say_so(tables: dict, fluxes) -> None:
    figure = regional_bars_figure(
        tables["reconciliation"], "1890s", region_groups(fluxes), component="land"
    )
    assert "no region has both methods for “land” in 1890s" in texts(figure)


def test_dipoles_are_a_lower_triangle(tables: dict, fluxes) -> None:
    lands = region_groups(fluxes)["lands"]
    figure = dipole_figure(tables["dipoles"], "2010s", lands)
    image = figure.axes[0].images[0].get_array()
    assert image.count() == 15
    assert abs(image).max() <= 1
    assert "Inversions\nn = 4" in texts(figure)
    few = dipole_figure(tables["dipoles"].assign(correlation=float("nan")), "2010s", lands)
    assert "fewer than three members" in texts(few)


def test_every_drawing_has_words_for_who_cannot_see_it(run: Run) -> None:
    made = list(drawings(run))
    assert len({d.name for d in made}) == len(made) >= 4
    for drawing in made:
        assert drawing.section in SECTIONS
        assert len(drawing.alternative) > 40
        assert "$" not in drawing.alternative + drawing.caption + drawing.title


def test_drawings_of_a_run_with_fluxes_only(run: Run) -> None:
    bare = Run(run.fluxes, run.series, {})
    assert next(d.name for d in drawings(bare)) == "global_carbon_budget"


@pytest.fixture
def single(run: Run) -> Run:
    """The run with a single inversion in two regions, and so without a spread to judge a gap by."""
    table = run.tables["reconciliation"]
    judged = table[(table["component"] == "land") & (table["region"] != "Globe")]
    alone = judged["region"].isin(judged["region"].unique()[:2])
    judged = judged.assign(
        n_td=judged["n_td"].mask(alone, 1),
        top_down_sd=judged["top_down_sd"].mask(alone),
        gap_sd=judged["gap_sd"].mask(alone),
        agree=judged["agree"].mask(alone, other=False),
    )
    tables = {**run.tables, "reconciliation": judged}
    return Run(run.fluxes, run.series, tables, run.provenance, run.config)


def test_a_side_without_a_spread_neither_agrees_nor_leaves_a_gap(single: Run) -> None:
    table = single.tables["reconciliation"]
    shown = [region for ids in single.groups.values() for region in ids]
    own = table[(table["period"] == single.period) & table["region"].isin(shown)]
    judged = own["gap_sd"].notna()
    assert 0 < judged.sum() < len(own)
    figure = regional_bars_figure(table, single.period, single.groups)
    dots = [x for axes in figure.axes for x in axes.lines if x.get_marker() == "o"]
    assert len(dots) == judged.sum()
    points = scatter_figure(table, single.period, own["region"].tolist(), components=["land"])
    grey = [c for c in points.axes[0].collections if len(c.get_offsets()) == (~judged).sum()]
    assert any(to_hex(c.get_edgecolors()[0]) == MUTED for c in grey)
    said = next(d.alternative for d in drawings(single) if d.name == "regions_land")
    assert f"{(~judged).sum()} cannot be judged" in said
    assert not any(str(region).split("/")[-1] in said for region in own.loc[~judged, "region"])
    block = reconciliation_block(single)
    assert block is not None
    assert {
        row[6].text for row in block.rows if row[1].text in set(own.loc[~judged, "region"])
    } == {"–"}
