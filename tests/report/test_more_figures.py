"""Seasons, sums, scatter, spread and coverage draw their numbers and say when there are none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hpcbudget.report.figures.coverage import coverage_figure
from hpcbudget.report.figures.cumulative import cumulative_figure
from hpcbudget.report.figures.scatter import scatter_figure
from hpcbudget.report.figures.seasons import seasons_figure
from hpcbudget.report.figures.spread import spread_figure
from hpcbudget.report.model_years import (
    agreement_in_time,
    cumulated,
    model_years,
    seasonal_cycles,
)
from hpcbudget.report.places import region_groups


def texts(figure) -> str:
    import matplotlib.text

    return "\n".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


@pytest.fixture(scope="module")
def models(fluxes: xr.Dataset) -> pd.DataFrame:
    return model_years(fluxes)


def test_seasons_share_a_scale_in_a_row(fluxes: xr.Dataset) -> None:
    figure = seasons_figure(seasonal_cycles(fluxes, 2015, 2017))
    assert len(figure.axes) == 8
    assert len({axes.get_ylim() for axes in figure.axes[:4]}) == 1
    assert "Pg C yr$^{-1}$, + to atmosphere" in texts(figure)
    assert "Inversions (4)" in texts(figure)


def test_seasons_without_monthly_data_say_so(fluxes: xr.Dataset) -> None:
    nothing = seasonal_cycles(fluxes, 2015, 2030)
    assert "no monthly data" in texts(seasons_figure(nothing, components=["land"]))


def test_sums_begin_at_nothing_and_end_at_the_sum(models: pd.DataFrame) -> None:
    sums = cumulated(models)
    figure = cumulative_figure(sums)
    land = sums[(sums["component"] == "land") & (sums["family"] == "inversion")]
    line = next(x for x in figure.axes[1].lines if x.get_color() == "#d55e00")
    assert line.get_ydata()[0] == 0
    assert line.get_ydata()[-1] == land["mean"].iloc[-1]
    assert line.get_xdata()[-1] == land["year"].iloc[-1] + 1
    assert "Land since 2001" in texts(figure)
    assert "no complete year" in texts(cumulative_figure(sums, components=["eluc"]))


def test_scatter_has_a_point_and_a_name_for_each_region(tables: dict, fluxes: xr.Dataset) -> None:
    lands = region_groups(fluxes)["lands"]
    table = tables["reconciliation"].copy()
    table.loc[table["region"] == "Africa", "agree"] = False
    axes = scatter_figure(table, "2010s", lands, components=["land"]).axes[0]
    filled, hollow = (len(c.get_offsets()) for c in axes.collections[-2:])
    assert (filled, hollow) == (5, 1)
    assert {t.get_text() for t in axes.texts} == set(lands)
    assert axes.get_xlim() == axes.get_ylim()


def test_labels_of_a_crowd_do_not_share_a_place(tables: dict, fluxes: xr.Dataset) -> None:
    lands = region_groups(fluxes)["lands"]
    table = tables["reconciliation"].assign(top_down_mean=0.0, bottom_up_mean=0.0)
    axes = scatter_figure(table, "2010s", lands, components=["land"]).axes[0]
    assert len({label.xyann for label in axes.texts}) == len(lands)


def test_spread_places_models_by_sd_and_correlation(models: pd.DataFrame) -> None:
    agreement = agreement_in_time(models)
    figure = spread_figure(agreement, components=["land"])
    own = agreement[(agreement["component"] == "land") & (agreement["family"] == "inversion")]
    drawn = np.concatenate([c.get_offsets() for c in figure.axes[0].collections])
    for angle, radius in zip(np.arccos(own["correlation"]), own["sd"], strict=True):
        assert np.isclose(drawn, [angle, radius]).all(axis=1).any()
    negative = agreement.assign(correlation=-0.5)
    assert spread_figure(negative, components=["land"]).axes[0].get_thetamax() == 180
    assert "fewer than two models" in texts(spread_figure(agreement, components=["eluc"]))


def test_coverage_states_every_change_of_the_number(series: pd.DataFrame) -> None:
    said = texts(coverage_figure(series)).split("\n")
    for number in ("1", "2", "3", "4", "6"):
        assert number in said
    assert "fCO$_2$, ocean" in said
    assert "no complete year" in texts(coverage_figure(series.head(0)))
